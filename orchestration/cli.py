"""The `billing` command: a thin face of the Dagster job and of the ledger."""

import contextlib
import signal
import sys
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated

import typer

from orchestration import receivable_commands, revenue_commands, safety_commands
from orchestration.errors import BillingError, UsageError
from orchestration.noted import NotedCommands
from orchestration.options import (
    DEFAULT_HOME,
    AsOfOption,
    HomeOption,
    day_of,
    stopped_in_words,
    there,
)
from orchestration.project import PROJECT_DIR
from orchestration.revenue_commands import month_of

app = typer.Typer(
    name="billing",
    cls=NotedCommands,
    help="Invoices for hospitals and health systems, made from usage in the warehouse.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(safety_commands.app)
app.add_typer(receivable_commands.app)
app.add_typer(revenue_commands.app)

LandingOption = Annotated[
    Path,
    typer.Option(
        "--landing", envvar="BILLING_LANDING", metavar="DIR", help="Where files land."
    ),
]
TargetOption = Annotated[
    str | None,
    typer.Option("--target", metavar="NAME", help="Engine: a target of profiles.yml."),
]
AcceptOption = Annotated[
    list[str],
    typer.Option(
        "--accept-missing",
        metavar="NAME",
        help="An input of an earlier issue that may be gone.",
    ),
]
MaxAdjustmentOption = Annotated[
    str | None,
    typer.Option(
        "--max-adjustment",
        metavar="PERCENT",
        help="Stop if closed periods of a customer would be adjusted by more than "
        "this share of its last twelve months' billing.",
    ),
]
DEFAULT_LANDING = PROJECT_DIR / "samples"


@app.command()
def run(
    landing: LandingOption = DEFAULT_LANDING,
    home: HomeOption = DEFAULT_HOME,
    as_of: AsOfOption = None,
    issue_through: Annotated[
        str | None,
        typer.Option(
            "--issue-through", metavar="DATE", help="Issue drafts dated up to this day."
        ),
    ] = None,
    accept_missing: AcceptOption = [],  # noqa: B006
    max_adjustment: MaxAdjustmentOption = None,
    target: TargetOption = None,
) -> None:
    """Load, build, check, issue if a day is given, publish."""
    as_of_day = day_of("--as-of", as_of) if as_of else date.today()
    issue_day = day_of("--issue-through", issue_through) if issue_through else None
    if issue_day is not None and issue_day > as_of_day:
        raise UsageError(
            f"--issue-through {issue_day} is after --as-of {as_of_day}: "
            "what happens until then is not known yet"
        )
    limit = _percent("--max-adjustment", max_adjustment)
    _check_inputs(landing, target)
    with _lock(home, "billing run"):
        _bill(landing, home, as_of_day, issue_day, accept_missing, target, limit)


@app.command()
def close(
    month: Annotated[
        str, typer.Argument(metavar="MONTH", help="The month to close, as YYYY-MM.")
    ],
    landing: LandingOption = DEFAULT_LANDING,
    home: HomeOption = DEFAULT_HOME,
    as_of: AsOfOption = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Show what would be issued and posted only."),
    ] = False,
    accept_missing: AcceptOption = [],  # noqa: B006
    target: TargetOption = None,
) -> None:
    """Issue all that is dated through the first day after MONTH, then post MONTH."""
    first_day = month_of(month)
    first = _next_month(first_day)
    as_of_day = day_of("--as-of", as_of) if as_of else first
    if as_of_day < first:
        raise UsageError(
            f"--as-of {as_of_day} is before {first}: "
            f"{month} can be closed when it is over"
        )
    _check_inputs(landing, target)
    with _lock(home, f"billing close {month}"):
        _close(
            month_of(month), as_of_day, landing, home, accept_missing, target, dry_run
        )


@app.command()
def replay(
    from_month: Annotated[
        str, typer.Option("--from", metavar="MONTH", help="First month, YYYY-MM.")
    ],
    to_month: Annotated[
        str, typer.Option("--to", metavar="MONTH", help="Last month, YYYY-MM.")
    ],
    landing: LandingOption = DEFAULT_LANDING,
    home: HomeOption = DEFAULT_HOME,
    accept_missing: AcceptOption = [],  # noqa: B006
    target: TargetOption = None,
) -> None:
    """Close each month in turn, as each would have run then."""
    month, last = month_of(from_month), month_of(to_month)
    if month > last:
        raise UsageError(f"--from {from_month} is after --to {to_month}")
    _check_inputs(landing, target)
    with _lock(home, f"billing replay --from {from_month} --to {to_month}"):
        while month <= last:
            first = _next_month(month)
            _close(month, first, landing, home, accept_missing, target)
            month = first


@app.command()
def invoice(
    number: Annotated[
        str, typer.Argument(metavar="NUMBER", help="The invoice's number.")
    ],
    home: HomeOption = DEFAULT_HOME,
) -> None:
    """Show an issued invoice as text."""
    from orchestration.documents import invoice_text

    with stopped_in_words():
        sys.stdout.write(invoice_text(home, number))


