"""The dbt models as assets, their data tests as asset checks."""

import functools
from collections.abc import Container, Iterable, Iterator, Sequence
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, dbt_assets
from dagster_dbt.asset_utils import get_asset_check_key_for_test, get_node

from orchestration import dbt_project, progress
from orchestration.billing_run import BillingRun
from orchestration.dbt_project import NodeResult, failure_message
from orchestration.errors import BillingError

_TRANSLATOR = DagsterDbtTranslator()

# What an issue reads: outputs of the step, for which it waits. Of the other models an
# event says that they were built, which costs Dagster a tenth of an output.
ISSUABLE = ("draft_invoices", "draft_lines", "draft_line_facilities", "unbooked_usage")


@functools.cache
def manifest() -> dict[str, Any]:
    """The manifest from which the assets are made, as dagster-dbt reads it."""
    run = BillingRun()
    run.state.create()
    run.keyring.hand_to_dbt(run.state)
    return dbt_project.manifest().writable_manifest().to_dict(omit_none=False)


@dbt_assets(
    manifest=manifest(),
    exclude="resource_type:unit_test",
    dagster_dbt_translator=_TRANSLATOR,
    name="billing_models",
)
def billing_models(
    context: dg.AssetExecutionContext, billing_run: BillingRun
) -> Iterator[Any]:
    """Every model, in order; a failed test holds back what depends on it."""
    results = build(billing_run, None, "Building models")
    log_models(context, results, ISSUABLE)
    yield from _outputs(results)
    problem = failure_message(results)
    if problem:
        raise BillingError(f"{problem}. Nothing was issued")
    billing_run.mark_built()


def build(
    billing_run: BillingRun,
    select: str | None,
    title: str,
    options: Sequence[str] = (),
) -> list[NodeResult]:
    """Build what `select` names (all if None) under the settings of the run."""
    progress.stage(title)
    billing_run.keyring.hand_to_dbt(billing_run.state)
    return dbt_project.build(
        select,
        billing_run.variables,
        progress.counter(title),
        billing_run.dbt_target,
        options,
    )


def build_again(billing_run: BillingRun, select: str, title: str) -> list[NodeResult]:
    """Build anew the tables that `select` names, after all were built in the same run.

    The views among them would become what they are, and cost as much as a small table.
    """
    options = (
        *("--exclude", "config.materialized:view"),
        # Else it would take the checks that look at a view with it.
        *("--indirect-selection", "empty"),
    )
    return build(billing_run, select, title, options)


def log_models(
    context: dg.AssetExecutionContext,
    results: Iterable[NodeResult],
    besides: Container[str] = (),
) -> None:
    """Say which models were built, besides those that the step gives as outputs.

    A run whose events nobody can see, as those of the command, says nothing: each costs
    some 10 ms.
    """
    if context.instance.is_ephemeral:
        return
    for result in results:
        is_model = result.resource_type != "test" and result.name not in besides
        if result.passed and is_model:
            context.log_event(
                dg.AssetMaterialization(
                    _asset_key(result), metadata={"seconds": result.seconds}
                )
            )


def _outputs(
    results: Iterable[NodeResult],
) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
    for result in results:
        if result.skipped:
            continue
        if result.resource_type == "test":
            key = check_key(result.unique_id)
            if key is not None:
                yield dg.AssetCheckResult(
                    asset_key=key.asset_key,
                    check_name=key.name,
                    passed=result.passed,
                    metadata={"rows that fail": result.failures or 0},
                )
        elif result.passed and result.name in ISSUABLE:
            yield dg.MaterializeResult(
                asset_key=_asset_key(result), metadata={"seconds": result.seconds}
            )


def _asset_key(result: NodeResult) -> dg.AssetKey:
    return _TRANSLATOR.get_asset_key(get_node(manifest(), result.unique_id))


def check_key(test_id: str) -> dg.AssetCheckKey | None:
    """The asset check that a dbt test is."""
    return get_asset_check_key_for_test(manifest(), _TRANSLATOR, test_id, project=None)


def issuable_keys() -> list[dg.AssetKey]:
    """Keys of the models that an issue reads."""
    return [
        _TRANSLATOR.get_asset_key(node)
        for node in manifest()["nodes"].values()
        if node["resource_type"] == "model" and node["name"] in ISSUABLE
    ]
