-- One row per invoice, issued or draft, with what is still owed on it (N1).
with

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
    from {{ ref('stg_issued_invoices') }}
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
    from {{ ref('draft_invoices') }}
),

-- Of a credit memo, what it gave to invoices comes off itself with the other sign.
settlements as (
    select
        invoice_number,
        case when kind = 'payment' then 0 else amount end as credited,
        case when kind = 'payment' then amount else 0 end as paid
    from {{ ref('int_applications') }}
    union all
    select
        receipt_id as invoice_number,
        -amount as credited,
        0 as paid
    from {{ ref('int_applications') }}
    where kind = 'credit_memo'
),

settled as (
    select
        invoice_number,
        sum(credited) as credits,
        sum(paid) as paid
    from settlements
    group by invoice_number
),

disputed as (
    select
        invoice_number,
        count(*) as disputes
    from {{ ref('disputes') }}
    where state = 'open'
    group by invoice_number
),

owed as (
    select
        documents.*,
        coalesce(settled.credits, 0) as credits,
        documents.subtotal - coalesce(settled.credits, 0) as total,
        coalesce(settled.paid, 0) as paid,
        documents.subtotal - coalesce(settled.credits, 0) - coalesce(settled.paid, 0)
            as balance,
        settled.invoice_number is not null as is_settled_in_part,
        disputed.invoice_number is not null as is_disputed
    from documents
    left join settled on documents.invoice_number = settled.invoice_number
    left join disputed on documents.invoice_number = disputed.invoice_number
)

select
    invoice_id,
    invoice_number,
    document_type,
    case
        when is_draft then 'draft'
        when is_disputed then 'disputed'
        when balance = 0 then 'paid'
        when is_settled_in_part then 'partially_paid'
        else 'open'
    end as status,
    customer_id,
    customer_name,
    invoice_group,
    currency,
    po_number,
    subtotal,
    cast(credits as decimal(18, 2)) as credits,
    cast(total as decimal(18, 2)) as total,
    cast(paid as decimal(18, 2)) as paid,
    cast(balance as decimal(18, 2)) as balance,
    content_hash,
    {{ days_between('due_date', as_of()) }} as days_past_due,
    invoice_date,
    due_date,
    issued_at
from owed
