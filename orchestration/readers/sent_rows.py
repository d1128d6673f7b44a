"""Rows of one landed usage file as a relation of the database, with their lines.

`open_rows` makes `temp.main.usage_sent` (line and what the reader selects) and
`temp.main.usage_refused` (line, column_name, reason: lines that are no rows). Both may
hold raw patient identifiers and live in temporary storage only, until `close_rows`.
Documents (`document_rows`) have more relations of that kind.
"""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import numpy as np
import pyarrow

from orchestration.errors import BillingError
from orchestration.readers import csv_lines, values
from orchestration.readers.csv_lines import Layout, Records, UnreadableFile
from orchestration.readers.landed_columns import Columns, parquet_relation, sql_path

SENT = "temp.main.usage_sent"
REFUSED = "temp.main.usage_refused"
# Only of documents: what the file says of places and of patients who are one.
PLACES = "temp.main.usage_sent_places"
PLACE_USES = "temp.main.usage_sent_place_uses"
MERGES = "temp.main.usage_sent_merges"
PARSED = "temp.main.usage_parsed"
READ = "temp.main.usage_read"
_SHIFTS = "temp.main.usage_shifts"
_REJECTS = "usage_rejects"
_REJECT_SCANS = "usage_reject_scans"
_REASONS = {
    "MISSING COLUMNS": "has fewer fields than the header",
    "TOO MANY COLUMNS": "has more fields than the header",
    "UNQUOTED VALUE": "has a quote that is neither doubled nor closes its field",
    "INVALID ENCODING": "is not UTF-8",
    "LINE SIZE OVER MAXIMUM": "is longer than 2 MB",
}
_OUT_OF_ROOM = ("No space left", "write", "File too large")


@dataclass(frozen=True)
class ParquetRows:
    """Rows of a Parquet file: SQL of what is selected, and the file's columns.

    Files of which both are the same can be read by one statement.
    """

    path: Path
    selected: str
    columns: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Opened:
    """`rows` counts every record of the file, `refused` those that are no rows.

    `is_document`: there are PLACES, PLACE_USES and MERGES. `left_out` counts by their
    type what the file holds beside usage; `warnings` go on after the file's name.
    `parquet` tells how to read the rows without the two relations, if that can be.
    """

    rows: int
    refused: int
    is_document: bool = False
    left_out: Counter[str] = field(default_factory=Counter)
    warnings: list[str] = field(default_factory=list)
    parquet: ParquetRows | None = None


def open_rows(
    connection: duckdb.DuckDBPyConnection, columns: Columns, selection: dict[str, str]
) -> Opened:
    """Make the two relations; raises UnreadableFile, the file is then to be left."""
    close_rows(connection)
    try:
        if columns.path.name.lower().endswith(".parquet"):
            return _open_parquet(connection, columns, selection)
        return _open_csv(connection, columns, selection)
    except duckdb.Error as error:
        raise told(error) from None


def close_rows(connection: duckdb.DuckDBPyConnection) -> None:
    """Drop whatever `open_rows` made."""
    connection.execute(f"drop view if exists {SENT}")
    tables = (REFUSED, READ, _SHIFTS, _REJECTS, _REJECT_SCANS)
    for table in (*tables, PLACES, PLACE_USES, MERGES, PARSED):
        name = table if table.startswith("temp.") else f"temp.main.{table}"
        connection.execute(f"drop table if exists {name}")


def told(error: duckdb.Error) -> Exception:
    """What to raise instead of an error of the engine, whose text may quote values."""
    if isinstance(error, duckdb.IOException | duckdb.OutOfMemoryException) and (
        isinstance(error, duckdb.OutOfMemoryException)
        or any(sign in str(error) for sign in _OUT_OF_ROOM)
    ):
        return BillingError(
            "Loading usage ran out of memory or disk space; nothing of the file in "
            "hand was stored. Make room and run again."
        )
    if isinstance(error, duckdb.InternalException | duckdb.FatalException):
        return BillingError(
            f"Loading usage stopped inside the database ({type(error).__name__}); "
            "nothing of the file in hand was stored. Run again."
        )
    return UnreadableFile(
        "cannot be read as what its name says it is; send it complete, in UTF-8, with "
        "one kind of line end, and quoted as CSV asks"
    )


def _open_parquet(
    connection: duckdb.DuckDBPyConnection, columns: Columns, selection: dict[str, str]
) -> Opened:
    csv_lines.check_size(
        columns.path.stat().st_size,
        connection.execute(
            "select coalesce(sum(total_uncompressed_size), 0) from parquet_metadata("
            f"{sql_path(columns.path)})"
        ).fetchone()[0],
    )
    make_refused(connection)
    selected = f"file_row_number + 1 as line, {_listed(selection)}"
    connection.execute(
        f"create temp view usage_sent as select {selected} "
        f"from {parquet_relation([columns.path])}"
    )
    rows = connection.execute(
        "select sum(num_rows) from parquet_file_metadata("
        + sql_path(columns.path)
        + ")"
    ).fetchone()[0]
    return Opened(
        rows=int(rows),
        refused=0,
        parquet=ParquetRows(
            columns.path, selected, tuple(sorted(columns.names.values()))
        ),
    )


