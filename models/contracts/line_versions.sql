-- One row per line and version: terms and the days on which they are in force (T1, T2).
with

signed as (
    select
        *,
        {{ signed_last('line_id') }} as recency
    from {{ ref('stg_contract_lines') }}
),

contracts as (
    select * from {{ ref('contracts') }}
),

sequenced as (
    select
        *,
        lead(effective_on, 1, {{ end_of_time() }}) over (
            partition by line_id order by effective_on
        ) as next_effective_on
    from signed
    where recency = 1
),

versions as (
    select
        sequenced.line_id,
        sequenced.contract_id,
        sequenced.amendment_id,
        sequenced.product_id,
        sequenced.description,
        sequenced.charge_type,
        sequenced.pricing_model,
        sequenced.meter,
        sequenced.quantity_basis,
        sequenced.billing_frequency,
        sequenced.billing_timing,
        case sequenced.tier_scope
            when 'contract_year' then 'contract_year'
            else sequenced.billing_frequency
        end as scope_frequency,
        sequenced.base_line_id,
        sequenced.revenue_rule,
        contracts.cents_step,
        sequenced.rate_card_id,
        sequenced.quantity,
        sequenced.included_quantity,
        sequenced.package_size,
        sequenced.unit_price,
        sequenced.discount_percent,
        sequenced.percentage,
        sequenced.is_active,
        sequenced.effective_on as version_start,
        greatest(sequenced.effective_on, contracts.valid_from) as valid_from,
        least(sequenced.next_effective_on, contracts.valid_to) as valid_to
    from sequenced
    inner join contracts on sequenced.contract_id = contracts.contract_id
)

select *
from versions
where valid_from < valid_to
