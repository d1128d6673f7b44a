"""What is kept how long, and what a legal hold keeps: `retention/` (HP-18, HP-19)."""

from collections.abc import Container
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from orchestration.kept_lists import KeptList
from orchestration.project import PROJECT_DIR

FOLDER = PROJECT_DIR / "retention"
USAGE, REPORTS = "usage_events", "run_reports"
# The law's least: 45 CFR 164.316(b)(2), in months.
_LEAST = {"audit_log": 72, "agreements": 72, "breach_decisions": 72}
CLASSES = (USAGE, REPORTS, "invoices_and_journal", *_LEAST)


@dataclass(frozen=True)
class Hold:
    """A legal hold; without a customer it is one on all. Both days are in it."""

    name: str
    customer: str
    since: date
    through: date | None

    def is_in_force(self, *days: date) -> bool:
        """Whether it is in force on any of the days."""
        return any(
            self.since <= day and (self.through is None or day <= self.through)
            for day in days
        )

    def keeps(self, customer: str | None) -> bool:
        """Whether it is on a customer; None: on what is nobody's."""
        return self.customer in ("", customer)


def terms(folder: Path | None = None) -> dict[str, int]:
    """Months by class. Raises BillingError naming line, column, value and remedy."""
    kept = _list("classes.csv", folder)
    months: dict[str, int] = {}
    for line, row in kept.rows():
        name, text = ((row.get(key) or "").strip() for key in ("class", "months"))
        if name not in CLASSES or name in months:
            raise kept.wrong(line, "class", name, f"is none of {', '.join(CLASSES)}")
        if not text.isdecimal() or int(text) < 1:
            raise kept.wrong(line, "months", text, "is no number of months")
        if int(text) < _LEAST.get(name, 0):
            raise kept.wrong(line, "months", text, f"is below {_LEAST[name]}")
        months[name] = int(text)
    missing = [name for name in CLASSES if name not in months]
    if missing:
        raise kept.wrong(1, "class", missing[0], "is missing")
    return months


def legal_holds(customers: Container[str], folder: Path | None = None) -> list[Hold]:
    """Every hold. Raises BillingError: what can't be read, or names a customer that is
    none of `customers`, keeps everything.
    """
    kept = _list("legal_holds.csv", folder)
    holds = []
    for line, row in kept.rows():
        values = {name: (value or "").strip() for name, value in row.items() if name}
        for name in ("hold", "from", "approved_by"):
            if not values.get(name):
                raise kept.wrong(line, name, "", "is required")
        customer = values.get("customer", "")
        if customer and customer not in customers:
            raise kept.wrong(line, "customer", customer, "was never landed or billed")
        since = kept.day(line, "from", values["from"])
        through = values.get("through")
        holds.append(
            Hold(
                values["hold"],
                customer,
                since,
                kept.day(line, "through", through) if through else None,
            )
        )
    return holds


def months_before(day: date, months: int) -> date:
    """The same day so many months earlier, or the last one of a shorter month."""
    year, zero_based = divmod(day.year * 12 + day.month - 1 - months, 12)
    for last in range(day.day, 27, -1):
        try:
            return date(year, zero_based + 1, last)
        except ValueError:
            continue
    return date(year, zero_based + 1, day.day)


def _list(name: str, folder: Path | None) -> KeptList:
    return KeptList((folder or FOLDER) / name, "Nothing was purged")
