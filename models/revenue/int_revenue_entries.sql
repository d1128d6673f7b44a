-- One row per entry and customer, of recognition and of unbilled revenue at a month's
-- end, due up to the month that is closed or being closed (V4).
with

months as (
    select
        month_start as month,
        {{ plus_days('month_start', 'days_in_month') }} as next_month
    from {{ ref('calendar_months') }}
),

closed as (
    select coalesce({{ close_month() }}, max(month)) as month
    from {{ ref('stg_closings') }}
),

to_post as (
    select
        *,
        {{ close_month() }} as accounting_month
    from {{ ref('revenue_schedule') }}
    where status = 'scheduled' and revenue_month <= {{ close_month() }}
),

recognized as (
    select {{ recognition_columns() }}, amount
    from {{ ref('stg_posted_revenue') }}
    union all
    select {{ recognition_columns() }}, amount
    from to_post
),

moved as (
    select customer_id, contract_id, currency, month, recognized - billed as amount
    from {{ ref('contract_balances') }}
    union all
    select customer_id, contract_id, currency, accounting_month as month, amount
    from to_post
),

by_month as (
    select
        contract_id,
        currency,
        month,
        min(customer_id) as customer_id,
        sum(amount) as amount
    from moved
    group by contract_id, currency, month
),

-- As contract_balances: of the customer that the contract began with.
balances as (
    select
        by_month.contract_id,
        by_month.currency,
        by_month.month,
        months.next_month,
        first_value(by_month.customer_id) over contract as customer_id,
        sum(by_month.amount) over contract as unbilled
    from by_month
    inner join months on by_month.month = months.month
    inner join closed on by_month.month <= closed.month
    window contract as (partition by by_month.contract_id order by by_month.month)
),

due as (
    select
        'recognition' as kind,
        {{ recognition_columns() }},
        sum(amount) as amount,
        {{ plus_days('months.next_month', -1) }} as entry_date
    from recognized
    inner join months on recognized.accounting_month = months.month
    group by {{ recognition_columns() }}, months.next_month
    union all
    select
        turns.kind,
        balances.customer_id,
        balances.contract_id,
        null as product_id,
        balances.currency,
        balances.month as revenue_month,
        balances.month as accounting_month,
        balances.unbilled as amount,
        {{ plus_days('balances.next_month', 'turns.days') }} as entry_date
    from balances
    cross join (
        select 'unbilled' as kind, -1 as days
        union all
        select 'unbilled_reversal' as kind, 0 as days
    ) as turns
    where balances.unbilled > 0
)

select
    {{ joined_key([
        'kind', 'accounting_month', 'contract_id', 'product_id', 'revenue_month'
    ]) }} as source_key,
    kind,
    product_id as applies_to,
    customer_id,
    contract_id,
    cast(null as varchar) as invoice_number,
    product_id,
    cast(null as varchar) as memo,
    currency,
    revenue_month,
    accounting_month,
    cast(amount as decimal(18, 2)) as amount,
    entry_date,
    true as is_booked_by_close
from due
