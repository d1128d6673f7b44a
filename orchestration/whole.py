"""Whether an encrypted database is whole: every block read, every table counted."""

from pathlib import Path

import duckdb

from orchestration.database import attach, connect, is_damage, load_encryption
from orchestration.errors import BillingError


def identifier(name: str) -> str:
    """A name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def tables(connection: duckdb.DuckDBPyConnection, database: str) -> list[str]:
    """The tables of an attached database as `"schema"."table"`, in order."""
    rows = connection.execute(
        "select schema_name, table_name from duckdb_tables() "
        "where database_name = $1 and not internal order by all",
        [database],
    ).fetchall()
    return [f"{identifier(schema)}.{identifier(table)}" for schema, table in rows]


def contents(
    connection: duckdb.DuckDBPyConnection, database: str
) -> dict[str, tuple[int, int]]:
    """Rows of each table, and the sum of their hashes: equal for equal tables.

    Every block that a table uses is read and, being encrypted with GCM, proven to be
    what was written; else duckdb.Error is raised.
    """
    return {
        table: connection.execute(
            "select count(*), coalesce(sum(hash(whole)::hugeint), 0) "
            f"from {identifier(database)}.{table} as whole"
        ).fetchone()
        for table in tables(connection, database)
    }


def read_whole(path: Path, name: str, key: str) -> dict[str, tuple[int, int]]:
    """`contents` of the ledger or the warehouse at a path, opened for reading only.

    Raises BillingError if the key does not open it or if a block was damaged.
    """
    with connect() as connection:
        load_encryption(connection)
        return read_on(connection, path, name, key)


def read_on(
    connection: duckdb.DuckDBPyConnection, path: Path, name: str, key: str
) -> dict[str, tuple[int, int]]:
    """`read_whole` on a connection that has its ciphers already."""
    attach(connection, path, name, key, read_only=True)
    try:
        return contents(connection, name)
    except duckdb.Error as error:
        raise BillingError(_told(path, name, error)) from None
    finally:
        connection.execute(f"detach {name}")


def _told(path: Path, name: str, error: duckdb.Error) -> str:
    if not is_damage(error):
        return f"{path} can't be read ({type(error).__name__})"
    remedy = (
        "delete it and run again: it is made again from landing and ledger"
        if name == "warehouse"
        else "restore it with `billing restore` from its newest backup"
    )
    return f"{path} is damaged: a block is not what was written; {remedy}"
