"""How commitments stand, month by month (M6)."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction

from reference.commitments import (
    NOTHING,
    Pledge,
    commitment_charge,
    commitment_periods,
    committed,
    last_active_version,
    shortfall_price,
)
from reference.periods import Period
from reference.pricing import tier_price, tier_that_holds
from reference.values import ONE_DAY, add_months, as_quantity, rounded

PERCENT_PLACES = 2


@dataclass(frozen=True, kw_only=True)
class Progress:
    """A row of finance.commitment_progress, its columns in their order.

    Units have 4 places, money those of its currency, percents 2.
    """

    commitment_id: str
    contract_id: str
    line_id: str | None
    period_start: date
    period_end: date
    month: date
    committed: Decimal
    actual_to_date: Decimal
    expected_to_date: Decimal
    percent: Decimal | None
    projected: Decimal
    tier: int | None
    projected_true_up: Decimal
    true_up: Decimal | None
    status: str


def commitment_progress(pledged: list[Pledge], as_of: date) -> Iterator[Progress]:
    """A row for each month that a begun period touches up to the day before as-of."""
    yesterday = as_of - ONE_DAY
    for pledge in pledged:
        for period in commitment_periods(pledge):
            month = period.first.replace(day=1)
            while period.first < as_of and month <= min(period.last, yesterday):
                following = date(*add_months(month.year, month.month, 1), 1)
                through = min(following - ONE_DAY, period.last, yesterday)
                yield _row(pledge, period, month, through, as_of)
                month = following


def _row(
    pledge: Pledge, period: Period, month: date, through: date, as_of: date
) -> Progress:
    whole = committed(pledge, period)
    actual = pledge.actual(period.first, through)
    elapsed = (through - period.first).days + 1
    length = (period.last - period.first).days + 1
    projected = rounded(actual * length / elapsed, pledge.places)
    expected = rounded(Fraction(whole) * elapsed / length, pledge.places)
    return Progress(
        commitment_id=pledge.commitment.commitment_id,
        contract_id=pledge.contract.contract_id,
        line_id=pledge.commitment.line_id or None,
        period_start=period.first,
        period_end=period.last,
        month=month,
        committed=whole,
        actual_to_date=as_quantity(actual),
        expected_to_date=expected,
        percent=_percent(actual, whole),
        projected=projected,
        tier=_tier(pledge, through, actual),
        projected_true_up=_projected_true_up(
            pledge, period, through, whole, Fraction(projected)
        ),
        true_up=_true_up(pledge, period, month, as_of),
        status=_status(whole, actual, projected),
    )


def _percent(actual: Fraction, whole: Decimal) -> Decimal | None:
    """None if nothing is committed."""
    if not whole:
        return None
    return rounded(100 * actual / Fraction(whole), PERCENT_PLACES)


def _tier(pledge: Pledge, through: date, actual: Fraction) -> int | None:
    """The tier that so many units have reached; money reaches none."""
    if pledge.commitment.is_spend:
        return None
    version = last_active_version(pledge.line, through)
    if version is None or pledge.line.pricing_model not in ("graduated", "volume"):
        return None
    return tier_that_holds(version, actual).tier


def _projected_true_up(
    pledge: Pledge, period: Period, through: date, whole: Decimal, projected: Fraction
) -> Decimal:
    """What the period would owe if its days to come were like those gone by."""
    if pledge.commitment.is_rerate:
        owed = _projected_rerate(pledge, through, projected)
    else:
        owed = max(Fraction(whole) - projected, Fraction(0))
        if not pledge.commitment.is_spend:
            owed *= Fraction(shortfall_price(pledge, period) or NOTHING)
    return rounded(owed, pledge.contract.decimals)


def _projected_rerate(pledge: Pledge, through: date, projected: Fraction) -> Fraction:
    """Projected units at their tier's price less that of what is committed."""
    version = last_active_version(pledge.line, through)
    if version is None:
        return Fraction(0)
    reached = tier_that_holds(version, projected)
    expected = tier_that_holds(version, pledge.version(through).committed)
    return projected * (
        Fraction(tier_price(version, reached).net)
        - Fraction(tier_price(version, expected).net)
    )


def _true_up(
    pledge: Pledge, period: Period, month: date, as_of: date
) -> Decimal | None:
    """What is due, in the row of the month in which the period ended."""
    if period.last >= as_of or period.last.replace(day=1) != month:
        return None
    charge = commitment_charge(pledge, period, as_of)
    return charge.amount if charge else NOTHING


def _status(whole: Decimal, actual: Fraction, projected: Decimal) -> str:
    if actual >= Fraction(whole):
        return "met"
    return "on_track" if projected >= whole else "at_risk"
