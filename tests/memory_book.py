"""A ledger and a warehouse in memory, with the few tables that a test gives."""

from collections.abc import Iterator
from contextlib import contextmanager

import duckdb


@contextmanager
def book_in_memory(tables: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection with both attached; `tables` is SQL that makes what they hold."""
    with duckdb.connect() as connection:
        connection.execute(
            "attach ':memory:' as ledger; attach ':memory:' as warehouse"
        )
        connection.execute(tables)
        yield connection
