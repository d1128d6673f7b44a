-- One row per charge that is not booked as it is due now: due − booked (P2, A2).
with

due_and_booked as (
    select *, 1 as side
    from {{ ref('charges') }}
    union all
    select *, -1 as side
    from {{ ref('booked_charges') }}
),

facilities as (
    select distinct charge_key from {{ ref('int_unbooked_facilities') }}
),

adjustment_dates as (
    select * from {{ ref('adjustment_dates') }}
),

compared as (
    select
        *,
        row_number() over (partition by charge_key order by side desc) as place,
        sum(side * quantity) over (partition by charge_key) as unbooked_quantity,
        sum(side * amount) over (partition by charge_key) as unbooked_amount,
        max(side) over (partition by charge_key) = 1 as is_due,
        min(side) over (partition by charge_key) = -1 as is_booked
    from due_and_booked
),

unbooked as (
    select
        compared.*,
        case
            when not compared.is_booked then ''
            when not compared.is_due then 'Reversal: '
            else 'Correction: '
        end as prefix,
        compared.is_booked
        or coalesce(
            compared.charge_date <= adjustment_dates.closed_through, false
        ) as is_adjustment,
        adjustment_dates.invoice_date as adjustment_date
    from compared
    inner join adjustment_dates
        on compared.contract_id = adjustment_dates.contract_id
    left join facilities on compared.charge_key = facilities.charge_key
    where
        compared.place = 1
        and (
            not compared.is_booked
            or compared.unbooked_quantity <> 0
            or compared.unbooked_amount <> 0
            or facilities.charge_key is not null
        )
)

select
    charge_key,
    contract_id,
    line_id,
    milestone_id,
    commitment_id,
    product_id,
    amendment_id,
    line_type,
    prefix || description as description,
    meter,
    tier,
    cast(unbooked_quantity as decimal(18, 4)) as quantity,
    list_price,
    discount_percent,
    unit_price,
    proration,
    cast(unbooked_amount as decimal(18, 2)) as amount,
    is_adjustment,
    not is_due as is_reversal,
    version_start,
    service_from as service_start,
    {{ plus_days('service_to', -1) }} as service_end,
    case when is_adjustment then adjustment_date else charge_date end as invoice_date
from unbooked
