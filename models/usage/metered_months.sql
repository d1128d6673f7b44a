-- One row per usage line, facility, month and month of events: the sum of its metered
-- days, and by what these are told from those booked (C8).
with

days as (
    select * from {{ ref('metered_usage') }}
    where {{ is_to_make(ref('attribution_months')) }}
),

summed as (
    select
        line_id,
        facility_id,
        service_from,
        {{ month_of('service_date') }} as service_month,
        min(service_date) as first_date,
        cast(sum(units) as decimal(18, 4)) as units,
        sum({{ hash_of_day() }}) as hash_of_days,
        event_month,
        inputs
    from days
    group by
        line_id,
        facility_id,
        service_from,
        {{ month_of('service_date') }},
        event_month,
        inputs
)

select * from summed
