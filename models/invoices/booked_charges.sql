-- One row per charge that issued invoices hold: the sum of its booked lines (A2).
with

lines as (
    select * from {{ ref('stg_issued_lines') }}
),

ranked as (
    select
        *,
        row_number() over (
            partition by charge_key order by invoice_number, line_number
        ) as age,
        sum(quantity) over (partition by charge_key) as booked_quantity,
        sum(amount) over (partition by charge_key) as booked_amount
    from lines
),

booked as (
    select
        charge_key,
        contract_id,
        line_id,
        milestone_id,
        commitment_id,
        product_id,
        amendment_id,
        line_type,
        description,
        meter,
        tier,
        cast(booked_quantity as decimal(18, 4)) as quantity,
        list_price,
        discount_percent,
        unit_price,
        proration,
        cast(booked_amount as decimal(18, 2)) as amount,
        version_start,
        service_start,
        service_end
    from ranked
    where age = 1
)

select * from booked
