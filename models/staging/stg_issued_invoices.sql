-- One row per issued invoice.
select * exclude (issue_no)
from {{ source('ledger', 'invoices') }}
