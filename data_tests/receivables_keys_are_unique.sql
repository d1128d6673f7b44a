-- Each receivables model has one row per its grain; a row here is a copy.
{{ copies_by_key({
    "int_receipts": ["kind", "receipt_id"],
    "int_applications": ["kind", "receipt_id", "invoice_number"],
    "applications": ["kind", "receipt_id", "invoice_number"],
    "cash_applications": ["payment_id", "invoice_number"],
    "disputes": ["dispute_id"],
    "invoices": ["invoice_id"],
    "receivables_aging": ["invoice_number"],
    "int_next_steps": ["invoice_number"],
    "dunning_status": ["invoice_number"],
    "dunning_queue": ["notice_id"],
    "account_tasks": ["notice_id"],
}) }}
