-- Debits are credits in each entry and currency, booked or to book (V4).
with

lines as (
    select entry_id, currency, debit, credit
    from {{ ref('journal_entries') }}
    union all
    select entry_id, currency, debit, credit
    from {{ ref('unposted_entries') }}
)

select entry_id, currency, sum(debit) - sum(credit) as difference
from lines
group by entry_id, currency
having sum(debit) <> sum(credit)
