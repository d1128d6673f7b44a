-- Per contract that is not held, what issued invoices and unbooked charges add up to
-- is what the contract owes under the terms known now (P2).
with

due as (
    select contract_id, sum(amount) as amount, sum(quantity) as quantity
    from {{ ref('charges') }}
    group by contract_id
),

booked as (
    select contract_id, sum(amount) as amount, sum(quantity) as quantity
    from {{ ref('stg_issued_lines') }}
    group by contract_id
),

unbooked as (
    select contract_id, sum(amount) as amount, sum(quantity) as quantity
    from {{ ref('unbooked_charges') }}
    group by contract_id
),

compared as (
    select
        contracts.contract_id,
        coalesce(due.amount, 0)
        - coalesce(booked.amount, 0)
        - coalesce(unbooked.amount, 0) as amount,
        coalesce(due.quantity, 0)
        - coalesce(booked.quantity, 0)
        - coalesce(unbooked.quantity, 0) as quantity
    from {{ ref('contracts') }} as contracts
    left join due on contracts.contract_id = due.contract_id
    left join booked on contracts.contract_id = booked.contract_id
    left join unbooked on contracts.contract_id = unbooked.contract_id
    where not contracts.is_held
)

select *
from compared
where amount <> 0 or quantity <> 0
