"""What a person is told when something stops a run."""


class BillingError(Exception):
    """A check or a rule stopped the command; its message says what to do.

    The message never holds a patient's value.
    """

    exit_status = 1
    # Whether the audit log has a row of this refusal.
    is_noted = False


class UsageError(BillingError):
    """The command was called in a way it does not understand."""

    exit_status = 2


class Interrupted(BillingError):
    """A person or the system stopped the command."""

    exit_status = 130
