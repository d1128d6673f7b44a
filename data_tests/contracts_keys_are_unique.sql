-- Terms whose key may be empty have one row per their grain; a row here is a copy.
{{ copies_by_key({
    "price_tiers": ["line_id", "version_start", "tier"],
}) }}
