-- One row per milestone, with the day it was completed if that is known by the as-of
-- day.
with

landed as (
    select * from {{ source('raw', 'milestones') }}
),

contracts as (
    select * from {{ ref('stg_contracts') }}
),

known as (
    select
        landed.milestone_id,
        landed.contract_id,
        landed.milestone,
        landed.description,
        landed.recognize_on,
        landed.recognition,
        landed.invoicing,
        landed.amount,
        case when landed.completed_on <= {{ as_of() }} then landed.completed_on end
            as completed_on
    from landed
    inner join contracts on landed.contract_id = contracts.contract_id
)

select * from known
