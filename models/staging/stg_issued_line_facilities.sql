-- One row per line of an issued invoice and facility that shares it.
select *
from {{ source('ledger', 'invoice_line_facilities') }}
