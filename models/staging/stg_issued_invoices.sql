-- One row per issued invoice.
select
    invoice_number,
    document_type,
    customer_id,
    customer_name,
    bill_to_name,
    bill_to_email,
    bill_to_address,
    seller_name,
    seller_address,
    seller_tax_id,
    seller_contact,
    invoice_group,
    currency,
    po_number,
    content_hash,
    payment_terms_days,
    total,
    tax_exempt as is_tax_exempt,
    invoice_date,
    due_date,
    issued_at
from {{ source('ledger', 'invoices') }}
