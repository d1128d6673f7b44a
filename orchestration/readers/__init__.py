"""One reader per usage format."""
