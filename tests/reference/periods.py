"""Billing periods and contract years (C2, C3)."""

from dataclasses import dataclass
from datetime import date

from reference.terms import Contract, Line
from reference.values import ONE_DAY, add_months, day_in_month, days

MONTHS = {"monthly": 1, "quarterly": 3, "annual": 12}


@dataclass(frozen=True)
class Period:
    """A billing period or contract year, cut; `full_days` is its uncut length."""

    first: date
    last: date
    full_days: int


def billing_periods(contract: Contract, frequency: str) -> list[Period]:
    """The billing periods of a contract, in order, the stub first (C3)."""
    year, month = contract.starts_on.year, contract.starts_on.month
    if day_in_month(year, month, contract.anchor_day) < contract.starts_on:
        year, month = add_months(year, month, 1)

    def anchor(number: int) -> date:
        """The first day of that full period; number 0 is the first anchor."""
        months = number * MONTHS[frequency]
        return day_in_month(*add_months(year, month, months), contract.anchor_day)

    periods = []
    number = -1
    while anchor(number) <= contract.ends_on:
        period = Period(
            first=max(anchor(number), contract.starts_on),
            last=min(anchor(number + 1) - ONE_DAY, contract.ends_on),
            full_days=(anchor(number + 1) - anchor(number)).days,
        )
        if period.first <= period.last:
            periods.append(period)
        number += 1
    return periods


def period_of_each_day(contract: Contract, line: Line) -> dict[date, Period]:
    """For every day of the contract the line's billing period that it lies in."""
    return {
        when: period
        for period in billing_periods(contract, line.frequency)
        for when in days(period.first, period.last)
    }


def contract_years(contract: Contract) -> list[Period]:
    """The contract years, in order; the last may be short of its full length (C2)."""
    years = []
    first = contract.starts_on
    while first <= contract.ends_on:
        start = contract.starts_on
        following = day_in_month(first.year + 1, start.month, start.day)
        last = min(following - ONE_DAY, contract.ends_on)
        years.append(Period(first, last, (following - first).days))
        first = following
    return years


def contract_year(contract: Contract, when: date) -> date:
    """The first day of the contract year that a day lies in (C2)."""
    return next(
        year.first
        for year in contract_years(contract)
        if year.first <= when <= year.last
    )


def invoice_date(line: Line, period: Period) -> date:
    """The date that a charge of this line and period gets by itself (C4)."""
    return period.last + ONE_DAY if line.is_arrears else period.first
