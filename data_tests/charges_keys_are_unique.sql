-- Each charge model has one row per its grain; a row here is a copy.
{{ copies_by_key({
    "charge_facilities": ["charge_key", "facility_id"],
    "charges": ["charge_key"],
    "int_recurring_segments": ["line_id", "service_from"],
    "int_usage_terms": ["line_id", "service_from"],
    "int_usage_tiers": [
        "line_id",
        "service_from",
        "tier",
        "facility_id",
        "service_month",
    ],
    "int_usage_units": ["line_id", "facility_id", "service_date"],
    "recurring_charges": ["line_id", "service_from"],
    "usage_charges": ["line_id", "service_from", "tier"],
}) }}
