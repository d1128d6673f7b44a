"""What each charge due earns in each month (V1, V2)."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from fractions import Fraction

from reference.records import Charge, Landing
from reference.terms import Contract
from reference.values import add_months, day, days, rounded, text

ZERO = Fraction(0)

Month = date
"""The first day of a month."""

Earned = dict[Month | None, Decimal]
"""What belongs to each month; what is on hold is under None."""


@dataclass(frozen=True)
class Known:
    """What is known by the as-of day, beside the charges."""

    landing: Landing
    contracts: dict[str, Contract]
    as_of: date
    earned: dict[tuple, Earned] = field(default_factory=dict)
    """By the identity of a charge, what was reckoned of it already."""


def month_of(when: date) -> Month:
    """The month that a day lies in."""
    return when.replace(day=1)


def following(month: Month, months: int = 1) -> Month:
    """The month so many months on."""
    return date(*add_months(month.year, month.month, months), 1)


def months(first: Month, last: Month) -> Iterator[Month]:
    """Every month from the first to the last, both included."""
    while first <= last:
        yield first
        first = following(first)


def earned(charge: Charge, known: Known) -> Earned:
    """The months of a charge, which sum to it; those without an amount are left out."""
    if charge.identity not in known.earned:
        known.earned[charge.identity] = _earned(charge, known)
    return known.earned[charge.identity]


def _earned(charge: Charge, known: Known) -> Earned:
    places = known.contracts[charge.contract_id].decimals
    if charge.line_type == "milestone":
        earned_days = _milestone_days(charge, known)
        if earned_days is None:
            return {None: charge.amount} if charge.amount else {}
    elif charge.line_type in ("true_up", "minimum_spend"):
        earned_days = [charge.service_end]
    elif charge.revenue_rule == "as_used":
        return spread(charge.amount, units_by_month(charge), places)
    else:
        earned_days = list(days(charge.service_start, charge.service_end))
    weights: dict[Month, Fraction] = {}
    for when in earned_days:
        weights[month_of(when)] = weights.get(month_of(when), ZERO) + 1
    return spread(charge.amount, weights, places)


def units_by_month(charge: Charge) -> dict[Month, Fraction]:
    """The units of a usage charge by month of service."""
    weights: dict[Month, Fraction] = {}
    for (when, _), units in charge.dated.items():
        weights[month_of(when)] = weights.get(month_of(when), ZERO) + units
    return weights


def spread(amount: Decimal, weights: dict[Month, Fraction], places: int) -> Earned:
    """An amount over months: differences of its rounded cumulative share (V1)."""
    total = sum(weights.values(), ZERO)
    shares: Earned = {}
    so_far, before = ZERO, Decimal(0)
    for month in sorted(weights):
        so_far += weights[month]
        cumulative = rounded(Fraction(amount) * so_far / total, places)
        if cumulative != before:
            shares[month] = cumulative - before
        before = cumulative
    return shares


def _milestone_days(charge: Charge, known: Known) -> list[date] | None:
    """The days over which a milestone is earned; None while it is on hold (V2)."""
    contract = known.contracts[charge.contract_id]
    milestones = [
        row
        for row in known.landing.rows("milestones")
        if row["contract_id"] == charge.contract_id
    ]
    (own,) = [row for row in milestones if row["milestone_id"] == charge.milestone_id]
    since = charge.service_start
    # A milestone that names itself, or its own kind, waits for no other.
    waits_for = text(own, "recognize_on", own["milestone"])
    if waits_for != own["milestone"]:
        completed = _all_completed(
            [row for row in milestones if row["milestone"] == waits_for], known.as_of
        )
        if completed is None and contract.ends_on >= known.as_of:
            return None
        # It was on hold until the contract's last day at the latest, whatever
        # is completed afterwards.
        since = max(since, min(completed or contract.ends_on, contract.ends_on))
    if text(own, "recognition") != "ratable_to_contract_end":
        return [since]
    until = min(contract.own_ends_on, contract.ends_on)
    if since > contract.own_ends_on:
        until = contract.ends_on
    # After the end there is one day left: its own.
    return list(days(since, max(since, until)))


def _all_completed(milestones: list[dict[str, str]], as_of: date) -> date | None:
    """The day the last of them was completed; None if one is not, or there is none."""
    dates = [day(text(row, "completed_on")) for row in milestones]
    if not dates or any(when is None or when > as_of for when in dates):
        return None
    return max(dates)
