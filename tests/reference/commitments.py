"""What commitments owe once their period has ended (M1 to M5)."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from fractions import Fraction

from reference.commitment_terms import Commitment, CommitmentVersion
from reference.periods import Period, billing_periods, contract_years
from reference.pricing import line_price, tier_fee, tier_price, tier_that_holds
from reference.records import Charge
from reference.terms import Contract, Line, Version, in_force
from reference.usage import Units
from reference.usage_charges import charged_units
from reference.values import ONE_DAY, as_price, as_quantity, days, rounded

ZERO = Fraction(0)
NOTHING = Decimal(0)


@dataclass(frozen=True)
class Pledge:
    """A commitment beside what counts towards it.

    `units` are those of its line that are not free (U6), `charges` all charges due of
    its contract that are in its scope (M4).
    """

    contract: Contract
    commitment: Commitment
    line: Line | None
    units: list[Units]
    charges: list[Charge]

    @property
    def places(self) -> int:
        """Committed and projected are whole units, or minor units (M1, M6)."""
        return self.contract.decimals if self.commitment.is_spend else 0

    def version(self, when: date) -> CommitmentVersion:
        """The commitment's version in force that day."""
        return in_force(list(self.commitment.versions), when)

    def actual(self, first: date, last: date) -> Fraction:
        """Units dated, or charges with service_start, in these days (M1, M4)."""
        if self.commitment.is_spend:
            counted = [
                Fraction(charge.amount)
                for charge in self.charges
                if first <= charge.service_start <= last
            ]
        else:
            counted = [
                unit.quantity for unit in self.units if first <= unit.when <= last
            ]
        return sum(counted, ZERO)


def pledges(
    contract: Contract, charges: list[Charge], units: dict[str, list[Units]]
) -> list[Pledge]:
    """The commitments of a contract; one whose line is not known yet is left out.

    `charges` are all that the contract owes but for commitments and milestones.
    """
    lines = {line.line_id: line for line in contract.lines}
    found = []
    for commitment in contract.commitments:
        line = lines.get(commitment.line_id)
        if commitment.line_id and line is None:
            continue
        counted = []
        if line is not None and not commitment.is_spend:
            counted = charged_units(contract, line, units.get(line.line_id, []))
        in_scope = [charge for charge in charges if _counts(commitment, charge)]
        found.append(Pledge(contract, commitment, line, counted, in_scope))
    return found


def _counts(commitment: Commitment, charge: Charge) -> bool:
    """Whether a charge is in a commitment's scope (M4)."""
    if commitment.line_id:
        return charge.line_id == commitment.line_id
    if commitment.counts_usage_only:
        return charge.line_type == "usage"
    return charge.line_type in ("recurring", "usage")


def commitment_periods(pledge: Pledge) -> list[Period]:
    """Its periods, cut to its own days and its contract's, at full length (M1)."""
    contract, commitment, line = pledge.contract, pledge.commitment, pledge.line
    if commitment.is_yearly:
        periods = contract_years(contract)
    elif line is None or line.pricing_model == "percentage":
        periods = billing_periods(contract, "monthly")
    else:
        periods = billing_periods(contract, line.frequency)
    return [
        replace(period, first=max(period.first, commitment.begins))
        for period in periods
        if period.last >= commitment.begins
    ]


def committed(pledge: Pledge, period: Period) -> Decimal:
    """What is committed for a period: each day its version's share of it (M1)."""
    at_end = pledge.version(period.last)
    if not at_end.is_prorated:
        return as_quantity(at_end.committed)
    by_day = (
        pledge.version(when).committed for when in days(period.first, period.last)
    )
    return rounded(sum(by_day, ZERO) / period.full_days, pledge.places)


def last_active_version(line: Line, last: date) -> Version | None:
    """The line's version on its last active day up to that one."""
    until = [version for when, version in line.active.items() if when <= last]
    return until[-1] if until else None


