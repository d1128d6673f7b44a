-- Debits are credits in each entry and currency, booked or to book, and each account is
-- one of the chart (V4).
with

lines as (
    select entry_id, currency, account, debit, credit
    from {{ ref('stg_journal_lines') }}
    union all
    select entry_id, currency, account, debit, credit
    from {{ ref('unposted_entries') }}
)

select
    lines.entry_id,
    lines.currency,
    sum(lines.debit) - sum(lines.credit) as difference
from lines
left join {{ ref('ledger_accounts') }} as accounts on lines.account = accounts.account
group by lines.entry_id, lines.currency
having sum(lines.debit) <> sum(lines.credit) or count(accounts.account) < count(*)
