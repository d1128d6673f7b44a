-- One row per usage line, facility and day whose units are not counted month by month:
-- patients (U8), and what was booked of purged usage (C8).
with

other as (
    select
        line_id,
        facility_id,
        service_from,
        service_date,
        cast(units as decimal(18, 4)) as units
    from {{ ref('int_patient_units') }}
    union all
    select line_id, facility_id, service_from, service_date, units
    from {{ ref('int_settled_usage') }}
)

select * from other
