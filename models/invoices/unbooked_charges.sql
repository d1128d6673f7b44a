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

due as (
    select
        charges.*,
        booked.charge_key is not null as is_booked,
        charges.quantity - coalesce(booked.quantity, 0) as unbooked_quantity,
        charges.amount - coalesce(booked.amount, 0) as unbooked_amount
    from charges
    left join booked on charges.charge_key = booked.charge_key
    left join facilities on charges.charge_key = facilities.charge_key
    where
        booked.charge_key is null
        or charges.quantity <> booked.quantity
        or charges.amount <> booked.amount
        or facilities.charge_key is not null
),

owed_no_more as (
    select booked.*
    from booked
    left join charges on booked.charge_key = charges.charge_key
    where charges.charge_key is null
),

-- A charge that is owed no more is as its first line says.
gone as (
    select
        issued_lines.*,
        -owed_no_more.quantity as unbooked_quantity,
        -owed_no_more.amount as unbooked_amount,
        row_number() over (
            partition by issued_lines.charge_key
            order by issued_lines.invoice_number, issued_lines.line_number
        ) as age
    from issued_lines
    inner join owed_no_more on issued_lines.charge_key = owed_no_more.charge_key
),

unbooked as (
    select
        {{ charge_details('due') }},
        case when is_booked then 'Correction: ' else '' end as prefix,
        description,
        unbooked_quantity,
        unbooked_amount,
        is_booked,
        false as is_reversal,
        service_from as service_start,
        {{ plus_days('service_to', -1) }} as service_end,
        charge_date
    from due
    union all
    select
        {{ charge_details('gone') }},
        'Reversal: ' as prefix,
        description,
        unbooked_quantity,
        unbooked_amount,
        true as is_booked,
        true as is_reversal,
        service_start,
        service_end,
        cast(null as date) as charge_date
    from gone
    where age = 1
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
