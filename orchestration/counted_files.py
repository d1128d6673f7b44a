"""Usage files whose bytes were counted before, and are not counted again.

What lies in a landing directory grows with its history, and a run is about what is new.
A file of the same name, size, inode and times is the one that it was; the time of its
last change is the system's own and can't be set, as that of writing can.
"""

import time
from pathlib import Path

import duckdb

from orchestration.landed_files import UNREAD, FileState, LandedFile, feed_files

TABLE = """raw.counted_files (
    source_file varchar, size bigint, written_ns bigint, changed_ns bigint,
    inode ubigint, file_id varchar
)"""

# A file may be written to twice in one tick of its system's clock.
_SETTLED_NS = 2_000_000_000


def landed_usage(
    connection: duckdb.DuckDBPyConnection, landing: Path
) -> dict[str, list[LandedFile]]:
    """`landed_files.feed_files`, with bytes counted only of what is new or changed.

    Remembers what it counted, but for files that were changed just now. Raises
    BillingError as `feed_files` does.
    """
    before = time.time_ns()
    known = _known(connection)
    landed = feed_files(landing, known)
    found = {
        (file.name, file.state): file.content_hash
        for files in landed.values()
        for file in files
        if file.content_hash != UNREAD and file.state.changed_ns < before - _SETTLED_NS
    }
    _remember(connection, known, found)
    return landed


def forget(connection: duckdb.DuckDBPyConnection, file_id: str) -> None:
    """Take out the names under which a file lay."""
    connection.execute("delete from raw.counted_files where file_id = ?", [file_id])


def _known(
    connection: duckdb.DuckDBPyConnection,
) -> dict[tuple[str, FileState], str]:
    rows = connection.execute("from raw.counted_files").fetchall()
    return {(name, FileState(*state)): file_id for name, *state, file_id in rows}


def _remember(
    connection: duckdb.DuckDBPyConnection,
    known: dict[tuple[str, FileState], str],
    found: dict[tuple[str, FileState], str],
) -> None:
    gone, new = known.keys() - found.keys(), found.keys() - known.keys()
    if not gone and not new:
        return
    connection.begin()
    connection.execute(
        "delete from raw.counted_files where source_file in (select unnest($1))",
        [[name for name, _ in gone]],
    )
    added = [(name, *state, found[name, state]) for name, state in sorted(new)]
    connection.execute(
        "insert into raw.counted_files select unnest($1), unnest($2), unnest($3), "
        "unnest($4), unnest($5), unnest($6)",
        [list(column) for column in zip(*added, strict=True)] or [[]] * 6,
    )
    connection.commit()
