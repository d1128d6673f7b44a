"""Which month each usage row is worked on in, and what each month is made of.

Events are worked on by month (`event_month`), and what happened in one month must be
told without looking at another. So rows that decide about one another have the same
one: rows of one event, however their dates differ, and a procedure without a facility
of its own and the encounter that lends it one. It is the first month of them all, and
shows in no result. On the way the events of several rows are found and their
rows marked (`is_repeated`), so that nobody has to look for them again.

`raw.usage_receipts` counts the rows of each file by month and day of receipt. A month
is to be made again when the last load that touched it is another, or the number of its
rows known by the as-of day: nothing has to be remembered beside (`usage_months`).
"""

import duckdb

RECEIPTS = "raw.usage_receipts"
TO_PLACE = "raw.usage_files_to_place"
TABLES = (
    """raw.usage_receipts (
        feed varchar, file_id varchar, event_month date, service_month date,
        received_on date, rows bigint, last_service_date date, load_no bigint
    )""",
    # Files whose rows may be in the month of another row of their event.
    """raw.usage_files_to_place (feed varchar, file_id varchar)""",
    # The engine that hashed the stored rows.
    "raw.usage_hashing (engine varchar)",
)
_ROWS = "restricted.usage_rows"
_FOUND = "temp.main.usage_found"
_FOUND_AMONG = "temp.main.usage_found_among"
_SHARED_KEYS = "temp.main.usage_shared_keys"
_SHARED = "temp.main.usage_shared"
_FRONTIER = "temp.main.usage_frontier"
_TARGETS = "temp.main.usage_targets"
_MOVED = "temp.main.usage_moved"


def event_hash(feed: str, event_id: str) -> str:
    """SQL of a whole number by which an event is found.

    The engine's own, ten times as fast as a digest; another engine may have another,
    see `usage_versions.hash_anew`. Two events of one hash do no harm: it finds rows.
    """
    return f"hash({feed}, {event_id})"


def own_month(service_date: str, received_at: str) -> str:
    """SQL of the month a row is in by itself; it is not null."""
    day = f"coalesce({service_date}, cast({received_at} as date), date '0001-01-01')"
    return f"cast(date_trunc('month', {day}) as date)"


# Of a row of another file, or of a file of an earlier version: found by its event.
FOUND_BY = {
    "event_hash": event_hash("feed", "event_id"),
    # It has a facility of its own, or that of its encounter. The hash of no encounter
    # is a number too, which all of them would share.
    "encounter_hash": "case when facility is null and encounter_id is not null then "
    + event_hash("feed", "encounter_id")
    + " end",
    "event_month": own_month("service_date", "received_at"),
}


def next_load(connection: duckdb.DuckDBPyConnection) -> int:
    """The number of the next load; they rise, whatever became of the files."""
    return connection.execute(
        f"select coalesce(max(load_no), 0) + 1 from {RECEIPTS}"
    ).fetchone()[0]


def count(
    connection: duckdb.DuckDBPyConnection,
    feed: str,
    file_ids: list[str],
    load_no: int,
) -> None:
    """Count the rows of files just stored; within their transaction."""
    is_of_files = (
        "feed = cast(? as varchar) and file_id in (select unnest(cast(? as varchar[])))"
    )
    connection.execute(
        f"""
        insert into {RECEIPTS}
        {_counted("rows", "+")}
        from (select * from {_ROWS} where {is_of_files}) as rows
        group by all""",
        [load_no, feed, file_ids],
    )
    connection.execute(
        f"insert into {TO_PLACE} "
        "select cast(? as varchar), unnest(cast(? as varchar[]))",
        [feed, file_ids],
    )


def touch(
    connection: duckdb.DuckDBPyConnection, feed: str, file_id: str, load_no: int
) -> None:
    """What a file says is to be told anew; within its transaction."""
    connection.execute(
        f"""
        insert into {RECEIPTS}
        select distinct '', '', event_month, event_month, cast(null as date), 0,
            cast(null as date), cast(? as bigint)
        from {RECEIPTS} where feed = ? and file_id = ?""",
        [load_no, feed, file_id],
    )


def forget(
    connection: duckdb.DuckDBPyConnection, feed: str, file_id: str, load_no: int
) -> None:
    """A file's rows are gone; within the transaction."""
    touch(connection, feed, file_id, load_no)
    for table in (RECEIPTS, TO_PLACE):
        connection.execute(
            f"delete from {table} where feed = ? and file_id = ?", [feed, file_id]
        )


def place_all(connection: duckdb.DuckDBPyConnection) -> None:
    """Let the next `place` look at every row; within a transaction."""
    connection.execute(f"delete from {TO_PLACE}")
    connection.execute(
        f"insert into {TO_PLACE} select feed, file_id from raw.usage_files"
    )


