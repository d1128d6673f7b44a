-- One row per recurring line and segment: what it owes, prorated by days and rounded
-- once (R1–R3).
with

segments as (
    select * from {{ ref('int_recurring_segments') }}
),

tiers as (
    select * from {{ ref('price_tiers') }}
),

tiered as (
    select
        segments.*,
        tiers.tier,
        tiers.list_price,
        tiers.discount_percent,
        tiers.unit_price,
        tiers.flat_fee,
        case segments.pricing_model
            when 'graduated'
                then least(segments.quantity, tiers.up_to) - tiers.above
            when 'package'
                then {{ packages('segments.quantity', 'segments.package_size') }}
            when 'flat' then 1
            when 'stairstep' then 0
            else segments.quantity
        end as units
    from segments
    left join tiers
        on
            segments.line_id = tiers.line_id
            and segments.version_start = tiers.version_start
            and segments.quantity > tiers.above
            and (
                segments.pricing_model = 'graduated'
                or segments.quantity <= tiers.up_to
            )
),

full_periods as (
    select
        line_id,
        contract_id,
        version_start,
        pricing_model,
        quantity_basis,
        cents_step,
        full_days,
        service_from,
        service_to,
        charge_date,
        quantity,
        min(tier) as tier,
        min(list_price) as list_price,
        min(discount_percent) as discount_percent,
        min(unit_price) as unit_price,
        min(flat_fee) as flat_fee,
        sum({{ extended('units', 'unit_price') }} + {{ extended('1', 'flat_fee') }})
            as full_amount,
        {{ days_between('service_from', 'service_to') }} as days
    from tiered
    group by
        line_id,
        contract_id,
        version_start,
        pricing_model,
        quantity_basis,
        cents_step,
        full_days,
        service_from,
        service_to,
        charge_date,
        quantity
),

charged as (
    select
        line_id,
        contract_id,
        version_start,
        quantity_basis,
        cents_step,
        case when pricing_model in ('volume', 'stairstep') then tier end as tier,
        cast(
            case pricing_model when 'flat' then 1 else quantity end as decimal(18, 4)
        ) as quantity,
        case when pricing_model <> 'graduated' then list_price end as list_price,
        case when pricing_model <> 'graduated' then discount_percent end
            as discount_percent,
        case pricing_model
            when 'graduated'
                then {{ rounded_price('full_amount', whole_quantity('quantity')) }}
            when 'stairstep' then flat_fee
            else unit_price
        end as unit_price,
        {{ rounded_price('100000000 * ' ~ whole('days'), 'full_days') }} as proration,
        {{ rounded_amount('full_amount * days', 'full_days', 'cents_step') }} as amount,
        service_from,
        service_to,
        charge_date
    from full_periods
)

select * from charged
