-- Meters, months and settled usage have one row per their grain; a row here is a copy.
-- What is only grouped or numbered can't have copies, and what is joined adds up to
-- what it was made of.
{{ copies_by_key({
    "int_settled_usage": ["line_id", "facility_id", "service_date"],
    "int_receipt_days": ["received_on"],
    "int_usage_meters": ["line_id", "valid_from"],
    "attribution_months": ["event_month"],
    "patient_months": ["event_month", "event_type"],
    "usage_months": ["event_month"],
}) }}
