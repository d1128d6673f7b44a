-- One row per payment and invoice it is applied to; without an invoice, what is left.
select
    receipt_id as payment_id,
    invoice_number,
    customer_id,
    currency,
    unapplied_because,
    amount,
    applied_on
from {{ ref('applications') }}
where kind = 'payment'
