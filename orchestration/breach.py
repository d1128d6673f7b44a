"""`billing breach`: who may have been reached, what of them, and by when to say so.

From the audit log (what was done, by whom, on what) and the restricted schema (whose
patients are there). It states the most that can have been reached, never less: deciding
whether it was a breach, and writing the letters, is for people (docs/breach.md).
"""

import contextlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import duckdb

from orchestration import audit_log
from orchestration.audit import AuditLog
from orchestration.errors import BillingError, UsageError
from orchestration.home import Home
from orchestration.keys import Keys
from orchestration.landed_files import discreet_name
from orchestration.notices import EVENTS
from orchestration.warehouse import open_files

RAW = "raw files: whatever the clinical systems sent, names and identifiers included"
TOKENS = (
    "the restricted schema: tokens of patients, event ids, facility, dates of service, "
    "kinds of encounters and procedures"
)
# What an action reads of patients; what is not listed may have read all of it.
_ACTIONS = {
    "run": (RAW, TOKENS),
    "close": (RAW, TOKENS),
    "what_if": (RAW, TOKENS),
    "phi_scan": (RAW, TOKENS),
    "key_use": (TOKENS,),
    "explain": (TOKENS,),
    "extract": (TOKENS,),
    "extract_begun": (TOKENS,),
    # New tokens are made from the landed files.
    "key_rotation": (RAW, TOKENS),
    "purge": (TOKENS,),
    "purge_preview": (TOKENS,),
} | dict.fromkeys(
    (
        *("issue", "keep", "publish", "publish_to", "invoice", "statement", "dun"),
        *("backup", "restore", "access", "access_report"),
        *(f"notice_{event}" for event in EVENTS),
        *(
            "verify",
            "breach",
            "export",
            "refusal",
            "interruption",
            "recovered",
        ),
    ),
    (),
)
_ENCRYPTED = (
    "secured: AES-256-GCM, while the key in keys/ or the environment was not taken too"
)
_UNKNOWN = "something unknown"
# What can be lost as a thing: what it holds of patients, and whether it is readable.
PLACES = {
    "warehouse.duckdb": ((TOKENS,), _ENCRYPTED),
    "spill": ((RAW, TOKENS), _ENCRYPTED),
    "landing": ((RAW,), "not secured, unless its volume was encrypted"),
    "keys": ((RAW, TOKENS), "not secured: what they encrypt can be read with them"),
    "ledger.duckdb": ((), _ENCRYPTED),
    "backup": ((), "secured: encrypted with the ledger key"),
    "audit.jsonl": ((), "not encrypted; it says nothing of patients"),
    "published": ((), "not encrypted; it says nothing of patients"),
}


@dataclass(frozen=True)
class Reached:
    """A customer whose patients may have been reached; `individuals` are tokens."""

    customer_id: str
    customer_name: str
    individuals: int
    agreement: str


@dataclass
class Breach:
    """What a window, an actor or an object comes to; days in calendar days."""

    first: date
    last: date
    discovered: date
    actor: str | None
    target: str | None
    done: Counter[tuple[str, str]] = field(default_factory=Counter)
    classes: list[str] = field(default_factory=list)
    secured: str = ""
    customers: list[Reached] = field(default_factory=list)
    # What the log calls the object: a usage file's own name may tell of a patient.
    noted: str | None = None

    @property
    def individuals(self) -> int:
        """Those of all customers; one of two customers counts twice."""
        return sum(customer.individuals for customer in self.customers)


def breach(
    home: Home,
    first: date,
    last: date,
    actor: str | None = None,
    target: str | None = None,
    discovered: date | None = None,
) -> Breach:
    """Assess a window of days (UTC, both in it), and add a row to the audit log.

    `target` is a place (PLACES), a customer, a feed, a usage file by its name or the
    first of its hash, or what rows of the log name. Raises BillingError if there is
    no log.
    """
    if first > last:
        raise UsageError(f"--from {first} is after --to {last}")
    log = AuditLog(home.audit)
    if not home.audit.exists():
        raise BillingError(
            f"{home.audit} is not there: what was done can't be told; restore it from "
            "its backup"
        )
    found = Breach(first, last, discovered or date.today(), actor, target)
    with home.lock("billing breach"):
        _assess(found, home, log)
        log.append(
            "breach",
            found.noted or actor or "everything",
            detail={
                "period": [first.isoformat(), last.isoformat()],
                "by": actor,
                "discovered": found.discovered.isoformat(),
                "customers": [one.customer_id for one in found.customers],
            },
            rows=found.individuals,
        )
    return found


