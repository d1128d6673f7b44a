-- One row per feed, facility (empty: the feed as a whole) and day of the last 400 with
-- billable usage: how many events, and the days with some before and after (G1).
with

usage as (
    select
        feed,
        facility_id,
        service_date,
        cast(sum(events) as bigint) as events
    from {{ ref('attributed_usage') }}
    where
        outcome = 'billable'
        and service_date >= {{ plus_days(as_of(), -400) }}
        and service_date < {{ as_of() }}
    group by feed, facility_id, service_date
),

reported as (
    select feed, facility_id, service_date, events
    from usage
    union all
    select feed, '' as facility_id, service_date, cast(sum(events) as bigint) as events
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
