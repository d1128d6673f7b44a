"""Commands of `billing` about closed months."""

from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from orchestration.errors import UsageError
from orchestration.options import DEFAULT_HOME, HomeOption, stopped_in_words

app = typer.Typer()

# Contracts are taken to run in these years; in no other is anything to be closed.
_FIRST, _LAST = date(1990, 1, 1), date(2100, 12, 1)


def month_of(text: str) -> date:
    """The first day of a month as typed. Raises UsageError if none is closed so."""
    try:
        month = date.fromisoformat(f"{text}-01")
    except ValueError:
        raise UsageError(f"{text}: give a month as YYYY-MM") from None
    if not _FIRST <= month <= _LAST:
        raise UsageError(
            f"{text}: months from {_FIRST:%Y-%m} to {_LAST:%Y-%m} can be closed"
        )
    return month


@app.command()
def journal(
    month: Annotated[
        str, typer.Argument(metavar="MONTH", help="The accounting month, as YYYY-MM.")
    ],
    out: Annotated[
        Path, typer.Option("--out", metavar="FILE", help="The CSV file to write.")
    ],
    home: HomeOption = DEFAULT_HOME,
    even_open: Annotated[
        bool, typer.Option("--open", help="Even if the month is not closed yet.")
    ] = False,
) -> None:
    """Write the journal of a closed month as CSV, for the ERP."""
    first = month_of(month)
    from orchestration.journal_export import export_journal
    from orchestration.wording import money

    with stopped_in_words():
        totals = export_journal(home, first, out, even_open=even_open)
    if not totals:
        print(f"Nothing is booked in {month}")
    for currency, (lines, debits) in totals.items():
        print(
            f"{currency}: {lines:,} lines, debits and credits "
            f"{money(debits, currency)} each"
        )
    print(f"Written: {out}")
