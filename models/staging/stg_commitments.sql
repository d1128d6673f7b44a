-- One row per commitment, effective day and amendment: what is committed from then on.
with

landed as (
    select * from {{ source('raw', 'commitments') }}
),

contracts as (
    select * from {{ ref('stg_contracts') }}
),

amendments as (
    select * from {{ ref('stg_amendments') }}
),

known as (
    select
        landed.commitment_id,
        landed.contract_id,
        landed.line_id,
        landed.amendment_id,
        landed.kind,
        landed.period,
        landed.true_up,
        landed.counts,
        landed.prorate as is_prorated,
        landed.committed,
        landed.shortfall_price,
        landed.effective_on,
        coalesce(amendments.signed_on, contracts.signed_on) as signed_on
    from landed
    inner join contracts on landed.contract_id = contracts.contract_id
    left join amendments on landed.amendment_id = amendments.amendment_id
    where landed.amendment_id is null or amendments.amendment_id is not null
)

select * from known
