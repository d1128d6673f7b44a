"""`billing keys rotate token`: patients' tokens under a new key, made from landing.

A token can't be turned into another: the identifier it was made of must be read again,
from the files that are still landed. Of every patient in them the old and the new token
are made, and wherever the restricted schema has the old one it has the new one then,
also in rows of files that are landed no more. Patients of such files alone keep their
token and its key's id, and are counted. One token becomes one token: no count changes
and nothing is billed again.
"""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb

from orchestration import feed_links, keys, rotation, tokens, usage_terms
from orchestration.database import quoted
from orchestration.errors import BillingError
from orchestration.home import Home
from orchestration.landed_files import LandedFile, feed_files
from orchestration.last_run import last_run
from orchestration.readers import rows_in_hand, sent_rows
from orchestration.readers.csv_lines import UnreadableFile
from orchestration.readers.landed_columns import columns_of
from orchestration.usage_feeds import FORMATS, Feed, feeds_of_seed
from orchestration.usage_store import known_feeds, known_files, make_tables
from orchestration.warehouse import open_files

_PAIRS = "temp.main.token_pairs"
_OLD_KEYS = "temp.main.old_customer_keys"
# Columns of the restricted schema that hold tokens.
_COLUMNS = ("patient_token", "from_token", "to_token", "counted_as")


@dataclass(frozen=True)
class TokenRotation:
    """What became of the tokens: ids of the keys, patients, and those who keep theirs.

    `kept` has for each file that is landed no more, as logs call it, how many.
    """

    rotation: rotation.Rotation
    changed: int
    kept: dict[str, int]


def rotate_token(home: Home, landing: Path | None = None) -> TokenRotation:
    """Give patients new tokens; `landing` by default the last run's.

    Raises BillingError if there is nothing to change or a file can't be read; then all
    is as it was.
    """
    last = last_run(home)
    landing = landing or (last.landing if last else None)
    with home.lock("billing keys rotate token"):
        if not (home.warehouse.exists() and home.ledger.exists()) or landing is None:
            raise BillingError(f"{home.path}: nothing was loaded here yet")
        old = keys.given(home, "token")
        if old is None:
            raise BillingError(
                f"the token key is not there: put it back as {home.keys / 'token'} or "
                f"give it as {keys.variable('token')}"
            )
        with open_files(home, keys.Keys.of(home)) as connection:
            make_tables(connection)
            waiting = rotation.next_file(home, "token")
            if waiting.exists() and _current(connection) == keys.key_id(
                "token", keys.read(waiting)
            ):
                # Cut short after the tokens were changed: the key is all that is left.
                changed, new = 0, keys.read(waiting)
            else:
                new = rotation.new_key(home, "token", old)
                changed = _change(connection, landing, old, new)
            kept = _kept(connection, keys.key_id("token", new))
        done = rotation.hand_over(home, "token", old, new)
        rotation.note(home, done, changed, {"kept": sum(kept.values())})
        return TokenRotation(done, changed, kept)


def _current(connection: duckdb.DuckDBPyConnection) -> str | None:
    row = connection.execute("select key_id from raw.token_keys").fetchone()
    return row[0] if row else None


def _change(
    connection: duckdb.DuckDBPyConnection, landing: Path, old: str, new: str
) -> int:
    """Change every token that can be made anew, in one transaction; how many."""
    names = sorted(known_feeds(connection))
    connection.execute(
        "create or replace temp table token_pairs (old varchar, new varchar)"
    )
    try:
        # Whether an agreement is in force does not matter: no token is added.
        usage_terms.make(connection, names, set(), date.max, new)
        customers = f"(select distinct customer_id from {usage_terms.CUSTOMERS})"
        connection.execute(
            "create or replace temp table old_customer_keys as "
            + tokens.customer_keys(customers),
            [old],
        )
        seed, landed = feeds_of_seed(connection), feed_files(landing)
        for name in names:
            known = known_files(connection, name)
            for file in landed.get(name, ()):
                if file.content_hash in known:
                    _pair(
                        connection,
                        seed.get(name, Feed(name)),
                        file,
                        known[file.content_hash].format,
                    )
        return _swap(connection, keys.key_id("token", new))
    finally:
        usage_terms.drop(connection)
        for table in (_PAIRS, _OLD_KEYS):
            connection.execute(f"drop table if exists {table}")


