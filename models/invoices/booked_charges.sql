-- One row per charge that issued invoices hold: the sum of its booked lines (A2).
with

lines as (
    select * from {{ ref('stg_issued_lines') }}
),

contracts as (
    select * from {{ ref('contracts') }}
),

-- What was booked of a held contract stays as it is until the contract is mended.
booked as (
    select
        lines.charge_key,
        sum(lines.quantity) as quantity,
        sum(lines.amount) as amount
    from lines
    inner join contracts on lines.contract_id = contracts.contract_id
    where not contracts.is_held
    group by lines.charge_key
)

select
    charge_key,
    cast(quantity as decimal(18, 4)) as quantity,
    cast(amount as decimal(18, 2)) as amount
from booked
where quantity <> 0 or amount <> 0
