"""The Dagster code location: landed files become issued, published invoices.

Everything is listed here by name. Runs go one at a time, each in one process: the
warehouse has one writer.
"""

from datetime import timedelta

import dagster as dg

from orchestration.billing_run import BillingRun
from orchestration.intake_assets import contract_tables, usage_rows
from orchestration.invoice_assets import (
    closed_month,
    issued_invoices,
    ledger_tables,
    publication,
)
from orchestration.model_assets import billing_models
from orchestration.profile_assets import profiled_usage

billing_job = dg.define_asset_job(
    "billing",
    selection=dg.AssetSelection.all(),
    executor_def=dg.in_process_executor,
    description="Load, build, check, issue if a day is given, close if a month is "
    "given, publish.",
)


@dg.schedule(job=billing_job, cron_schedule="0 3 * * *")
def nightly_build(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """What is known this morning, as drafts; issues nothing."""
    return _request(context, "nightly", issue=False)


@dg.schedule(job=billing_job, cron_schedule="0 5 1 * *")
def monthly_close(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """Issue every invoice dated through today, then close the month that is over."""
    return _request(context, "close", issue=True)


def _request(
    context: dg.ScheduleEvaluationContext, name: str, issue: bool
) -> dg.RunRequest:
    """A run as of the day it was due, whenever it is started."""
    day = context.scheduled_execution_time.date().isoformat()
    over = context.scheduled_execution_time.date().replace(day=1) - timedelta(days=1)
    run = BillingRun(
        as_of=day,
        issue_through=day if issue else "",
        close_month=f"{over:%Y-%m}" if issue else "",
    )
    settings = {
        "home": run.home,
        "landing": run.landing,
        "as_of": run.as_of,
        "issue_through": run.issue_through,
        "close_month": run.close_month,
    }
    return dg.RunRequest(
        run_key=f"{name}-{day}",
        run_config={"resources": {"billing_run": {"config": settings}}},
    )


defs = dg.Definitions(
    assets=[
        contract_tables,
        usage_rows,
        ledger_tables,
        billing_models,
        profiled_usage,
        issued_invoices,
        closed_month,
        publication,
    ],
    jobs=[billing_job],
    schedules=[nightly_build, monthly_close],
    resources={"billing_run": BillingRun()},
    executor=dg.in_process_executor,
)
