-- One row per entry that an issue may book: of an invoice (issued, or about to be) and
-- contract, of a payment or credit, of what is applied of it to an invoice (V4).
with

invoiced as (
    select
        lines.invoice_number,
        lines.contract_id,
        lines.amount,
        invoices.customer_id,
        invoices.currency,
        invoices.invoice_date
    from {{ ref('stg_issued_lines') }} as lines
    inner join {{ ref('stg_issued_invoices') }} as invoices
        on lines.invoice_number = invoices.invoice_number
    union all
    select
        drafts.next_number as invoice_number,
        lines.contract_id,
        lines.amount,
        drafts.customer_id,
        drafts.currency,
        drafts.invoice_date
    from {{ ref('draft_lines') }} as lines
    inner join {{ ref('draft_invoices') }} as drafts
        on lines.draft_id = drafts.draft_id
    where drafts.next_number is not null
),

due as (
    select
        'invoice' as kind,
        invoice_number as document,
        contract_id,
        customer_id,
        currency,
        invoice_number,
        cast(null as varchar) as applies_to,
        'Invoice ' || invoice_number as memo,
        sum(amount) as amount,
        invoice_date as entry_date
    from invoiced
    group by invoice_number, contract_id, customer_id, currency, invoice_date
    union all
    select
        kind,
        receipt_id as document,
        cast(null as varchar) as contract_id,
        customer_id,
        currency,
        cast(null as varchar) as invoice_number,
        reason as applies_to,
        {{ receipt_in_words() }} as memo,
        amount,
        received_on as entry_date
    from {{ ref('stg_receipts') }}
    union all
    -- A memo is no account of its own: applied, the receivable stays what it is.
    select
        kind || '_application' as kind,
        receipt_id as document,
        cast(null as varchar) as contract_id,
        customer_id,
        currency,
        invoice_number,
        cast(null as varchar) as applies_to,
        {{ application_in_words() }} as memo,
        amount,
        applied_on as entry_date
    from {{ ref('applications') }}
    where kind <> 'credit_memo' and invoice_number is not null
)

select
    {{ joined_key([
        'kind', 'document',
        "case when kind = 'invoice' then contract_id else invoice_number end"
    ]) }} as source_key,
    kind,
    applies_to,
    customer_id,
    contract_id,
    invoice_number,
    cast(null as varchar) as product_id,
    memo,
    currency,
    cast(null as date) as revenue_month,
    cast(null as date) as accounting_month,
    cast(amount as decimal(18, 2)) as amount,
    entry_date,
    false as is_booked_by_close
from due
