-- One row per recurring line and segment: what it owes, prorated by days and rounded
-- once (R1–R3).
with

segments as (
    select * from {{ ref('int_recurring_segments') }}
),

tiers as (
    select * from {{ ref('price_tiers') }}
),

-- Most periods of a line have the same quantity: each is priced once.
quantities as (
    select distinct line_id, version_start, pricing_model, package_size, quantity
    from segments
),

tiered as (
    select
        quantities.line_id,
        quantities.version_start,
        quantities.quantity,
        tiers.tier,
        tiers.list_price,
        tiers.discount_percent,
        tiers.unit_price,
        tiers.flat_fee,
        case quantities.pricing_model
            when 'graduated'
                then least(quantities.quantity, tiers.up_to) - tiers.above
            when 'package'
                then {{ packages('quantities.quantity', 'quantities.package_size') }}
            when 'flat' then 1
            when 'stairstep' then 0
            else quantities.quantity
        end as units
    from quantities
    inner join tiers
        on
            quantities.line_id = tiers.line_id
            and quantities.version_start = tiers.version_start
            and quantities.quantity > tiers.above
            and (
                quantities.pricing_model = 'graduated'
                or quantities.quantity <= tiers.up_to
            )
),

full_periods as (
    select
        line_id,
        version_start,
        quantity,
        min(tier) as tier,
        min(list_price) as list_price,
        min(discount_percent) as discount_percent,
        min(unit_price) as unit_price,
        min(flat_fee) as flat_fee,
        sum({{ extended('units', 'unit_price') }} + {{ extended('1', 'flat_fee') }})
            as full_amount
    from tiered
    group by line_id, version_start, quantity
),

charged as (
    select
        segments.line_id,
        segments.contract_id,
        segments.version_start,
        segments.amendment_id,
        'recurring' as line_type,
        cast(null as varchar) as meter,
        case
            when segments.pricing_model in ('volume', 'stairstep')
                then full_periods.tier
        end as tier,
        case segments.pricing_model
            when 'flat' then cast(1 as decimal(18, 4)) else segments.quantity
        end as quantity,
        case
            when segments.pricing_model <> 'graduated' then full_periods.list_price
        end as list_price,
        case
            when segments.pricing_model <> 'graduated'
                then full_periods.discount_percent
        end as discount_percent,
        case segments.pricing_model
            when 'graduated'
                then {{ rounded_price(
                    'full_periods.full_amount', whole_quantity('segments.quantity')
                ) }}
            when 'stairstep' then full_periods.flat_fee
            else full_periods.unit_price
        end as unit_price,
        {{ rounded_price(
            '100000000 * ' ~ whole('segments.days'), 'segments.full_days'
        ) }} as proration,
        {{ rounded_amount(
            'full_periods.full_amount * segments.days',
            'segments.full_days',
            'segments.cents_step'
        ) }} as amount,
        segments.service_from,
        segments.service_to,
        segments.charge_date
    from segments
    inner join full_periods
        on
            segments.line_id = full_periods.line_id
            and segments.version_start = full_periods.version_start
            and segments.quantity = full_periods.quantity
)

select * from charged
