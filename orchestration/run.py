"""One run of the billing job in this process, and what came of it."""

import contextlib
import functools
import gc
import os
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

import dagster as dg

from orchestration import ledger, progress
from orchestration.audit import AuditLog
from orchestration.errors import BillingError, is_interruption
from orchestration.expectations_process import expectations_process
from orchestration.home import Home
from orchestration.keys import Keys
from orchestration.warehouse import open_files


@dataclass(frozen=True)
class Settings:
    """What a run is asked to do; see BillingRun."""

    home: Path
    landing: Path
    as_of: date
    issue_through: date | None = None
    close_month: date | None = None
    accept_missing: tuple[str, ...] = ()
    target: str | None = None
    max_adjustment: Decimal | None = None


def run_billing(settings: Settings) -> list[str]:
    """Run the job; returns the numbers of the invoices it issued, in order.

    Raises BillingError when a check or a rule stopped it: the message says what was
    issued before that, if anything was.
    """
    home = Home(settings.home)
    with home.lock("billing run"):
        before: set[str] | None = None
        try:
            before = set(_issued(home))
            _execute(settings, home)
        except BillingError as error:
            # What stops the log or the ledger too must not hide what stopped the run.
            with contextlib.suppress(BillingError):
                _name_what_was_issued(error, home, before)
            with contextlib.suppress(BillingError):
                AuditLog(home.audit).append(
                    "refusal", "run", detail={"why": str(error)}
                )
                error.is_noted = True
            raise
        finally:
            progress.finish()
        return [number for number in _issued(home) if number not in before]


def _name_what_was_issued(
    error: BillingError, home: Home, before: set[str] | None
) -> None:
    """Add to a refusal the invoices that the run had issued by then, if any."""
    if before is None:
        return
    issued = [number for number in _issued(home) if number not in before]
    if issued:
        error.add(
            f". Issued before that: {', '.join(issued)}; the publication is "
            "still the last good one, and the next run publishes them"
        )


def _execute(settings: Settings, home: Home) -> None:
    os.environ["BILLING_HOME"] = str(home.path)
    expectations_process()
    job = _billing_job()
    billing_run = {
        "home": str(home.path),
        "landing": str(settings.landing.absolute()),
        "as_of": settings.as_of.isoformat(),
        "issue_through": (
            settings.issue_through.isoformat() if settings.issue_through else ""
        ),
        "close_month": (
            f"{settings.close_month:%Y-%m}" if settings.close_month else ""
        ),
        "accept_missing": list(settings.accept_missing),
        "max_adjustment": (
            "" if settings.max_adjustment is None else str(settings.max_adjustment)
        ),
        "dbt_target": settings.target,
    }
    # In memory: keeping each event in Dagster's own database would take longer than
    # the billing. What a run did is in the audit log.
    with dg.DagsterInstance.ephemeral() as instance:
        if instance.is_ephemeral:
            # Its database in memory still takes a tenth of a run, and nobody can look
            # into it. Dagster has no setting for that.
            instance.event_log_storage.store_event = lambda event: None
        try:
            job.execute_in_process(
                instance=instance,
                run_config={
                    "resources": {"billing_run": {"config": billing_run}},
                    "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
                },
            )
        except (Exception, dg.DagsterExecutionInterruptedError) as error:
            raise _reason(error) from error


@functools.cache
def _billing_job() -> dg.JobDefinition:
    """The job, made when first asked for: its assets need a home and its keys."""
    from orchestration.definitions import defs

    job = defs.resolve_job_def("billing")
    # What was imported stays; the collector need not look through it at every run.
    gc.freeze()
    return job


def _reason(error: BaseException) -> BaseException:
    """What stopped a run, taken out of what Dagster wraps around it."""
    seen: list[BaseException] = []
    cause: BaseException | None = error
    # Dagster raises again what it caught, so that the chain may come round to itself.
    while cause is not None and not any(cause is one for one in seen):
        if isinstance(cause, BillingError):
            return cause
        if isinstance(cause, dg.DagsterExecutionInterruptedError) or is_interruption(
            cause
        ):
            return KeyboardInterrupt()
        seen.append(cause)
        cause = cause.__cause__ or cause.__context__
    return error


def _issued(home: Home) -> list[str]:
    if not home.ledger.exists():
        return []
    with open_files(home, Keys.of(home)) as connection:
        ledger.open_ledger(connection)
        rows = connection.execute(
            "select invoice_number from ledger.book.invoices order by 1"
        ).fetchall()
    return [number for (number,) in rows]
