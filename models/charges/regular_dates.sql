-- One row per contract and day on which it is invoiced by rule, used or not (C4, C6).
with

recurring as (
    select contract_id, charge_date
    from {{ ref('recurring_charges') }}
),

usage as (
    select contract_id, period_end as charge_date
    from {{ ref('int_usage_terms') }}
),

dates as (
    select * from recurring
    union
    select * from usage
)

select * from dates