def _open_csv(
    connection: duckdb.DuckDBPyConnection, columns: Columns, selection: dict[str, str]
) -> Opened:
    found = csv_lines.layout(columns.path)
    _read_csv(connection, columns, selection, found)
    rows = connection.execute(f"select count(*) from {READ}").fetchone()[0]
    rejects = connection.execute(
        f"select distinct line from temp.main.{_REJECTS} order by line"
    ).fetchnumpy()["line"]
    rejected = np.asarray(rejects, dtype=np.int64)
    records = _accounted(connection, columns, found, rows, rejected)
    is_row = ~records.is_empty
    is_row[0] = False
    is_row[rejected - 1] = False
    make_refused(connection)
    _fill_refused(connection, columns, selection, records, rejected)
    _make_sent(connection, records.first_line[is_row])
    return Opened(rows=rows + len(rejected), refused=len(rejected))


def _read_csv(
    connection: duckdb.DuckDBPyConnection,
    columns: Columns,
    selection: dict[str, str],
    found: Layout,
) -> None:
    # DuckDB 1.5 fails inside when a line is not UTF-8 and some column is not looked
    # at. So then all are, without keeping more of them than whether they are empty.
    looked_at = (
        ""
        if found.is_utf8
        else "".join(f", {name} is null as empty_{name}" for name in columns.order)
    )
    types = ", ".join(f"'{name}': 'VARCHAR'" for name in columns.order)
    packed = "gzip" if columns.path.name.lower().endswith(".gz") else "none"
    connection.execute(f"""
        create temp table usage_read as
        select {_listed(selection)}{looked_at}
        from read_csv(
            {sql_path(columns.path)}, columns = {{{types}}}, auto_detect = false,
            header = true, delim = ',', quote = '"', escape = '"', strict_mode = true,
            compression = '{packed}', hive_partitioning = false,
            store_rejects = true, rejects_limit = 0,
            rejects_table = '{_REJECTS}', rejects_scan = '{_REJECT_SCANS}'
        )""")


def _accounted(
    connection: duckdb.DuckDBPyConnection,
    columns: Columns,
    found: Layout,
    rows: int,
    rejected: np.ndarray,
) -> Records:
    """The records of the file, once every one is known to be read or refused."""
    swallowed = connection.execute(f"""
        select min(line) from temp.main.{_REJECTS}
        where error_type = 'UNQUOTED VALUE'
            and contains(trim(csv_line, chr(10) || chr(13)), chr({found.newline}))
    """).fetchone()[0]
    if swallowed is None:
        # A quote within a field spans no lines (6" tall), one around a field may.
        ways = [False] * (not found.has_lone_returns) + [True] * (not found.is_plain)
        for is_quoted in ways:
            records = csv_lines.records(columns.path, found, is_quoted)
            if (
                records.count == rows + len(rejected)
                and not (is_quoted and records.ends_open)
                and not (len(rejected) and rejected[-1] > len(records.first_line))
                and not records.is_empty[rejected - 1].any()
            ):
                return records
    place = f" (near record {swallowed})" if swallowed is not None else ""
    raise UnreadableFile(
        f"has lines that cannot be told apart{place}: a quote that is never closed, "
        "line ends of several kinds, or a line of more than 2 MB; mend it and send "
        "it again"
    )


def make_refused(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the table of lines that are no rows."""
    connection.execute(
        "create temp table usage_refused (line bigint, column_name varchar, "
        "reason varchar)"
    )


def _fill_refused(
    connection: duckdb.DuckDBPyConnection,
    columns: Columns,
    selection: dict[str, str],
    records: Records,
    rejected: np.ndarray,
) -> None:
    if not len(rejected):
        return
    places = {"record": rejected, "line": records.first_line[rejected - 1]}
    connection.register("usage_places", pyarrow.table(places))
    reasons = " ".join(
        f"when {values.text_literal(kind)} then {values.text_literal(reason)}"
        for kind, reason in _REASONS.items()
    )
    connection.execute(f"""
        insert into {REFUSED}
        select
            places.line,
            cast(null as varchar),
            'the line ' || case arg_min(rejects.error_type, rejects.byte_position)
                {reasons} else 'cannot be read' end
        from usage_places as places
        inner join temp.main.{_REJECTS} as rejects on rejects.line = places.record
        group by places.line""")
    connection.unregister("usage_places")


def _make_sent(connection: duckdb.DuckDBPyConnection, lines: np.ndarray) -> None:
    """Rows with their lines: an ordinal from 0 and what to add, where that changes."""
    shift = lines - np.arange(len(lines))
    changes = np.flatnonzero(np.diff(shift, prepend=-1))
    if len(changes) < 2:
        line = f"{shift[0] if len(shift) else 0}"
        joined = ""
    else:
        changed = {"from_row": changes, "shift": shift[changes]}
        connection.register("usage_changes", pyarrow.table(changed))
        connection.execute(
            "create temp table usage_shifts as select * from usage_changes"
        )
        connection.unregister("usage_changes")
        line = "shifts.shift"
        joined = f"asof join {_SHIFTS} as shifts on read.rowid >= shifts.from_row"
    connection.execute(
        f"create temp view usage_sent as select read.rowid + {line} as line, read.* "
        f"from {READ} as read {joined}"
    )


def _listed(selection: dict[str, str]) -> str:
    return ", ".join(f"{sql} as {name}" for name, sql in selection.items())
