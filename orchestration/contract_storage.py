"""The raw tables that landed rows of `contracts/` and `receivables/` are kept in."""

from typing import Any

import duckdb
import pandas
import pyarrow

from orchestration.contract_reading import Row
from orchestration.contract_specs import TEXT, WHOLE, TableSpec
from orchestration.receivable_specs import LANDED_TABLES

_LOG_TABLES = {
    "rejected_rows": (
        "source_file",
        "line",
        "column_name",
        "value",
        "reason",
        "contract_id",
    ),
    "held_contracts": ("contract_id", "reason"),
    "contract_rows": (
        "table_name",
        "row_key",
        "digest",
        "is_known",
        "contract_id",
        "source_file",
        "line",
    ),
    "contract_files": (
        "source_file",
        "content_hash",
        "table_name",
        "rows_read",
        "rejected",
    ),
}
_LOG_TYPES = {
    "line": pyarrow.int32(),
    "is_known": pyarrow.bool_(),
    "rows_read": pyarrow.int64(),
    "rejected": pyarrow.int64(),
}


def valid_rows(spec: TableSpec, rows: list[Row]) -> pandas.DataFrame:
    """Rows of a table without a problem, typed, with `source_file` and `line`."""
    valid = [row for row in rows if row.table == spec.name and not row.problems]
    cells: dict[str, list[Any]] = {
        name: [row.values[name] for row in valid] for name in spec.by_name
    }
    cells["source_file"] = [row.source_file for row in valid]
    cells["line"] = [row.line for row in valid]
    return pandas.DataFrame(cells, dtype=object)


def write_tables(
    connection: duckdb.DuckDBPyConnection,
    tables: dict[str, pandas.DataFrame],
    logs: dict[str, list[tuple]],
    partly: dict[str, list[tuple]] | None = None,
) -> None:
    """Tables and logs anew, in one transaction; of the logs in `partly`, what is of
    receivables/ alone.
    """
    landed = {
        name: _arrow(frame, LANDED_TABLES[name].columns)
        for name, frame in tables.items()
    } | {name: _log(name, rows) for name, rows in logs.items()}
    connection.begin()
    try:
        connection.execute("create schema if not exists raw")
        connection.execute("create schema if not exists restricted")
        for name, table in landed.items():
            connection.register("landed_rows", table)
            connection.execute(
                f"create or replace table raw.{name} as select * from landed_rows"
            )
            connection.unregister("landed_rows")
        for name, rows in (partly or {}).items():
            connection.execute(
                f"delete from raw.{name} where source_file like 'receivables/%'"
            )
            connection.register("landed_rows", _log(name, rows))
            connection.execute(f"insert into raw.{name} select * from landed_rows")
            connection.unregister("landed_rows")
        connection.commit()
    except duckdb.Error:
        connection.rollback()
        raise


def _arrow(frame: pandas.DataFrame, columns: tuple) -> pyarrow.Table:
    types = {column.name: column.type.stored for column in columns}
    types |= {"source_file": TEXT.stored, "line": WHOLE.stored}
    return pyarrow.table(
        {
            name: pyarrow.array(frame[name].tolist(), type)
            for name, type in types.items()
        }
    )


def _log(name: str, rows: list[tuple]) -> pyarrow.Table:
    columns = _LOG_TABLES[name]
    return pyarrow.table(
        {
            column: pyarrow.array(
                [row[at] for row in rows], _LOG_TYPES.get(column, pyarrow.string())
            )
            for at, column in enumerate(columns)
        }
    )
