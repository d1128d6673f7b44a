-- One row per day on which usage was received after an agreement (BAA) had ended: the
-- last such end before it. Nothing else tells one day of receipt from another (HP-6).
with

receipts as (
    select distinct received_on
    from {{ ref('stg_usage_receipts') }}
    where is_known and received_on is not null
),

agreements as (
    select * from {{ ref('stg_agreements') }}
),

days as (
    select
        receipts.received_on,
        max(agreements.agreed_through) as received_after
    from receipts
    inner join agreements on receipts.received_on > agreements.agreed_through
    group by receipts.received_on
)

select * from days
