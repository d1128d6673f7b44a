"""The publication: a plain DuckDB file for BI tools, free of PHI, swapped in whole."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb

from orchestration.database import quoted, remove_database
from orchestration.errors import BillingError
from orchestration.files import put_in_place
from orchestration.home import Home

SCHEMAS = ("finance", "quality")
# DuckDB 1.3 and later read it; text is written in two thirds of the time of the first
# format. Rows that fill no group are written by one core, at the end.
_OPTIONS = "storage_version 'v1.3.0', row_group_size 30720"


def publish(connection: duckdb.DuckDBPyConnection, home: Home) -> dict[str, int]:
    """Copy the public schemas of the warehouse and put the copy in the old one's place.

    Rows are in the order of their first two columns, such as an invoice's number and
    line. A reader that holds the old file open keeps it and is not disturbed. Returns
    the rows of each table. Raises BillingError if there is no room or a table can't be
    read; the old file stays.
    """
    target = home.publication
    temporary = target.with_name(".billing.duckdb.new")
    remove_database(temporary)
    try:
        rows = _copy(connection, temporary)
        put_in_place(temporary, target)
    except BillingError:
        remove_database(temporary)
        raise
    except (duckdb.Error, OSError):
        remove_database(temporary)
        raise BillingError(
            f"{target} could not be written (is the disk full?); what was published "
            "before is still there. Make room and run again"
        ) from None
    return rows


def _copy(connection: duckdb.DuckDBPyConnection, path: Path) -> dict[str, int]:
    tables = connection.execute(
        "select table_schema, table_name from information_schema.tables "
        "where table_catalog = 'warehouse' and table_schema in (select unnest($1)) "
        "order by table_schema, table_name",
        [list(SCHEMAS)],
    ).fetchall()
    names = [f"{schema}.{table}" for schema, table in tables]
    connection.execute(f"attach {quoted(path)} as publication ({_OPTIONS})")
    try:
        for schema in SCHEMAS:
            connection.execute(f"create schema publication.{schema}")
        # Two at once: a small table is written by one core.
        with ThreadPoolExecutor(2) as pool:
            copied = pool.map(lambda name: _copy_table(connection, name), names)
            rows = dict(zip(names, copied, strict=True))
        connection.execute("checkpoint publication")
    finally:
        connection.execute("detach publication")
    return rows


def _copy_table(connection: duckdb.DuckDBPyConnection, name: str) -> int:
    with connection.cursor() as own:
        try:
            (rows,) = own.execute(
                f"create table publication.{name} as "
                f"from warehouse.{name} order by 1, 2"
            ).fetchone()
        except (duckdb.DataError, duckdb.ProgrammingError) as error:
            # Not the database's own words, which may quote a value.
            raise BillingError(
                f"{name} can't be published ({type(error).__name__}); what was "
                "published before is still there"
            ) from None
    return rows
