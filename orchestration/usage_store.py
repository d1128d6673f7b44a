"""Where usage rows are kept: `restricted.usage_rows` and what is known of files."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

import duckdb

from orchestration import counted_files, feed_links, usage_months, usage_versions
from orchestration.errors import BillingError
from orchestration.readers.csv_lines import UnreadableFile
from orchestration.readers.rows_in_hand import (
    HAND,
    HAS_LONG_TEXT,
    LONGEST_TEXT,
    REFUSED_IN_HAND,
)
from orchestration.readers.sent_rows import Opened, told
from orchestration.usage_terms import PATIENTS, PLACED, TABLE_BEFORE, may_keep

# Ids and tokens hardly become smaller, and trying costs more than all else of a row.
_TABLES = (
    """raw.usage_files (
        feed varchar, file_id varchar, source_file varchar, format varchar,
        has_phi boolean, rows_read bigint, unreadable bigint, time_zone varchar
    )""",
    # Under which other names the content of a known file lay.
    """raw.usage_file_names (feed varchar, file_id varchar, source_file varchar)""",
    """raw.failed_usage_files (
        feed varchar, file_id varchar, source_file varchar, has_phi boolean,
        reason varchar
    )""",
    """raw.unreadable_usage_rows (
        feed varchar, file_id varchar, source_file varchar, line bigint,
        column_name varchar, reason varchar
    )""",
    """restricted.usage_rows (
        feed varchar, file_id varchar, line bigint,
        event_id varchar using compression uncompressed,
        event_type varchar, facility varchar, encounter_id varchar,
        patient_token varchar using compression uncompressed,
        token_key varchar, is_patient_withheld boolean,
        service_date date, received_at timestamp, quantity decimal(18, 4),
        status varchar, class varchar, code varchar, event_hash ubigint,
        encounter_hash ubigint, event_month date, is_repeated boolean
    )""",
    # The id of the key that tokens are made with; empty before it was changed once.
    "raw.token_keys (key_id varchar)",
    counted_files.TABLE,
    TABLE_BEFORE,
    *usage_months.TABLES,
)


_NAME_NEW = "insert into raw.usage_file_names values (?, ?, ?)"
_NAME_GONE = (
    "delete from raw.usage_file_names "
    "where feed = ? and file_id = ? and source_file = ?"
)


@dataclass(frozen=True)
class StoredFile:
    """A usage file as the warehouse knows it; `file_id` is the hash of its bytes."""

    feed: str
    file_id: str
    source_file: str
    format: str
    has_phi: bool
    time_zone: str | None


@dataclass(frozen=True)
class ReadFile:
    """A file in hand, the ids of those whose rows it replaces, and what was read."""

    stored: StoredFile
    replaces: tuple[str, ...]
    opened: Opened
    is_unchanged: Callable[[], bool]


def make_tables(connection: duckdb.DuckDBPyConnection) -> None:
    """Make what is missing of schemas and tables."""
    for schema in ("raw", "restricted"):
        connection.execute(f"create schema if not exists {schema}")
    for table in _TABLES:
        connection.execute(f"create table if not exists {table}")
    feed_links.make_tables(connection)
    usage_versions.complete_rows(connection)
    usage_versions.hash_anew(connection)


def check_token_key(connection: duckdb.DuckDBPyConnection, key_id: str) -> None:
    """Stop if stored tokens were made with another key: patients would count twice.

    Once the key was changed some patients may keep the tokens of an earlier one.
    """
    others = connection.execute(
        "with keys as (select key_id from raw.token_keys) "
        "select key_id from keys where key_id <> $1 union "
        "select distinct token_key from restricted.usage_rows "
        "where token_key <> $1 and not exists (from keys)",
        [key_id],
    ).fetchall()
    if others:
        raise BillingError(
            f"The token key (id {key_id}) is not the one that the warehouse's patient "
            f"tokens were made with (id {others[0][0]}). Give that key by "
            "BILLING_TOKEN_KEY or keys/; if a change of it was cut short, finish it "
            "with `billing keys rotate token`; or remove warehouse.duckdb to load all "
            "usage anew."
        )


def known_feeds(connection: duckdb.DuckDBPyConnection) -> set[str]:
    """Feeds of which a file was read."""
    rows = connection.execute("select distinct feed from raw.usage_files").fetchall()
    return {feed for (feed,) in rows}


def known_files(
    connection: duckdb.DuckDBPyConnection, feed: str
) -> dict[str, StoredFile]:
    """Files of a feed that were read, by their id."""
    rows = connection.execute(
        "select feed, file_id, source_file, format, has_phi, time_zone "
        "from raw.usage_files where feed = ? order by source_file",
        [feed],
    ).fetchall()
    return {row[1]: StoredFile(*row) for row in rows}


def unmarked_files(connection: duckdb.DuckDBPyConnection, feed: str) -> set[str]:
    """Ids of a feed's files with rows that have neither a mark nor a date."""
    rows = connection.execute(
        "select file_id from raw.usage_receipts where feed = ? and received_on is null "
        "group by file_id having sum(rows) > 0",
        [feed],
    ).fetchall()
    return {file_id for (file_id,) in rows}


