"""Rows of documents (FHIR, HL7 v2) as the relations of `sent_rows`, and what else
documents say.

Beside rows and refused lines there are `usage_sent_places` (which facility a place of
the feed belongs to), `usage_sent_place_uses` (which place gave rows their facility, and
what it gave; filled by `feed_links`) and `usage_sent_merges` (patients who are one).
All are temporary: merges hold raw patient identifiers until `sent_rows.close_rows`.
"""

from collections import Counter

import duckdb
import pyarrow

from orchestration.readers.sent_rows import (
    PLACE_USES,
    READ,
    REFUSED,
    Opened,
    close_rows,
    make_refused,
)

# What a reader selects of a row. `place`: where it was, if it names no facility.
COLUMNS = {
    "line": "bigint",
    "event_id": "varchar",
    "event_type": "varchar",
    "facility": "varchar",
    "place": "varchar",
    "encounter_id": "varchar",
    "patient_id": "varchar",
    "service_date": "date",
    "received_at": "timestamp",
    "quantity": "decimal(18, 4)",
    "status": "varchar",
    "class": "varchar",
    "code": "varchar",
}
_REFUSED = pyarrow.schema(
    [("line", "int64"), ("column_name", "string"), ("reason", "string")]
)


def make(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the relations, empty."""
    close_rows(connection)
    make_refused(connection)
    columns = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
    for table in (
        f"usage_read ({columns})",
        "usage_sent_places (line bigint, place varchar, facility varchar, "
        "received_at timestamp)",
        "usage_sent_place_uses (place varchar, facility varchar)",
        "usage_sent_merges (line bigint, facility varchar, from_patient varchar, "
        "to_patient varchar, received_at timestamp)",
    ):
        connection.execute(f"create temp table {table}")
    selected = ", ".join(
        f"read.{name}" for name in COLUMNS if name not in ("facility", "place")
    )
    connection.execute(f"""
        create temp view usage_sent as
        select
            {selected},
            coalesce(read.facility, uses.facility) as facility,
            cast(null as varchar) as broken_column
        from {READ} as read
        left join {PLACE_USES} as uses on read.place = uses.place""")


def refuse(
    connection: duckdb.DuckDBPyConnection, refused: list[tuple[int, str | None, str]]
) -> None:
    """Keep lines that are no rows: (line, column, reason)."""
    if refused:
        columns = [list(column) for column in zip(*refused, strict=True)]
        table = pyarrow.table(columns, schema=_REFUSED)
        insert(connection, REFUSED, table, "*")


def insert(
    connection: duckdb.DuckDBPyConnection,
    relation: str,
    table: pyarrow.Table,
    selected: str,
) -> None:
    """Append SQL of the columns of an Arrow table to one of the relations."""
    connection.register("usage_batch", table)
    try:
        connection.execute(f"insert into {relation} select {selected} from usage_batch")
    finally:
        connection.unregister("usage_batch")


def opened(
    connection: duckdb.DuckDBPyConnection,
    left_out: Counter[str],
    warnings: list[str] | None = None,
) -> Opened:
    """What was read, once all is in the relations."""
    rows, refused = connection.execute(
        f"select (select count(*) from {READ}), (select count(*) from {REFUSED})"
    ).fetchone()
    return Opened(rows + refused, refused, True, left_out, warnings or [])
