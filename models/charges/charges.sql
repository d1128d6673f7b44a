-- One row per charge: an amount owed under the terms known now, of whatever kind (A2,
-- A6).
with

contracts as (
    select * from {{ ref('contracts') }}
),

versions as (
    select * from {{ ref('line_versions') }}
),

owed as (
    select * from {{ ref('recurring_charges') }}
    union all
    select * from {{ ref('usage_charges') }}
),

described as (
    select
        {{ joined_key([
            'owed.contract_id', 'owed.line_id', 'owed.line_type', 'owed.service_from',
            'owed.service_to', 'owed.version_start', 'owed.tier', 'owed.unit_price'
        ]) }} as charge_key,
        owed.contract_id,
        owed.line_id,
        cast(null as varchar) as milestone_id,
        cast(null as varchar) as commitment_id,
        versions.product_id,
        versions.amendment_id,
        owed.line_type,
        coalesce(versions.description, versions.product_id) as description,
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
    inner join contracts on owed.contract_id = contracts.contract_id
    where not contracts.is_held
)

select * from described
