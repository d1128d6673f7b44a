-- One row per charge that issued invoices hold: the sum of its booked lines (A2).
-- Its columns are those of `charges`, in their order, so that the two can be set
-- against each other.
with

lines as (
    select * from {{ ref('stg_issued_lines') }}
),

contracts as (
    select * from {{ ref('contracts') }}
),

summed as (
    select
        *,
        row_number() over (
            partition by charge_key order by invoice_number, line_number
        ) as age,
        sum(quantity) over (partition by charge_key) as booked_quantity,
        sum(amount) over (partition by charge_key) as booked_amount
    from lines
),

-- What was booked of a held contract stays as it is until the contract is mended.
booked as (
    select
        summed.charge_key,
        summed.contract_id,
        summed.line_id,
        summed.milestone_id,
        summed.commitment_id,
        summed.product_id,
        summed.amendment_id,
        summed.line_type,
        summed.description,
        summed.meter,
        summed.tier,
        cast(summed.booked_quantity as decimal(18, 4)) as quantity,
        summed.list_price,
        summed.discount_percent,
        summed.unit_price,
        summed.proration,
        cast(summed.booked_amount as decimal(18, 2)) as amount,
        summed.version_start,
        summed.service_start as service_from,
        {{ plus_days('summed.service_end', 1) }} as service_to,
        cast(null as date) as charge_date
    from summed
    inner join contracts on summed.contract_id = contracts.contract_id
    where
        summed.age = 1
        and not contracts.is_held
        and (summed.booked_quantity <> 0 or summed.booked_amount <> 0)
)

select * from booked
