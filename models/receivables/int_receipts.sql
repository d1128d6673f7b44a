-- One row per payment, credit or credit memo: what of it may be applied (N1). What was
-- returned is taken off first: off the payment it names, else off the customer's other.
with

receipts as (
    select * from {{ ref('stg_receipts') }}
),

named_returns as (
    select
        payments.receipt_id,
        least(payments.amount, -sum(returns.amount)) as returned
    from receipts as returns
    inner join receipts as payments
        on
            returns.reference = payments.receipt_id
            and payments.kind = 'payment'
            and payments.customer_id = returns.customer_id
            and payments.currency = returns.currency
    where returns.amount < 0 and payments.amount > 0
    group by payments.receipt_id, payments.amount
),

-- Others give in this order: without an invoice before with one, the latest first.
cash as (
    select
        receipts.*,
        greatest(receipts.amount, 0) - coalesce(named_returns.returned, 0) as kept,
        greatest(-receipts.amount, 0) as gone,
        coalesce(named_returns.returned, 0) as returned,
        row_number() over (
            partition by receipts.customer_id, receipts.currency
            order by
                case when receipts.invoice_number is null then 0 else 1 end,
                receipts.received_on desc,
                {{ by_bytes('receipts.receipt_id') }} desc
        ) as place
    from receipts
    left join named_returns on receipts.receipt_id = named_returns.receipt_id
    where receipts.kind = 'payment'
),

summed as (
    select
        *,
        sum(gone - returned) over (partition by customer_id, currency) as to_take,
        sum(kept) over (
            partition by customer_id, currency order by place
        ) as kept_to_here,
        sum(gone) over (partition by customer_id, currency)
        - sum(returned + kept) over (partition by customer_id, currency) as not_there,
        sum(gone) over (
            partition by customer_id, currency
            order by received_on desc, {{ by_bytes('receipt_id') }} desc
        ) as gone_to_here
    from cash
),

documents as (
    select
        receipt_id,
        kind,
        customer_id,
        currency,
        invoice_number,
        kept - greatest(least(to_take - (kept_to_here - kept), kept), 0)
        - greatest(least(not_there - (gone_to_here - gone), gone), 0) as available,
        received_on
    from summed
    union all
    select
        receipt_id,
        kind,
        customer_id,
        currency,
        invoice_number,
        amount as available,
        received_on
    from receipts
    where kind = 'credit'
    union all
    select
        invoice_number as receipt_id,
        'credit_memo' as kind,
        customer_id,
        currency,
        cast(null as varchar) as invoice_number,
        -total as available,
        invoice_date as received_on
    from {{ ref('stg_issued_invoices') }}
    where total < 0
)

select
    receipt_id,
    kind,
    customer_id,
    currency,
    invoice_number,
    cast(available as decimal(18, 2)) as available,
    received_on
from documents
