-- Each quality model has one row per its grain; a row here is a copy.
{{ copies_by_key({
    "feed_gaps": ["feed", "facility", "silent_since"],
    "int_gap_units": ["feed", "facility_id", "silent_from", "line_id"],
    "int_reporting_facilities": ["feed", "facility_id"],
    "int_silences": ["feed", "facility_id", "silent_from"],
    "intake_files": ["feed", "content_hash"],
    "rejected_events": ["feed", "event_id"],
    "rejected_kinds": [
        "event_month",
        "feed",
        "file_id",
        "facility",
        "obstacle",
        "service_date",
        "received_after",
    ],
    "rejected_usage": ["feed", "source_file", "line"],
    "usage_outcomes": ["feed", "source_file", "service_month", "outcome", "reason"],
}) }}
