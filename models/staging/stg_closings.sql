-- One row per closed month.
select
    closing_no,
    month,
    as_of
from {{ source('ledger', 'closings') }}
