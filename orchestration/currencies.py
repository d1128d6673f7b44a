"""Currencies that can be billed (`seeds/currencies.csv`)."""

from functools import cache

from orchestration.project import read_seed


@cache
def currency_decimals() -> dict[str, int]:
    """Decimals of the minor unit of each currency that can be billed."""
    return {row["currency"]: int(row["decimals"]) for row in read_seed("currencies")}
