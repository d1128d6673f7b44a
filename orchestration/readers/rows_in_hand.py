"""Rows of several landed files as one relation, to be stored together.

A file costs a few statements and a transaction, however small it is, and a patient of
several files needs one token: so files are taken in hand until there are enough of
them. Everything is temporary, may hold raw patient identifiers, and goes with `clear`.
A document is alone in hand, as what it says beside its rows is not gathered.
"""

from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from orchestration.readers import sent_rows
from orchestration.readers.document_rows import COLUMNS
from orchestration.readers.landed_columns import LANDED_PATH, parquet_relation
from orchestration.readers.sent_rows import Opened
from orchestration.readers.values import identifier

HAND = "temp.main.usage_in_hand"
REFUSED_IN_HAND = "temp.main.usage_refused_in_hand"
_GATHERED = "temp.main.usage_gathered"
_PATHS = "temp.main.usage_paths"
_KINDS = {name: kind for name, kind in COLUMNS.items() if name != "place"} | {
    "broken_column": "varchar"
}
_LISTED = ", ".join(_KINDS)
# No id, type or code has so many bytes. Of megabytes, a few thousand rows that are
# worked on together leave no memory to the rest.
LONGEST_TEXT = 1_000
_TEXTS = [name for name, kind in COLUMNS.items() if kind == "varchar"]
_TEXTS.remove("place")
HAS_LONG_TEXT = " or ".join(f"strlen({name}) > {LONGEST_TEXT}" for name in _TEXTS)
_LONG_TEXT = " ".join(
    f"when strlen({name}) > {LONGEST_TEXT} then '{name}'" for name in _TEXTS
)
# So many rows, or files, are enough: more would want more memory, not less time.
_ENOUGH_ROWS = 4_000_000
_ENOUGH_FILES = 200


@dataclass
class Hand:
    """What is in hand: of each file its id and what `open_rows` told, in order.

    `show` makes the relations HAND (file_id, source_file and what readers select) and
    REFUSED_IN_HAND (file_id, source_file, line, column_name, reason).
    """

    connection: duckdb.DuckDBPyConnection
    opened: dict[str, Opened] = field(default_factory=dict)
    _alike: dict[tuple, list[Path]] = field(default_factory=dict)

    @property
    def is_full(self) -> bool:
        """Whether it is time to store what is in hand."""
        return (
            len(self.opened) >= _ENOUGH_FILES
            or sum(opened.rows for opened in self.opened.values()) >= _ENOUGH_ROWS
            or any(opened.is_document for opened in self.opened.values())
        )

    def take(self, file_id: str, source_file: str, opened: Opened) -> None:
        """Take up the rows that `open_rows` has just made."""
        if not self.opened:
            self._make()
        of_file = [file_id, source_file]
        if opened.parquet:
            rows = opened.parquet
            alike = self._alike.setdefault((rows.selected, rows.columns), [])
            alike.append(rows.path)
            self.connection.execute(
                f"insert into {_PATHS} values (?, ?, ?)", [str(rows.path), *of_file]
            )
        elif opened.is_document:
            self.connection.execute(f"insert into {_PATHS} values ('', ?, ?)", of_file)
        else:
            self.connection.execute(
                f"insert into {_GATHERED} select cast(? as varchar), "
                f"cast(? as varchar), {_LISTED} from {sent_rows.SENT}",
                of_file,
            )
        if opened.refused:
            self.connection.execute(
                f"insert into {REFUSED_IN_HAND} select cast(? as varchar), "
                f"cast(? as varchar), * from {sent_rows.REFUSED}",
                of_file,
            )
        if not opened.is_document:
            sent_rows.close_rows(self.connection)
        self.opened[file_id] = opened

    def show(self) -> None:
        """Make HAND of all that was taken."""
        selects = [
            f"select '' as landed_path, {_LISTED} from {sent_rows.SENT}"
            for opened in self.opened.values()
            if opened.is_document
        ] + [
            f"select {identifier(LANDED_PATH)} as landed_path, {selected} "
            f"from {parquet_relation(paths)}"
            for (selected, _), paths in self._alike.items()
        ]
        rows = f"select * from {_GATHERED}"
        for select in selects:
            # One file, or many by one statement: a union of them takes twice the time.
            rows += f"""
                union all
                select paths.file_id, paths.source_file, {_LISTED}
                from ({select}) inner join {_PATHS} as paths using (landed_path)"""
        self.connection.execute(f"""
            create or replace temp view usage_in_hand as
            select * replace (case {_LONG_TEXT} else broken_column end as broken_column)
            from ({rows})""")

    def clear(self) -> None:
        """Let go of everything."""
        self.opened.clear()
        self._alike.clear()
        self.connection.execute(f"drop view if exists {HAND}")
        for table in (REFUSED_IN_HAND, _GATHERED, _PATHS):
            self.connection.execute(f"drop table if exists {table}")
        sent_rows.close_rows(self.connection)

    def _make(self) -> None:
        columns = ", ".join(f"{name} {kind}" for name, kind in _KINDS.items())
        self.connection.execute(
            "create or replace temp table usage_gathered "
            f"(file_id varchar, source_file varchar, {columns})"
        )
        self.connection.execute(
            "create or replace temp table usage_paths "
            "(landed_path varchar, file_id varchar, source_file varchar)"
        )
        self.connection.execute(
            "create or replace temp table usage_refused_in_hand "
            "(file_id varchar, source_file varchar, line bigint, column_name varchar, "
            "reason varchar)"
        )
