"""Assets of the landing: files become raw tables, checked row by row."""

from collections.abc import Iterator

import dagster as dg

from orchestration import progress
from orchestration.billing_run import BillingRun
from orchestration.contract_expectations import (
    CONTRACT_EXPECTATIONS,
    contract_frames,
)
from orchestration.contract_tables import load_contract_tables
from orchestration.errors import BillingError
from orchestration.judgement import check_specs
from orchestration.receivable_specs import LANDED_TABLES
from orchestration.usage_intake import load_usage
from orchestration.warehouse import open_files

_LOGS = ("rejected_rows", "held_contracts", "contract_rows", "contract_files")


@dg.multi_asset(
    name="contract_tables",
    specs=[
        dg.AssetSpec(["raw", name], group_name="landing", kinds={"pandas"})
        for name in (*LANDED_TABLES, *_LOGS)
    ],
    check_specs=check_specs(CONTRACT_EXPECTATIONS, "raw"),
)
def contract_tables(
    context: dg.AssetExecutionContext, billing_run: BillingRun
) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
    """Terms and receivables as landed; a contract's unreadable row holds it."""
    progress.stage("Loading contract tables")
    with open_files(billing_run.state, billing_run.keyring) as connection:
        intake = load_contract_tables(
            connection, billing_run.landing_dir, billing_run.as_of_day
        )
    for warning in intake.warnings:
        context.log.warning(warning)
        progress.warn(warning)
    counts = intake.rows | {
        "rejected_rows": intake.rejected,
        "held_contracts": len(intake.held),
    }
    for name in (*LANDED_TABLES, *_LOGS):
        yield dg.MaterializeResult(
            asset_key=["raw", name],
            metadata={"dagster/row_count": counts[name]} if name in counts else {},
        )
    progress.stage("Checking contract tables")
    yield from billing_run.judgement.results(
        CONTRACT_EXPECTATIONS, contract_frames(intake.tables), "raw"
    )


def judge_unread(
    context: dg.AssetExecutionContext,
    billing_run: BillingRun,
    failed: list[tuple[str, str]],
) -> None:
    """Drafts may lack what could not be read; an invoice only where that was accepted.

    Raises BillingError if the run is to issue and a file was not accepted by name.
    """
    for name, message in failed:
        warning = f"{name} {message}; its usage is in no draft."
        context.log.warning(warning)
        progress.warn(warning)
    missing = [
        (name, message)
        for name, message in failed
        if name not in billing_run.accept_missing
    ]
    if missing and billing_run.issue_day is not None:
        raise BillingError(
            "usage files can't be read: "
            + "; ".join(f"{name}: {message}" for name, message in missing)
            + ". Nothing was issued; mend them, or leave their usage out of these "
            "invoices with "
            + " ".join(f'--accept-missing "{name}"' for name, _ in missing)
        )


@dg.multi_asset(
    name="usage_rows",
    specs=[
        dg.AssetSpec(
            key,
            group_name="landing",
            kinds={"duckdb"},
            deps=[["raw", "customers"], ["raw", "facilities"], ["raw", "baas"]],
        )
        for key in (
            ["raw", "usage_files"],
            ["raw", "unreadable_usage_rows"],
            ["restricted", "usage_rows"],
        )
    ],
)
def usage_rows(
    context: dg.AssetExecutionContext, billing_run: BillingRun
) -> Iterator[dg.MaterializeResult]:
    """Usage events as landed, patients as tokens; a file seen before is not read."""
    progress.stage("Loading usage")
    with open_files(billing_run.state, billing_run.keyring) as connection:
        intake = load_usage(
            connection,
            billing_run.landing_dir,
            billing_run.as_of_day,
            billing_run.keyring.token,
            progress.detail,
        )
    for warning in intake.warnings:
        context.log.warning(warning)
        progress.warn(warning)
    judge_unread(context, billing_run, intake.failed)
    yield dg.MaterializeResult(
        asset_key=["raw", "usage_files"],
        metadata={"read": intake.files_read, "known": intake.files_known},
    )
    yield dg.MaterializeResult(
        asset_key=["raw", "unreadable_usage_rows"],
        metadata={"dagster/row_count": intake.unreadable},
    )
    yield dg.MaterializeResult(
        asset_key=["restricted", "usage_rows"],
        metadata={"rows read": intake.rows_read},
    )
