"""Recurring charges (R1 to R3)."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from fractions import Fraction

from reference.periods import Period, billing_periods, invoice_date
from reference.pricing import (
    line_price,
    share_out,
    split_by_tier,
    tier_fee,
    tier_price,
    tier_that_holds,
)
from reference.records import Charge, Shares
from reference.terms import Contract, Line, Version
from reference.values import as_price, as_quantity, days, rounded

ONE = Fraction(1)


def recurring_charges(contract: Contract, line: Line) -> Iterator[Charge]:
    """A charge for each segment of each billing period, to the contract's end."""
    for period in billing_periods(contract, line.frequency):
        for segment in _segments(contract, line, period):
            version, quantity, facilities = _terms(contract, line, segment[0])
            if quantity > 0:
                yield _charge(
                    contract, line, period, segment, version, quantity, facilities
                )


def _terms(
    contract: Contract, line: Line, when: date
) -> tuple[Version | None, Fraction, tuple[str, ...]]:
    """Version, quantity and facilities of a day (R2)."""
    version = line.active.get(when)
    if version is None:
        return None, Fraction(0), ()
    if line.by_covered_facilities:
        facilities = contract.covered_facilities(when)
        quantity = Fraction(len(facilities))
    else:
        facilities = ()
        quantity = version.quantity
    return version, quantity - version.included_quantity, facilities


def _segments(contract: Contract, line: Line, period: Period) -> list[list[date]]:
    """The longest runs of days with the same terms (R1)."""
    segments: list[list[date]] = []
    terms_before = None
    for when in days(period.first, period.last):
        terms = _terms(contract, line, when)
        if not segments or terms != terms_before:
            segments.append([])
        segments[-1].append(when)
        terms_before = terms
    return segments


def _charge(
    contract: Contract,
    line: Line,
    period: Period,
    segment: list[date],
    version: Version,
    quantity: Fraction,
    facilities: tuple[str, ...],
) -> Charge:
    model = line.pricing_model
    listed, discount, tier = version.unit_price, version.discount_percent, None
    shown_quantity = quantity
    if model == "flat":
        unit_price = line_price(version).net
        full = Fraction(unit_price)
        shown_quantity = ONE
    elif model == "per_unit":
        unit_price = line_price(version).net
        full = quantity * Fraction(unit_price)
    elif model == "graduated":
        full = graduated(version, quantity)
        unit_price = as_price(full / quantity)
    elif model == "volume":
        reached = tier_that_holds(version, quantity)
        price = tier_price(version, reached)
        listed, discount, tier = price.list_price, price.discount_percent, reached.tier
        unit_price = price.net
        full = quantity * Fraction(unit_price) + Fraction(
            tier_fee(version, reached).net
        )
    elif model == "stairstep":
        reached = tier_that_holds(version, quantity)
        listed, tier = reached.flat_fee, reached.tier
        unit_price = tier_fee(version, reached).net
        full = Fraction(unit_price)
    elif model == "package":
        unit_price = line_price(version).net
        full = packages(version, quantity) * Fraction(unit_price)
    else:
        raise AssertionError(f"no recurring charge is priced by {model}")
    proration = Fraction(len(segment), period.full_days)
    amount = rounded(full * proration, contract.decimals)
    return Charge(
        contract_id=contract.contract_id,
        line_id=line.line_id,
        line_type="recurring",
        service_start=segment[0],
        service_end=segment[-1],
        version_start=version.effective_on,
        tier=tier,
        unit_price=unit_price,
        quantity=as_quantity(shown_quantity),
        amount=amount,
        product_id=version.product_id,
        list_price=as_price(listed),
        discount_percent=as_price(discount),
        proration=as_price(proration),
        amendment_id=version.amendment_id or None,
        own_date=invoice_date(line, period),
        shares=_equal_shares(amount, facilities, contract.decimals),
    )


def _equal_shares(amount: Decimal, facilities: tuple[str, ...], places: int) -> Shares:
    """Covered facilities share a charge equally, quantity 1 each (A7)."""
    if not facilities:
        return {}
    return share_out(amount, dict.fromkeys(facilities, ONE), places)


def graduated(version: Version, quantity: Fraction) -> Fraction:
    """Each unit at the price of its tier, with the flat fees of tiers entered (U6)."""
    return sum(
        (
            units * Fraction(tier_price(version, tier).net)
            + Fraction(tier_fee(version, tier).net)
            for tier, units in split_by_tier(version, Fraction(0), quantity)
        ),
        Fraction(0),
    )


def packages(version: Version, quantity: Fraction) -> int:
    """How many packages hold so many units: the last may be broken (U6)."""
    return -(-quantity // version.package_size)
