-- One row per contract, facility, effective day and amendment: covered or not.
with

landed as (
    select * from {{ source('raw', 'contract_facilities') }}
),

contracts as (
    select * from {{ ref('stg_contracts') }}
),

amendments as (
    select * from {{ ref('stg_amendments') }}
),

known as (
    select
        landed.contract_id,
        landed.facility_id,
        landed.amendment_id,
        landed.covered as is_covered,
        landed.effective_on,
        coalesce(amendments.signed_on, contracts.signed_on) as signed_on
    from landed
    inner join contracts on landed.contract_id = contracts.contract_id
    left join amendments on landed.amendment_id = amendments.amendment_id
    where landed.amendment_id is null or amendments.amendment_id is not null
)

select * from known