def _assess(found: Breach, home: Home, log: AuditLog) -> None:
    place = PLACES.get(found.target or "")
    limit = _Limit()
    with _warehouse(home) as connection:
        if place is None and found.target and connection is not None:
            limit = _limit(connection, found.target)
        # A customer or a feed is reached by all that reads its rows, named or not.
        named = None if limit.is_known or place else found.target
        rows = audit_log.search(log, found.actor, None, named, found.first, found.last)
        found.done = Counter((row["actor"], row["action"]) for row in rows)
        found.noted = limit.noted
        if found.target and found.noted is None:
            # What nothing is called by is not put down: it may be anything.
            found.noted = found.target if place or rows else _UNKNOWN
        if place is not None:
            found.classes, found.secured = list(place[0]), place[1]
        else:
            found.classes = _classes(rows)
            if found.classes:
                found.secured = "not secured: with the keys it was read in clear"
                customers = _customers(rows)
                if customers is not None:
                    limit.customers = (
                        customers
                        if limit.customers is None
                        else [one for one in limit.customers if one in customers]
                    )
        if found.classes and connection is not None:
            found.customers = _reached(connection, limit, found.last)


@dataclass
class _Limit:
    """Which rows are meant: None is all. `noted` is what the log calls them."""

    customers: list[str] | None = None
    feed: str | None = None
    files: list[str] | None = None
    noted: str | None = None

    @property
    def is_known(self) -> bool:
        return (self.customers, self.feed, self.files) != (None, None, None)


@contextlib.contextmanager
def _warehouse(home: Home) -> Iterator[duckdb.DuckDBPyConnection | None]:
    """The warehouse to read; None if nothing was loaded yet."""
    if not (home.warehouse.exists() and home.ledger.exists()):
        yield None
        return
    with open_files(home, Keys.of(home), read_only=True) as connection:
        yield connection


def _limit(connection: duckdb.DuckDBPyConnection, target: str) -> _Limit:
    if _one(connection, "raw.customers where customer_id = $1", target):
        return _Limit(customers=[target], noted=target)
    if _one(connection, "raw.usage_files where feed = $1", target):
        return _Limit(feed=target, noted=target)
    # A name, or how logs call the file: its feed and the first of its hash.
    files = connection.execute(
        "select distinct concat('usage/', feed, '/'), file_id from raw.usage_files "
        "where $1 in "
        "(source_file, file_id, concat('usage/', feed, '/', file_id[:12]), "
        "concat(feed, '/', file_id[:12]))",
        [target],
    ).fetchall()
    if not files:
        return _Limit()
    noted = ", ".join(sorted(discreet_name(*file) for file in files))
    return _Limit(files=[file_id for _, file_id in files], noted=noted)


def _one(connection: duckdb.DuckDBPyConnection, rows: str, value: str) -> bool:
    return connection.execute(f"select 1 from {rows} limit 1", [value]).fetchone() == (
        1,
    )


def _classes(rows: Sequence[dict[str, Any]]) -> list[str]:
    reached = {
        one for row in rows for one in _ACTIONS.get(row["action"], (RAW, TOKENS))
    }
    return [one for one in (RAW, TOKENS) if one in reached]


def _customers(rows: Sequence[dict[str, Any]]) -> list[str] | None:
    """The customers that the rows limit themselves to; None if one does not."""
    named: set[str] = set()
    for row in rows:
        if _ACTIONS.get(row["action"], (RAW,)):
            scope = json.loads(row["detail"]).get("customers")
            if not scope:
                return None
            named.update(scope)
    return sorted(named)


def _reached(
    connection: duckdb.DuckDBPyConnection, limit: _Limit, last: date
) -> list[Reached]:
    """Customers with patients in the rows meant that may have been there by then."""
    tables = {
        name
        for (name,) in connection.execute(
            "select table_name from duckdb_tables() where schema_name = 'restricted'"
        ).fetchall()
    }
    if "usage_rows" not in tables:
        return []
    rows = (
        "select feed, file_id, facility, patient_token, "
        "coalesce(received_at::date, service_date) as day from restricted.usage_rows"
    )
    if "usage_events" in tables:
        # A procedure's facility may be that of its encounter.
        rows += (
            " union all select feed, file_id, facility, patient_token, "
            "coalesce(received_on, service_date) from restricted.usage_events"
        )
    result = connection.execute(
        f"""
        with rows as ({rows}),
        identifiers as (
            select feed, identifier, min(facility_id) as facility_id
            from raw.facility_identifiers group by feed, identifier
        ),
        agreements as (
            select customer_id, max_by(reference, effective_on) as reference
            from raw.baas group by customer_id
        )
        select
            facilities.customer_id,
            any_value(customers.customer_name),
            count(distinct rows.patient_token),
            coalesce(any_value(agreements.reference), '')
        from rows
        inner join raw.usage_files as files using (feed, file_id)
        left join identifiers
            on rows.feed = identifiers.feed and rows.facility = identifiers.identifier
        inner join raw.facilities as facilities
            on coalesce(identifiers.facility_id, rows.facility) = facilities.facility_id
        left join raw.customers as customers
            on facilities.customer_id = customers.customer_id
        left join agreements on facilities.customer_id = agreements.customer_id
        where files.has_phi
            and (rows.day is null or rows.day <= $1)
            and ($2 is null or facilities.customer_id in (select unnest($2)))
            and ($3 is null or rows.feed = $3)
            and ($4 is null or rows.file_id in (select unnest($4)))
        group by facilities.customer_id
        having count(rows.patient_token) > 0
        order by facilities.customer_id""",
        [last, limit.customers, limit.feed, limit.files],
    )
    return [Reached(*row) for row in result.fetchall()]
