-- One row per usage line, facility, day and month of events: the units its meter
-- counts, and the term they are charged in (U1, U3); of purged usage those booked (C8).
with

billable as (
    select line_id, facility_id, service_from, service_date, units
    from {{ ref('metered_usage') }}
    union all
    select * from {{ ref('int_other_units') }}
)

select * from billable
