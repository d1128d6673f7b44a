-- One row per line of an issued invoice and facility that shares it.
select
    invoice_number,
    line_number,
    facility_id,
    facility_name,
    quantity,
    amount
from {{ source('ledger', 'invoice_line_facilities') }}
