-- One row per charge that is not booked as it is due now: due − booked (P2, A2).
with

due as (
    select * from {{ ref('charges') }}
),

booked as (
    select * from {{ ref('booked_charges') }}
),

facilities as (
    select distinct charge_key from {{ ref('int_unbooked_facilities') }}
),

contracts as (
    select * from {{ ref('contracts') }}
),

adjustment_dates as (
    select * from {{ ref('adjustment_dates') }}
),

booked_and_running as (
    select booked.*
    from booked
    inner join contracts on booked.contract_id = contracts.contract_id
    where not contracts.is_held
),

due_and_booked as (
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
        list_price,
        discount_percent,
        unit_price,
        proration,
        version_start,
        service_from as service_start,
        {{ plus_days('service_to', -1) }} as service_end,
        charge_date,
        quantity,
        amount,
        1 as is_due,
        0 as is_booked
    from due
    union all
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
        list_price,
        discount_percent,
        unit_price,
        proration,
        version_start,
        service_start,
        service_end,
        null as charge_date,
        -quantity as quantity,
        -amount as amount,
        0 as is_due,
        1 as is_booked
    from booked_and_running
    where quantity <> 0 or amount <> 0
),

compared as (
    select
        *,
        row_number() over (partition by charge_key order by is_due desc) as place,
        sum(quantity) over (partition by charge_key) as unbooked_quantity,
        sum(amount) over (partition by charge_key) as unbooked_amount,
        sum(is_due) over (partition by charge_key) as dues,
        sum(is_booked) over (partition by charge_key) as bookings
    from due_and_booked
),

unbooked as (
    select
        compared.*,
        case
            when compared.bookings = 0 then ''
            when compared.dues = 0 then 'Reversal: '
            else 'Correction: '
        end as prefix,
        compared.bookings = 1
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
            compared.bookings = 0
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
    dues = 0 as is_reversal,
    version_start,
    service_start,
    service_end,
    case when is_adjustment then adjustment_date else charge_date end as invoice_date
from unbooked
