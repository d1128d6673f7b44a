-- One row per feed, facility that may have been silent (empty: the feed as a whole) and
-- day of the last 400 with billable usage: how many events, and the days with some
-- before and after (G1).
with

-- Told twice, which costs less than to keep its rows.
usage as not materialized (
    select
        feed,
        facility_id,
        service_date,
        events
    from {{ ref('attributed_usage') }}
    where {{ is_lately_reported() }}
),

-- Of a facility that is silent in one feed the others tell too.
facilities as (
    select distinct facility_id
    from {{ ref('int_reporting_facilities') }}
    where not is_steady
),

reported as (
    select
        usage.feed,
        usage.facility_id,
        usage.service_date,
        cast(sum(usage.events) as bigint) as events
    from usage
    inner join facilities on usage.facility_id = facilities.facility_id
    group by usage.feed, usage.facility_id, usage.service_date
    union all
    select
        feed,
        '' as facility_id,
        service_date,
        cast(sum(events) as bigint) as events
    from usage
    group by feed, service_date
),

spaced as (
    select
        feed,
        facility_id,
        events,
        service_date,
        first_value(service_date) over days as first_date,
        lag(service_date) over days as previous_date,
        lead(service_date, 1, {{ as_of() }}) over days as next_date
    from reported
    window days as (partition by feed, facility_id order by service_date)
)

select * from spaced
