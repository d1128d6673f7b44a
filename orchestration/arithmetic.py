"""An amount in figures that a person can follow, checked as they are written.

What is written is computed again from the booked quantity and price in exact
fractions. If it does not come to the booked amount, nothing is claimed.
"""

from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from math import ceil
from typing import Any

from orchestration.wording import plain, price

_CENT = Decimal("0.01")


def in_figures(
    line: dict[str, Any],
    *,
    model: str | None,
    package_size: Decimal | None,
    tiers: list[dict[str, Any]],
    full_days: int | None,
    cents_step: int,
) -> str:
    """How a booked line comes to its amount, e.g. `36 × 12.50 = 450.00` (A1, A6).

    `tiers` are those of its terms (billing.price_tiers); `full_days` those of its full
    period; `cents_step` the cents in the smallest unit of its currency.
    """
    sign = -1 if line["reverses"] else 1
    amount, quantity = line["amount"] * sign, line["quantity"] * sign
    if line["unit_price"] is None:
        return f"{amount:,}: see Commitment"
    days = (line["service_end"] - line["service_start"]).days + 1
    is_cut = line["line_type"] == "recurring" and full_days not in (None, days)
    for factors, exact in _factors(line, model, package_size, tiers, quantity):
        if is_cut and line["proration"] is not None:
            factors, exact = f"{factors} × {days}/{full_days}", exact * days / full_days
        if _rounded(exact, cents_step) == amount:
            reversed_ = ", reversed" if sign < 0 else ""
            return f"{factors} = {amount:,}{reversed_}"
    return f"{amount:,}: billing.charges has how it is made up"


def _factors(
    line: dict[str, Any],
    model: str | None,
    package_size: Decimal | None,
    tiers: list[dict[str, Any]],
    quantity: Decimal,
) -> Iterator[tuple[str, Fraction]]:
    """Ways to write the amount of the full period, the likeliest first."""
    unit_price = line["unit_price"]
    each = Fraction(unit_price)
    if model in ("flat", "stairstep"):
        yield f"1 × {price(unit_price)}", each
        return
    if model == "package":
        if package_size is None:
            # The terms that stand now are of a line that has ended.
            return
        packages = ceil(Fraction(quantity) / Fraction(package_size))
        words = f"{packages:,} × {price(unit_price)} for {plain(quantity)} in packages"
        yield f"{words} of {plain(package_size)}", packages * each
        return
    if model == "graduated" and line["line_type"] == "recurring":
        yield _graduated(tiers, quantity)
        return
    exact = Fraction(quantity) * each
    words = f"{plain(quantity)} × {price(unit_price)}"
    yield words, exact
    for tier in tiers:
        fee = tier["flat_fee"]
        if tier["tier"] == line["tier"] and fee:
            yield f"{words} + flat fee {price(fee)}", exact + Fraction(fee)


def _graduated(tiers: list[dict[str, Any]], quantity: Decimal) -> tuple[str, Fraction]:
    """The units of each tier at its price, and its flat fee."""
    words, exact = [], Fraction(0)
    for tier in tiers:
        units = min(quantity, tier["up_to"]) - tier["above"]
        if units <= 0:
            continue
        words.append(f"{plain(units)} × {price(tier['unit_price'])}")
        exact += Fraction(units) * Fraction(tier["unit_price"])
        if tier["flat_fee"]:
            words.append(f"flat fee {price(tier['flat_fee'])}")
            exact += Fraction(tier["flat_fee"])
    return f"({' + '.join(words)})", exact


def _rounded(exact: Fraction, cents_step: int) -> Decimal:
    """Half away from zero to the currency's minor unit (A1)."""
    steps = exact * 100 / cents_step
    whole, rest = divmod(abs(steps.numerator), steps.denominator)
    whole += 2 * rest >= steps.denominator
    sign = -1 if steps < 0 else 1
    return Decimal(sign * whole * cents_step) * _CENT
