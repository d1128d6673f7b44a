-- One row per line, facility and day: the units that issued invoices rest on (C8).
select
    line_id,
    facility_id,
    service_date,
    sum(units) as units
from {{ source('ledger', 'billed_usage') }}
group by line_id, facility_id, service_date
