-- Each staging view has one row per its grain; a row here is a copy.
{{ copies_by_key({
    "stg_customers": ["customer_id"],
    "stg_facilities": ["facility_id"],
    "stg_facility_identifiers": ["feed", "identifier"],
    "stg_contracts": ["contract_id"],
    "stg_amendments": ["amendment_id"],
    "stg_commitments": ["commitment_id", "effective_on", "amendment_id"],
    "stg_milestones": ["milestone_id"],
    "stg_contract_facilities": [
        "contract_id",
        "facility_id",
        "effective_on",
        "amendment_id",
    ],
    "stg_contract_lines": ["line_id", "effective_on", "amendment_id"],
    "stg_rate_cards": ["rate_card_id", "tier"],
    "stg_agreements": ["customer_id"],
    "stg_usage_files": ["feed", "file_id"],
    "stg_issues": ["issue_no"],
    "stg_issued_invoices": ["invoice_number"],
    "stg_issued_lines": ["invoice_number", "line_number"],
    "stg_issued_line_facilities": ["invoice_number", "line_number", "facility_id"],
}) }}
