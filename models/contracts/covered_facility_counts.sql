-- One row per contract and longest run of days with the same covered facilities, and
-- the amendment with which it began (R1).
with

coverage as (
    select * from {{ ref('facility_coverage') }}
),

steps as (
    select contract_id, amendment_id, valid_from as day, 1 as step
    from coverage
    union all
    select contract_id, ending_amendment_id as amendment_id, valid_to as day, -1 as step
    from coverage
),

changes as (
    select contract_id, day, max(amendment_id) as amendment_id, sum(step) as step
    from steps
    group by contract_id, day
),

counted as (
    select
        contract_id,
        cast(
            sum(step) over (partition by contract_id order by day)
            as decimal(18, 4)
        ) as facilities,
        amendment_id,
        day as valid_from,
        lead(day) over (partition by contract_id order by day) as valid_to
    from changes
)

select *
from counted
where facilities > 0
