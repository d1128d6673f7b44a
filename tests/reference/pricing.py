"""Net prices, tiers and shares between facilities (U6, A7)."""

import math
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from reference.records import Shares
from reference.terms import Tier, Version
from reference.values import as_price, as_quantity

HUNDRED = Fraction(100)


@dataclass(frozen=True)
class Price:
    """A price before and after discounts; `net` is rounded once, to 8 places (U6)."""

    list_price: Fraction
    discount_percent: Fraction
    net: Decimal


def _less(price: Fraction, percent: Fraction) -> Fraction:
    return price * (HUNDRED - percent) / HUNDRED


def line_price(version: Version) -> Price:
    """The line's own unit price, less its discount."""
    net = as_price(_less(version.unit_price, version.discount_percent))
    return Price(version.unit_price, version.discount_percent, net)


def tier_price(version: Version, tier: Tier) -> Price:
    """A tier's unit price: its own, or the line's less the tier's discount."""
    if tier.unit_price is not None:
        listed, discount = tier.unit_price, Fraction(0)
    else:
        listed, discount = version.unit_price, tier.discount_percent or Fraction(0)
    after_tier = _less(listed, discount)
    net = as_price(_less(after_tier, version.discount_percent))
    both = HUNDRED - (HUNDRED - discount) * (HUNDRED - version.discount_percent) / 100
    return Price(listed, both, net)


def tier_fee(version: Version, tier: Tier) -> Price:
    """A tier's flat fee, less the line's discount."""
    net = as_price(_less(tier.flat_fee, version.discount_percent))
    return Price(tier.flat_fee, version.discount_percent, net)


def tier_that_holds(version: Version, count: Fraction) -> Tier:
    """The tier that a count above 0 has reached; bounds are inclusive."""
    for tier in version.tiers:
        if tier.up_to is None or count <= tier.up_to:
            return tier
    raise AssertionError("the last tier of a rate card is open")


def split_by_tier(
    version: Version, start: Fraction, quantity: Fraction
) -> list[tuple[Tier, Fraction]]:
    """Which part of a quantity that follows `start` units falls into which tier.

    A unit belongs to the tier whose bound its own ordinal does not pass; a fractional
    one is split at the bound.
    """
    parts = []
    floor = Fraction(0)
    for tier in version.tiers:
        from_here = max(start, floor)
        to_here = start + quantity
        if tier.up_to is not None:
            to_here = min(to_here, tier.up_to)
            floor = tier.up_to
        if to_here > from_here:
            parts.append((tier, to_here - from_here))
    return parts


def share_out(amount: Decimal, weights: dict[str, Fraction], decimals: int) -> Shares:
    """An amount between facilities by quantity, largest remainder first (A7)."""
    whole = sum(weights.values())
    unit = Decimal(1).scaleb(-decimals)
    exact = {
        f: Fraction(amount) * w / whole / Fraction(unit) for f, w in weights.items()
    }
    units = {facility: math.floor(exact[facility]) for facility in weights}
    missing = int(Fraction(amount) / Fraction(unit)) - sum(units.values())
    by_remainder = sorted(weights, key=lambda f: (units[f] - exact[f], f))
    for facility in by_remainder[:missing]:
        units[facility] += 1
    return {f: (as_quantity(weights[f]), units[f] * unit) for f in sorted(weights)}
