"""Why a close posts what belongs to closed months, and what moved since the one before.

Read within the run that closed: from the ledger, the warehouse as the close left it,
and the publication that the close before kept.
"""

from datetime import date
from pathlib import Path

import duckdb

from orchestration.database import quoted

# Units of closed months that are others than the close before had, and what the lines
# of their meter come to by facility (V7).
_LATE = """
    select
        contract_id, facility_id, meter, min(month) as first_month,
        max(month) as last_month, sum(quantity) as quantity, sum(amount) as amount
    from (
        select
            contract_id, facility_id, meter, month, sum(quantity) as quantity,
            sum(amount) as amount
        from (
            from warehouse.finance.usage_by_facility
            union all by name
            select * replace (-quantity as quantity, -amount as amount)
            from {before}.finance.usage_by_facility
        )
        where month < getvariable('month')
        group by contract_id, facility_id, meter, month
        having sum(quantity) <> 0 or sum(amount) <> 0
    )
    group by contract_id, facility_id, meter
"""
_HELD = """
    select distinct contract_id from {before}.quality.rejected_rows
    where contract_id is not null
"""
# Of each line, milestone or commitment that is posted for closed months one cause.
_CAUSES = """
    with
    posted as (
        select
            contract_id, currency, line_type,
            coalesce(milestone_id, commitment_id, line_id) as subject,
            min(line_id) as line_id, list(distinct amendment_id) as amendment_ids,
            bool_or(charge_key in (
                select charge_key from ledger.book.posted_revenue
                where closing_no < getvariable('closing_no')
            )) as was_posted,
            sum(amount) as amount
        from ledger.book.posted_revenue
        where closing_no = getvariable('closing_no')
            and revenue_month < getvariable('month')
        group by all
    ),
    amendments as (
        select contract_id, amendment_id, (signed_on, amendment_id) as place
        from warehouse.staging.stg_amendments
        where signed_on > getvariable('since')
    ),
    -- Those that cover a facility, or no more, whose usage changed by that.
    covering as (
        select contract_id, max_by(amendment_id, place) as amendment_id
        from late_usage
        join warehouse.staging.stg_contract_facilities using (contract_id, facility_id)
        join amendments using (contract_id, amendment_id)
        group by contract_id
    ),
    lines as (
        select line_id, max(meter) as meter, max(base_line_id) as base_line_id
        from warehouse.billing.line_versions group by line_id
    ),
    told as (
        select
            posted.*,
            (select max_by(amendment_id, place) from amendments
                where contract_id = posted.contract_id
                    and list_contains(posted.amendment_ids, amendment_id)) as own,
            (select max_by(amendment_id, place) from amendments
                where contract_id = posted.contract_id) as latest,
            (select amendment_id from covering
                where contract_id = posted.contract_id) as covers,
            posted.contract_id in (select contract_id from held_before) as was_held,
            exists(select 1 from late_usage
                where late_usage.contract_id = posted.contract_id
                    and late_usage.quantity <> 0 and case
                        when posted.line_type = 'usage'
                            then late_usage.meter = lines.meter
                        when posted.line_type = 'recurring'
                            then lines.base_line_id is not null
                        else posted.line_type <> 'milestone'
                    end) as is_late,
            posted.line_type = 'milestone' and not was_posted as is_new_milestone
        from posted left join lines on posted.line_id = lines.line_id
    )
    select
        case
            when getvariable('closing_no') = 1 then 'before the first close'
            when was_held then 'held at the close before'
            when is_new_milestone then 'milestone known late'
            when own is not null then 'amendment'
            when is_late and covers is not null then 'amendment'
            when is_late then 'late usage'
            when latest is not null then 'amendment'
            else 'correction'
        end as cause,
        contract_id, subject, line_type, currency, amount,
        coalesce(own, covers, latest) as amendment_id
    from told
    where amount <> 0
"""
_BY_CAUSE = """
    select cause, currency, count(distinct contract_id), sum(amount)
    from causes group by cause, currency order by cause, currency
"""
_CATCH_UP = """
    select
        cause, contract_id, subject, line_type,
        case when cause = 'amendment' then amendment_id end, currency, amount
    from causes order by abs(amount) desc, cause, contract_id, subject, line_type
"""
# By facility, with the feeds that tell of it.
_LATE_BY_FACILITY = """
    select
        coalesce(feeds.feeds, ''), late_usage.facility_id, late_usage.contract_id,
        late_usage.meter, first_month, last_month, quantity, currency, amount
    from late_usage
    join warehouse.billing.contracts using (contract_id)
    left join feeds using (contract_id, facility_id)
    where contract_id in (select contract_id from causes where cause = 'late usage')
    order by abs(amount) desc, contract_id, facility_id, meter
"""
_FEEDS = """
    select contract_id, facility_id,
        string_agg(distinct feed, ', ' order by feed) as feeds
    from warehouse.restricted.attributed_usage
    where contract_id is not null and facility_id is not null
    group by contract_id, facility_id
"""
# Contracts by the difference to the month before.
_MOVEMENTS = """
    select
        contract_id, customer_id, currency,
        sum(amount) filter (accounting_month < getvariable('month')) as before,
        sum(amount) filter (accounting_month = getvariable('month')) as now
    from ledger.book.posted_revenue
    where accounting_month
        between getvariable('month') - interval 1 month and getvariable('month')
    group by contract_id, customer_id, currency
    having coalesce(before, 0) <> coalesce(now, 0)
    order by abs(coalesce(now, 0) - coalesce(before, 0)) desc, contract_id
    limit $1
"""
# What the difference of a contract is made of.
_PARTS = """
    select
        line_type,
        sum(case when accounting_month = getvariable('month')
            then amount else -amount end) as change
    from ledger.book.posted_revenue
    where contract_id = $1 and accounting_month
        between getvariable('month') - interval 1 month and getvariable('month')
    group by line_type having change <> 0 order by abs(change) desc, line_type
"""
_AMENDMENTS = """
    select amendment_id from warehouse.staging.stg_amendments
    where contract_id = $1 and (signed_on > getvariable('since')
        or effective_on >= getvariable('month') - interval 1 month)
    order by amendment_id
"""
_CONTRACT_FEEDS = """
    select distinct unnest(string_split(feeds, ', ')) as feed from feeds
    where contract_id = $1 order by feed
"""


