"""What feeds say beside events: places of an organization, and patients who are one.

- `raw.usage_places`: the facility that a place (a FHIR Location) belongs to;
- `raw.usage_place_uses`: which places gave the rows of a file their facility, and what
  they gave, so that the file is read again when it is another;
- `restricted.patient_merges`: tokens that a feed says are one patient, per customer;
  without tokens while the customer is unknown or has no agreement (HP-6);
- `restricted.merged_patients`: of each merged token the one it is counted as (UE-12),
  made anew by each load.
"""

from datetime import date

import duckdb

from orchestration import tokens
from orchestration.readers.sent_rows import MERGES, PLACE_USES, PLACES, READ
from orchestration.usage_terms import CUSTOMER_KEYS, CUSTOMERS, may_keep

_TABLES = (
    """raw.usage_places (
        feed varchar, file_id varchar, line bigint, place varchar, facility varchar,
        received_at timestamp
    )""",
    """raw.usage_place_uses (
        feed varchar, file_id varchar, place varchar, facility varchar
    )""",
    """restricted.patient_merges (
        feed varchar, file_id varchar, line bigint, facility varchar,
        customer_id varchar, from_token varchar, to_token varchar, token_key varchar,
        received_at timestamp, service_date date
    )""",
    """restricted.merged_patients (
        patient_token varchar, counted_as varchar
    )""",
)
_OF_FILES = ("raw.usage_places", "raw.usage_place_uses", "restricted.patient_merges")


def make_tables(connection: duckdb.DuckDBPyConnection) -> None:
    """Make what is missing of the tables; their schemas are there."""
    for table in _TABLES:
        connection.execute(f"create table if not exists {table}")


def locate(connection: duckdb.DuckDBPyConnection, feed: str, as_of: date) -> None:
    """Give the rows in hand that name only a place the facility it belongs to."""
    if not _has_any(connection, READ, "facility is null and place is not null"):
        return
    connection.execute(
        f"""
        insert into {PLACE_USES}
        with uses as (
            select distinct place from {READ}
            where facility is null and place is not null
        ),
        places as ({_latest_places(PLACES)})
        select uses.place, places.facility
        from uses
        left join places
            on places.feed = cast(? as varchar) and uses.place = places.place""",
        [feed, as_of, feed],
    )


def store(
    connection: duckdb.DuckDBPyConnection,
    feed: str,
    file_id: str,
    key_id: str,
    as_of: date,
) -> None:
    """Keep what the document in hand says beside its rows; within a transaction."""
    of_file = "cast(? as varchar), cast(? as varchar)"
    for table, sent in (("usage_places", PLACES), ("usage_place_uses", PLACE_USES)):
        connection.execute(
            f"insert into raw.{table} select {of_file}, * from {sent}", [feed, file_id]
        )
    if not _has_any(connection, MERGES, "true"):
        return
    connection.execute(
        f"""
        insert into restricted.patient_merges
        with sent as (
            select cast(? as varchar) as feed, *, cast(null as date) as service_date
            from {MERGES}
        ),
        customers as ({_merge_customers("sent")}),
        kept as (
            select
                sent.*,
                case when {may_keep("sent", "customers")} then customers.customer_id
                end as customer_id
            from sent
            left join customers
                on sent.feed = customers.feed
                and sent.facility is not distinct from customers.facility
        )
        select distinct
            kept.feed,
            cast(? as varchar),
            kept.line,
            kept.facility,
            kept.customer_id,
            {tokens.patient_token("kept.from_patient")},
            {tokens.patient_token("kept.to_patient")},
            case when kept.customer_id is not null then cast(? as varchar) end,
            kept.received_at,
            kept.service_date
        from kept
        left join {CUSTOMER_KEYS} as keys on kept.customer_id = keys.customer_id""",
        [feed, as_of, as_of, file_id, key_id],
    )


def forget(connection: duckdb.DuckDBPyConnection, feed: str, file_id: str) -> None:
    """Delete what a file said; within a transaction."""
    for table in _OF_FILES:
        connection.execute(
            f"delete from {table} where feed = ? and file_id = ?", [feed, file_id]
        )


