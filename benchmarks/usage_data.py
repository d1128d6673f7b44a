"""Landing directories for the benchmark of usage, made in SQL, the same for a seed.

Facilities differ as those of a health system do: weights are lognormal(7.02, 1.36).
One row in a hundred is dirt (an unknown or missing facility, no date, a quantity of
0), one event in a hundred is sent again (as it was, cancelled, at another facility, on
another day), one in seven comes late. A file holds what was received in a month, in
order of receipt. Randomness is a hash of facility, event and seed.
"""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb

CONTRACTS = 200
FACILITIES = 5000
LAST_DAY = date(2025, 12, 31)
# By then the last of the late events is there.
EVERYTHING_CAME = date(2026, 4, 1)
# Tiers of the encounters of a contract year, as parts of what a contract has on
# average: (up to, price).
TIERS = ((0.25, "2.50"), (0.60, "2.125"), (None, "1.875"))
PLATFORM_FEE, EMERGENCY_PRICE = "4500.00", "0.75"


@dataclass(frozen=True)
class Size:
    """How much usage: events in all, over so many months that end with LAST_DAY."""

    events: int
    months: int = 12
    seed: int = 1

    @property
    def first_day(self) -> date:
        """The first day of usage and of every contract."""
        months = LAST_DAY.year * 12 + LAST_DAY.month - self.months
        return date(months // 12, months % 12 + 1, 1)

    @property
    def bounds(self) -> list[tuple[int | None, str]]:
        """Upper bounds and prices of the tiers."""
        mean = self.events * 12 // self.months // CONTRACTS
        return [(part and int(mean * part), price) for part, price in TIERS]


def write_landing(
    landing: Path, size: Size, received_before: date = EVERYTHING_CAME
) -> None:
    """Write contracts and usage, a file for each month of receipt up to a day."""
    with duckdb.connect() as connection:
        _write_contracts(connection, landing, size)
        _make_events(connection, size)
        folder = landing / "usage" / "ehr"
        folder.mkdir(parents=True, exist_ok=True)
        months = connection.execute(
            "from range(?::timestamp, ?::timestamp, interval 1 month)",
            [size.first_day, received_before],
        ).fetchall()
        for (month,) in months:
            path = folder / f"{month:%Y-%m}.parquet"
            _copy(connection, f"date_trunc('month', received_at) = '{month}'", path)


def write_days(folder: Path, size: Size, events: int, days: list[date]) -> None:
    """Write what is received on each of some days after LAST_DAY: so many events, of
    which one in fifty is up to two months late and one in a hundred is sent again.
    """
    folder.mkdir()
    with duckdb.connect() as connection:
        _make_events(connection, size)
        for day in days:
            connection.execute(f"""
                create or replace view day_events as
                select * exclude (place, facility_no, number) replace (
                    md5('{day}' || event_id)::uuid as event_id,
                    (timestamp '{day}' - case when place % 50 = 0
                        then to_hours((place * 13 % 1440)::integer)
                        else to_hours((place % 48)::integer) end) as occurred_at,
                    timestamp '{day}' + to_seconds(place % 86400) as received_at)
                from (select *, row_number() over (order by event_id) as place from (
                    from events where occurred_at >= '2025-12-01'
                    order by event_id limit {events}))
                where place % 100 <> 1
                union all
                select * exclude (facility_no, number)
                    replace (timestamp '{day} 12:00:00' as received_at)
                from (from events where occurred_at >= '2025-11-05'
                    order by md5('{day}' || event_id) limit {events // 100})""")
            connection.execute(
                "copy (from day_events order by received_at, event_id) "
                f"to '{folder / f'{day}.parquet'}' (format parquet)"
            )


def _copy(connection: duckdb.DuckDBPyConnection, where: str, path: Path) -> None:
    connection.execute(
        f"copy (select * exclude (facility_no, number) from events where {where} "
        f"order by received_at, event_id) to '{path}' (format parquet)"
    )


def _make_events(connection: duckdb.DuckDBPyConnection, size: Size) -> None:
    """Views `arrivals` (an event, when it occurred, came) and `events` (its rows)."""

    def part(kind: int, of: int, what: str = "facility_no, number") -> str:
        return f"(hash({what}, {kind}, {size.seed}) % {of})::bigint"

    def uniform(kind: int) -> str:
        return f"(({part(kind, 10**9, 'facility_no')} + 0.5) / 1e9)"

    days = (LAST_DAY - size.first_day).days + 1
    connection.execute(f"""
        create table facility_sizes as
        with weighed as (
            select facility_no, exp(7.02 + 1.36 * sqrt(-2 * ln({uniform(1)}))
                * cos(2 * pi() * {uniform(2)})) as weight
            from range(1, {FACILITIES} + 1) as facilities(facility_no))
        select facility_no,
            (round({size.events} * sum(weight) over upto / sum(weight) over ())
            - round({size.events} * (sum(weight) over upto - weight)
                / sum(weight) over ()))::bigint as events
        from weighed
        window upto as (order by facility_no)
        order by facility_no;

        -- On Sundays a third of a weekday.
        create view moments as
        select facility_no, number, timestamp '{size.first_day}'
            + to_seconds(({part(3, days * 86400)})::bigint) as moment
        from facility_sizes, range(events) as numbers(number);
        create view arrivals as
        select facility_no, number,
            case when dayofweek(moment) = 0 and {part(4, 3)} > 0
                then least(moment + to_days(1 + {part(5, 4)}::integer),
                    timestamp '{LAST_DAY} 23:59:59')
                else moment end as occurred_at,
            -- One in seven is late: by hours, days, weeks.
            occurred_at + to_seconds((60 + case
                when {part(6, 1000)} < 860 then {part(7, 3600)}
                when {part(6, 1000)} < 985 then {part(7, 5 * 86400)}
                else {part(7, 50 * 86400)} end)::bigint) as received_at
        from moments;

        create table sent as
        select *, false as is_again from arrivals
        union all
        select * replace (received_at + to_seconds(
            (3600 + {part(8, 15 * 86400)})::bigint) as received_at), true
        from arrivals where {part(9, 100)} = 0;

        create view events as
        select
            facility_no, number,
            md5(concat_ws('-', facility_no, number, {size.seed}))::uuid as event_id,
            'encounter' as event_type,
            case when {part(11, 1000)} < 3 then 'UNKNOWN-' || {part(12, 40)}
                when {part(11, 1000)} < 5 then null
                when is_again and {part(10, 4)} = 2
                then 'F' || 1 + facility_no % {FACILITIES}
                else 'F' || facility_no end as facility,
            'P' || facility_no || '-' || {part(13, 10**9)}
                % greatest(facility_sizes.events // 4, 1) as patient_id,
            case when {part(11, 1000)} in (5, 6, 7) then null
                when is_again and {part(10, 4)} = 3 then least(occurred_at
                    + to_days({part(14, 20)}::integer - 10),
                    timestamp '{LAST_DAY} 23:59:59')
                else occurred_at end as occurred_at,
            received_at,
            case when {part(11, 1000)} in (8, 9) then 0 else 1 end::decimal(18, 4)
                as quantity,
            case when is_again and {part(10, 4)} = 1 then 'cancelled' else 'final' end
                as status,
            (['AMB', 'AMB', 'AMB', 'AMB', 'AMB', 'AMB', 'EMER', 'EMER', 'IMP', 'OBSENC']
            )[1 + {part(15, 10)}] as class,
            (99200 + 1 + {part(16, 40)})::varchar as code
        from sent join facility_sizes using (facility_no);
    """)


def _write_contracts(
    connection: duckdb.DuckDBPyConnection, landing: Path, size: Size
) -> None:
    first = size.first_day
    customer = f"'C' || 1 + n % {CONTRACTS}"
    contracts = f"range(0, {CONTRACTS}) as numbers(n)"
    facilities = f"range(1, {FACILITIES} + 1) as numbers(n)"
    tiers = ", ".join(
        f"({number}, '{up_to or ''}', '{price}')"
        for number, (up_to, price) in enumerate(size.bounds, start=1)
    )
    tables = {
        "customers": f"""
            select {customer} as customer_id, 'Example Health ' || n as customer_name,
                'enterprise' as dunning_tier from {contracts}""",
        "baas": f"""
            select {customer} as customer_id, '{first}' as effective_on
            from {contracts}""",
        "facilities": f"""
            select 'F' || n as facility_id, {customer} as customer_id,
                'Example Clinic ' || n as facility_name from {facilities}""",
        "contracts": f"""
            select 'K' || 1 + n % {CONTRACTS} as contract_id,
                {customer} as customer_id, '{first}' as signed_on,
                '{first}' as starts_on, '2027-12-31' as ends_on from {contracts}""",
        "contract_facilities": f"""
            select 'K' || 1 + n % {CONTRACTS} as contract_id, 'F' || n as facility_id,
                '{first}' as effective_on, 'true' as covered from {facilities}""",
        "rate_cards": f"""
            select 'tiers' as rate_card_id, *
            from (values {tiers}) as tiers(tier, up_to, unit_price)""",
        "contract_lines": f"""
            select 'L' || kind || '-' || 1 + n % {CONTRACTS} as line_id,
                'K' || 1 + n % {CONTRACTS} as contract_id, '{first}' as effective_on,
                case kind when 1 then 'recurring' else 'usage' end as charge_type,
                (['platform', 'encounters', 'emergency'])[kind] as product_id,
                case kind when 2 then 'graduated' else 'per_unit' end as pricing_model,
                case kind when 2 then 'encounter' when 3 then 'emergency' end as meter,
                case kind when 1 then '{PLATFORM_FEE}' when 3 then '{EMERGENCY_PRICE}'
                    end as unit_price,
                case kind when 2 then 'tiers' end as rate_card_id,
                case kind when 2 then 'contract_year' end as tier_scope
            from {contracts}, range(1, 4) as kinds(kind)""",
    }
    folder = landing / "contracts"
    folder.mkdir(parents=True, exist_ok=True)
    for name, sql in tables.items():
        connection.execute(f"copy ({sql}) to '{folder / name}.csv' (header)")
