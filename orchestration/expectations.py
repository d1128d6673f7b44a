"""Great Expectations over small tables: what is judged, how, and what came of it.

An outcome holds counts and places, never a value of a row that fails.
"""

import functools
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pandas
import yaml

from orchestration.errors import BillingError
from orchestration.project import PROJECT_DIR


@dataclass(frozen=True)
class Expectation:
    """What is expected of a table: a type of Great Expectations and its arguments.

    `meaning` says in words what a row that fails is; without it the name does.
    """

    table: str
    name: str
    type: str
    arguments: dict[str, Any]
    meaning: str = ""


@dataclass(frozen=True)
class ExpectationOutcome:
    """What one expectation found in one table.

    `rows` were judged, `unexpected_count` of them fail it, and `places` say where
    those are. Values are left out on purpose.
    """

    table: str
    name: str
    success: bool
    rows: int
    unexpected_count: int
    places: list[str]


def is_blocking(name: str) -> bool:
    """Whether an expectation that fails stops the run; else it warns."""
    return name in _blocking()


def require_declared(names: Iterable[str]) -> None:
    """Raises BillingError if what `dbt_project.yml` lets block is not in `names`."""
    unknown = _blocking() - set(names)
    if unknown:
        raise BillingError(
            "dbt_project.yml: blocking_expectations names what is no expectation: "
            + ", ".join(sorted(unknown))
            + ". docs/interfaces.md lists them"
        )


@functools.cache
def _blocking() -> frozenset[str]:
    project = (PROJECT_DIR / "dbt_project.yml").read_text(encoding="utf-8")
    return frozenset(yaml.safe_load(project)["vars"]["blocking_expectations"])


def judge(
    expectations: tuple[Expectation, ...], tables: dict[str, pandas.DataFrame]
) -> list[ExpectationOutcome]:
    """Judge every table that an expectation names, in the order of `expectations`.

    Each table has a column `place`, where a row is in words. Raises BillingError if an
    expectation cannot be judged at all.
    """
    # Great Expectations takes some nine seconds of CPU to import: scipy and altair,
    # for a drawing of one expectation. Only who validates pays for it.
    import great_expectations

    logging.getLogger("great_expectations").setLevel(logging.ERROR)
    context = great_expectations.get_context(mode="ephemeral")
    context.enable_analytics(False)
    context.variables.progress_bars = {"globally": False, "metric_calculations": False}
    landed = context.data_sources.add_pandas("landed")
    outcomes = {}
    for table in dict.fromkeys(one.table for one in expectations):
        frame = tables[table].reset_index(drop=True)
        batch = (
            landed.add_dataframe_asset(table)
            .add_batch_definition_whole_dataframe("landed_rows")
            .get_batch(batch_parameters={"dataframe": frame})
        )
        suite = great_expectations.ExpectationSuite(
            name=table,
            expectations=[
                getattr(great_expectations.expectations, one.type)(
                    **one.arguments,
                    severity="critical" if is_blocking(one.name) else "warning",
                    meta={"name": one.name},
                )
                for one in expectations
                if one.table == table
            ],
        )
        results = batch.validate(suite, result_format={"result_format": "COMPLETE"})
        for result in results.results:
            outcome = _outcome(table, frame, result)
            outcomes[outcome.name] = outcome
    return [outcomes[one.name] for one in expectations]


def _outcome(table: str, frame: pandas.DataFrame, result: Any) -> ExpectationOutcome:
    name = result.expectation_config.meta["name"]
    if (result.exception_info or {}).get("raised_exception"):
        raise BillingError(
            f"The expectation {name} on {table} could not be judged; check that the "
            "table has its columns, and the installed version of Great Expectations."
        )
    unexpected = frame.loc[result.result.get("unexpected_index_list") or []]
    return ExpectationOutcome(
        table=table,
        name=name,
        success=bool(result.success),
        rows=len(frame),
        unexpected_count=len(unexpected),
        places=[str(place) for place in unexpected["place"]],
    )
