"""DuckDB: connections, encrypted files attached to them, and what goes into SQL."""

import os
from pathlib import Path
from typing import Any

import duckdb
import duckdb_extensions

from orchestration.errors import BillingError
from orchestration.home import Home

# How much DuckDB may hold in memory, here and in profiles.yml; the rest is spilled.
MEMORY_VARIABLE = "BILLING_MEMORY_LIMIT"
DEFAULT_MEMORY = "2100MB"
# Words of DuckDB for a block that is not what was written.
_DAMAGE = ("aes tag", "corrupt", "checksum")


def connect(
    path: Path | str = ":memory:", *, read_only: bool = False
) -> duckdb.DuckDBPyConnection:
    """A DuckDB connection that prints nothing.

    Without this DuckDB draws a bar on standard output, a pipe or not, of whatever takes
    longer than two seconds.
    """
    connection = duckdb.connect(str(path), read_only=read_only)
    connection.execute("set enable_progress_bar = false")
    return connection


def prepare(
    connection: duckdb.DuckDBPyConnection, home: Home, memory_limit: str | None = None
) -> None:
    """Let a connection open encrypted files and spill, encrypted, to the home."""
    load_encryption(connection)
    connection.execute("set temp_file_encryption = true")
    connection.execute(f"set temp_directory = {quoted(home.spill)}")
    limit = memory_limit or os.environ.get(MEMORY_VARIABLE, DEFAULT_MEMORY)
    connection.execute(f"set memory_limit = {quoted(limit)}")


def load_encryption(connection: duckdb.DuckDBPyConnection) -> None:
    """Load OpenSSL's ciphers, which DuckDB needs to write encrypted files."""
    try:
        connection.execute("load httpfs")
    except duckdb.IOException:
        duckdb_extensions.import_extension("httpfs")
        connection.execute("load httpfs")


def attach(
    connection: duckdb.DuckDBPyConnection,
    path: Path,
    name: str,
    key: str,
    read_only: bool = False,
) -> None:
    """Attach an encrypted file. Raises BillingError if the key does not open it."""
    options = [f"encryption_key {quoted(key)}"]
    if read_only:
        options.append("read_only")
    try:
        connection.execute(f"attach {quoted(path)} as {name} ({', '.join(options)})")
    except duckdb.Error as error:
        raise BillingError(_why_not(path, name, str(error))) from None


def is_damage(error: BaseException) -> bool:
    """Whether DuckDB says that a block is not what was written."""
    text = str(error).lower()
    return any(word in text for word in _DAMAGE)


def quoted(value: object) -> str:
    """A value as an SQL string literal."""
    return "'" + str(value).replace("'", "''") + "'"


def named_rows(
    connection: duckdb.DuckDBPyConnection, sql: str, values: object = None
) -> list[dict[str, Any]]:
    """Rows of a query, each by the names of its columns; `values` as DuckDB takes them:
    a list, or by name.
    """
    result = connection.execute(sql, values)
    names = [column[0] for column in result.description]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def remove_database(path: Path) -> None:
    """A DuckDB file and the log beside it, whether they are there or not."""
    path.unlink(missing_ok=True)
    path.with_name(path.name + ".wal").unlink(missing_ok=True)


def _why_not(path: Path, name: str, message: str) -> str:
    variable = f"BILLING_{name.upper()}_KEY"
    if "encryption key" in message.lower() or "decrypt" in message.lower():
        if (path.parent / "keys" / f"{name}.next").exists():
            return (
                f"{path}: a change of its key was cut short; finish it with "
                f"`billing keys rotate {name}`"
            )
        return (
            f"{path}: the key does not open it; nothing was changed. Give the key it "
            f"was made with as {variable} or as the file keys/{name}"
        )
    if "lock" in message.lower():
        return f"{path} is open in another program; close it and try again"
    remedy = (
        "delete it: the next run makes it again from landing and ledger"
        if name == "warehouse"
        else "restore it from its backup"
    )
    return f"{path} can't be opened as a DuckDB file; {remedy}"
