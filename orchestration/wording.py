"""How documents write numbers and break lines: plain text, 100 columns wide."""

import textwrap
from decimal import Decimal

from orchestration.currencies import currency_decimals

WIDTH = 100


def price(value: Decimal) -> str:
    """A price with its cents, and more places only where it has them."""
    whole, _, places = f"{value:,f}".partition(".")
    return f"{whole}.{places.rstrip('0').ljust(2, '0')}"


def plain(value: Decimal) -> str:
    """A decimal without the zeros at its end: 90, 1.5, 1,000."""
    text = f"{value:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def counted(number: int, noun: str) -> str:
    """How many of something: 1 problem, 2 problems."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def ends(left: str | None, right: str) -> str:
    """One line with text at its left end and at its right end."""
    left = left or ""
    return f"{left}{right:>{max(WIDTH - len(left), 0)}}".rstrip()


def wrapped(first: str, words: str) -> list[str]:
    """The words in lines no wider than the document, `first` before the first."""
    return textwrap.wrap(
        words, WIDTH, initial_indent=first, subsequent_indent=" " * len(first)
    )


def figure(amount: Decimal, currency: str) -> str:
    """An amount in the decimals of its currency, without its name."""
    return f"{amount:,.{currency_decimals().get(currency, 2)}f}"


def money(amount: Decimal, currency: str) -> str:
    """An amount in the decimals of its currency: 1,234.50 USD, 10,000 JPY."""
    return f"{figure(amount, currency)} {currency}"
