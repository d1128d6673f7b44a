-- One row per usage charge, month of service and facility: its units, and its part of
-- what the charge earns that month as its units were used (V2, V7, A7).
with

units as (
    select
        charges.charge_key,
        charges.contract_id,
        charges.meter,
        charges.amount,
        contracts.cents_step,
        usage.facility_id,
        usage.service_month,
        usage.quantity,
        {{ whole_quantity('usage.quantity') }} as weight
    from {{ ref('charges') }} as charges
    inner join {{ ref('contracts') }} as contracts
        on charges.contract_id = contracts.contract_id
    inner join {{ ref('int_usage_tiers') }} as usage
        on
            charges.line_id = usage.line_id
            and charges.version_start = usage.version_start
            and charges.service_from = usage.service_from
            and coalesce(charges.tier, 0) = coalesce(usage.tier, 0)
    where charges.line_type = 'usage'
),

months as (
    select
        charge_key,
        amount,
        cents_step,
        service_month,
        sum(weight) as month_weight
    from units
    group by charge_key, amount, cents_step, service_month
),

counted as (
    select
        *,
        sum(month_weight) over (
            partition by charge_key order by service_month
        ) as reached,
        sum(month_weight) over (partition by charge_key) as total_weight
    from months
),

earned as (
    select
        charge_key,
        service_month,
        month_weight,
        {{ earned_part('amount', 'reached', 'total_weight', 'cents_step') }}
        - {{ earned_part(
            'amount', 'reached - month_weight', 'total_weight', 'cents_step'
        ) }} as month_amount
    from counted
),

divided as (
    select
        units.*,
        earned.month_amount,
        {{ whole_quotient(
            minor_units('abs(earned.month_amount)', 'units.cents_step')
            ~ ' * units.weight',
            'earned.month_weight'
        ) }} as base,
        {{ whole_remainder(
            minor_units('abs(earned.month_amount)', 'units.cents_step')
            ~ ' * units.weight',
            'earned.month_weight'
        ) }} as remainder
    from units
    inner join earned
        on
            units.charge_key = earned.charge_key
            and units.service_month = earned.service_month
),

ranked as (
    select
        *,
        row_number() over largest_first as place,
        {{ minor_units('abs(month_amount)', 'cents_step') }}
        - sum(base) over (
            largest_first
            rows between unbounded preceding and unbounded following
        ) as left_over
    from divided
    window largest_first as (
        partition by charge_key, service_month
        order by remainder desc, {{ by_bytes('facility_id') }}
    )
)

select
    charge_key,
    contract_id,
    facility_id,
    meter,
    service_month,
    quantity,
    cast(
        cast(
            sign(month_amount) * cents_step
            * (base + case when place <= left_over then 1 else 0 end)
            as decimal(18, 0)
        ) * 0.01 as decimal(18, 2)
    ) as amount
from ranked
