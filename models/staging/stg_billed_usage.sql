-- One row per issue, line, facility and day: the units that its invoices rest on, less
-- those booked before (C8).
select
    line_id,
    facility_id,
    service_date,
    units
from {{ source('ledger', 'billed_usage') }}
