-- One row per usage line, facility, month and month of events: the sum of its billable
-- days; of patients and of purged usage one row per day.
with

billable as (
    select
        line_id,
        facility_id,
        service_from,
        service_month,
        first_date,
        units,
        hash_of_days
    from {{ ref('metered_months') }}
    union all
    select
        line_id,
        facility_id,
        service_from,
        {{ month_of('service_date') }} as service_month,
        service_date as first_date,
        units,
        {{ hash_of_day() }} as hash_of_days
    from {{ ref('int_other_units') }}
)

select * from billable
