"""Reading text as dates and numbers, and the one way to round (A1)."""

import calendar
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

ONE_DAY = timedelta(days=1)
HALF = Fraction(1, 2)
PRICE_PLACES = 8
QUANTITY_PLACES = 4


def text(row: dict[str, str], column: str, default: str = "") -> str:
    """The value of a column; an absent or empty one is the default."""
    return row.get(column) or default


def day(value: str) -> date | None:
    """A calendar date, None where the text is empty."""
    return date.fromisoformat(value) if value else None


def number(value: str) -> Fraction | None:
    """An exact number, None where the text is empty."""
    return Fraction(Decimal(value)) if value else None


def rounded(value: Fraction, places: int) -> Decimal:
    """The value to so many decimals, half away from zero (A1)."""
    units = int(abs(value) * 10**places + HALF)
    return Decimal(units if value >= 0 else -units).scaleb(-places)


def as_price(value: Fraction) -> Decimal:
    """A price as it is published, to 8 places."""
    return rounded(value, PRICE_PLACES)


def as_quantity(value: Fraction) -> Decimal:
    """A quantity as it is published; units never have more than 4 places."""
    exact = rounded(value, QUANTITY_PLACES)
    assert Fraction(exact) == value, f"a quantity of more than 4 places: {value}"
    return exact


def days(first: date, last: date) -> Iterator[date]:
    """Every day from the first to the last, both included."""
    while first <= last:
        yield first
        first += ONE_DAY


def day_in_month(year: int, month: int, wanted: int) -> date:
    """That day of the month, or the month's last where it is shorter (C3)."""
    return date(year, month, min(wanted, calendar.monthrange(year, month)[1]))


def add_months(year: int, month: int, months: int) -> tuple[int, int]:
    """The year and month so many months on (or back)."""
    count = year * 12 + (month - 1) + months
    return count // 12, count % 12 + 1
