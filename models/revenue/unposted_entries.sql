-- One row per journal entry to book and account: what is due less what is booked (V4).
with

rules as (
    select * from {{ ref('posting_rules') }}
),

booked as (
    select * from {{ ref('stg_journal_lines') }}
),

closed as (
    select coalesce({{ plus_months('max(month)', 1) }}, date '1900-01-01') as open_month
    from {{ ref('stg_closings') }}
),

due as (
    select
        {{ entry_details() }},
        applies_to,
        cast(null as varchar) as product_id,
        amount,
        false as is_booked_by_close
    from {{ ref('int_billing_entries') }}
    union all
    select
        source_key,
        kind,
        customer_id,
        contract_id,
        null as invoice_number,
        memo,
        currency,
        entry_date,
        product_id as applies_to,
        product_id,
        amount,
        true as is_booked_by_close
    from {{ ref('int_revenue_entries') }}
),

ruled as (
    select
        due.*,
        coalesce(own.debit_account, others.debit_account) as debit_account,
        coalesce(own.credit_account, others.credit_account) as credit_account
    from due
    left join rules as own
        on due.kind = own.kind and due.applies_to = own.applies_to
    left join rules as others
        on due.kind = others.kind and others.applies_to is null
),

lines as (
    select source_key, debit_account as account, amount
    from ruled
    union all
    select source_key, credit_account as account, -amount as amount
    from ruled
    union all
    select source_key, account, credit - debit as amount
    from booked
),

differences as (
    select source_key, account, sum(amount) as amount
    from lines
    group by source_key, account
    having sum(amount) <> 0
),

described as (
    select {{ entry_details() }}, product_id, is_booked_by_close, 0 as entries
    from due
    where source_key in (select source_key from differences)
    union all
    select
        {{ entry_details() }},
        product_id,
        kind in ('recognition', 'unbilled', 'unbilled_reversal') as is_booked_by_close,
        count(*) over (partition by source_key) as entries
    from booked
    where source_key in (select source_key from differences)
),

-- As it is due; what is due no more is as it was booked.
latest as (
    select
        *,
        row_number() over (partition by source_key order by entries) as place,
        max(entries) over (partition by source_key) as lines_booked
    from described
)

select
    differences.source_key
    || case
        when latest.lines_booked > 0 then '|' || cast(latest.lines_booked as varchar)
        else ''
    end as entry_id,
    {{ entry_details('latest') }},
    differences.account,
    latest.product_id,
    cast(greatest(differences.amount, 0) as decimal(18, 2)) as debit,
    cast(greatest(-differences.amount, 0) as decimal(18, 2)) as credit,
    latest.is_booked_by_close,
    greatest({{ month_of('latest.entry_date') }}, closed.open_month)
        as accounting_month
from differences
inner join latest on differences.source_key = latest.source_key and latest.place = 1
cross join closed
