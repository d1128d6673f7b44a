-- One row per line, effective day and amendment: what the line is and costs from then
-- on.
with

landed as (
    select * from {{ source('raw', 'contract_lines') }}
),

contracts as (
    select * from {{ ref('stg_contracts') }}
),

amendments as (
    select * from {{ ref('stg_amendments') }}
),

known as (
    select
        landed.line_id,
        landed.contract_id,
        landed.amendment_id,
        landed.charge_type,
        landed.product_id,
        landed.pricing_model,
        landed.description,
        landed.meter,
        landed.quantity_basis,
        landed.rate_card_id,
        landed.base_line_id,
        landed.billing_frequency,
        landed.billing_timing,
        landed.tier_scope,
        landed.revenue_rule,
        landed.quantity,
        landed.included_quantity,
        landed.package_size,
        landed.unit_price,
        landed.discount_percent,
        landed.percentage,
        landed.status = 'active' as is_active,
        landed.effective_on,
        coalesce(amendments.signed_on, contracts.signed_on) as signed_on
    from landed
    inner join contracts on landed.contract_id = contracts.contract_id
    left join amendments on landed.amendment_id = amendments.amendment_id
    where landed.amendment_id is null or amendments.amendment_id is not null
)

select * from known
