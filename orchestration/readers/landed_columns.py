"""The columns of a landed usage file, read from its header or its Parquet schema."""

import csv
import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb

from orchestration.readers import values
from orchestration.readers.csv_lines import UnreadableFile, chunks

SUFFIXES = (".csv", ".csv.gz", ".parquet")
# A name that no sender gives a column; that of the ordinal is the database's own.
LANDED_PATH = "~landed path"
_ORDINAL = "file_row_number"
_MISSING = ("cast(null as varchar)", "VARCHAR")
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True)
class Columns:
    """Columns of one file.

    `names` gives of each name, in lower case, the column's SQL and its SQL type;
    `order` all columns' SQL in the order of the file.
    """

    path: Path
    names: dict[str, tuple[str, str]]
    order: tuple[str, ...]
    repeated: frozenset[str] = frozenset()

    def of(self, name: str) -> tuple[str, str]:
        """SQL and type of a column; null text if the file has none of that name."""
        if name in self.repeated:
            raise UnreadableFile(
                f"has the column {name} more than once; keep the right one"
            )
        return self.names.get(name, _MISSING)

    def text(self, name: str) -> str:
        """SQL of a column as text, empty is null."""
        return values.text(*self.of(name))

    def first_of(self, *names: str) -> str:
        """The first of these names that the file has, else the first."""
        return next((name for name in names if name in self.names), names[0])

    def require(self, names: tuple[str, ...]) -> None:
        """Raise UnreadableFile if a column is missing."""
        missing = [name for name in names if name not in self.names]
        if missing:
            raise UnreadableFile(
                f"has no column {', '.join(missing)}; send it with "
                f"{', '.join(names)} in its header"
            )


def columns_of(connection: duckdb.DuckDBPyConnection, path: Path) -> Columns:
    """Read a file's columns; raises UnreadableFile. A document has none."""
    if path.name.lower().endswith(".parquet"):
        return _parquet_columns(connection, path)
    if path.name.lower().endswith(SUFFIXES):
        return _csv_columns(path)
    return Columns(path, {}, ())


def parquet_relation(paths: list[Path]) -> str:
    """SQL that reads Parquet files of the same columns.

    Beside these it gives each row's file as LANDED_PATH, and its ordinal there from 0
    as `file_row_number`.
    """
    listed = ", ".join(map(sql_path, paths))
    return (
        f"read_parquet([{listed}], {_ORDINAL} = true, "
        f"filename = {values.text_literal(LANDED_PATH)}, hive_partitioning = false)"
    )


def sql_path(path: Path) -> str:
    """A path as SQL for DuckDB's readers, which would take `*?[` for patterns."""
    exact = "".join(f"[{sign}]" if sign in "*?[" else sign for sign in str(path))
    return values.text_literal(exact)


def _csv_columns(path: Path) -> Columns:
    start = next(chunks(path), b"")
    if not start.strip():
        raise UnreadableFile("is empty; send it with its header, if without rows")
    if start.startswith(_UTF_16):
        raise UnreadableFile("is UTF-16; send it as UTF-8")
    if start.startswith((b"\n", b"\r")):
        raise UnreadableFile("begins with an empty line; its header belongs there")
    opening = io.StringIO(start.decode("utf-8-sig", errors="replace"), newline="")
    try:
        header = next(csv.reader(opening))
    except csv.Error:
        raise UnreadableFile("has no readable header; send it as CSV") from None
    names, repeated = {}, set()
    for index, written in enumerate(header):
        name = written.strip().lower()
        if name in names:
            repeated.add(name)
        names[name] = (f"c{index}", "VARCHAR")
    order = tuple(f"c{index}" for index in range(len(header)))
    return Columns(path, names, order, frozenset(repeated))


def _parquet_columns(connection: duckdb.DuckDBPyConnection, path: Path) -> Columns:
    try:
        written = Counter(
            name.strip().lower() for name in _written_names(connection, path)
        )
        if _ORDINAL in written:
            raise UnreadableFile(
                f"has a column {_ORDINAL}, a name that the database keeps for itself; "
                "leave it out or rename it"
            )
        described = connection.execute(
            f"describe select * exclude ({_ORDINAL}, {values.identifier(LANDED_PATH)}) "
            f"from {parquet_relation([path])}"
        ).fetchall()
    except duckdb.Error:
        # The engine's own message may quote what stands in the file.
        raise UnreadableFile("is not a whole Parquet file; send it again") from None
    order = tuple(values.identifier(row[0]) for row in described)
    names = {
        row[0].strip().lower(): (column, row[1])
        for row, column in zip(described, order, strict=True)
    }
    repeated = frozenset(name for name, count in written.items() if count > 1)
    return Columns(path, names, order, repeated)


def _written_names(connection: duckdb.DuckDBPyConnection, path: Path) -> Iterator[str]:
    """Names of columns as written; read as a table, a repeated one gets another.

    The schema lists the table, then each column followed by the fields within it.
    """
    listed = connection.execute(
        "select name, coalesce(num_children, 0) "
        f"from parquet_schema({sql_path(path)}) offset 1"
    ).fetchall()
    within = 0
    for name, fields in listed:
        if not within:
            yield name
        within += fields - (within > 0)
