-- One row per customer whose usage was purged: its days before are settled (C8).
select
    customer_id,
    max(settled_before) as settled_before
from {{ source('ledger', 'settled_usage') }}
group by customer_id
