-- Each quality model has one row per its grain; a row here is a copy.
{{ copies_by_key({
    "intake_files": ["feed", "content_hash"],
    "rejected_events": ["feed", "event_id"],
    "rejected_usage": ["feed", "source_file", "line"],
    "usage_outcomes": ["feed", "source_file", "service_month", "outcome", "reason"],
}) }}
