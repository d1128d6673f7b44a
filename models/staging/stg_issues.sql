-- One row per issuing run booked in the ledger.
select
    issue_no,
    as_of,
    issue_through
from {{ source('ledger', 'issues') }}
