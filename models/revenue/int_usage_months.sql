-- One row per usage charge, month of service and facility: its units, and its part of
-- what the charge earns that month as its units were used (V2, V7, A7).
with

charges as (
    select * from {{ ref('charges') }}
    where line_type = 'usage'
),

contracts as (
    select * from {{ ref('contracts') }}
),

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
    from charges
    inner join contracts on charges.contract_id = contracts.contract_id
    inner join {{ ref('int_usage_tiers') }} as usage
        on
            charges.line_id = usage.line_id
            and charges.version_start = usage.version_start
            and charges.service_from = usage.service_from
            and coalesce(charges.tier, 0) = coalesce(usage.tier, 0)
),

counted as (
    select
        *,
        sum(weight) over (
            partition by charge_key order by service_month
        ) as reached,
        sum(weight) over (partition by charge_key, service_month) as month_weight,
        sum(weight) over (partition by charge_key) as total_weight
    from units
),

earned as (
    select
        *,
        {{ earned_part('amount', 'reached', 'total_weight', 'cents_step') }}
        - {{ earned_part(
            'amount', 'reached - month_weight', 'total_weight', 'cents_step'
        ) }} as month_amount
    from counted
),

divided as (
    select
        *,
        {{ whole_quotient(
            minor_units('abs(month_amount)', 'cents_step') ~ ' * weight', 'month_weight'
        ) }} as base,
        mod(
            {{ minor_units('abs(month_amount)', 'cents_step') }} * weight, month_weight
        ) as remainder
    from earned
),

ranked as (
    select
        *,
        row_number() over (
            partition by charge_key, service_month
            order by remainder desc, {{ by_bytes('facility_id') }}
        ) as place,
        {{ minor_units('abs(month_amount)', 'cents_step') }}
        - sum(base) over (partition by charge_key, service_month) as left_over
    from divided
),

shared as (
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
)

select * from shared
