"""Lists that people keep by hand, and how it is told what is wrong in one."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from orchestration.errors import BillingError
from orchestration.project import read_rows


@dataclass(frozen=True)
class KeptList:
    """A CSV file of the project; `stopped` says what was not done for its sake, as in
    "Nothing was purged".
    """

    path: Path
    stopped: str

    def rows(self) -> enumerate[dict[str, str]]:
        """Rows as text, each with its line; line 1 is the header."""
        return enumerate(read_rows(self.path), start=2)

    def wrong(self, line: int, column: str, value: str, why: str) -> BillingError:
        """What is wrong with a value, and where, to be raised."""
        return BillingError(
            f"{self.path.parent.name}/{self.path.name}, line {line}, {column} "
            f"{value!r} {why}; mend it. {self.stopped}"
        )

    def day(self, line: int, column: str, text: str) -> date:
        """The day that is written. Raises BillingError if it is none."""
        try:
            return date.fromisoformat(text)
        except ValueError:
            raise self.wrong(line, column, text, "is no day like 2026-03-31") from None
