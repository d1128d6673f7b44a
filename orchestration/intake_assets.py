"""Assets of the landing: files become raw tables, checked row by row."""

from collections.abc import Iterator

import dagster as dg

from orchestration import progress
from orchestration.agreements import ending_agreements
from orchestration.billing_run import BillingRun
from orchestration.contract_expectations import (
    CONTRACT_EXPECTATIONS,
    contract_frames,
)
from orchestration.contract_tables import load_contract_tables
from orchestration.errors import BillingError, replaced
from orchestration.judgement import check_specs
from orchestration.landed_files import open_to_others
from orchestration.receivable_specs import LANDED_TABLES
from orchestration.usage_intake import UsageIntake, load_usage
from orchestration.warehouse import open_files

_LOGS = ("rejected_rows", "held_contracts", "contract_rows", "contract_files")


_IN_NO_FEED = (
    "something in usage/ lies in no feed, or is no file, and is not read, or is a feed "
    "without files; on a terminal `billing run` names it"
)


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
        warnings = [
            *intake.warnings,
            *open_to_others(billing_run.landing_dir),
            *ending_agreements(connection, billing_run.as_of_day),
        ]
    for warning in warnings:
        # A file that lies in no feed may be named for a patient.
        discreet = _IN_NO_FEED if warning.startswith("usage/") else warning
        context.log.warning(discreet)
        progress.warn(warning, discreet)
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
            ["raw", "failed_usage_files"],
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
        discreet = replaced(warning, intake.discreet)
        context.log.warning(discreet)
        progress.warn(warning, discreet)
    judge_failed(context, billing_run, intake)
    yield dg.MaterializeResult(
        asset_key=["raw", "usage_files"],
        metadata={"read": intake.files_read, "known": intake.files_known},
    )
    yield dg.MaterializeResult(
        asset_key=["raw", "failed_usage_files"],
        metadata={"dagster/row_count": len(intake.failed)},
    )
    yield dg.MaterializeResult(
        asset_key=["raw", "unreadable_usage_rows"],
        metadata={"dagster/row_count": intake.unreadable},
    )
    yield dg.MaterializeResult(
        asset_key=["restricted", "usage_rows"],
        metadata={"rows read": intake.rows_read},
    )


def judge_failed(
    context: dg.AssetExecutionContext, billing_run: BillingRun, intake: UsageIntake
) -> None:
    """Say which files could not be read. Raises BillingError before anything is issued
    without their usage, unless each is accepted by name.
    """
    accepted = set(billing_run.accept_missing)
    refused = [
        name
        for name, _ in intake.failed
        if billing_run.issue_day and not {name, intake.discreet[name]} & accepted
    ]
    if refused:
        raise BillingError.naming_files(
            "usage files can't be read: "
            + "; ".join(f"{name}: {message}" for name, message in intake.failed)
            + ". Nothing was issued. Mend them, or issue without their usage with "
            + " ".join(f'--accept-missing "{name}"' for name in refused),
            intake.discreet,
        )
    for name, message in intake.failed:
        warning = f"{name} {message}. It is left out, and read when it is mended."
        discreet = replaced(warning, intake.discreet)
        context.log.warning(discreet)
        progress.warn(warning, discreet)
