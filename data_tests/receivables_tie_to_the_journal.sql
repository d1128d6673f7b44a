-- By customer and currency, the receivable account is what is owed on issued invoices,
-- unapplied cash and credits what was not applied, and cash what was received (V4, N1).
-- Entries that are still to be booked count, but for those of invoices not yet issued.
with

entries as (
    select customer_id, currency, account, debit, credit
    from {{ ref('journal_entries') }}
    union all
    select
        unposted.customer_id,
        unposted.currency,
        unposted.account,
        unposted.debit,
        unposted.credit
    from {{ ref('unposted_entries') }} as unposted
    left join {{ ref('stg_issued_invoices') }} as invoices
        on unposted.invoice_number = invoices.invoice_number
    where unposted.kind <> 'invoice' or invoices.invoice_number is not null
),

moved as (
    select
        entries.customer_id,
        entries.currency,
        accounts.role,
        entries.debit - entries.credit as amount
    from entries
    inner join {{ ref('ledger_accounts') }} as accounts
        on entries.account = accounts.account
    where
        accounts.role
        in ('receivable', 'cash', 'unapplied_cash', 'unapplied_credits')
    union all
    select customer_id, currency, 'receivable' as role, -balance as amount
    from {{ ref('invoices') }}
    where status <> 'draft'
    union all
    select customer_id, currency, 'cash' as role, -amount as amount
    from {{ ref('stg_receipts') }}
    where kind = 'payment'
    union all
    select
        customer_id,
        currency,
        case kind when 'credit' then 'unapplied_credits' else 'unapplied_cash' end
            as role,
        amount
    from {{ ref('applications') }}
    where kind <> 'credit_memo' and invoice_number is null
)

select
    customer_id,
    currency,
    role,
    sum(amount) as difference
from moved
group by customer_id, currency, role
having sum(amount) <> 0
