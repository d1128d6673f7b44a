-- One row per milestone completed by the as-of day.
with

landed as (
    select * from {{ source('raw', 'milestones') }}
),

contracts as (
    select * from {{ ref('stg_contracts') }}
),

completed as (
    select
        landed.milestone_id,
        landed.contract_id,
        landed.milestone,
        landed.description,
        landed.recognize_on,
        landed.recognition,
        landed.invoicing,
        landed.amount,
        landed.completed_on
    from landed
    inner join contracts on landed.contract_id = contracts.contract_id
    where landed.completed_on <= {{ as_of() }}
)

select * from completed