@app.command()
def explain(
    number: Annotated[
        str, typer.Argument(metavar="NUMBER", help="The invoice's number.")
    ],
    line: Annotated[
        int | None,
        typer.Option("--line", metavar="N", help="The whole story of one line."),
    ] = None,
    home: HomeOption = DEFAULT_HOME,
) -> None:
    """Lead an issued invoice back to terms, prices, counts and causes."""
    from orchestration.explain import explain as story

    with stopped_in_words():
        sys.stdout.write(story(home, number, line))


@app.command("what-if")
def what_if(
    landing: Annotated[
        Path | None,
        typer.Option(
            "--landing", metavar="DIR", help="A landing directory: other terms."
        ),
    ] = None,
    models: Annotated[
        Path | None,
        typer.Option(
            "--models", metavar="DIR", help="A folder of dbt models: other SQL."
        ),
    ] = None,
    home: HomeOption = DEFAULT_HOME,
    as_of: AsOfOption = None,
    max_adjustment: MaxAdjustmentOption = None,
) -> None:
    """Show the bill under other terms or other SQL beside today's; keep nothing."""
    if landing is None and models is None:
        raise UsageError("give what is other: --landing DIR, --models DIR, or both")
    for option, folder in (("--landing", landing), ("--models", models)):
        if folder is not None:
            there(option, folder)
    as_of_day = day_of("--as-of", as_of) if as_of else None
    limit = _percent("--max-adjustment", max_adjustment)
    from orchestration.what_if import what_if as compare

    with stopped_in_words():
        compare(home, landing, models, as_of_day, limit)


@app.command()
def sample(
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="A new or empty directory.")
    ],
    facilities: Annotated[
        int,
        typer.Option(
            "--facilities", metavar="N", help="How many hospitals and clinics."
        ),
    ] = 230,
    encounters: Annotated[
        int,
        typer.Option(
            "--encounters", metavar="N", help="How many encounters in the year."
        ),
    ] = 500_000,
    seed: Annotated[
        int,
        typer.Option(
            "--seed", metavar="N", help="Another seed, another health system."
        ),
    ] = 2025,
) -> None:
    """Write a landing directory of an invented health system, to try things out."""
    from orchestration.sample import write_sample

    write_sample(out, facilities, encounters, seed)


@contextlib.contextmanager
def _lock(home: Path, command: str) -> Iterator[None]:
    """Hold the home for the whole of a command; the runs within it share the lock."""
    from orchestration.home import Home

    with stopped_in_words(), Home(home).lock(command):
        yield


def _bill(
    landing: Path,
    home: Path,
    as_of: date,
    issue_through: date | None,
    accept_missing: list[str],
    target: str | None,
    max_adjustment: Decimal | None = None,
    close_month: date | None = None,
) -> None:
    from orchestration.run import Settings, run_billing
    from orchestration.summary import print_summary

    issued = run_billing(
        Settings(
            home,
            landing,
            as_of,
            issue_through,
            close_month,
            tuple(accept_missing),
            target,
            max_adjustment,
        )
    )
    print_summary(home, as_of, issued)


def _close(
    month: date,
    as_of: date,
    landing: Path,
    home: Path,
    accept_missing: list[str],
    target: str | None,
    dry_run: bool = False,
) -> None:
    from orchestration.closing import check_order, closing_of_home, following
    from orchestration.summary import print_close, print_drafts, print_postings

    first = following(month)
    last = closing_of_home(home)
    if last is not None and month <= last.month and last.is_kept:
        print(
            f"{month:%Y-%m} is closed already; nothing was posted. What came since is "
            f"posted with the close of {following(last.month):%Y-%m}"
        )
        return
    check_order(last, month)
    if dry_run:
        _bill(landing, home, as_of, None, accept_missing, target)
        print_drafts(home, first)
        print_postings(home, month)
    else:
        _bill(landing, home, as_of, first, accept_missing, target, close_month=month)
        print_close(home, month)


def _check_inputs(landing: Path, target: str | None) -> None:
    """Raises UsageError, before anything is loaded, if one of the two isn't there."""
    there("--landing", landing)
    if target is None:
        return
    from orchestration.project import engines

    if target not in engines():
        raise UsageError(
            f"--target {target}: profiles.yml has no such target; give one of "
            f"{', '.join(engines())}"
        )


def _percent(option: str, text: str | None) -> Decimal | None:
    if text is None:
        return None
    try:
        percent = Decimal(text)
    except InvalidOperation:
        percent = Decimal("NaN")
    if not percent.is_finite() or percent < 0:
        raise UsageError(f"{option} {text}: give a percentage of 0 or more, e.g. 2.5")
    return percent


def _next_month(month: date) -> date:
    return (month + timedelta(days=31)).replace(day=1)


def main() -> None:
    """Run the command; its exit status is 0 done, 1 stopped, 2 bad usage.

    Interrupted it is 130; whatever was under way is as if it had not begun, and the
    next run does it.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        app()
    except BillingError as error:
        print(f"billing: {error.told()}", file=sys.stderr)
        sys.exit(error.exit_status)
