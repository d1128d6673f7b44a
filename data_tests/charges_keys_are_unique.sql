-- Each charge model has one row per its grain; a row here is a copy.
{{ copies_by_key({
    "charge_facilities": ["charge_key", "facility_id"],
    "charges": ["charge_key"],
    "int_commitment_counts": ["commitment_id", "period_start", "month"],
    "int_commitment_lines": ["commitment_id", "period_start", "looked_to"],
    "int_commitment_months": ["commitment_id", "period_start", "month"],
    "int_rerated_usage": ["commitment_id", "period_start"],
    "int_shortfall_prices": ["commitment_id", "period_start"],
    "milestone_charges": ["charge_key"],
    "percentage_charges": ["line_id", "base_charge_key"],
    "int_recurring_segments": ["line_id", "service_from"],
    "int_usage_terms": ["line_id", "service_from"],
    "int_usage_tiers": [
        "line_id",
        "service_from",
        "tier",
        "facility_id",
        "service_month",
    ],
    "int_usage_counts": ["line_id", "service_from"],
    "recurring_charges": ["line_id", "service_from"],
    "usage_charges": ["line_id", "service_from", "tier"],
}) }}
