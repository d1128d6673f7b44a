"""Assets between build and issue: is the usage that would be billed plausible?"""

from collections.abc import Iterator

import dagster as dg
import duckdb

from orchestration import progress
from orchestration.billing_run import BillingRun
from orchestration.contract_expectations import CONTRACT_EXPECTATIONS
from orchestration.expectations import require_declared
from orchestration.judgement import check_specs
from orchestration.model_assets import issuable_keys
from orchestration.usage_profiles import PROFILE_EXPECTATIONS, usage_profiles
from orchestration.warehouse import open_files
from orchestration.wording import money

_SCHEMA = "profiles"
_NAMES = tuple(dict.fromkeys(one.table for one in PROFILE_EXPECTATIONS))
PROFILE_KEYS = tuple(dg.AssetKey([_SCHEMA, name]) for name in _NAMES)

require_declared(one.name for one in (*CONTRACT_EXPECTATIONS, *PROFILE_EXPECTATIONS))


@dg.multi_asset(
    name="profiled_usage",
    specs=[
        dg.AssetSpec(key, group_name="quality", kinds={"duckdb"}, deps=issuable_keys())
        for key in PROFILE_KEYS
    ],
    check_specs=check_specs(PROFILE_EXPECTATIONS, _SCHEMA),
)
def profiled_usage(
    billing_run: BillingRun,
) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
    """Usage by day, facility and class against its history; says who is silent.

    Nothing is issued after an expectation that blocks has failed.
    """
    progress.stage("Checking usage against its history")
    with open_files(billing_run.state, billing_run.keyring) as connection:
        profiles = usage_profiles(connection, billing_run.as_of_day)
        silent = silence(connection)
    for name, profile in profiles.items():
        yield dg.MaterializeResult(
            asset_key=[_SCHEMA, name], metadata={"dagster/row_count": len(profile)}
        )
    if silent:
        progress.warn(silent)
    yield from billing_run.judgement.results(PROFILE_EXPECTATIONS, profiles, _SCHEMA)
    billing_run.mark_checked()


def silence(connection: duckdb.DuckDBPyConnection) -> str | None:
    """The facilities with feed gaps and what is at stake, in one line; None if none."""
    (facilities,) = connection.execute(
        "select count(distinct facility) from warehouse.quality.feed_gaps"
    ).fetchone()
    if not facilities:
        return None
    stakes = connection.execute(
        "select sum(estimated_amount), currency from warehouse.quality.feed_gaps "
        "group by currency order by currency"
    ).fetchall()
    amounts = ", ".join(money(amount, currency) for amount, currency in stakes)
    who = "1 facility was" if facilities == 1 else f"{facilities} facilities were"
    return (
        f"{who} silent for longer than history makes plausible, {amounts} at stake "
        "(quality.feed_gaps)"
    )
