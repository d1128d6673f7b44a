"""What a person is told when something stops a run."""


def replaced(text: str, names: dict[str, str]) -> str:
    """The text with other names, the longest first as one may be part of another."""
    for name in sorted(names, key=len, reverse=True):
        text = text.replace(name, names[name])
    return text


class BillingError(Exception):
    """A check or a rule stopped the command; its message says what to do.

    The message never holds a patient's value.
    """

    exit_status = 1
    # Whether the audit log has a row of this refusal.
    is_noted = False
    # What a person at the terminal is told instead, who may see what lands: names of
    # usage files, which may tell of a patient and so are kept in no log.
    in_full: str | None = None

    @classmethod
    def naming_files(cls, in_full: str, discreet: dict[str, str]) -> "BillingError":
        """An error that names usage files; `discreet` is what logs call each."""
        error = cls(replaced(in_full, discreet))
        error.in_full = in_full
        return error

    def add(self, text: str) -> None:
        """Go on with more text."""
        if self.in_full is not None:
            self.in_full += text
        self.args = (f"{self}{text}",)

    def told(self) -> str:
        """The message for a person at the terminal."""
        return self.in_full or str(self)


class UsageError(BillingError):
    """The command was called in a way it does not understand."""

    exit_status = 2


class Interrupted(BillingError):
    """A person or the system stopped the command."""

    exit_status = 130


def is_interruption(error: BaseException) -> bool:
    """Whether a person or the system stopped it, as Python or DuckDB tells that."""
    return isinstance(error, KeyboardInterrupt) or (
        isinstance(error, RuntimeError) and str(error) == "Query interrupted"
    )
