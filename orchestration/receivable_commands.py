"""Commands of `billing` about what is owed: dunning and statements of account."""

import sys
from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from orchestration.errors import UsageError
from orchestration.options import (
    DEFAULT_HOME,
    AsOfOption,
    HomeOption,
    billed_home,
    day_of,
    stopped_in_words,
    there,
)

app = typer.Typer()


@app.command()
def dun(
    landing: Annotated[
        Path | None,
        typer.Option(
            "--landing",
            metavar="DIR",
            envvar="BILLING_LANDING",
            help="Where files land; that of the last run unless said.",
        ),
    ] = None,
    home: HomeOption = DEFAULT_HOME,
    as_of: AsOfOption = None,
    send: Annotated[
        bool, typer.Option("--send", help="Send what is due, and book it as sent.")
    ] = False,
    approve: Annotated[
        str | None,
        typer.Option("--approve", metavar="NOTICE", help="Let a step go out."),
    ] = None,
    seen: Annotated[
        str | None,
        typer.Option("--seen", metavar="NOTICE", help="One in doubt did arrive."),
    ] = None,
    not_sent: Annotated[
        str | None,
        typer.Option("--not-sent", metavar="NOTICE", help="One in doubt did not go."),
    ] = None,
    by: Annotated[
        str | None, typer.Option("--by", metavar="NAME", help="Who decides.")
    ] = None,
) -> None:
    """Show the next step of each invoice past due and why; send what may go."""
    decided = [one for one in (approve, seen, not_sent) if one is not None]
    if len(decided) > 1:
        raise UsageError("give one of --approve, --seen and --not-sent")
    if bool(decided) != bool(by and by.strip()):
        raise UsageError(
            "--approve, --seen and --not-sent go with --by NAME: the person who decides"
        )
    as_of_day = day_of("--as-of", as_of) if as_of else date.today()
    billed_home(home)
    if landing is not None:
        there("--landing", landing)
    settle = None
    if seen is not None:
        settle = (seen, "seen")
    elif not_sent is not None:
        settle = (not_sent, "failed")
    from orchestration.dunning import dun as show_and_send

    with stopped_in_words():
        show_and_send(
            home,
            as_of_day,
            landing,
            send=send,
            approve=approve,
            settle=settle,
            by=" ".join(by.split()) if by else None,
        )


@app.command()
def statement(
    customer: Annotated[
        str, typer.Argument(metavar="CUSTOMER", help="The customer's id.")
    ],
    home: HomeOption = DEFAULT_HOME,
) -> None:
    """Show what a customer owes: open invoices, payments, credits, disputes."""
    from orchestration.statements import statement as statement_of

    with stopped_in_words():
        sys.stdout.write(statement_of(home, customer))
