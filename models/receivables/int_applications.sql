-- One row per payment, credit or credit memo and invoice it is applied to: those that
-- name an invoice first, the others to the oldest (N1).
with

receipts as (
    select
        *,
        case kind when 'credit_memo' then 1 when 'credit' then 2 else 3 end as place
    from {{ ref('int_receipts') }}
),

invoices as (
    select * from {{ ref('stg_issued_invoices') }}
),

named as (
    select
        receipts.receipt_id,
        receipts.kind,
        invoices.invoice_number,
        invoices.total,
        receipts.available,
        sum(receipts.available) over (
            partition by invoices.invoice_number
            order by
                receipts.received_on,
                receipts.place,
                {{ by_bytes('receipts.receipt_id') }}
        ) as reached
    from receipts
    inner join invoices
        on
            receipts.invoice_number = invoices.invoice_number
            and receipts.customer_id = invoices.customer_id
            and receipts.currency = invoices.currency
    where invoices.total > 0 and receipts.available > 0
),

applied_by_name as (
    select
        receipt_id,
        kind,
        invoice_number,
        greatest(least(available, total - (reached - available)), 0) as amount
    from named
),

by_invoice as (
    select
        invoice_number,
        sum(amount) as amount
    from applied_by_name
    group by invoice_number
),

-- What is owed still, oldest first, and what names no invoice: two running sums.
owed as (
    select
        invoices.invoice_number,
        invoices.customer_id,
        invoices.currency,
        invoices.total - coalesce(by_invoice.amount, 0) as amount,
        sum(invoices.total - coalesce(by_invoice.amount, 0)) over (
            partition by invoices.customer_id, invoices.currency
            order by invoices.due_date, {{ by_bytes('invoices.invoice_number') }}
        ) as reached
    from invoices
    left join by_invoice on invoices.invoice_number = by_invoice.invoice_number
    where invoices.total > 0
),

unnamed as (
    select
        *,
        sum(available) over (
            partition by customer_id, currency
            order by received_on, place, {{ by_bytes('receipt_id') }}
        ) as reached
    from receipts
    where invoice_number is null and available > 0
),

applied as (
    select * from applied_by_name
    where amount > 0
    union all
    select
        unnamed.receipt_id,
        unnamed.kind,
        owed.invoice_number,
        least(unnamed.reached, owed.reached)
        - greatest(unnamed.reached - unnamed.available, owed.reached - owed.amount)
            as amount
    from unnamed
    inner join owed
        on
            unnamed.customer_id = owed.customer_id
            and unnamed.currency = owed.currency
            and unnamed.reached > owed.reached - owed.amount
            and owed.reached > unnamed.reached - unnamed.available
    where owed.amount > 0
)

select
    receipt_id,
    kind,
    invoice_number,
    cast(amount as decimal(18, 2)) as amount
from applied
