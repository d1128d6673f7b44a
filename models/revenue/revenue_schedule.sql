-- One row per charge, month it is earned in and status: what was posted, what is due
-- less posted, what is on hold (V1).
with

charges as (
    select * from {{ ref('charges') }}
),

contracts as (
    select * from {{ ref('contracts') }}
),

due as (
    select * from {{ ref('int_due_revenue') }}
),

posted as (
    select * from {{ ref('stg_posted_revenue') }}
),

-- What was posted of a held contract stays as it is until the contract is mended.
due_and_posted as (
    select
        charge_key,
        revenue_month,
        cast(0 as decimal(18, 2)) as posted,
        amount as unposted
    from due
    union all
    select
        posted.charge_key,
        posted.revenue_month,
        posted.amount as posted,
        case when not contracts.is_held then -posted.amount else 0 end as unposted
    from posted
    left join contracts on posted.contract_id = contracts.contract_id
),

compared as (
    select
        charge_key,
        revenue_month,
        sum(posted) as posted,
        sum(unposted) as unposted
    from due_and_posted
    group by charge_key, revenue_month
),

amounts as (
    select charge_key, revenue_month, 'posted' as status, posted as amount
    from compared
    where posted <> 0
    union all
    select
        charge_key,
        revenue_month,
        case when revenue_month is null then 'on_hold' else 'scheduled' end as status,
        unposted as amount
    from compared
    where unposted <> 0
),

owed as (
    select
        charges.charge_key,
        contracts.customer_id,
        {{ revenue_details('charges') }},
        contracts.currency,
        charges.service_from as service_start,
        {{ plus_days('charges.service_to', -1) }} as service_end
    from charges
    inner join contracts on charges.contract_id = contracts.contract_id
),

owed_no_more as (
    select
        posted.*,
        row_number() over (
            partition by posted.charge_key
            order by posted.closing_no desc, posted.revenue_month desc
        ) as age
    from posted
    left join owed on posted.charge_key = owed.charge_key
    where owed.charge_key is null
),

-- A charge is as it is due; one that is owed no more is as it was posted last.
latest as (
    select * from owed
    union all
    select
        charge_key,
        customer_id,
        {{ revenue_details('owed_no_more') }},
        currency,
        service_start,
        service_end
    from owed_no_more
    where age = 1
)

select
    latest.charge_key,
    latest.customer_id,
    {{ revenue_details('latest') }},
    latest.currency,
    amounts.status,
    cast(amounts.amount as decimal(18, 2)) as amount,
    latest.service_start,
    latest.service_end,
    amounts.revenue_month
from amounts
inner join latest on amounts.charge_key = latest.charge_key
