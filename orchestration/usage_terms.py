"""Whose patient a usage row is about, and whether it may be kept as a token.

Temporary tables of one load: `usage_customers` (feed, facility as sent → customer_id,
agreed_through: the last day of the customer's latest agreement that has begun by the
as-of day), the customers' keys, the patients' tokens, and the facilities of the rows in
hand.
A row keeps its token if an agreement is in force on any day from its receipt to the
as-of day, that is if agreed_through is not before its receipt (HP-6).
"""

from datetime import date

import duckdb

from orchestration import tokens
from orchestration.readers.rows_in_hand import HAND

CUSTOMERS = "temp.main.usage_customers"
PLACED = "temp.main.usage_placed"
PATIENTS = "temp.main.usage_patients"
CUSTOMER_KEYS = "temp.main.usage_customer_keys"
_ENCOUNTERS = "temp.main.usage_encounters"
# Patients come again; of more than these it would cost more to remember than to make.
_ENOUGH_PATIENTS = 3_000_000
_NO_ENCOUNTERS = """
    select cast(null as varchar) as feed, cast(null as varchar) as encounter_id,
        cast(null as varchar) as facility
    where false"""
_BEGIN = "date '0001-01-01'"
_OPEN_END = "date '9999-12-31'"
# Whose each facility was when usage was loaded last.
_BEFORE = "raw.usage_customers"
TABLE_BEFORE = f"{_BEFORE} (feed varchar, facility varchar, customer_id varchar)"


def may_keep(row: str, customer: str) -> str:
    """SQL of the rule; its only parameter, twice, is the as-of day."""
    as_of = "cast(? as date)"
    receipt = f"coalesce(cast({row}.received_at as date), {row}.service_date, {as_of})"
    return f"{customer}.agreed_through >= least({receipt}, {as_of})"


def make(
    connection: duckdb.DuckDBPyConnection,
    feeds: list[str],
    phi_feeds: set[str],
    as_of: date,
    token_key: str,
) -> None:
    """Make the tables that hold for the whole load."""
    drop(connection)
    connection.execute(
        f"""
        create temp table usage_customers as
        with feeds as (
            select unnest(cast(? as varchar[])) as feed
        ),
        agreements as (
            select customer_id, max(coalesce(ends_on, {_OPEN_END})) as agreed_through
            from raw.baas
            where effective_on <= cast(? as date)
            group by customer_id
        ),
        named as (
            select feed, identifier as facility, min(facility_id) as facility_id
            from raw.facility_identifiers
            group by feed, identifier
        ),
        placed as (
            select feed, facility, facility_id from named
            union all
            select feeds.feed, facilities.facility_id, facilities.facility_id
            from feeds
            cross join raw.facilities as facilities
            anti join named
                on feeds.feed = named.feed and facilities.facility_id = named.facility
        )
        select
            placed.feed,
            placed.facility,
            facilities.customer_id,
            case
                when list_contains(cast(? as varchar[]), placed.feed)
                then agreements.agreed_through
                else {_OPEN_END}
            end as agreed_through
        from placed
        inner join raw.facilities as facilities using (facility_id)
        left join agreements using (customer_id)""",
        [feeds, as_of, sorted(phi_feeds)],
    )
    customers = f"(select distinct customer_id from {CUSTOMERS})"
    connection.execute(
        f"create temp table usage_customer_keys as {tokens.customer_keys(customers)}",
        [token_key],
    )
    _forget_patients(connection)


def _forget_patients(connection: duckdb.DuckDBPyConnection) -> None:
    # Made anew: rows that are deleted keep their room until the table goes.
    connection.execute(
        "create or replace temp table usage_patients (feed varchar, place varchar, "
        "patient_id varchar, customer_id varchar, agreed_through date, "
        "patient_token varchar)"
    )


def place_rows(connection: duckdb.DuckDBPyConnection, feed: str, as_of: date) -> None:
    """Make of the rows in hand the relation `usage_placed`, and tokens of the patients.

    A patient has a token for each place that has a customer with an agreement; of one
    customer's places it is the same. So a row finds its token by one join.
    """
    drop_placed(connection)
    lends = connection.execute(
        f"select 1 from {HAND} where encounter_id is not null limit 1"
    ).fetchone()
    if lends:
        _place_by_encounters(connection, feed, as_of)
    else:
        connection.execute(
            f"create temp view usage_placed as select *, facility as place from {HAND}"
        )
    kept = connection.execute(f"select count(*) from {PATIENTS}").fetchone()[0]
    if kept > _ENOUGH_PATIENTS:
        _forget_patients(connection)
    connection.execute(
        f"""
        insert into {PATIENTS}
        with patients as (
            select distinct cast(? as varchar) as feed, place, patient_id
            from {PLACED}
            where patient_id is not null
        )
        select
            patients.feed,
            patients.place,
            patients.patient_id,
            customers.customer_id,
            customers.agreed_through,
            {tokens.patient_token("patients.patient_id")}
        from patients
        anti join {PATIENTS} as known using (feed, place, patient_id)
        inner join {CUSTOMERS} as customers
            on customers.feed = patients.feed and customers.facility = patients.place
        inner join {CUSTOMER_KEYS} as keys on customers.customer_id = keys.customer_id
        where customers.agreed_through is not null""",
        [feed],
    )


def _place_by_encounters(
    connection: duckdb.DuckDBPyConnection, feed: str, as_of: date
) -> None:
    """Procedures without a facility of their own are where their encounter is."""
    wanted = f"""
        select distinct cast(? as varchar) as feed, encounter_id from {HAND}
        where encounter_id is not null"""
    # Both may be in hand together.
    in_hand = f"""
            union all
            select
                cast(? as varchar), event_id, facility, received_at, service_date,
                status, source_file, line
            from {HAND}
            where event_type = 'encounter'"""
    connection.execute(
        f"create temp table usage_encounters as {_latest_encounters(wanted, in_hand)}",
        [feed, feed, as_of],
    )
    connection.execute(f"""
        create temp view usage_placed as
        select sent.*, coalesce(sent.facility, encounters.facility) as place
        from {HAND} as sent
        left join {_ENCOUNTERS} as encounters
            on sent.encounter_id = encounters.encounter_id""")


