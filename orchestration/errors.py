"""What a person is told when something stops a run."""


class BillingError(Exception):
    """A check or a rule stopped the command; its message says what to do.

    The command ends with exit status 1. The message never holds a patient's value.
    """


class UsageError(BillingError):
    """The command was called in a way it does not understand (exit status 2)."""
