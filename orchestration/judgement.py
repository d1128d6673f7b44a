"""What Great Expectations find in one run: asset checks, warnings, one page."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import dagster as dg
import pandas

from orchestration import progress
from orchestration.errors import BillingError
from orchestration.expectation_pages import in_one_line, page_path, write_page
from orchestration.expectations import Expectation, ExpectationOutcome, is_blocking
from orchestration.expectations_process import expectations_process
from orchestration.home import Home

_ERROR, _WARN = dg.AssetCheckSeverity.ERROR, dg.AssetCheckSeverity.WARN


def check_specs(
    expectations: tuple[Expectation, ...], schema: str
) -> list[dg.AssetCheckSpec]:
    """The asset checks that the expectations are, blocking as declared."""
    return [
        dg.AssetCheckSpec(
            one.name,
            asset=dg.AssetKey([schema, one.table]),
            blocking=is_blocking(one.name),
            description=one.meaning or None,
        )
        for one in expectations
    ]


class Judgement:
    """The outcomes of a run's expectations, stage by stage, kept on one page."""

    def __init__(self, home: Home, as_of: date) -> None:
        self._home = home
        self._as_of = as_of
        self._page: Path | None = None
        self._expectations: list[Expectation] = []
        self._outcomes: list[ExpectationOutcome] = []

    def results(
        self,
        expectations: tuple[Expectation, ...],
        tables: dict[str, pandas.DataFrame],
        schema: str,
    ) -> Iterator[dg.AssetCheckResult]:
        """Judge the tables, write the page, give the checks and say what warns.

        Raises BillingError, after all of it, if an expectation that blocks fails.
        """
        outcomes = expectations_process().judge(expectations, tables)
        self._expectations += expectations
        self._outcomes += outcomes
        if self._page is None:
            self._page = page_path(self._home, self._as_of)
        write_page(self._page, self._as_of, self._expectations, self._outcomes)
        meanings = {one.name: one.meaning for one in expectations}
        stops = []
        for outcome in outcomes:
            blocks = is_blocking(outcome.name)
            yield dg.AssetCheckResult(
                asset_key=[schema, outcome.table],
                check_name=outcome.name,
                passed=outcome.success,
                severity=_ERROR if blocks else _WARN,
                metadata={
                    "rows": outcome.rows,
                    "rows that fail": outcome.unexpected_count,
                    "places": "; ".join(outcome.places),
                    "page": dg.MetadataValue.path(self._page),
                },
            )
            if not outcome.success:
                words = in_one_line(outcome, meanings[outcome.name])
                if blocks:
                    stops.append(f"expectation {words}")
                else:
                    progress.warn(f"{words} (all: {self._page})")
        if stops:
            raise BillingError(
                ". ".join(stops)
                + f". All places: {self._page}. Nothing was issued: mend what landed, "
                "or if it is right let the expectation warn, by taking it from "
                "blocking_expectations in dbt_project.yml"
            )