def prepare(
    connection: duckdb.DuckDBPyConnection,
    closing_no: int,
    month: date,
    before: Path | None,
) -> None:
    """Make what the other functions read, of this connection alone.

    `before` is the publication that the close before kept; without it nothing is late
    usage, and no contract was held then.
    """
    (since,) = connection.execute(
        "select coalesce(max(as_of), date '1900-01-01') from ledger.book.closings "
        "where closing_no < $1",
        [closing_no],
    ).fetchone()
    connection.execute(f"set variable closing_no = {closing_no}::bigint")
    connection.execute(f"set variable month = date '{month}'")
    connection.execute(f"set variable since = date '{since}'")
    if before is not None:
        connection.execute(f"attach {quoted(before)} as close_before (read_only)")
    for name, sql in (("late_usage", _LATE), ("held_before", _HELD)):
        source, limit = ("close_before", "") if before else ("warehouse", " limit 0")
        connection.execute(
            f"create or replace temp table {name} as {sql.format(before=source)}{limit}"
        )
    if before is not None:
        connection.execute("detach close_before")
    connection.execute(f"create or replace temp table feeds as {_FEEDS}")
    connection.execute(f"create or replace temp table causes as {_CAUSES}")


def by_cause(connection: duckdb.DuckDBPyConnection) -> list[tuple]:
    """Catch-up: cause, currency, number of contracts, amount."""
    return connection.execute(_BY_CAUSE).fetchall()


def catch_up(connection: duckdb.DuckDBPyConnection) -> list[tuple]:
    """Catch-up, the largest first: cause, contract, line or milestone or commitment,
    line type, amendment (where it is the cause), currency, amount.
    """
    return connection.execute(_CATCH_UP).fetchall()


def late_usage(connection: duckdb.DuckDBPyConnection) -> list[tuple]:
    """Late usage, the largest first: feeds, facility, contract, meter, first and last
    month of service, units, currency, amount.
    """
    return connection.execute(_LATE_BY_FACILITY).fetchall()


def movements(
    connection: duckdb.DuckDBPyConnection, limit: int
) -> list[tuple[tuple, list[tuple], list[str], list[str]]]:
    """The contracts whose revenue differs most from the month before.

    Each with its parts (line type and change), amendments known since the close before
    or in force since the month before, and feeds. The first is (contract, customer,
    currency, the month before, this month).
    """
    found = connection.execute(_MOVEMENTS, [limit]).fetchall()
    return [
        (
            row,
            connection.execute(_PARTS, [row[0]]).fetchall(),
            *(
                [name for (name,) in connection.execute(sql, [row[0]]).fetchall()]
                for sql in (_AMENDMENTS, _CONTRACT_FEEDS)
            ),
        )
        for row in found
    ]
