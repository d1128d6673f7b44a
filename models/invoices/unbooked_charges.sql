-- One row per charge that is not booked as it is due now: due − booked (P2, A2).
with

charges as (
    select * from {{ ref('charges') }}
),

booked as (
    select * from {{ ref('booked_charges') }}
),

issued_lines as (
    select * from {{ ref('stg_issued_lines') }}
),

facilities as (
    select distinct charge_key from {{ ref('int_unbooked_facilities') }}
),

adjustment_dates as (
    select * from {{ ref('adjustment_dates') }}
),

compared as (
    select
        coalesce(charges.charge_key, booked.charge_key) as charge_key,
        charges.charge_key is not null as is_due,
        booked.charge_key is not null as is_booked,
        coalesce(charges.quantity, 0) - coalesce(booked.quantity, 0)
            as unbooked_quantity,
        coalesce(charges.amount, 0) - coalesce(booked.amount, 0) as unbooked_amount
    from charges
    full outer join booked on charges.charge_key = booked.charge_key
),

differing as (
    select compared.*
    from compared
    left join facilities on compared.charge_key = facilities.charge_key
    where
        not compared.is_booked
        or compared.unbooked_quantity <> 0
        or compared.unbooked_amount <> 0
        or facilities.charge_key is not null
),

-- A charge that is owed no more is as its first line says.
gone as (
    select
        issued_lines.*,
        differing.unbooked_quantity,
        differing.unbooked_amount,
        row_number() over (
            partition by issued_lines.charge_key
            order by issued_lines.invoice_number, issued_lines.line_number
        ) as age
    from issued_lines
    inner join differing on issued_lines.charge_key = differing.charge_key
    where not differing.is_due
),

unbooked as (
    select
        {{ charge_details('charges') }},
        case when differing.is_booked then 'Correction: ' else '' end as prefix,
        charges.description,
        differing.unbooked_quantity,
        differing.unbooked_amount,
        differing.is_booked,
        false as is_reversal,
        charges.service_from as service_start,
        {{ plus_days('charges.service_to', -1) }} as service_end,
        charges.charge_date
    from charges
    inner join differing on charges.charge_key = differing.charge_key
    union all
    select
        {{ charge_details('gone') }},
        'Reversal: ' as prefix,
        gone.description,
        gone.unbooked_quantity,
        gone.unbooked_amount,
        true as is_booked,
        true as is_reversal,
        gone.service_start,
        gone.service_end,
        cast(null as date) as charge_date
    from gone
    where gone.age = 1
),

dated as (
    select
        unbooked.*,
        unbooked.is_booked
        or coalesce(unbooked.charge_date <= adjustment_dates.closed_through, false)
            as is_adjustment,
        adjustment_dates.invoice_date as adjustment_date
    from unbooked
    inner join adjustment_dates on unbooked.contract_id = adjustment_dates.contract_id
)

select
    {{ charge_details('dated') }},
    prefix || description as description,
    cast(unbooked_quantity as decimal(18, 4)) as quantity,
    cast(unbooked_amount as decimal(18, 2)) as amount,
    is_adjustment,
    is_reversal,
    service_start,
    service_end,
    case when is_adjustment then adjustment_date else charge_date end as invoice_date
from dated
