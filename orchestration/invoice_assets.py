"""Assets of the ledger and of the publication: what is booked, what people read."""

from collections.abc import Iterator
from datetime import date

import dagster as dg

from orchestration import audit_log, ledger, progress
from orchestration.adjustment_limit import check_adjustments
from orchestration.audit import AuditLog
from orchestration.billing_run import BillingRun
from orchestration.close_report import report_path, write_report
from orchestration.closing import (
    append_closing,
    keep_publication,
    kept_publication,
    last_closing,
)
from orchestration.dbt_project import failure_message
from orchestration.errors import BillingError
from orchestration.files import file_digest
from orchestration.heads import keep_heads
from orchestration.home import Home
from orchestration.ledger_inputs import check_inputs
from orchestration.model_assets import build_again, issuable_keys, log_models
from orchestration.profile_assets import PROFILE_KEYS
from orchestration.publish import publish
from orchestration.warehouse import open_files

_LEDGER_TABLES = (
    "issues",
    "invoices",
    "invoice_lines",
    "invoice_line_facilities",
    "billed_usage",
    "closings",
    "posted_revenue",
    "journal_lines",
    "notice_events",
)


def _after(*names: str) -> str:
    """What dbt selects for all that depends on these tables of the ledger."""
    return " ".join(f"source:ledger.{name}+" for name in names)


# What an issue adds to, and a closing. Of the units that an issue books only settled
# days are read again, and these it can't change (C8).
_ISSUED = _after(
    "issues", "invoices", "invoice_lines", "invoice_line_facilities", "journal_lines"
)
_CLOSED = _after("closings", "posted_revenue", "journal_lines")


@dg.multi_asset(
    name="ledger_tables",
    specs=[
        dg.AssetSpec(
            ["ledger", name],
            group_name="ledger",
            deps=[["raw", "contract_rows"], ["restricted", "usage_rows"]],
        )
        for name in _LEDGER_TABLES
    ],
)
def ledger_tables(billing_run: BillingRun) -> Iterator[dg.MaterializeResult]:
    """What was issued; stops the run if something it rests on is gone (C8)."""
    with open_files(billing_run.state, billing_run.keyring) as connection:
        check_inputs(connection, billing_run.accept_missing)
        for name in _LEDGER_TABLES:
            (rows,) = connection.execute(
                f"select count(*) from ledger.book.{name}"
            ).fetchone()
            yield dg.MaterializeResult(
                asset_key=["ledger", name], metadata={"dagster/row_count": rows}
            )


@dg.asset(
    key=["issue", "issued_invoices"],
    group_name="issue",
    deps=[*issuable_keys(), *PROFILE_KEYS],
)
def issued_invoices(
    context: dg.AssetExecutionContext, billing_run: BillingRun
) -> dg.MaterializeResult:
    """Drafts dated through the issue day become invoices, all of them or none.

    Runs only after every model was built and every check passed, that of adjustments
    to closed periods among them. What depends on the
    ledger is then built again.
    """
    issue_day = billing_run.issue_day
    limit = billing_run.adjustment_limit
    if limit is not None:
        billing_run.require_checked()
        with open_files(billing_run.state, billing_run.keyring) as connection:
            check_adjustments(connection, limit)
    if issue_day is None:
        return dg.MaterializeResult(metadata={"invoices": 0})
    billing_run.require_checked()
    progress.stage(f"Issuing invoices through {issue_day}")
    with open_files(billing_run.state, billing_run.keyring) as connection:
        issue = ledger.append_issue(
            connection, billing_run.as_of_day, issue_day, billing_run.accept_missing
        )
    if issue is None:
        return dg.MaterializeResult(metadata={"invoices": 0})
    billing_run.log_issue(issue)
    results = build_again(billing_run, _ISSUED, "Building what the issue changes")
    log_models(context, results)
    problem = failure_message(results)
    if problem:
        raise BillingError(f"after issue {issue.issue_no} was booked, {problem}")
    return dg.MaterializeResult(
        metadata={"invoices": len(issue.invoices), "ledger head": issue.head}
    )


@dg.asset(key=["close", "closed_month"], group_name="close", deps=[issued_invoices])
def closed_month(
    context: dg.AssetExecutionContext, billing_run: BillingRun
) -> dg.MaterializeResult:
    """What is due of a month and those before it is posted, with its closing (V3).

    Runs only after what was issued is built and checked again; what depends on the
    ledger is built once more. A month that was closed before posts nothing.
    """
    month = billing_run.closing_month
    if month is None:
        return dg.MaterializeResult(metadata={"posted rows": 0})
    billing_run.require_checked()
    progress.stage(f"Closing {month:%Y-%m}")
    with open_files(billing_run.state, billing_run.keyring) as connection:
        closing = append_closing(connection, billing_run.as_of_day, month)
    if closing is None:
        return dg.MaterializeResult(metadata={"posted rows": 0})
    billing_run.log_closing(closing)
    results = build_again(billing_run, _CLOSED, "Building what the closing changes")
    log_models(context, results)
    problem = failure_message(results)
    if problem:
        raise BillingError(f"after {month:%Y-%m} was closed, {problem}")
    return dg.MaterializeResult(
        metadata={"posted rows": closing.posted_rows, "ledger head": closing.head}
    )


@dg.asset(group_name="publication", deps=[closed_month])
def publication(billing_run: BillingRun) -> dg.MaterializeResult:
    """The finance and quality schemas as one file for BI tools, swapped in whole."""
    billing_run.require_checked()
    progress.stage("Publishing")
    home = billing_run.state
    with open_files(home, billing_run.keyring) as connection:
        rows = publish(connection, home)
    log = AuditLog(home.audit)
    log.append(
        "publish",
        home.publication.name,
        detail={"tables": rows, "sha256": file_digest(home.publication)},
        rows=sum(rows.values()),
    )
    with open_files(home, billing_run.keyring) as connection:
        closing = last_closing(connection)
        if closing is not None and not closing.is_kept:
            head = keep_publication(connection, home, closing)
            kept = kept_publication(home, closing.month)
            log.append("keep", f"closes/{kept.name}", ledger_head=head)
            keep_heads(home, closing.month)
        report = {}
        if closing is not None and _lacks_report(home, closing.month):
            text = write_report(connection, home, closing)
            report["close report"] = dg.MetadataValue.md(text)
        audit_log.load(connection, log)
    return dg.MaterializeResult(metadata={**rows, **report})


def _lacks_report(home: Home, month: date) -> bool:
    """Whether a close's publication is kept here, and its report is not."""
    kept = kept_publication(home, month).exists()
    return kept and not report_path(home, month).exists()