def also_in_other_feeds(
    connection: duckdb.DuckDBPyConnection, read: set[tuple[str, str]]
) -> Counter[tuple[str, str]]:
    """How many files with rows another feed has byte for byte, by feed and other feed.

    Of those (feed, file id) that were read now; two of them are told of once. What was
    purged counts as the other's still.
    """
    has_rows = connection.execute(
        "select feed, file_id from raw.usage_files where rows_read > 0"
    ).fetchall()
    feeds_of: dict[str, set[str]] = {}
    for feed, file_id in purged_files(connection) | set(has_rows):
        feeds_of.setdefault(file_id, set()).add(feed)
    return Counter(
        (feed, other)
        for feed, file_id in read & set(has_rows)
        for other in feeds_of[file_id] - {feed}
        if (other, file_id) not in read or other < feed
    )


def forget_failed(connection: duckdb.DuckDBPyConnection) -> None:
    """Files that could not be read are tried again by each load."""
    connection.execute("delete from raw.failed_usage_files")


def note_failed(connection: duckdb.DuckDBPyConnection, file: tuple) -> None:
    """Keep why a file could not be read: a row of `raw.failed_usage_files`."""
    connection.execute(
        "insert into raw.failed_usage_files values (?, ?, ?, ?, ?)", file
    )


def rename(
    connection: duckdb.DuckDBPyConnection,
    feed: str,
    file_id: str,
    name: str,
    load_no: int,
) -> None:
    """A known file lies under another name now, by which ties are decided."""
    connection.begin()
    usage_months.touch(connection, feed, file_id, load_no)
    for table in ("usage_files", "unreadable_usage_rows"):
        connection.execute(
            f"update raw.{table} set source_file = ? where feed = ? and file_id = ?",
            [name, feed, file_id],
        )
    connection.commit()


def known_names(
    connection: duckdb.DuckDBPyConnection, feed: str
) -> set[tuple[str, str]]:
    """(file id, name) of a feed's files, under every name."""
    rows = connection.execute(
        "select file_id, source_file from raw.usage_files where feed = $1 union "
        "select file_id, source_file from raw.usage_file_names where feed = $1",
        [feed],
    ).fetchall()
    return set(rows)


def note_names(
    connection: duckdb.DuckDBPyConnection,
    feed: str,
    lies: set[tuple[str, str]],
    last: set[tuple[str, str]],
) -> None:
    """Keep names beside the last of each file; an issue may rest on them (C8).

    Both are (file id, name) of what is landed. One that is landed no more stays known.
    """
    names = {name for _, name in lies}
    before = {
        (file_id, name)
        for file_id, name in connection.execute(
            "select file_id, source_file from raw.usage_file_names where feed = ?",
            [feed],
        ).fetchall()
        if name in names
    }
    others = lies - last
    for change, pairs in (
        (_NAME_GONE, before - others),
        (_NAME_NEW, others - before),
    ):
        for file_id, name in sorted(pairs):
            connection.execute(change, [feed, file_id, name])


def supersede(
    connection: duckdb.DuckDBPyConnection, feed: str, file_id: str, load_no: int
) -> None:
    """Delete what a file said: under its name lies now what another says as well."""
    connection.begin()
    _forget(connection, feed, file_id, load_no)
    connection.commit()


def store(
    connection: duckdb.DuckDBPyConnection,
    files: list[ReadFile],
    key_id: str,
    as_of: date,
    load_no: int,
) -> int:
    """Keep the rows in hand, in one transaction, and give how many are unreadable.

    The files are all of one feed. Each of their records is stored or unreadable, else
    UnreadableFile is raised and nothing is kept. So it is if a file has been written to
    meanwhile. Rows of the same files and of those they replace are deleted.
    """
    feed = files[0].stored.feed
    file_ids = [file.stored.file_id for file in files]
    connection.begin()
    try:
        for file in files:
            for file_id in {file.stored.file_id, *file.replaces}:
                _forget(connection, feed, file_id, load_no)
        stored = _insert_rows(connection, feed, key_id, as_of)
        sent = sum(file.opened.rows - file.opened.refused for file in files)
        _insert_unreadable(connection, feed, stored != sent)
        usage_months.count(connection, feed, file_ids, load_no)
        unreadable = _count(connection, "unreadable_usage_rows", "1", feed, file_ids)
        kept = _count(connection, "usage_receipts", "rows", feed, file_ids)
        for file in files:
            file_id = file.stored.file_id
            accounted = kept.get(file_id, 0) + unreadable.get(file_id, 0)
            if accounted != file.opened.rows or not file.is_unchanged():
                raise UnreadableFile("changed while it was read; run again")
            if file.opened.is_document:
                feed_links.store(connection, feed, file_id, key_id, as_of)
            connection.execute(
                "insert into raw.usage_files values (?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    *(feed, file_id, file.stored.source_file, file.stored.format),
                    *(file.stored.has_phi, file.opened.rows),
                    *(unreadable.get(file_id, 0), file.stored.time_zone),
                ],
            )
        connection.commit()
    except duckdb.Error as error:
        _roll_back(connection)
        raise told(error) from None
    except UnreadableFile:
        _roll_back(connection)
        raise
    return sum(unreadable.values())


