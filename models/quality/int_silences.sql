-- One row per feed, facility (empty: the feed as a whole) and contract with three or
-- more covered days of silence: what it told before, and whether they are beyond it
-- (G1).
with

days as (
    select * from {{ ref('int_reported_days') }}
),

facilities as (
    select * from {{ ref('int_reporting_facilities') }}
),

facility_contracts as (
    select * from {{ ref('facility_contracts') }}
),

covered as (
    select
        facilities.feed,
        facilities.facility_id,
        facility_contracts.contract_id,
        facility_contracts.valid_from,
        facility_contracts.valid_to
    from facilities
    inner join facility_contracts
        on facilities.facility_id = facility_contracts.facility_id
),

-- A feed has to tell something while any of its facilities is covered.
coverage as (
    select feed, facility_id, contract_id, valid_from, valid_to
    from covered
    union all
    select
        feed,
        '' as facility_id,
        cast(null as varchar) as contract_id,
        min(valid_from) as valid_from,
        max(valid_to) as valid_to
    from covered
    group by feed
),

silences as (
    select
        days.feed,
        days.facility_id,
        coverage.contract_id,
        days.service_date as last_date,
        least(56, {{ days_between('days.first_date', 'days.service_date') }} + 1)
            as history_days,
        greatest({{ plus_days('days.service_date', 1) }}, coverage.valid_from)
            as silent_from,
        least(days.next_date, coverage.valid_to) as silent_to
    from days
    inner join coverage
        on
            days.feed = coverage.feed
            and days.facility_id = coverage.facility_id
            and {{ overlap(
                'days.service_date', 'days.next_date',
                'coverage.valid_from', 'coverage.valid_to'
            ) }}
    where days.next_date > {{ plus_days(as_of(), -62) }}
),

remembered as (
    select
        silences.feed,
        silences.facility_id,
        silences.contract_id,
        silences.last_date,
        silences.history_days,
        silences.silent_from,
        silences.silent_to,
        {{ days_between('silences.silent_from', 'silences.silent_to') }} as silent_days,
        cast(sum(days.events) as bigint) as events,
        coalesce(max(
            {{ days_between('days.previous_date', 'days.service_date') }}
        ), 1) - 1 as longest_silence
    from silences
    inner join days
        on
            silences.feed = days.feed
            and silences.facility_id = days.facility_id
            and days.service_date > {{ plus_days('silences.last_date', -56) }}
            and days.service_date <= silences.last_date
    where {{ days_between('silences.silent_from', 'silences.silent_to') }} >= 3
    group by
        silences.feed,
        silences.facility_id,
        silences.contract_id,
        silences.last_date,
        silences.history_days,
        silences.silent_from,
        silences.silent_to
)

select
    *,
    history_days >= 14
    and silent_days > 2 * longest_silence + 2
    and events * silent_days >= 10 * history_days as is_implausible
from remembered
