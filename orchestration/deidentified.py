"""`billing extract`: usage without anything of the 18 classes of identifiers (HP-5).

One row per event: the year, the State, what it was and how much, and a random number in
the patient's place. That is all that is taken, so that nothing has to be removed: no
names, ids, days, places, ages or contacts are read (164.514(b)(2)). The numbers are new
in each extract and kept nowhere (164.514(c)). Kinds, classes and codes come from the
senders and might be anything: one that is a day, or that fewer than eleven patients
share, is not shown (HP-23).
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb

from orchestration.audit import AuditLog
from orchestration.backup import file_digest
from orchestration.database import quoted
from orchestration.errors import BillingError
from orchestration.home import PRIVATE_FILE, Home
from orchestration.keys import Keys
from orchestration.warehouse import open_files

FEWEST_PATIENTS = 11
OTHER = "(other)"
_FROM_SENDERS = ("event_type", "class", "code")
# A shifted column may hold one that many patients share: that of their visit.
_IS_NO_DAY = (
    "try_cast(left({column}, 10) as date) is null "
    "and try_strptime(left({column}, 8), ['%Y%m%d', '%m%d%Y']) is null "
    "and not contains({column}, '/')"
)

_EVENTS = """
    select
        events.patient_token,
        year(events.service_date) as service_year,
        facilities.state,
        events.event_type,
        events.class,
        events.code,
        events.quantity
    from restricted.usage_events as events
    left join raw.facility_identifiers as identifiers
        on events.feed = identifiers.feed and events.facility = identifiers.identifier
    inner join raw.facilities as facilities
        on coalesce(identifiers.facility_id, events.facility) = facilities.facility_id
    where events.obstacle = ''
        and events.patient_token is not null
        and list_contains(cast($1 as varchar[]), facilities.customer_id)"""


@dataclass(frozen=True)
class Extract:
    """What was written: rows, patients, and the years they are of."""

    path: Path
    rows: int
    patients: int
    years: list[int]
    digest: str


def extract(
    home: Home,
    path: Path,
    customers: Sequence[str],
    recipient: str,
    purpose: str,
    today: date,
) -> Extract:
    """Write a new Parquet file of the customers' usage, and say so in the audit log.

    Raises BillingError if the file is there already, or if a customer has no agreement
    in force today: making it is a use of PHI like any other, and the agreement must
    permit it (164.502(d)), which a person has to read.
    """
    if path.exists():
        raise BillingError(f"{path} is there already; give the name of a new file")
    if not home.warehouse.exists():
        raise BillingError(f"{home.path}: nothing was billed here yet")
    with (
        home.lock("billing extract"),
        open_files(home, Keys.of(home), read_only=True) as connection,
    ):
        agreements = agreements_of(connection, customers, today)
        # Logged before it is read: what is not logged is not done.
        log = AuditLog(home.audit)
        scope = {
            "recipient": recipient,
            "purpose": purpose,
            "customers": sorted(customers),
            "agreements": agreements,
            "keys": ["warehouse"],
        }
        log.append("extract_begun", str(path), detail=scope)
        made = write(connection, path, customers)
        log.append(
            "extract",
            str(path),
            detail=scope
            | {"sha256": made.digest, "years": made.years, "patients": made.patients},
            rows=made.rows,
        )
    return made


def agreements_of(
    connection: duckdb.DuckDBPyConnection, customers: Sequence[str], today: date
) -> dict[str, str]:
    """Reference of each customer's agreement in force; '' if it has none."""
    found = dict(
        connection.execute(
            "select customer_id, max(coalesce(reference, '')) from raw.baas "
            "where effective_on <= $1 and coalesce(ends_on, $1) >= $1 "
            "group by customer_id",
            [today],
        ).fetchall()
    )
    without = sorted(set(customers) - found.keys())
    if without:
        raise BillingError(
            f"no agreement (BAA) in force today with {', '.join(without)}: nothing is "
            "taken from their usage. docs/baa.md says what is needed"
        )
    return {customer: found[customer] for customer in sorted(customers)}


def write(
    connection: duckdb.DuckDBPyConnection, path: Path, customers: Sequence[str]
) -> Extract:
    """Write the rows, in an order that says nothing; the file is its owner's alone."""
    connection.execute(
        f"create temp table extracted_events as {_EVENTS}", [list(customers)]
    )
    connection.execute(
        "create temp table extracted_patients as "
        "select patient_token, uuid() as patient from "
        "(select distinct patient_token from extracted_events)"
    )
    shown = ", ".join(
        f"if({_IS_NO_DAY.format(column=column)} and {column} in ("
        f"select {column} from extracted_events group by {column} "
        f"having count(distinct patient_token) >= {FEWEST_PATIENTS}), "
        f"{column}, '{OTHER}') as {column}"
        for column in _FROM_SENDERS
    )
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, PRIVATE_FILE))
    try:
        connection.execute(
            f"copy (select patient, service_year, state, {shown}, quantity "
            "from extracted_events join extracted_patients using (patient_token) "
            f"order by random()) to {quoted(path)} (format parquet)"
        )
        rows, patients = connection.execute(
            "select count(*), count(distinct patient_token) from extracted_events"
        ).fetchone()
        years = connection.execute(
            "select distinct service_year from extracted_events order by 1"
        ).fetchall()
        return Extract(
            path, rows, patients, [year for (year,) in years], file_digest(path)
        )
    except (duckdb.Error, OSError):
        path.unlink(missing_ok=True)
        # Not the database's own words, which may quote a value.
        raise BillingError(f"{path} could not be written; is there room?") from None
    finally:
        connection.execute("drop table if exists extracted_patients")
        connection.execute("drop table if exists extracted_events")


def told(made: Extract) -> str:
    """What was done and what remains to do, in words."""
    return (
        f"{made.path}: {made.rows:,} events of {made.patients:,} patients\n"
        "Noted in the audit log with recipient, purpose and hash. Before it goes out, "
        "a person must see that\nnobody could be told by it together with what the "
        "recipient knows (164.514(b)(2)(ii)).\n"
    )
