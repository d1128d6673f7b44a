-- One row per usage line, billing period, version and tier: what it owes, rounded once
-- (U6, U7).
with

units as (
    select * from {{ ref('int_usage_tiers') }}
),

versions as (
    select * from {{ ref('line_versions') }}
),

tiers as (
    select * from {{ ref('price_tiers') }}
),

by_tier as (
    select
        line_id,
        contract_id,
        version_start,
        period_end,
        scope_start,
        service_from,
        service_to,
        tier,
        sum(quantity) as quantity,
        row_number() over (
            partition by line_id, scope_start, tier order by service_from
        ) as tier_line
    from units
    group by
        line_id,
        contract_id,
        version_start,
        period_end,
        scope_start,
        service_from,
        service_to,
        tier
),

priced as (
    select
        by_tier.*,
        versions.pricing_model,
        versions.meter,
        versions.cents_step,
        tiers.list_price,
        tiers.discount_percent,
        tiers.unit_price,
        case when by_tier.tier_line = 1 then tiers.flat_fee else 0 end as flat_fee,
        case versions.pricing_model
            when 'package'
                then {{ packages('by_tier.quantity', 'versions.package_size') }}
            when 'flat' then 1
            when 'stairstep' then 0
            else by_tier.quantity
        end as units
    from by_tier
    inner join versions
        on
            by_tier.line_id = versions.line_id
            and by_tier.version_start = versions.version_start
    left join tiers
        on
            by_tier.line_id = tiers.line_id
            and by_tier.version_start = tiers.version_start
            and coalesce(by_tier.tier, 0) = coalesce(tiers.tier, 0)
),

charged as (
    select
        line_id,
        contract_id,
        version_start,
        cast(null as varchar) as amendment_id,
        'usage' as line_type,
        meter,
        tier,
        cast(quantity as decimal(18, 4)) as quantity,
        list_price,
        discount_percent,
        case pricing_model when 'stairstep' then flat_fee else unit_price end
            as unit_price,
        cast(null as decimal(19, 8)) as proration,
        {{ rounded_amount(
            '(' ~ extended('units', 'unit_price') ~ ' + ' ~ extended('1', 'flat_fee') ~ ')',
            '1', 'cents_step'
        ) }} as amount,
        service_from,
        service_to,
        period_end as charge_date
    from priced
)

select * from charged