def shortfall_price(pledge: Pledge, period: Period) -> Decimal | None:
    """The price of a missing unit at the period's end (M2).

    None where the rule names none: the line was never active up to then.
    """
    own = pledge.version(period.last).shortfall_price
    if own is not None:
        return as_price(own)
    version = last_active_version(pledge.line, period.last)
    if version is None:
        return None
    if pledge.line.pricing_model == "per_unit":
        return line_price(version).net
    assert pledge.line.pricing_model in ("graduated", "volume"), "M2 needs a price"
    tier = tier_that_holds(version, Fraction(committed(pledge, period)))
    return tier_price(version, tier).net


def commitment_charge(pledge: Pledge, period: Period, as_of: date) -> Charge | None:
    """What a period owes; known only when it has ended (C7), dated the day after (M5).

    None if it owes nothing.
    """
    if period.last >= as_of:
        return None
    if pledge.commitment.is_spend:
        owed = _minimum_spend(pledge, period)
    elif pledge.commitment.is_rerate:
        owed = _rerate(pledge, period)
    else:
        owed = _shortfall(pledge, period)
    if owed is None:
        return None
    quantity, unit_price, exact_amount = owed
    at_end = pledge.version(period.last)
    terms = pledge.line and last_active_version(pledge.line, period.last)
    return Charge(
        contract_id=pledge.contract.contract_id,
        line_id=pledge.commitment.line_id or None,
        commitment_id=pledge.commitment.commitment_id,
        product_id=terms.product_id if terms else None,
        line_type="minimum_spend" if pledge.commitment.is_spend else "true_up",
        service_start=period.first,
        service_end=period.last,
        version_start=at_end.effective_on,
        unit_price=unit_price,
        quantity=as_quantity(quantity),
        amount=rounded(exact_amount, pledge.contract.decimals),
        amendment_id=at_end.amendment_id or None,
        own_date=period.last + ONE_DAY,
    )


Owed = tuple[Fraction, Decimal | None, Fraction]
"""Quantity, unit price and the amount before it is rounded (A6)."""


def _shortfall(pledge: Pledge, period: Period) -> Owed | None:
    """Missing units at the shortfall price (M2)."""
    missing = Fraction(committed(pledge, period)) - pledge.actual(
        period.first, period.last
    )
    price = shortfall_price(pledge, period)
    if missing <= 0 or price is None:
        return None
    return missing, price, missing * Fraction(price)


def _minimum_spend(pledge: Pledge, period: Period) -> Owed | None:
    """What charges in scope fall short of the committed spend by (M4)."""
    missing = Fraction(committed(pledge, period)) - pledge.actual(
        period.first, period.last
    )
    return (Fraction(1), None, missing) if missing > 0 else None


def _rerate(pledge: Pledge, period: Period) -> Owed | None:
    """The year's units at the tier they reached, less what they were charged (M3)."""
    line = pledge.line
    units = [u for u in pledge.units if period.first <= u.when <= period.last]
    actual = sum((unit.quantity for unit in units), ZERO)
    if not actual:
        return None
    total = ZERO
    for unit in units:
        version = line.active[unit.when]
        price = tier_price(version, tier_that_holds(version, actual))
        total += unit.quantity * Fraction(price.net)
    last = last_active_version(line, period.last)
    total += Fraction(tier_fee(last, tier_that_holds(last, actual)).net)
    charged = sum(
        (
            Fraction(charge.amount)
            for charge in pledge.charges
            if period.first <= charge.service_start <= period.last
        ),
        ZERO,
    )
    difference = Fraction(rounded(total, pledge.contract.decimals)) - charged
    return (actual, None, difference) if difference else None


def commitment_charges(pledged: list[Pledge], as_of: date) -> Iterator[Charge]:
    """The true-ups and minimum spends of all periods that have ended."""
    for pledge in pledged:
        for period in commitment_periods(pledge):
            charge = commitment_charge(pledge, period, as_of)
            if charge is not None:
                yield charge
