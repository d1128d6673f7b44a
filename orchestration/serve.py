"""`billing publish --to`: the last good publication on a PostgreSQL server (HP-12)."""

import hashlib
import os
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

import psycopg
from psycopg import sql

from orchestration import audit_log, postgres_people, postgres_tables
from orchestration.access_list import read_access
from orchestration.access_roles import AUDITOR, readers
from orchestration.audit import AuditLog
from orchestration.database import connect, quoted
from orchestration.errors import BillingError
from orchestration.home import Home
from orchestration.postgres_link import Address
from orchestration.postgres_tables import Table

_LOCK = 728_301_115  # any number, the same for all who publish
_WAIT = "20s"
_ASKED = {"finance.invoices": 0, "finance.invoice_lines": 1}


@dataclass(frozen=True)
class Served:
    """What a publication to a server did."""

    address: str
    rows: dict[str, int]
    people: postgres_people.Changes


def serve(home: Home, url: str, day: date | None = None) -> Served:
    """Publish to a server, with the people of `seeds/access.csv` as of today.

    People come first: who left is out even if the tables then can't be served. Raises
    BillingError in that case; what was served before is then still there.
    """
    address = Address(url)
    if not home.publication.exists():
        raise BillingError(
            f"{home.publication} is not there yet: `billing run` publishes it"
        )
    accesses = read_access()
    with address.connect() as connection:
        connection.execute(f"set lock_timeout = '{_WAIT}'")
        connection.execute("select pg_advisory_lock(%s)", [_LOCK])
        try:
            people = postgres_people.make_people_equal(
                connection, accesses, day or date.today()
            )
            _note_people(home, address, people)
            rows, digest = _tables(home, connection, accesses, day or date.today())
        except psycopg.Error as error:
            raise BillingError(_why_not(address, error)) from None
        AuditLog(home.audit).append(
            "publish_to",
            address.shown,
            detail={"tables": rows, "sha256": digest},
            rows=sum(rows.values()),
        )
        _tidy(address, connection, rows)
    for table in sorted(rows):
        if readers(table) == [AUDITOR] and not table.startswith("compliance."):
            print(
                f"billing: {table} is read by the auditor alone: name it in "
                "orchestration/access_roles.py for others",
                file=sys.stderr,
            )
    return Served(address.shown, rows, people)


def _tables(
    home: Home, connection: psycopg.Connection, accesses: list, day: date
) -> tuple[dict[str, int], str]:
    """The rows of each table, and the digest of the file they are from."""
    with home.publication.open("rb") as file, connect() as source:
        source.execute(f"attach {quoted(home.publication)} as publication (read_only)")
        if not os.path.samestat(os.fstat(file.fileno()), home.publication.stat()):
            raise BillingError(
                f"{home.publication} was replaced just now; what was served before is "
                "still there. Publish again"
            )
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        found = source.execute(
            "select table_schema || '.' || table_name from information_schema.tables "
            "where table_catalog = 'publication' order by 1"
        ).fetchall()
        tables = [
            Table.of(source, name, f"from publication.{name}") for (name,) in found
        ]
        log = AuditLog(home.audit)
        if home.audit.exists():
            tables.append(Table.of(source, audit_log.TABLE, audit_log.audit_rows(log)))
        names = [table.name for table in tables]
        with connection.transaction():
            active = [access for access in accesses if access.state(day) == "active"]
            postgres_tables.make_access_tables(connection, active)
            # First those that the rules of others ask.
            tables.sort(key=lambda table: _ASKED.get(table.name, len(_ASKED)))
            postgres_tables.drop_what_changed(connection, tables)
            rows = {
                table.name: postgres_tables.replace_rows(connection, source, table)
                for table in tables
            }
            postgres_tables.refuse_views_that_run_as_their_owner(connection)
            postgres_tables.make_grants_equal(connection, names)
    return rows, digest


def _tidy(
    address: Address, connection: psycopg.Connection, tables: Iterable[str]
) -> None:
    """Free what the rows before took up, and let plans know the new ones.

    What is served is served by then, so nothing is refused any more.
    """
    try:
        for table in tables:
            name = sql.Identifier(*table.split(".", 1))
            connection.execute(sql.SQL("vacuum (analyze) {}").format(name))
        _warn_of_what_is_not_logged(connection)
    except psycopg.Error as error:
        print(
            f"billing: {address.shown}: all is served, but the server's room was not "
            f"made free ({type(error).__name__}); the next publication does it",
            file=sys.stderr,
        )


def _note_people(home: Home, address: Address, people: postgres_people.Changes) -> None:
    if people.granted or people.revoked or people.left:
        AuditLog(home.audit).append(
            "access",
            address.shown,
            detail={
                "granted": [list(pair) for pair in people.granted],
                "revoked": [list(pair) for pair in people.revoked],
                "left": people.left,
                "sessions_ended": people.sessions_ended,
            },
        )


def _why_not(address: Address, error: psycopg.Error) -> str:
    """What a server refused, by its kind: its own words may quote a row."""
    kind = type(error).__name__
    told = error.diag.message_primary or ""
    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        return (
            f"{address.shown}: the user that publishes may not do this ({told}); it "
            "needs createrole, create on the database and pg_signal_backend, and must "
            "own what was published before"
        )
    if isinstance(error, psycopg.errors.LockNotAvailable):
        return (
            f"{address.shown}: somebody holds a lock on what is served; what was "
            "served before is still there. Publish again later"
        )
    if isinstance(error, psycopg.errors.DependentObjectsStillExist):
        return (
            f"{address.shown}: a table changes its columns, and a view reads it "
            f"({error.diag.message_detail}); drop the view, publish, and make it anew"
        )
    return (
        f"{address.shown}: the server refused it ({kind}); what was served before is "
        "still there"
    )


def _warn_of_what_is_not_logged(connection: psycopg.Connection) -> None:
    (logged,) = connection.execute(
        "select current_setting('pgaudit.log', true)"
    ).fetchone()
    if not logged or logged.lower() == "none":
        print(
            "billing: the server does not log who reads what: load pgaudit and set "
            "pgaudit.log = 'read, write, ddl, role' (docs/compliance.md)",
            file=sys.stderr,
        )


def told(served: Served) -> str:
    """A publication to a server as text."""
    schemas = Counter(name.split(".", 1)[0] for name in served.rows)
    lines = [
        f"Served: {served.address}",
        *(f"  {schema}: {count} tables" for schema, count in sorted(schemas.items())),
        f"  {sum(served.rows.values()):,} rows",
    ]
    people = served.people
    lines += [f"  given: {role} to {person}" for person, role in people.granted]
    lines += [f"  taken: {role} from {person}" for person, role in people.revoked]
    lines += [f"  left: {person}" for person in people.left]
    if people.sessions_ended:
        lines.append(f"  open sessions ended: {people.sessions_ended}")
    return "\n".join(lines) + "\n"
