-- One row per entry of an invoice and contract: what was issued, and what is about to
-- be issued and is booked together with its entries (V4).
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
)

select
    {{ joined_key(["'invoice'", 'invoice_number', 'contract_id']) }} as source_key,
    'invoice' as kind,
    cast(null as varchar) as applies_to,
    customer_id,
    contract_id,
    invoice_number,
    'Invoice ' || invoice_number as memo,
    currency,
    cast(sum(amount) as decimal(18, 2)) as amount,
    invoice_date as entry_date
from invoiced
group by invoice_number, contract_id, customer_id, currency, invoice_date
