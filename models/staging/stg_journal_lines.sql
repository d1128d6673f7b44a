-- One row per journal entry and account.
select
    posting_no,
    entry_id,
    source_key,
    kind,
    account,
    debit,
    credit,
    currency,
    customer_id,
    contract_id,
    invoice_number,
    product_id,
    memo,
    entry_date,
    accounting_month
from {{ source('ledger', 'journal_lines') }}
