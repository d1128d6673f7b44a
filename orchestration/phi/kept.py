"""Identifiers that the warehouse's restricted schema keeps, and those of its files.

They are known also when the files they came with are landed no more.
"""

from collections.abc import Iterator

import duckdb

from orchestration.phi import identifiers as kinds
from orchestration.phi.landed import Found, is_out_of_place, of_name

_BATCH = 10_000
_OF_ROWS = (
    (kinds.TOKEN, "patient_token"),
    (kinds.EVENT, "event_id"),
    (kinds.EVENT, "encounter_id"),
)
_LISTED = ("facility", "event_type", "class", "code", "status")


def identifiers(connection: duckdb.DuckDBPyConnection) -> Iterator[Found]:
    """Those of feeds with PHI; `connection` has the warehouse as its default."""
    tables = {
        f"{schema}.{table}"
        for schema, table in connection.execute(
            "select schema_name, table_name from duckdb_tables() "
            "where database_name = 'warehouse'"
        ).fetchall()
    }
    if "restricted.usage_rows" not in tables:
        return
    rows = (
        "restricted.usage_rows semi join (select feed, file_id "
        "from warehouse.raw.usage_files where has_phi) using (feed, file_id)"
    )
    for kind, column in _OF_ROWS:
        for value in _distinct(connection, column, rows):
            yield kind, value
    listed = _listed_facilities(connection, tables)
    for column in _LISTED:
        for value in _distinct(connection, column, rows):
            if is_out_of_place(column, value) and value not in listed:
                yield kinds.OUT_OF_PLACE, value
    if "restricted.patient_merges" in tables:
        for column in ("from_token", "to_token"):
            for value in _distinct(connection, column, "restricted.patient_merges"):
                yield kinds.TOKEN, value
    files = connection.execute(
        "select feed, source_file from warehouse.raw.usage_files where has_phi"
    ).fetchall()
    if "raw.usage_file_names" in tables:
        files += connection.execute(
            "select feed, source_file from warehouse.raw.usage_file_names "
            "semi join (select feed, file_id from warehouse.raw.usage_files "
            "where has_phi) using (feed, file_id)"
        ).fetchall()
    for feed, name in files:
        yield from of_name(feed, name.removeprefix(f"usage/{feed}/"))


def _listed_facilities(
    connection: duckdb.DuckDBPyConnection, tables: set[str]
) -> set[str]:
    """What facilities are called in contract tables: these may be shown."""
    columns = {
        "raw.facilities": "facility_id",
        "raw.facility_identifiers": "identifier",
    }
    return {
        value
        for table in columns.keys() & tables
        for value in _distinct(connection, columns[table], table)
    }


def _distinct(
    connection: duckdb.DuckDBPyConnection, column: str, table: str
) -> Iterator[str]:
    # A cursor of its own, as whoever asks may ask for something else meanwhile.
    result = connection.cursor().execute(
        f"select distinct {column} from warehouse.{table} where {column} is not null"
    )
    while rows := result.fetchmany(_BATCH):
        for (value,) in rows:
            yield value