def _count(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    rows: str,
    feed: str,
    file_ids: list[str],
) -> dict[str, int]:
    """How many rows a table of schema raw has, or counts, of each file."""
    counted = connection.execute(
        f"select file_id, cast(sum({rows}) as bigint) from raw.{table} "
        "where feed = ? and list_contains(cast(? as varchar[]), file_id) "
        "group by file_id",
        [feed, file_ids],
    )
    return dict(counted.fetchall())


def purged_files(connection: duckdb.DuckDBPyConnection) -> set[tuple[str, str]]:
    """(feed, file id) of what was purged under retention, as the ledger says."""
    is_there = connection.execute(
        "select count(*) from duckdb_tables() "
        "where database_name = 'ledger' and table_name = 'purged_files'"
    ).fetchone()[0]
    if not is_there:
        return set()
    rows = connection.execute("select feed, file_id from ledger.book.purged_files")
    return set(rows.fetchall())


def forget_purged(connection: duckdb.DuckDBPyConnection) -> None:
    """Delete what the restricted schema still has of purged files."""
    known = connection.execute("select feed, file_id from raw.usage_files").fetchall()
    files = sorted(purged_files(connection) & set(known))
    if not files:
        return
    # What models made of the rows goes at once, not only with the next run.
    made = connection.execute(
        "select table_name from duckdb_columns() where database_name = 'warehouse' "
        "and schema_name = 'restricted' and column_name in ('feed', 'file_id') "
        "and table_name in (select table_name from duckdb_tables()) "
        "group by table_name having count(*) = 2"
    ).fetchall()
    load_no = usage_months.next_load(connection)
    connection.begin()
    for feed, file_id in files:
        _forget(connection, feed, file_id, load_no)
        counted_files.forget(connection, file_id)
        for (table,) in made:
            connection.execute(
                f"delete from restricted.{table} where feed = ? and file_id = ?",
                [feed, file_id],
            )
    connection.commit()


def _forget(
    connection: duckdb.DuckDBPyConnection, feed: str, file_id: str, load_no: int
) -> None:
    known = connection.execute(
        "select count(*) from raw.usage_files where feed = ? and file_id = ?",
        [feed, file_id],
    ).fetchone()[0]
    if known:
        for table in (
            "restricted.usage_rows",
            "raw.unreadable_usage_rows",
            "raw.usage_file_names",
            "raw.usage_files",
        ):
            connection.execute(
                f"delete from {table} where feed = ? and file_id = ?", [feed, file_id]
            )
        feed_links.forget(connection, feed, file_id)
        usage_months.forget(connection, feed, file_id, load_no)


def _insert_rows(
    connection: duckdb.DuckDBPyConnection, feed: str, key_id: str, as_of: date
) -> int:
    return connection.execute(
        f"""
        insert into restricted.usage_rows
        with judged as (
            select
                placed.*,
                -- Not in the join: on anything but equality it is 1,000 times slower.
                case
                    when {may_keep("placed", "patients")} then patients.patient_token
                end as patient_token,
                cast(? as varchar) as feed
            from {PLACED} as placed
            left join {PATIENTS} as patients
                on patients.feed = cast(? as varchar)
                and placed.place = patients.place
                and placed.patient_id = patients.patient_id
            where placed.broken_column is null
        )
        select
            feed,
            file_id,
            line,
            event_id,
            event_type,
            facility,
            encounter_id,
            patient_token,
            case when patient_token is not null then cast(? as varchar) end,
            patient_id is not null and patient_token is null,
            service_date,
            received_at,
            quantity,
            status,
            class,
            code,
            {", ".join(usage_months.FOUND_BY.values())},
            false
        from judged""",
        [as_of, as_of, feed, feed, key_id],
    ).fetchone()[0]


def _insert_unreadable(
    connection: duckdb.DuckDBPyConnection, feed: str, has_broken: bool
) -> None:
    """Keep the refused lines and, if there are any, the rows without what they need."""
    broken = f"""
            union all
            select
                file_id,
                source_file,
                line,
                broken_column,
                case
                    when {HAS_LONG_TEXT} then 'has more than {LONGEST_TEXT:,} bytes'
                    when broken_column = 'status'
                    then 'is neither final nor cancelled'
                    else 'is empty'
                end
            from {HAND}
            where broken_column is not null"""
    connection.execute(
        f"""
        insert into raw.unreadable_usage_rows
        with refused as (
            select * from {REFUSED_IN_HAND}
            {broken if has_broken else ""}
        )
        select cast(? as varchar), file_id, source_file, line, column_name, reason
        from refused
        order by source_file, line""",
        [feed],
    )


def _roll_back(connection: duckdb.DuckDBPyConnection) -> None:
    try:
        connection.rollback()
    except duckdb.Error:
        # Nothing to roll back: the engine has ended the transaction itself.
        return
