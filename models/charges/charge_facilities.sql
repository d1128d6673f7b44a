-- One row per shared charge and facility: its part, to the cent (A7).
with

charges as (
    select * from {{ ref('charges') }}
),

contracts as (
    select * from {{ ref('contracts') }}
),

versions as (
    select * from {{ ref('line_versions') }}
),

usage as (
    select * from {{ ref('int_usage_tiers') }}
),

coverage as (
    select * from {{ ref('facility_coverage') }}
),

quantities as (
    select
        charges.charge_key,
        usage.facility_id,
        cast(sum(usage.quantity) as decimal(18, 4)) as quantity
    from charges
    inner join usage
        on
            charges.line_id = usage.line_id
            and charges.version_start = usage.version_start
            and charges.service_from = usage.service_from
            and coalesce(charges.tier, 0) = coalesce(usage.tier, 0)
    where charges.line_type = 'usage'
    group by charges.charge_key, usage.facility_id
    union all
    select
        charges.charge_key,
        coverage.facility_id,
        cast(1 as decimal(18, 4)) as quantity
    from charges
    inner join versions
        on
            charges.line_id = versions.line_id
            and charges.version_start = versions.version_start
    inner join coverage
        on
            charges.contract_id = coverage.contract_id
            and {{ in_force('coverage', 'charges.service_from') }}
    where
        charges.line_type = 'recurring'
        and versions.quantity_basis = 'covered_facilities'
),

weighed as (
    select
        quantities.charge_key,
        quantities.facility_id,
        quantities.quantity,
        contracts.cents_step,
        sign(charges.amount) as direction,
        {{ minor_units('abs(charges.amount)', 'contracts.cents_step') }} as units,
        {{ whole_quantity('quantities.quantity') }} as weight,
        sum({{ whole_quantity('quantities.quantity') }}) over (
            partition by quantities.charge_key
        ) as total_weight
    from quantities
    inner join charges on quantities.charge_key = charges.charge_key
    inner join contracts on charges.contract_id = contracts.contract_id
),

divided as (
    select
        *,
        {{ whole_quotient('units * weight', 'total_weight') }} as base,
        {{ whole_remainder('units * weight', 'total_weight') }} as remainder
    from weighed
),

ranked as (
    select
        *,
        row_number() over (
            partition by charge_key
            order by remainder desc, {{ by_bytes('facility_id') }}
        ) as place,
        units - sum(base) over (partition by charge_key) as left_over
    from divided
),

shared as (
    select
        charge_key,
        facility_id,
        quantity,
        cast(
            cast(
                direction * cents_step
                * (base + case when place <= left_over then 1 else 0 end)
                as decimal(18, 0)
            ) * 0.01 as decimal(18, 2)
        ) as amount
    from ranked
)

select * from shared
