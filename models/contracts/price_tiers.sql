-- One row per line version and price tier; without a rate card one open tier without a
-- number (U6).
with

versions as (
    select
        *,
        case
            when pricing_model in ('graduated', 'volume', 'stairstep')
                then rate_card_id
        end as tiered_card_id
    from {{ ref('line_versions') }}
),

cards as (
    select * from {{ ref('stg_rate_cards') }}
),

tiered as (
    select
        versions.line_id,
        versions.version_start,
        versions.pricing_model,
        versions.discount_percent as line_discount,
        versions.is_active,
        cards.tier,
        coalesce(cards.above, 0) as above,
        coalesce(cards.up_to, {{ unbounded_quantity() }}) as up_to,
        case versions.pricing_model
            when 'percentage' then versions.percentage * 0.01
            when 'stairstep' then 0
            else coalesce(cards.unit_price, versions.unit_price)
        end as list_price,
        case
            when cards.unit_price is not null or versions.pricing_model = 'stairstep'
                then 0
            else coalesce(cards.discount_percent, 0)
        end as tier_discount,
        coalesce(cards.flat_fee, 0) as list_fee
    from versions
    left join cards on versions.tiered_card_id = cards.rate_card_id
),

priced as (
    select
        line_id,
        version_start,
        tier,
        cast(above as decimal(18, 4)) as above,
        cast(up_to as decimal(18, 4)) as up_to,
        cast(
            case pricing_model when 'stairstep' then list_fee else list_price end
            as decimal(19, 8)
        ) as list_price,
        {{ joint_discount('tier_discount', 'line_discount') }} as discount_percent,
        {{ net_price('list_price', 'tier_discount', 'line_discount') }} as unit_price,
        {{ net_price('list_fee', '0', 'line_discount') }} as flat_fee
    from tiered
    -- What has ended charges nothing and needs no price.
    where is_active or list_price is not null
)

select * from priced
