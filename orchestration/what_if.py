"""The bill under other terms or other SQL beside today's; nothing of it is kept."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from orchestration.adjustment_limit import check_adjustments
from orchestration.audit import AuditLog
from orchestration.errors import BillingError, UsageError, replaced
from orchestration.home import Home
from orchestration.keys import Keys
from orchestration.last_run import LastRun, last_published_run
from orchestration.project import DBT_PROJECT_VARIABLE, PROJECT_DIR
from orchestration.run import Settings, run_billing
from orchestration.warehouse import open_files
from orchestration.wording import figure

_console = Console(highlight=False)
_COPIED = "what-if-"

_DRAFTS = """
    select customer_id, currency, invoice_date, invoice_group, sum(total)
    from warehouse.billing.draft_invoices group by all
"""
_DUE = """
    select customer_id, currency, contract_id,
        date_trunc('month', service_from)::date as month, sum(amount)
    from warehouse.billing.charges
    join warehouse.billing.contracts using (contract_id)
    where not is_held
    group by customer_id, currency, contract_id, month
"""
# By the month in which it would be posted: what belongs to closed months, in the first
# that is open (V3).
_REVENUE = """
    select customer_id, currency,
        case when revenue_month is null then 'on hold' else
            strftime(greatest(revenue_month, (
                select max(month) + interval 1 month from ledger.book.closings
            )), '%Y-%m')
        end as month,
        sum(amount)
    from warehouse.finance.revenue_schedule
    where status <> 'posted'
    group by customer_id, currency, month
"""
_COMPARED = (_DRAFTS, _DUE, _REVENUE)


@dataclass(frozen=True)
class Change:
    """A document or month that comes out otherwise; `key` begins with the customer."""

    key: tuple
    today: Decimal
    then: Decimal

    @property
    def difference(self) -> Decimal:
        """What would be more (or, below zero, less) than today."""
        return self.then - self.today


@dataclass(frozen=True)
class Comparison:
    """What changes: drafts by customer, currency, date and group; charges due over
    the whole terms by customer, currency, contract and month of service; revenue to be
    posted by customer, currency and month.
    """

    drafts: list[Change]
    due: list[Change]
    revenue: list[Change]


def what_if(
    home_path: Path,
    landing: Path | None = None,
    models: Path | None = None,
    as_of: date | None = None,
    max_adjustment: Decimal | None = None,
) -> Comparison:
    """Bill a copy of the home twice, as today and changed, and compare.

    `landing` has the other terms, `models` the other SQL: a folder of models, beside
    which macros, seeds and checks are taken too where they lie. Without as-of day, that
    of the last run. Issues nothing; the home is left as it is but for an audit row.
    Raises BillingError if one of the two can't be billed or, with `max_adjustment`,
    if the changed bill adjusts closed periods by more than that percentage.
    """
    home = Home(home_path)
    if models is not None:
        _check_folder(models, home)
    last = _today(home)
    if landing is not None:
        landing = landing.absolute()
    day = as_of or last.as_of
    with home.lock("billing what-if"):
        keys = Keys.of(home)
        AuditLog(home.audit).append(
            "what_if",
            str(landing or models),
            detail={"keys": ["warehouse", "ledger"], "as_of": day.isoformat()},
        )
        with _copy(home) as copy:
            settings = Settings(copy.path, last.landing, day)
            run_billing(settings)
            with open_files(copy, keys) as connection:
                today = [_amounts(connection, sql) for sql in _COMPARED]
            changed = Settings(copy.path, landing or last.landing, day)
            if models is None:
                project = PROJECT_DIR
                run_billing(changed)
            else:
                project = _project_of(models, copy.path / "project")
                _run_by(project, changed)
            with open_files(copy, keys) as connection:
                then = [_amounts(connection, sql) for sql in _COMPARED]
                compared = Comparison(*map(_changes, today, then))
                print_comparison(compared, day)
                if max_adjustment is not None:
                    check_adjustments(connection, max_adjustment, project)
    return compared


def print_comparison(compared: Comparison, day: date) -> None:
    """Tables of what changes, each with its totals, or that nothing does."""
    if not (compared.due or compared.drafts or compared.revenue):
        _console.print(f"Nothing changes, as of {day}.")
        return
    _print_changes(
        f"Documents to be issued that change, as of {day}",
        ("Customer", "Currency", "Date", "Group"),
        compared.drafts,
    )
    _print_changes(
        "Charges due that change, by month of service",
        ("Customer", "Currency", "Contract", "Month"),
        compared.due,
    )
    _print_changes(
        "Revenue to be posted that changes, by month (that of closed months in the "
        "first that is open)",
        ("Customer", "Currency", "Month"),
        compared.revenue,
    )


def _print_changes(
    title: str, headings: tuple[str, ...], changes: list[Change]
) -> None:
    if not changes:
        return
    table = Table(title=title, box=box.SIMPLE, title_justify="left")
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for heading in ("Today", "Then", "Difference"):
        table.add_column(heading, justify="right", no_wrap=True)
    totals: dict[str, list[Decimal]] = {}
    for change in changes:
        amounts = (change.today, change.then, change.difference)
        currency = change.key[1]
        table.add_row(
            *_in_words(change.key), *(figure(amount, currency) for amount in amounts)
        )
        total = totals.setdefault(currency, [Decimal(0)] * 3)
        totals[currency] = [a + b for a, b in zip(total, amounts, strict=True)]
    for currency, amounts in sorted(totals.items()):
        blank = [""] * (len(headings) - 2)
        cells = (figure(amount, currency) for amount in amounts)
        table.add_row("Total", currency, *blank, *cells)
    _console.print(table)


def _in_words(key: tuple) -> Iterator[str]:
    """The key's parts; the days of charges are months."""
    for part in key:
        yield (
            f"{part:%Y-%m}" if part is key[-1] and isinstance(part, date) else f"{part}"
        )


