"""The encrypted DuckDB files of a home: the warehouse and the ledger."""

import contextlib
from collections.abc import Iterator

import duckdb

from orchestration.database import attach, connect, is_damage, prepare
from orchestration.errors import BillingError
from orchestration.home import Home
from orchestration.keys import Keys
from orchestration.whole import read_whole


@contextlib.contextmanager
def open_files(
    home: Home, keys: Keys, *, read_only: bool = False, memory_limit: str | None = None
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection with `warehouse` (the default) and `ledger` attached, then closed.

    Both are AES-256 encrypted and made on first use; what does not fit in memory
    spills encrypted to the work directory. Raises BillingError for a wrong key or a
    damaged file, which is left as it is.
    """
    connection = connect()
    try:
        prepare(connection, home, memory_limit)
        attach(connection, home.warehouse, "warehouse", keys.warehouse, read_only)
        attach(connection, home.ledger, "ledger", keys.ledger, read_only)
        connection.execute("use warehouse")
        yield connection
    except duckdb.Error as error:
        if is_damage(error):
            connection.close()
            raise BillingError(_what_is_damaged(home, keys)) from None
        raise
    finally:
        connection.close()


def _what_is_damaged(home: Home, keys: Keys) -> str:
    """Which file it is, found by reading both, in words."""
    for path, name in ((home.ledger, "ledger"), (home.warehouse, "warehouse")):
        try:
            read_whole(path, name, getattr(keys, name))
        except BillingError as error:
            return str(error)
    return (
        f"a block that was spilled to {home.spill} is not what was written; run again"
    )
