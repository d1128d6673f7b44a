-- One row per charge and facility whose part differs from what was booked (A2).
with

due as (
    select * from {{ ref('charge_facilities') }}
),

issued_lines as (
    select * from {{ ref('stg_issued_lines') }}
),

issued as (
    select * from {{ ref('stg_issued_line_facilities') }}
),

contracts as (
    select * from {{ ref('contracts') }}
),

due_and_booked as (
    select charge_key, facility_id, quantity, amount
    from due
    union all
    select
        issued_lines.charge_key,
        issued.facility_id,
        -issued.quantity as quantity,
        -issued.amount as amount
    from issued
    inner join issued_lines
        on
            issued.invoice_number = issued_lines.invoice_number
            and issued.line_number = issued_lines.line_number
    inner join contracts on issued_lines.contract_id = contracts.contract_id
    where not contracts.is_held
),

differences as (
    select
        charge_key,
        facility_id,
        cast(sum(quantity) as decimal(18, 4)) as quantity,
        cast(sum(amount) as decimal(18, 2)) as amount
    from due_and_booked
    group by charge_key, facility_id
)

select *
from differences
where quantity <> 0 or amount <> 0
