"""The Dagster code location: landed files become issued, published invoices.

Everything is listed here by name. Runs go one at a time, each in one process: the
warehouse has one writer.
"""

import dagster as dg

from orchestration.billing_run import BillingRun
from orchestration.intake_assets import contract_tables, usage_rows
from orchestration.invoice_assets import issued_invoices, ledger_tables, publication
from orchestration.model_assets import billing_models

billing_job = dg.define_asset_job(
    "billing",
    selection=dg.AssetSelection.all(),
    executor_def=dg.in_process_executor,
    description="Load, build, check, issue if a day is given, publish.",
)

nightly_build = dg.ScheduleDefinition(
    name="nightly_build",
    job=billing_job,
    cron_schedule="0 3 * * *",
    description="What is known this morning, as drafts; issues nothing.",
)


@dg.schedule(job=billing_job, cron_schedule="0 5 1 * *")
def monthly_close(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """Issue every invoice dated through the first of the month that begins."""
    day = context.scheduled_execution_time.date().isoformat()
    run = BillingRun(as_of=day, issue_through=day)
    return dg.RunRequest(
        run_key=f"close-{day}",
        run_config={
            "resources": {
                "billing_run": {
                    "config": {
                        "home": run.home,
                        "landing": run.landing,
                        "as_of": day,
                        "issue_through": day,
                    }
                }
            }
        },
    )


defs = dg.Definitions(
    assets=[
        contract_tables,
        usage_rows,
        ledger_tables,
        billing_models,
        issued_invoices,
        publication,
    ],
    jobs=[billing_job],
    schedules=[nightly_build, monthly_close],
    resources={"billing_run": BillingRun()},
    executor=dg.in_process_executor,
)