def outdated_files(
    connection: duckdb.DuckDBPyConnection, as_of: date
) -> set[tuple[str, str]]:
    """(feed, file id) of what would say something else if it were read now."""
    moved = connection.execute(
        f"""
        with places as ({_latest_places()})
        select distinct uses.feed, uses.file_id
        from raw.usage_place_uses as uses
        left join places on uses.feed = places.feed and uses.place = places.place
        where uses.facility is distinct from places.facility""",
        [as_of],
    ).fetchall()
    mended = connection.execute(
        f"""
        with merges as (select * from restricted.patient_merges),
        customers as ({_merge_customers("merges")}),
        expected as (
            select merges.feed, merges.file_id, merges.line, customers.customer_id
            from merges
            inner join customers
                on merges.feed = customers.feed
                and merges.facility is not distinct from customers.facility
            where {may_keep("merges", "customers")}
        )
        select distinct expected.feed, expected.file_id
        from expected
        anti join merges
            on expected.feed = merges.feed
            and expected.file_id = merges.file_id
            and expected.line = merges.line
            and expected.customer_id = merges.customer_id""",
        [as_of, as_of],
    ).fetchall()
    return set(moved) | set(mended)


def count_merged(connection: duckdb.DuckDBPyConnection, as_of: date) -> None:
    """Make `restricted.merged_patients` of the merges received by the as-of day.

    Whoever was merged with whom, in whatever order, is one patient, counted as the
    first of their tokens.
    """
    pairs = connection.execute(
        """
        select distinct from_token, to_token from restricted.patient_merges
        where from_token is not null
            and coalesce(cast(received_at as date) <= cast(? as date), true)""",
        [as_of],
    ).fetchall()
    parents: dict[str, str] = {}

    def first(token: str) -> str:
        while (parent := parents.get(token, token)) != token:
            parents[token] = parents.get(parent, parent)
            token = parent
        return token

    for one, other in pairs:
        low, high = sorted((first(one), first(other)))
        parents[high] = low
    merged = [(token, first(token)) for token in sorted(parents)]
    connection.begin()
    connection.execute("delete from restricted.merged_patients")
    if merged:
        connection.execute(
            "insert into restricted.merged_patients "
            "select unnest(cast(? as varchar[])), unnest(cast(? as varchar[]))",
            [[token for token, _ in merged], [one for _, one in merged]],
        )
    connection.commit()


def _has_any(connection: duckdb.DuckDBPyConnection, table: str, where: str) -> bool:
    """Whether there is anything to do: most files have none, and there are many."""
    found = connection.execute(f"select 1 from {table} where {where} limit 1")
    return found.fetchone() is not None


def _latest_places(sent: str = "") -> str:
    """SQL of feed, place, facility as the Location received last has it.

    Its last parameter is the as-of day: what is received later is not known yet. `sent`
    is a relation of the file in hand, of the feed that is the parameter before.
    """
    in_hand = (
        f"""
            union all
            select cast(? as varchar), place, facility, received_at, 'in hand', line
            from {sent}"""
        if sent
        else ""
    )
    return f"""
        with stored as (
            select
                places.feed,
                places.place,
                places.facility,
                places.received_at,
                usage_files.source_file,
                places.line
            from raw.usage_places as places
            inner join raw.usage_files as usage_files
                on places.feed = usage_files.feed
                and places.file_id = usage_files.file_id
            {in_hand}
        ),
        ranked as (
            select
                feed,
                place,
                facility,
                row_number() over (
                    partition by feed, place
                    order by
                        received_at desc nulls last,
                        source_file desc,
                        line desc,
                        facility
                ) as recency
            from stored
            where coalesce(cast(received_at as date) <= cast(? as date), true)
        )
        select feed, place, facility from ranked where recency = 1"""


def _merge_customers(merges: str) -> str:
    """SQL of feed, facility, customer_id, agreed_through for merges.

    A merge that names no facility holds for every customer with events in the feed.
    """
    return f"""
        select customers.feed, customers.facility, customers.customer_id,
            customers.agreed_through
        from {CUSTOMERS} as customers
        semi join {merges} on customers.facility = {merges}.facility
        union all
        select
            customers.feed,
            cast(null as varchar),
            customers.customer_id,
            max(customers.agreed_through)
        from {CUSTOMERS} as customers
        semi join (
            select feed, facility from restricted.usage_rows
            where feed in (select feed from {merges} where facility is null)
        ) as seen
            on customers.feed = seen.feed and customers.facility = seen.facility
        group by customers.feed, customers.customer_id"""
