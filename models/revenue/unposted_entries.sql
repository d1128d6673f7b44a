-- One row per journal entry to book and account: due less booked, by customer (V4).
with

closed as (
    select coalesce({{ plus_months('max(month)', 1) }}, date '1900-01-01') as open_month
    from {{ ref('stg_closings') }}
),

due as (
    select {{ due_entry() }}
    from {{ ref('int_billing_entries') }}
    union all
    select {{ due_entry() }}
    from {{ ref('int_revenue_entries') }}
),

ruled as (
    select
        due.source_key,
        due.customer_id,
        due.currency,
        due.amount,
        coalesce(own.debit_account, others.debit_account) as debited,
        coalesce(own.credit_account, others.credit_account) as credited
    from due
    left join {{ ref('posting_rules') }} as own
        on due.kind = own.kind and due.applies_to = own.applies_to
    left join {{ ref('posting_rules') }} as others
        on due.kind = others.kind and others.applies_to is null
),

lines as (
    select source_key, customer_id, currency, debited as account, amount
    from ruled
    union all
    select source_key, customer_id, currency, credited as account, -amount as amount
    from ruled
    union all
    select source_key, customer_id, currency, account, credit - debit as amount
    from {{ ref('stg_journal_lines') }}
),

-- Entries of one source are told apart by how many lines of it were there before.
differences as (
    select
        source_key,
        customer_id,
        currency,
        account,
        sum(amount) as amount,
        dense_rank() over (
            partition by source_key
            order by {{ by_bytes('customer_id') }}, {{ by_bytes('currency') }}
        ) - 1 as entries_before
    from lines
    group by source_key, customer_id, currency, account
    having sum(amount) <> 0
),

described as (
    select
        {{ entry_details(
            memo='coalesce(memo, ' ~ revenue_entry_in_words() ~ ') as memo'
        ) }},
        product_id,
        is_booked_by_close,
        0 as posting_no,
        0 as entries
    from due
    where source_key in (select source_key from differences)
    union all
    select
        {{ entry_details() }},
        product_id,
        kind in ('recognition', 'unbilled', 'unbilled_reversal') as is_booked_by_close,
        posting_no,
        count(*) over (partition by source_key) as entries
    from {{ ref('stg_journal_lines') }}
    where source_key in (select source_key from differences)
),

-- As it is due; what is due no more is as it was booked last.
latest as (
    select
        *,
        row_number() over (
            partition by source_key, customer_id, currency
            order by entries asc, posting_no desc
        ) as place,
        max(entries) over (partition by source_key) as lines_booked
    from described
)

select
    differences.source_key
    || case
        when latest.lines_booked + differences.entries_before = 0 then ''
        else '|' || cast(latest.lines_booked + differences.entries_before as varchar)
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
inner join latest
    on
        differences.source_key = latest.source_key
        and differences.customer_id = latest.customer_id
        and differences.currency = latest.currency
        and latest.place = 1
cross join closed
