-- Of each charge what was posted, is scheduled and is on hold adds up to what is due,
-- and of what is due no more to nothing (V1). A held contract's is left as it is.
with

compared as (
    select charge_key, contract_id, amount
    from {{ ref('revenue_schedule') }}
    union all
    select charge_key, contract_id, -amount as amount
    from {{ ref('charges') }}
)

select compared.charge_key, sum(compared.amount) as difference
from compared
inner join {{ ref('contracts') }} as contracts
    on compared.contract_id = contracts.contract_id
where not contracts.is_held
group by compared.charge_key
having sum(compared.amount) <> 0
