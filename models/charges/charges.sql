-- One row per charge: an amount owed under the terms known now, of whatever kind (A2,
-- A6).
with

contracts as (
    select * from {{ ref('contracts') }}
),

commitment_charges as (
    select
        *,
        cast(null as integer) as tier
    from {{ ref('commitment_charges') }}
),

owed as (
    select
        charge_key,
        contract_id,
        line_id,
        cast(null as varchar) as milestone_id,
        cast(null as varchar) as commitment_id,
        product_id,
        amendment_id,
        line_type,
        description,
        meter,
        tier,
        quantity,
        list_price,
        discount_percent,
        unit_price,
        proration,
        amount,
        version_start,
        service_from,
        service_to,
        charge_date
    from {{ ref('line_charges') }}
    union all
    select
        {{ charge_key('commitment_charges', 'commitment_charges.commitment_id') }}
            as charge_key,
        contract_id,
        line_id,
        null as milestone_id,
        commitment_id,
        product_id,
        amendment_id,
        line_type,
        description,
        null as meter,
        tier,
        quantity,
        list_price,
        discount_percent,
        unit_price,
        null as proration,
        amount,
        version_start,
        service_from,
        service_to,
        charge_date
    from commitment_charges
    union all
    select
        charge_key,
        contract_id,
        null as line_id,
        milestone_id,
        null as commitment_id,
        null as product_id,
        null as amendment_id,
        line_type,
        description,
        null as meter,
        null as tier,
        1 as quantity,
        unit_price as list_price,
        0 as discount_percent,
        unit_price,
        null as proration,
        amount,
        version_start,
        service_from,
        service_to,
        charge_date
    from {{ ref('milestone_charges') }}
)

select owed.*
from owed
inner join contracts on owed.contract_id = contracts.contract_id
where not contracts.is_held
