"""The Dagster code location of healthcare-billing and the `billing` command."""
