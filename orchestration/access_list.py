"""`seeds/access.csv`: which person has which role, from when, until when, by whom."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from orchestration.access_roles import CUSTOMER_READER, PEOPLE, ROLES
from orchestration.kept_lists import KeptList
from orchestration.project import SEEDS_DIR

COLUMNS = ("person", "role", "customer", "from", "through", "approved_by")
_LONGEST_NAME = 63  # bytes of a name in PostgreSQL, which cuts longer ones off


@dataclass(frozen=True)
class Access:
    """A row of the list. `through` is its last day, None without an end; `customer` is
    empty but for a customer's reader.
    """

    person: str
    role: str
    customer: str
    since: date
    through: date | None
    approved_by: str

    def state(self, day: date) -> str:
        """'active', 'not yet' or 'ended' on a day."""
        if day < self.since:
            return "not yet"
        if self.through is not None and day > self.through:
            return "ended"
        return "active"


def read_access(path: Path | None = None) -> list[Access]:
    """The list, in the order of the file.

    Raises BillingError naming file, line, column, value and remedy: a list that can't
    be read gives nobody anything and takes nothing away.
    """
    kept = KeptList(path or SEEDS_DIR / "access.csv", "Nobody's access was changed")
    found: dict[tuple[str, str, str], int] = {}
    accesses = []
    for line, row in kept.rows():
        access = _access(kept, line, row)
        key = (access.person, access.role, access.customer)
        if key in found:
            raise kept.wrong(
                line, "person", access.person, f"is also on line {found[key]}"
            )
        found[key] = line
        accesses.append(access)
    return accesses


def _access(kept: KeptList, line: int, row: dict[str, str]) -> Access:
    missing = [name for name in COLUMNS if row.get(name) is None]
    if missing:
        raise kept.wrong(line, missing[0], "", "is not there")
    values = {name: row[name].strip() for name in COLUMNS}
    person, role, customer = (values[n] for n in ("person", "role", "customer"))
    for name in ("person", "role", "from", "approved_by"):
        if not values[name]:
            raise kept.wrong(line, name, "", "is required")
    if role not in ROLES:
        raise kept.wrong(line, "role", role, f"is none of {', '.join(sorted(ROLES))}")
    if person in (*ROLES, PEOPLE, "public", "none") or person.startswith("pg_"):
        raise kept.wrong(line, "person", person, "is the name of a role")
    if len(person.encode()) > _LONGEST_NAME or not person.isprintable():
        raise kept.wrong(line, "person", person, "is no name of a database user")
    if (role == CUSTOMER_READER) != bool(customer):
        raise kept.wrong(
            line,
            "customer",
            customer,
            f"belongs to the role {CUSTOMER_READER}, and only to it",
        )
    if values["approved_by"] == person:
        raise kept.wrong(
            line, "approved_by", person, "approves its own access; another must"
        )
    since = kept.day(line, "from", values["from"])
    through = (
        kept.day(line, "through", values["through"]) if values["through"] else None
    )
    if through is not None and through < since:
        raise kept.wrong(line, "through", values["through"], "is before from")
    return Access(person, role, customer, since, through, values["approved_by"])
