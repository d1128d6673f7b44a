-- Each revenue model has one row per its grain; a row here is a copy.
{{ copies_by_key({
    "stg_closings": ["month"],
    "stg_posted_revenue": ["closing_no", "charge_key", "revenue_month"],
    "stg_journal_lines": ["entry_id", "account"],
    "int_due_revenue": ["charge_key", "revenue_month"],
    "int_usage_months": ["charge_key", "service_month", "facility_id"],
    "int_billing_entries": ["source_key"],
    "int_revenue_entries": ["source_key", "customer_id"],
    "revenue_schedule": ["charge_key", "revenue_month", "status"],
    "contract_balances": ["contract_id", "month"],
    "remaining_obligations": ["contract_id", "as_of_month"],
    "usage_by_facility": ["contract_id", "facility_id", "meter", "month"],
    "unposted_entries": ["entry_id", "account"],
}) }}
