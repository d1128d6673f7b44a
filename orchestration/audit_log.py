"""The audit log as a table: `compliance.audit_log`, and what `billing audit` shows."""

from datetime import date
from typing import Any

import duckdb

from orchestration.audit import AuditLog
from orchestration.database import connect, named_rows, quoted

COLUMNS = {
    "seq": "bigint",
    "at": "timestamp",  # UTC
    "actor": "varchar",
    "action": "varchar",
    "object": "varchar",
    "detail": "varchar",
    "rows": "bigint",
    "ledger_head": "varchar",
    "previous_hash": "varchar",
    "hash": "varchar",
}
TABLE = "compliance.audit_log"


def audit_rows(log: AuditLog) -> str:
    """SQL of the log's whole rows, one column for each name in COLUMNS.

    A line that a writer has not finished yet is no row.
    """
    read = {**COLUMNS, "at": "varchar", "detail": "json"}
    columns = ", ".join(
        f"{quoted(name)}: {quoted(kind)}" for name, kind in read.items()
    )
    chosen = ", ".join(
        f'cast("{name}" as {kind}) as "{name}"' for name, kind in COLUMNS.items()
    )
    return (
        f"select {chosen} from read_json({quoted(log.path)}, "
        f"format = 'newline_delimited', columns = {{{columns}}}, "
        "maximum_object_size = 268435456, ignore_errors = true) where hash is not null"
    )


def load(connection: duckdb.DuckDBPyConnection, log: AuditLog) -> int:
    """Make the table anew in the default database; returns its rows."""
    connection.execute("create schema if not exists compliance")
    return connection.execute(
        f"create or replace table {TABLE} as {audit_rows(log)} order by seq"
    ).fetchone()[0]


def search(
    log: AuditLog,
    actor: str | None = None,
    action: str | None = None,
    target: str | None = None,
    first: date | None = None,
    last: date | None = None,
) -> list[dict[str, Any]]:
    """Rows of the log from a first to a last day (UTC), both in it, in order.

    `target` is part of an object or of its detail: an invoice, a customer, a file.
    """
    if not log.path.exists():
        return []
    with connect() as connection:
        return named_rows(
            connection,
            f"select * from ({audit_rows(log)}) "
            "where ($1 is null or actor = $1) and ($2 is null or action = $2) "
            "and ($3 is null or contains(concat_ws(' ', object, detail), $3)) "
            'and ($4 is null or cast("at" as date) >= $4) '
            'and ($5 is null or cast("at" as date) <= $5) order by seq',
            [actor, action, target, first, last],
        )


def told(rows: list[dict[str, Any]]) -> str:
    """Rows as text: when, who, what, on what, of how much, and the detail."""
    lines = []
    for row in rows:
        counted = "" if row["rows"] is None else f"  {row['rows']} rows"
        lines.append(
            f"{row['seq']:>6}  {row['at']:%Y-%m-%d %H:%M:%S}  {row['actor']}  "
            f"{row['action']}  {row['object']}{counted}\n{'':8}{row['detail']}"
        )
    return "\n".join([*lines, f"{len(rows)} rows, times in UTC"]) + "\n"
