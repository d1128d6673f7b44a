-- One row per line of an issued invoice.
select *
from {{ source('ledger', 'invoice_lines') }}