def place(connection: duckdb.DuckDBPyConnection, load_no: int) -> None:
    """Give rows that decide about one another the same month, the first of theirs.

    Looks at the files read since the last time, and of the rest at the rows that their
    events name; all in one transaction.
    """
    if not connection.execute(f"select count(*) from {TO_PLACE}").fetchone()[0]:
        return
    connection.begin()
    _find_shared_keys(connection)
    # A mark stays on the last row of an event whose others are gone; it does no harm.
    connection.execute(f"""
        update {_ROWS} set is_repeated = true
        where not is_repeated and rowid in (
            select row_number from {_FOUND}
            where is_own = 1
                and key in (select key from {_SHARED} where event_rows > 1)
        )""")
    _keep_targets(connection, f"select key, low, high from {_SHARED}")
    while connection.execute(f"select count(*) from {_TARGETS}").fetchone()[0]:
        _move(connection, load_no)
        _find(connection, f"select key from {_FRONTIER}")
        _keep_targets(
            connection,
            f"select key, event_month as low, event_month as high from {_FOUND}",
        )
    connection.execute(f"delete from {TO_PLACE}")
    connection.commit()
    connection.execute(f"drop view if exists {_FOUND}")
    for table in (_FOUND_AMONG, _SHARED_KEYS, _SHARED, _FRONTIER, _TARGETS, _MOVED):
        connection.execute(f"drop table if exists {table}")


def _find_shared_keys(connection: duckdb.DuckDBPyConnection) -> None:
    """Keys of new rows that several rows have: in which months, and as whose own."""
    # One column, so that the engine passes by the rows of other files. One file's
    # content may be in two feeds: then both are looked at.
    is_new = f"file_id in (select file_id from {TO_PLACE})"
    old = connection.execute(
        f"select count(*) from raw.usage_files where not {is_new}"
    ).fetchone()[0]
    if old:
        _find(connection, f"select key from ({_keys(is_new)})")
    else:
        connection.execute(
            f"create or replace temp view usage_found as {_keys('true')}"
        )
    # Counted first: nearly every key has one row, and of it nothing more is asked.
    connection.execute(f"""
        create or replace temp table usage_shared_keys as
        select key from {_FOUND} group by key having count(*) > 1""")
    connection.execute(f"""
        create or replace temp table usage_shared as
        select
            key,
            min(event_month) as low,
            max(event_month) as high,
            sum(is_own) as event_rows
        from {_FOUND} where key in (select key from {_SHARED_KEYS})
        group by key""")


def _find(connection: duckdb.DuckDBPyConnection, keys: str) -> None:
    """Make FOUND of the rows of some keys: few, so kept, as all rows are looked at."""
    connection.execute(
        f"create or replace temp table usage_found_among as {_keys('true', keys)}"
    )
    connection.execute(
        f"create or replace temp view usage_found as select * from {_FOUND_AMONG}"
    )


def _keep_targets(connection: duckdb.DuckDBPyConnection, found: str) -> None:
    """Of keys in several months the first of these."""
    connection.execute(f"""
        create or replace temp table usage_targets as
        select key, min(low) as event_month from ({found})
        group by key having min(low) <> max(high)""")


def _move(connection: duckdb.DuckDBPyConnection, load_no: int) -> None:
    connection.execute(f"""
        create or replace temp table usage_moved as
        select found.row_number, min(targets.event_month) as event_month
        from {_FOUND} as found
        inner join {_TARGETS} as targets on found.key = targets.key
        group by found.row_number""")
    # Only a row of two keys leads on to others.
    connection.execute(f"""
        create or replace temp table usage_frontier as
        select distinct unnest([event_hash, encounter_hash]) as key
        from {_ROWS} as rows
        where encounter_hash is not null
            and rows.rowid in (select row_number from {_MOVED})""")
    connection.execute(f"""
        delete from {_MOVED} as moved using {_ROWS} as rows
        where moved.row_number = rows.rowid and moved.event_month = rows.event_month""")
    moved = f"""
        from {_ROWS} as rows where rows.rowid in (select row_number from {_MOVED})
        group by all"""
    connection.execute(
        f"insert into {RECEIPTS} {_counted('rows', '-')} {moved}", [load_no]
    )
    connection.execute(f"""
        update {_ROWS} as rows set event_month = moved.event_month
        from {_MOVED} as moved where rows.rowid = moved.row_number""")
    connection.execute(
        f"insert into {RECEIPTS} {_counted('rows', '+')} {moved}", [load_no]
    )


def _keys(where: str, known: str | None = None) -> str:
    """SQL of row_number, key, event_month, is_own of the rows of a condition.

    `is_own` is 1 if the key is of the row's event, 0 if of its encounter; `known` is
    SQL of keys.
    """
    selects = []
    for key, is_own in (("event_hash", 1), ("encounter_hash", 0)):
        wanted = f"and {key} in ({known})" if known else f"and {key} is not null"
        selects.append(
            f"select rowid as row_number, {key} as key, event_month, "
            f"{is_own} as is_own from {_ROWS} where {where} {wanted}"
        )
    return " union all ".join(selects)


def _counted(rows: str, sign: str) -> str:
    """SQL of receipts from rows, without `from`; its parameter is the load's number."""
    return f"""
        select
            {rows}.feed,
            {rows}.file_id,
            {rows}.event_month,
            cast(date_trunc('month', {rows}.service_date) as date),
            coalesce(cast({rows}.received_at as date), {rows}.service_date),
            {sign}count(*),
            max({rows}.service_date),
            cast(? as bigint)"""
