-- Each invoice model has one row per its grain; a row here is a copy.
{{ copies_by_key({
    "adjustment_dates": ["contract_id"],
    "draft_invoices": ["draft_id"],
    "draft_line_facilities": ["draft_id", "line_number", "facility_id"],
    "draft_lines": ["draft_id", "line_number"],
    "int_unbooked_facilities": ["charge_key", "facility_id"],
    "invoice_line_facilities": ["invoice_id", "line_number", "facility_id"],
    "invoice_lines": ["invoice_id", "line_number"],
    "unbooked_charges": ["charge_key"],
}) }}
