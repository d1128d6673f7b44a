-- One row per usage line, facility and day whose usage was purged: the units booked for
-- it, which stand in for its events (C8).
with

-- Where nothing was purged, what was booked need not be read.
meters as (
    select * from {{ ref('int_usage_meters') }}
    where counted_from > valid_from
),

booked as (
    select * from {{ ref('stg_billed_usage') }}
)

select
    meters.line_id,
    booked.facility_id,
    meters.service_from,
    booked.service_date,
    cast(sum(booked.units) as decimal(18, 4)) as units
from booked
inner join meters
    on
        booked.line_id = meters.line_id
        and {{ month_of('booked.service_date') }} = meters.service_month
        and {{ in_force('meters', 'booked.service_date') }}
        and booked.service_date < meters.counted_from
group by
    meters.line_id,
    booked.facility_id,
    meters.service_from,
    booked.service_date
having sum(booked.units) <> 0
