-- One row per payment, credit or credit memo and invoice it is applied to; without an
-- invoice, what is left of it and why (N1).
with

receipts as (
    select * from {{ ref('int_receipts') }}
),

invoices as (
    select * from {{ ref('stg_issued_invoices') }}
),

applied as (
    select * from {{ ref('int_applications') }}
),

used as (
    select
        kind,
        receipt_id,
        sum(amount) as amount
    from applied
    group by kind, receipt_id
),

left_over as (
    select
        receipts.receipt_id,
        receipts.kind,
        receipts.customer_id,
        receipts.currency,
        receipts.invoice_number,
        receipts.available - coalesce(used.amount, 0) as amount,
        receipts.received_on
    from receipts
    left join used
        on receipts.kind = used.kind and receipts.receipt_id = used.receipt_id
),

explained as (
    select
        left_over.receipt_id,
        left_over.kind,
        left_over.customer_id,
        left_over.currency,
        cast(null as varchar) as invoice_number,
        case
            when left_over.amount < 0 then 'returns more than was received'
            when left_over.invoice_number is null then 'above all that is owed'
            when invoices.invoice_number is null
                then 'names ' || left_over.invoice_number || ', which is not issued'
            when invoices.customer_id <> left_over.customer_id
                then
                    'names ' || left_over.invoice_number
                    || ', which is of another customer'
            when invoices.currency <> left_over.currency
                then
                    'names ' || left_over.invoice_number || ', which is in '
                    || invoices.currency
            else 'above what ' || left_over.invoice_number || ' owed'
        end as unapplied_because,
        left_over.amount,
        left_over.received_on as applied_on
    from left_over
    left join invoices on left_over.invoice_number = invoices.invoice_number
    where left_over.amount <> 0
),

dated as (
    select
        applied.receipt_id,
        applied.kind,
        receipts.customer_id,
        receipts.currency,
        applied.invoice_number,
        cast(null as varchar) as unapplied_because,
        applied.amount,
        greatest(receipts.received_on, invoices.invoice_date) as applied_on
    from applied
    inner join receipts
        on applied.kind = receipts.kind and applied.receipt_id = receipts.receipt_id
    inner join invoices on applied.invoice_number = invoices.invoice_number
    union all
    select * from explained
)

select
    receipt_id,
    kind,
    customer_id,
    currency,
    invoice_number,
    unapplied_because,
    cast(amount as decimal(18, 2)) as amount,
    applied_on
from dated
