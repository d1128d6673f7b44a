"""`billing access-report`: who may read what, for the quarterly review (HP-12)."""

from collections import Counter
from datetime import date, timedelta

import psycopg

from orchestration import audit_log
from orchestration.access_list import Access, read_access
from orchestration.access_roles import ROLES, SCHEMAS
from orchestration.audit import AuditLog
from orchestration.errors import BillingError
from orchestration.home import Home
from orchestration.postgres_link import Address
from orchestration.postgres_people import memberships
from orchestration.postgres_tables import held_grants, wanted_grants

_QUARTER = 92  # days: the longest one
_YEAR = 366


def access_report(home: Home, day: date, url: str | None = None) -> str:
    """The review as text; with a server, also what differs there from the lists.

    Raises BillingError if the list can't be read or the server can't be reached.
    """
    accesses = read_access()
    lines = [f"Access as of {day}", ""]
    lines += _people(accesses, day)
    lines += ["", "What each role reads, and nothing else", ""]
    for name, role in sorted(ROLES.items()):
        tables = "every table" if role.reads("*") else ", ".join(role.tables)
        lines.append(f"  {name}: {tables}")
    if url is not None:
        lines += ["", *_on_server(Address(url), accesses, day)]
    first = day - timedelta(days=_QUARTER)
    counted = Counter(
        (row["actor"], row["action"])
        for row in audit_log.search(AuditLog(home.audit), first=first, last=day)
    )
    lines += ["", f"What was done with the home itself since {first} (audit log)", ""]
    lines += [
        f"  {actor}: {action} {count} times"
        for (actor, action), count in sorted(counted.items())
    ]
    if home.path.is_dir():
        AuditLog(home.audit).append(
            "access_report",
            Address(url).shown if url else "seeds/access.csv",
            detail={"as_of": day.isoformat()},
            rows=len(accesses),
        )
    return "\n".join(lines) + "\n"


def _people(accesses: list[Access], day: date) -> list[str]:
    if not accesses:
        return ["Nobody is on the list (seeds/access.csv)"]
    lines = [
        f"{'person':24}{'role':20}{'customer':16}{'from':12}{'through':12}"
        f"{'approved by':16}state"
    ]
    for access in sorted(accesses, key=lambda a: (a.person, a.role, a.customer)):
        state = access.state(day)
        remarks = [state]
        if state == "active" and access.through is None:
            remarks.append("no end")
        if state == "active" and (day - access.since).days > _YEAR:
            remarks.append("older than a year: still needed?")
        lines.append(
            f"{access.person:24}{access.role:20}{access.customer or '-':16}"
            f"{access.since!s:12}{str(access.through or '-'):12}"
            f"{access.approved_by:16}{', '.join(remarks)}"
        )
    return lines


def _on_server(address: Address, accesses: list[Access], day: date) -> list[str]:
    lines = [f"On {address.shown}", ""]
    wanted = {(a.person, a.role) for a in accesses if a.state(day) == "active"}
    with address.connect() as connection:
        try:
            held = memberships(connection)
            tables = connection.execute(
                "select schemaname || '.' || tablename from pg_tables "
                "where schemaname = any(%s)",
                [list(SCHEMAS)],
            ).fetchall()
            grants = held_grants(connection)
            declared = wanted_grants(name for (name,) in tables)
            above = connection.execute(
                "select rolname from pg_roles where rolcanlogin "
                "and (rolsuper or rolbypassrls or rolcreaterole) order by 1"
            ).fetchall()
        except psycopg.Error as error:
            raise BillingError(
                f"{address.shown}: can't be asked ({type(error).__name__})"
            ) from None
    differing = [f"{p} has {r}, not on the list" for p, r in sorted(held - wanted)]
    differing += [f"{p} has not yet {r}" for p, r in sorted(wanted - held)]
    differing += [
        f"{role or 'public'} has {privilege} on {name}, not declared"
        for _, name, role, privilege in sorted(grants - declared)
    ]
    differing += [
        f"{role} has not yet {privilege} on {name}"
        for _, name, role, privilege in sorted(declared - grants)
    ]
    lines += [f"  differs: {difference}" for difference in differing]
    if not differing:
        lines.append("  people and grants are those of the lists")
    lines.append(
        "  administrators, who are outside the lists: "
        + (", ".join(name for (name,) in above) or "none")
    )
    return lines
