-- One row per invoice, issued or draft, with what is still owed on it.
with

issued as (
    select * from {{ ref('stg_issued_invoices') }}
),

drafts as (
    select * from {{ ref('draft_invoices') }}
),

documents as (
    select
        invoice_number as invoice_id,
        invoice_number,
        document_type,
        false as is_draft,
        customer_id,
        customer_name,
        invoice_group,
        currency,
        po_number,
        total as subtotal,
        content_hash,
        invoice_date,
        due_date,
        issued_at
    from issued
    union all
    select
        draft_id as invoice_id,
        null as invoice_number,
        document_type,
        true as is_draft,
        customer_id,
        customer_name,
        invoice_group,
        currency,
        po_number,
        total as subtotal,
        null as content_hash,
        invoice_date,
        due_date,
        null as issued_at
    from drafts
),

owed as (
    select
        invoice_id,
        invoice_number,
        document_type,
        case
            when is_draft then 'draft' when subtotal = 0 then 'paid' else 'open'
        end as status,
        customer_id,
        customer_name,
        invoice_group,
        currency,
        po_number,
        subtotal,
        cast(0 as decimal(18, 2)) as credits,
        subtotal as total,
        cast(0 as decimal(18, 2)) as paid,
        subtotal as balance,
        content_hash,
        {{ days_between('due_date', as_of()) }} as days_past_due,
        invoice_date,
        due_date,
        issued_at
    from documents
)

select * from owed
