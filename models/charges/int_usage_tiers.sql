-- One row per usage line's term, price tier, facility and month: the units that fall in
-- the tier (U6).
with

units as (
    select * from {{ ref('int_usage_units') }}
),

counts as (
    select * from {{ ref('int_usage_counts') }}
),

tiers as (
    select * from {{ ref('price_tiers') }}
),

rerates as (
    select *
    from {{ ref('commitment_versions') }}
    where true_up = 'rerate'
),

-- Where a rerate is agreed, what is committed stands for what will be reached (M3).
expected as (
    select
        units.*,
        counts.contract_id,
        counts.period_start,
        counts.period_end,
        counts.scope_start,
        counts.service_to,
        counts.pricing_model,
        case
            when rerates.line_id is null then counts.reached_by_period_end
            else rerates.committed
        end as placed_by
    from units
    inner join counts
        on units.line_id = counts.line_id and units.service_from = counts.service_from
    left join rerates
        on
            units.line_id = rerates.line_id
            and {{ in_force('rerates', 'units.service_date') }}
    where units.charged_units > 0
),

placed as (
    select
        units.line_id,
        units.contract_id,
        units.version_start,
        units.period_start,
        units.period_end,
        units.scope_start,
        units.service_from,
        units.service_to,
        units.facility_id,
        {{ month_of('units.service_date') }} as service_month,
        tiers.tier,
        case units.pricing_model
            when 'graduated'
                then
                    least(units.reached, tiers.up_to)
                    - greatest(units.reached - units.charged_units, tiers.above)
            else units.charged_units
        end as quantity
    from expected as units
    inner join tiers
        on
            units.line_id = tiers.line_id
            and units.version_start = tiers.version_start
            and case units.pricing_model
                when 'graduated'
                    then
                        tiers.above < units.reached
                        and tiers.up_to > units.reached - units.charged_units
                else {{ holds('tiers', 'units.placed_by') }}
            end
),

summed as (
    select
        line_id,
        contract_id,
        version_start,
        period_start,
        period_end,
        scope_start,
        service_from,
        service_to,
        tier,
        facility_id,
        service_month,
        cast(sum(quantity) as decimal(18, 4)) as quantity
    from placed
    group by
        line_id,
        contract_id,
        version_start,
        period_start,
        period_end,
        scope_start,
        service_from,
        service_to,
        tier,
        facility_id,
        service_month
)

select * from summed
