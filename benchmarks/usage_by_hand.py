"""The bill of the benchmark of usage by hand: one statement over the landed files.

Of each event the row received last; the tiers are split arithmetically on the running
count of the contract year. `BY_LINE` makes an amount a month and tier, `BY_FACILITY`
each facility's part of it as well, as invoices do: units in the order of days and
facilities, cents left over to the largest remainders.
"""

import time
from decimal import Decimal
from pathlib import Path

import duckdb
import usage_data
from usage_data import EVERYTHING_CAME

_LATEST = """
    create table bill as
    with
    latest as (
        select * from (
            select *, row_number() over (
                partition by event_id
                order by received_at desc, status = 'cancelled' desc) as place
            from read_parquet('{landing}/usage/*/*.parquet')
            where received_at < date '{as_of}' + 1)
        where place = 1),
    covered as (
        select contract_id, facility_id
        from read_csv('{landing}/contracts/contract_facilities.csv')),
    usage as (
        select contract_id, facility_id, occurred_at, class
        from latest join covered on facility = facility_id
        where status = 'final' and quantity > 0 and occurred_at is not null),"""
_TIERS = """
    tiers as (
        select tier, coalesce(lag(up_to) over (order by tier), 0) as above,
            coalesce(up_to, 1e15::bigint) as up_to, unit_price::decimal(18, 4) as price
        from read_csv('{landing}/contracts/rate_cards.csv',
            types = {{'up_to': 'bigint', 'unit_price': 'varchar'}})),"""
BY_LINE = (
    _LATEST
    + """
    counted as (
        select contract_id, date_trunc('month', occurred_at)::date as month,
            count(*) as encounter, count(*) filter (class = 'EMER') as emergency
        from usage group by all),
    reached as (
        select *, sum(encounter) over (partition by contract_id, year(month)
            order by month) - encounter as before
        from counted),"""
    + _TIERS.rstrip(",")
    + """
    select contract_id, month, 'encounters' as product, tier,
        least(before + encounter, up_to) - greatest(before, above) as quantity,
        round((least(before + encounter, up_to) - greatest(before, above)) * price, 2)
            ::decimal(18, 2) as amount
    from reached join tiers on before + encounter > above and before < up_to
    union all
    select contract_id, month, 'emergency', null, emergency,
        round(emergency * {emergency}, 2)
    from counted
"""
)
BY_FACILITY = (
    _LATEST
    + """
    days as (
        select contract_id, facility_id, occurred_at::date as day,
            count(*) as encounter, count(*) filter (class = 'EMER') as emergency
        from usage group by all),
    reached as (
        select *, sum(encounter) over (partition by contract_id, year(day)
            order by day, facility_id) as reached
        from days),"""
    + _TIERS
    + """
    shares as (
        select contract_id, date_trunc('month', day)::date as month,
            'encounters' as product, tier, price, facility_id,
            sum(least(reached, up_to) - greatest(reached - encounter, above))
                as quantity
        from reached join tiers on reached > above and reached - encounter < up_to
        group by all
        union all
        select contract_id, date_trunc('month', day)::date, 'emergency', null,
            {emergency}, facility_id, sum(emergency)
        from days where emergency > 0
        group by all),
    lines as (
        select contract_id, month, product, tier, sum(quantity) as total,
            (round(sum(quantity) * any_value(price), 2) * 100)::bigint as cents
        from shares group by all),
    parts as (
        select shares.*, cents, cents * quantity // total as base,
            row_number() over (partition by contract_id, month, product, shares.tier
                order by cents * quantity % total desc, facility_id) as place,
            cents - sum(cents * quantity // total) over (
                partition by contract_id, month, product, shares.tier) as left_over
        from shares join lines using (contract_id, month, product)
        where shares.tier is not distinct from lines.tier)
    select contract_id, month, product, tier, facility_id, quantity,
        (base + (place <= left_over)::bigint)::decimal(18, 0) * 0.01 as amount
    from parts
"""
)


def by_hand(
    landing: Path, place: Path, statement: str = BY_LINE
) -> tuple[float, dict[str, Decimal]]:
    """Seconds, and what it comes to by facility ("" if the bill has none)."""
    path = place / "by_hand.duckdb"
    path.unlink(missing_ok=True)
    facility = "facility_id" if statement == BY_FACILITY else "''"
    with duckdb.connect(str(path)) as connection:
        began = time.perf_counter()
        connection.execute(
            statement.format(
                landing=landing,
                as_of=EVERYTHING_CAME,
                emergency=usage_data.EMERGENCY_PRICE,
            )
        )
        seconds = time.perf_counter() - began
        amounts = connection.execute(
            f"select {facility}, sum(amount) from bill group by all"
        ).fetchall()
    return seconds, dict(amounts)