def _pair(
    connection: duckdb.DuckDBPyConnection, feed: Feed, file: LandedFile, format_: str
) -> None:
    """Old and new tokens of a file's patients, with the customers they may be of."""
    hand = rows_in_hand.Hand(connection)
    try:
        columns = columns_of(connection, file.path)
        opened = FORMATS[format_].open_rows(connection, columns, feed.time_zone)
        if opened.is_document:
            feed_links.locate(connection, feed.name, date.max)
        hand.take(file.content_hash, file.name, opened)
        hand.show()
        usage_terms.place_rows(connection, feed.name, date.max)
        patients = (
            f"select distinct customer_id, patient_id from {usage_terms.PATIENTS}"
        )
        if opened.is_document:
            patients += f"""
                union
                select customers.customer_id, merged.patient_id
                from (
                    select from_patient as patient_id from {sent_rows.MERGES}
                    union select to_patient from {sent_rows.MERGES}
                ) as merged
                cross join (
                    select distinct customer_id from {usage_terms.CUSTOMERS}
                    where feed = {quoted(feed.name)}
                ) as customers"""
        _make_pairs(connection, patients)
        # A facility may have been another customer's when its row was stored.
        _make_pairs(
            connection,
            f"""
            select customers.customer_id, unknown.patient_id
            from (
                select distinct placed.patient_id
                from {usage_terms.PLACED} as placed
                inner join restricted.usage_rows as stored
                    on stored.feed = {quoted(feed.name)}
                    and stored.file_id = {quoted(file.content_hash)}
                    and stored.line = placed.line
                where placed.patient_id is not null
                    and stored.patient_token not in (select old from {_PAIRS})
            ) as unknown
            cross join {_OLD_KEYS} as customers""",
        )
    except duckdb.Error as error:
        raise _unread(file, str(sent_rows.told(error))) from None
    except UnreadableFile as error:
        raise _unread(file, str(error)) from None
    finally:
        usage_terms.drop_placed(connection)
        hand.clear()


def _unread(file: LandedFile, why: str) -> BillingError:
    return BillingError.naming_files(
        f"{file.name}: {why} No token was changed", {file.name: file.discreet_name}
    )


def _make_pairs(connection: duckdb.DuckDBPyConnection, patients: str) -> None:
    message = "encode(patients.patient_id)"
    made = [
        tokens.hmac_sha256(f"{side}.inner_pad", f"{side}.outer_pad", message)
        for side in ("old_keys", "new_keys")
    ]
    connection.execute(f"""
        insert into {_PAIRS}
        select {made[0]}, {made[1]}
        from ({patients}) as patients
        inner join {_OLD_KEYS} as old_keys using (customer_id)
        inner join {usage_terms.CUSTOMER_KEYS} as new_keys using (customer_id)""")


def _swap(connection: duckdb.DuckDBPyConnection, key_id: str) -> int:
    """Put the new tokens wherever the restricted schema has old ones."""
    columns = connection.execute(
        "select table_name, column_name from duckdb_columns() "
        "where database_name = 'warehouse' and schema_name = 'restricted' "
        "and column_name in (select unnest($1)) "
        "and table_name in (select table_name from duckdb_tables() "
        "where schema_name = 'restricted') order by all",
        [list(_COLUMNS)],
    ).fetchall()
    connection.execute(
        "create or replace temp table token_pairs as "
        f"select old, any_value(new) as new from {_PAIRS} group by old"
    )
    changed = connection.execute(
        f"select count(distinct patient_token) from restricted.usage_rows "
        f"where patient_token in (select old from {_PAIRS})"
    ).fetchone()[0]
    connection.begin()
    try:
        for table, column in columns:
            keyed = (
                ", token_key = $1"
                if (table, column)
                in (("usage_rows", "patient_token"), ("patient_merges", "to_token"))
                else ""
            )
            connection.execute(
                f"update restricted.{table} as kept set {column} = pairs.new{keyed} "
                f"from {_PAIRS} as pairs where kept.{column} = pairs.old",
                [key_id] if keyed else None,
            )
        connection.execute("delete from raw.token_keys")
        connection.execute("insert into raw.token_keys values ($1)", [key_id])
        connection.commit()
    except BaseException:
        connection.rollback()
        raise
    return changed


def _kept(connection: duckdb.DuckDBPyConnection, key_id: str) -> dict[str, int]:
    """How many patients keep the token of another key, by file, as logs call it."""
    rows = connection.execute(
        "select concat('usage/', feed, '/', file_id[:12]), "
        "count(distinct patient_token) from restricted.usage_rows "
        "where token_key <> $1 group by feed, file_id order by all",
        [key_id],
    ).fetchall()
    return dict(rows)


def told(done: TokenRotation) -> str:
    """A rotation of tokens as text."""
    lines = [
        rotation.told(done.rotation).rstrip("\n"),
        f"{done.changed:,} patients have new tokens; no count changed, nothing is "
        "billed again",
    ]
    if done.kept:
        lines += [
            f"{sum(done.kept.values()):,} patients of files that are landed no more "
            "keep theirs. Land these files and rotate again, or purge them:"
        ]
        lines += [f"  {name}: {count:,}" for name, count in done.kept.items()]
    return "\n".join(lines) + "\n"
