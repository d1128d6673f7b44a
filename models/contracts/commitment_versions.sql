-- One row per commitment and version: what is committed while it is in force (T1, T2),
-- and the frequency of its periods (M1).
with

signed as (
    select
        *,
        {{ signed_last('commitment_id') }} as recency
    from {{ ref('stg_commitments') }}
),

lines as (
    select distinct line_id, pricing_model, billing_frequency
    from {{ ref('stg_contract_lines') }}
),

contracts as (
    select * from {{ ref('contracts') }}
),

sequenced as (
    select
        *,
        lead(effective_on, 1, {{ end_of_time() }}) over (
            partition by commitment_id order by effective_on
        ) as next_effective_on
    from signed
    where recency = 1
),

versions as (
    select
        sequenced.commitment_id,
        sequenced.contract_id,
        sequenced.line_id,
        sequenced.amendment_id,
        sequenced.kind,
        case
            when sequenced.period = 'contract_year' then 'contract_year'
            when lines.line_id is null or lines.pricing_model = 'percentage'
                then 'monthly'
            else lines.billing_frequency
        end as frequency,
        sequenced.true_up,
        sequenced.counts,
        sequenced.is_prorated,
        contracts.cents_step,
        sequenced.committed,
        sequenced.shortfall_price,
        sequenced.effective_on as version_start,
        greatest(sequenced.effective_on, contracts.valid_from) as valid_from,
        least(sequenced.next_effective_on, contracts.valid_to) as valid_to
    from sequenced
    inner join contracts on sequenced.contract_id = contracts.contract_id
    left join lines on sequenced.line_id = lines.line_id
    -- Nothing is committed to a line before that line is signed.
    where sequenced.line_id is null or lines.line_id is not null
)

select *
from versions
where valid_from < valid_to
