-- One row per contract held because a row of its own was rejected.
select
    contract_id,
    reason
from {{ source('raw', 'held_contracts') }}
