-- One row per booked journal entry and account: a debit or a credit (V4).
with

lines as (
    select * from {{ ref('stg_journal_lines') }}
),

accounts as (
    select * from {{ ref('ledger_accounts') }}
)

select
    lines.entry_id,
    lines.source_key,
    lines.kind,
    lines.account,
    accounts.account_name,
    lines.customer_id,
    lines.contract_id,
    lines.invoice_number,
    lines.product_id,
    lines.memo,
    lines.currency,
    lines.debit,
    lines.credit,
    lines.accounting_month,
    lines.entry_date
from lines
left join accounts on lines.account = accounts.account