def _check_folder(models: Path, home: Home) -> None:
    """Raises UsageError unless it is a folder of models: it is copied into the home."""
    if (models / "dbt_project.yml").exists():
        raise UsageError(
            f"--models {models}: that is a whole dbt project; give its folder of "
            f"models, {models / 'models'}"
        )
    if home.path.resolve().is_relative_to(models.resolve()):
        raise UsageError(
            f"--models {models}: {home.path} lies in it; give a folder of dbt models"
        )
    if not any(models.rglob("*.sql")):
        raise UsageError(
            f"--models {models}: no SQL file in it; give a folder of dbt models"
        )


def _today(home: Home) -> LastRun:
    """The run that published last, with which all else is compared."""
    run = last_published_run(home)
    if run is None:
        raise BillingError(
            f"{home.path}: nothing was billed here yet, so there is nothing to compare "
            "with; begin with `billing run`"
        )
    return run


@contextmanager
def _copy(home: Home) -> Iterator[Home]:
    """A copy of warehouse, ledger and audit log, then removed.

    Its keys are those of the home itself: a crash must leave no other files of them.
    """
    for left in home.work.glob(f"{_COPIED}*"):
        shutil.rmtree(left)
    with tempfile.TemporaryDirectory(prefix=_COPIED, dir=home.work) as directory:
        copy = Home(directory)
        copy.keys.symlink_to(home.keys, target_is_directory=True)
        copy.create()
        for mine, theirs in (
            (home.warehouse, copy.warehouse),
            (home.ledger, copy.ledger),
            (home.audit, copy.audit),
        ):
            if mine.exists():
                shutil.copy2(mine, theirs)
        try:
            yield copy
        except BillingError as error:
            # What a person can mend is the file that was copied.
            names = {
                str(copy.warehouse): str(home.warehouse),
                str(copy.ledger): str(home.ledger),
            }
            error.args = (replaced(str(error), names),)
            raise


def _project_of(models: Path, project: Path) -> Path:
    """A dbt project as this one, but for the models and what lies beside them."""
    project.mkdir()
    for name in ("dbt_project.yml", "profiles.yml"):
        shutil.copy2(PROJECT_DIR / name, project / name)
    shutil.copytree(models, project / "models")
    for name in ("macros", "seeds", "data_tests"):
        beside = models.absolute().parent / name
        shutil.copytree(
            beside if beside.is_dir() else PROJECT_DIR / name, project / name
        )
    return project


def _run_by(project: Path, settings: Settings) -> None:
    """Run in a process of its own: dbt knows one project in a process."""
    command = "from orchestration.cli import main; main()"
    run = subprocess.run(
        [
            *(sys.executable, "-c", command, "run", "--home", str(settings.home)),
            *("--landing", str(settings.landing), "--as-of", str(settings.as_of)),
        ],
        env=os.environ | {DBT_PROJECT_VARIABLE: str(project)},
        cwd=PROJECT_DIR,
        capture_output=True,
        text=True,
    )
    if run.returncode:
        # Above the error stand the steps that were reached.
        _, _, said = run.stderr.rpartition("\nbilling: ")
        why = said.strip() or f"exit status {run.returncode}"
        raise BillingError(f"with the other models: {why}")


def _amounts(connection: Any, sql: str) -> dict[tuple, Decimal]:
    return {tuple(key): amount for *key, amount in connection.execute(sql).fetchall()}


def _changes(today: dict[tuple, Decimal], then: dict[tuple, Decimal]) -> list[Change]:
    none = Decimal("0.00")
    return [
        Change(key, today.get(key, none), then.get(key, none))
        for key in sorted(today | then)
        if today.get(key, none) != then.get(key, none)
    ]
