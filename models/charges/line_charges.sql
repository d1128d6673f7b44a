-- One row per charge of a contract line, recurring, of usage or a percentage, with its
-- identity and description (A2, A6).
with

versions as (
    select * from {{ ref('line_versions') }}
),

tiers as (
    select * from {{ ref('price_tiers') }}
),

owed as (
    select
        *,
        cast(null as varchar) as base_line_id,
        cast(null as date) as base_version_start,
        cast(null as varchar) as base_charge_key
    from {{ ref('recurring_charges') }}
    union all
    select
        *,
        cast(null as varchar) as base_line_id,
        cast(null as date) as base_version_start,
        cast(null as varchar) as base_charge_key
    from {{ ref('usage_charges') }}
    union all
    select * from {{ ref('percentage_charges') }}
),

described as (
    select
        {{ charge_key('owed', 'owed.line_id', 'owed.base_charge_key') }} as charge_key,
        owed.contract_id,
        owed.line_id,
        versions.product_id,
        coalesce(owed.amendment_id, versions.amendment_id, bases.amendment_id)
            as amendment_id,
        owed.line_type,
        coalesce(versions.description, versions.product_id)
        || case
            when bases.line_id is not null
                then
                    ', ' || {{ number_in_words('versions.percentage') }} || ' % of '
                    || coalesce(bases.description, bases.product_id)
            else ''
        end
        || case
            when owed.tier is not null
                then {{ tier_in_words('tiers') }}
            else ''
        end
        || {{ besides_in_words('owed', 'versions', 'tiers') }}
        || ', ' || {{ period_in_words('owed.service_from', 'owed.service_to') }}
            as description,
        owed.meter,
        owed.tier,
        owed.quantity,
        owed.list_price,
        owed.discount_percent,
        owed.unit_price,
        owed.proration,
        owed.amount,
        owed.version_start,
        owed.service_from,
        owed.service_to,
        owed.charge_date
    from owed
    inner join versions
        on
            owed.line_id = versions.line_id
            and owed.version_start = versions.version_start
    left join tiers
        on
            owed.line_id = tiers.line_id
            and owed.version_start = tiers.version_start
            and owed.tier = tiers.tier
    left join versions as bases
        on
            owed.base_line_id = bases.line_id
            and owed.base_version_start = bases.version_start
)

select * from described
