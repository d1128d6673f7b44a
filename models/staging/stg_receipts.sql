-- One row per payment or credit known by the as-of day.
with

payments as (
    select * from {{ source('raw', 'payments') }}
),

credits as (
    select * from {{ source('raw', 'credits') }}
),

receipts as (
    select
        payment_id as receipt_id,
        'payment' as kind,
        customer_id,
        currency,
        invoice_number,
        method,
        reference,
        cast(null as varchar) as reason,
        amount,
        received_on
    from payments
    union all
    select
        credit_id as receipt_id,
        'credit' as kind,
        customer_id,
        currency,
        invoice_number,
        cast(null as varchar) as method,
        cast(null as varchar) as reference,
        reason,
        amount,
        issued_on as received_on
    from credits
)

select *
from receipts
where received_on <= {{ as_of() }}