def mended_files(
    connection: duckdb.DuckDBPyConnection, as_of: date
) -> set[tuple[str, str]]:
    """(feed, file id) of stored rows without their patient that may now have it."""
    withheld = """
        select distinct feed, encounter_id from restricted.usage_rows
        where is_patient_withheld and encounter_id is not null"""
    lends = connection.execute(f"{withheld} limit 1").fetchone()
    # Who looks for none would look through all rows that are stored.
    encounters = _latest_encounters(withheld) if lends else _NO_ENCOUNTERS
    known_by = [as_of] if lends else []
    rows = connection.execute(
        f"""
        with encounters as ({encounters})
        select distinct usage_rows.feed, usage_rows.file_id
        from restricted.usage_rows as usage_rows
        left join encounters
            on usage_rows.feed = encounters.feed
            and usage_rows.encounter_id = encounters.encounter_id
        inner join {CUSTOMERS} as customers
            on usage_rows.feed = customers.feed
            and coalesce(usage_rows.facility, encounters.facility) = customers.facility
        where usage_rows.is_patient_withheld
            and {may_keep("usage_rows", "customers")}""",
        [*known_by, as_of, as_of],
    ).fetchall()
    return set(rows)


def moved_files(connection: duckdb.DuckDBPyConnection) -> set[tuple[str, str]]:
    """(feed, file id) of stored patients whose facility is another customer's now.

    Their tokens are under the key of the customer before, as who nobody else's are.
    """
    moved = f"""
        select customers.feed, customers.facility
        from {CUSTOMERS} as customers
        inner join {_BEFORE} as before using (feed, facility)
        where customers.customer_id <> before.customer_id"""
    if not connection.execute(f"{moved} limit 1").fetchone():
        return set()
    lent = """
        select distinct feed, encounter_id from restricted.usage_rows
        where patient_token is not null and facility is null
            and encounter_id is not null"""
    rows = connection.execute(
        f"""
        with moved as ({moved}),
        encounters as ({_latest_encounters(lent)})
        select distinct usage_rows.feed, usage_rows.file_id
        from restricted.usage_rows as usage_rows
        left join encounters
            on usage_rows.feed = encounters.feed
            and usage_rows.encounter_id = encounters.encounter_id
        inner join moved
            on usage_rows.feed = moved.feed
            and coalesce(usage_rows.facility, encounters.facility) = moved.facility
        where usage_rows.patient_token is not null""",
        [date.max],
    ).fetchall()
    return set(rows)


def keep_customers(connection: duckdb.DuckDBPyConnection) -> None:
    """Remember whose each facility is; of one that is nobody's now, whose it was."""
    changed = f"""
        select feed, facility, customer_id from {CUSTOMERS}
        except select feed, facility, customer_id from {_BEFORE}"""
    if not connection.execute(f"select 1 from ({changed}) limit 1").fetchone():
        return
    connection.begin()
    connection.execute(f"""
        delete from {_BEFORE} as before using {CUSTOMERS} as customers
        where before.feed = customers.feed and before.facility = customers.facility""")
    connection.execute(
        f"insert into {_BEFORE} select feed, facility, customer_id from {CUSTOMERS}"
    )
    connection.commit()


def drop_placed(connection: duckdb.DuckDBPyConnection) -> None:
    """Drop what `place_rows` made but for the tokens."""
    connection.execute(f"drop view if exists {PLACED}")
    connection.execute(f"drop table if exists {_ENCOUNTERS}")


def drop(connection: duckdb.DuckDBPyConnection) -> None:
    """Drop what `make` made, customers' keys and raw patient identifiers among it."""
    connection.execute(f"drop table if exists {PATIENTS}")
    connection.execute(f"drop table if exists {CUSTOMERS}")
    connection.execute(f"drop table if exists {CUSTOMER_KEYS}")


def _latest_encounters(wanted: str, in_hand: str = "") -> str:
    """SQL of feed, encounter_id, facility: as the row received last has it.

    `wanted` is SQL of feed and encounter_id, `in_hand` of rows not stored yet. The last
    parameter is the as-of day: only an event of which nothing is known by then is told
    of by what comes later.
    """
    return f"""
        with wanted as ({wanted}),
        known as (
            select
                usage_rows.feed,
                usage_rows.event_id,
                usage_rows.facility,
                usage_rows.received_at,
                usage_rows.service_date,
                usage_rows.status,
                usage_files.source_file,
                usage_rows.line
            from restricted.usage_rows as usage_rows
            inner join raw.usage_files as usage_files
                on usage_rows.feed = usage_files.feed
                and usage_rows.file_id = usage_files.file_id
            where usage_rows.event_type = 'encounter'
            {in_hand}
        ),
        ranked as (
            select
                known.feed,
                known.event_id as encounter_id,
                known.facility,
                row_number() over (
                    partition by known.feed, known.event_id
                    order by
                        coalesce(
                            cast(known.received_at as date),
                            known.service_date,
                            {_BEGIN}
                        ) <= cast(? as date) desc,
                        known.received_at desc nulls last,
                        known.status = 'cancelled' desc,
                        known.source_file desc,
                        known.line desc
                ) as place
            from known
            semi join wanted
                on known.feed = wanted.feed and known.event_id = wanted.encounter_id
        )
        select feed, encounter_id, facility from ranked where place = 1"""
