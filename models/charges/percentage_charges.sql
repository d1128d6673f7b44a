-- One row per percentage line and charge of its base: a share of the rounded amount
-- (R4).
with

versions as (
    select * from {{ ref('line_versions') }}
),

tiers as (
    select * from {{ ref('price_tiers') }}
),

bases as (
    select * from {{ ref('recurring_charges') }}
    union all
    select * from {{ ref('usage_charges') }}
),

-- Of nothing there is no charge, as of no quantity (R2).
shares as (
    select
        versions.line_id,
        versions.version_start,
        versions.cents_step,
        bases.contract_id,
        bases.line_id as base_line_id,
        bases.version_start as base_version_start,
        bases.amendment_id,
        bases.amount as base_amount,
        {{ charge_key('bases', 'bases.line_id') }} as base_charge_key,
        bases.service_from,
        bases.service_to,
        bases.charge_date
    from versions
    inner join bases
        on
            versions.contract_id = bases.contract_id
            and {{ in_force('versions', 'bases.service_from') }}
            and (
                versions.base_line_id = bases.line_id
                or (versions.base_line_id is null and bases.line_type = 'recurring')
            )
    where
        versions.is_active
        and versions.pricing_model = 'percentage'
        and bases.amount <> 0
),

charged as (
    select
        shares.line_id,
        shares.contract_id,
        shares.version_start,
        shares.amendment_id,
        'recurring' as line_type,
        cast(null as varchar) as meter,
        cast(null as integer) as tier,
        cast(shares.base_amount as decimal(18, 4)) as quantity,
        tiers.list_price,
        tiers.discount_percent,
        tiers.unit_price,
        cast(null as decimal(19, 8)) as proration,
        {{ rounded_amount(
            extended('shares.base_amount', 'tiers.unit_price'), '1', 'shares.cents_step'
        ) }} as amount,
        shares.service_from,
        shares.service_to,
        shares.charge_date,
        shares.base_line_id,
        shares.base_version_start,
        shares.base_charge_key
    from shares
    inner join tiers
        on
            shares.line_id = tiers.line_id
            and shares.version_start = tiers.version_start
)

select * from charged
