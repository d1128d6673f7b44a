"""What an earlier version stored of usage is brought to what this one asks for.

Nothing is read again: columns that were added since are made from those that stand.
"""

import duckdb

from orchestration import usage_months


def complete_rows(connection: duckdb.DuckDBPyConnection) -> None:
    """Give rows that an earlier version stored the columns they lack."""
    # In which zone files stored without it were read is not known: where the feed has
    # one, they are read again.
    connection.execute(
        "alter table raw.usage_files add column if not exists time_zone varchar"
    )
    columns = connection.execute("describe restricted.usage_rows").fetchall()
    kinds = {name: kind for name, kind, *_ in columns}
    if "is_repeated" in kinds:
        return
    connection.begin()
    for name, kind in (
        *(("event_hash", "ubigint"), ("encounter_hash", "ubigint")),
        *(("event_month", "date"), ("is_repeated", "boolean default false")),
    ):
        connection.execute(
            f"alter table restricted.usage_rows add column if not exists {name} {kind}"
        )
    if "event_month" not in kinds:
        month = usage_months.FOUND_BY["event_month"]
        connection.execute(f"update restricted.usage_rows set event_month = {month}")
        files: dict[str, list[str]] = {}
        for feed, file_id in connection.execute(
            "select feed, file_id from raw.usage_files"
        ).fetchall():
            files.setdefault(feed, []).append(file_id)
        load_no = usage_months.next_load(connection)
        for feed, file_ids in files.items():
            usage_months.count(connection, feed, file_ids, load_no)
    connection.commit()


def hash_anew(connection: duckdb.DuckDBPyConnection) -> None:
    """Hash rows that another engine's version stored; they find their months anew."""
    hashed_by = connection.execute("select engine from raw.usage_hashing").fetchall()
    if hashed_by == [(duckdb.__version__,)]:
        return
    connection.begin()
    if connection.execute("select count(*) from raw.usage_files").fetchone()[0]:
        hashes = ("event_hash", "encounter_hash")
        values = ", ".join(f"{name} = {usage_months.FOUND_BY[name]}" for name in hashes)
        connection.execute(f"update restricted.usage_rows set {values}")
        usage_months.place_all(connection)
    connection.execute("delete from raw.usage_hashing")
    connection.execute("insert into raw.usage_hashing values (?)", [duckdb.__version__])
    connection.commit()
