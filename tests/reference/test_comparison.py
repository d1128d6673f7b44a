"""The comparison itself, with the model published in place of the pipeline."""

from dataclasses import fields, replace
from decimal import Decimal
from pathlib import Path
from random import Random

import duckdb
import pytest

from reference import DocumentLine
from reference.cases import Case
from reference.comparison import compare, model_book, published_book
from reference.generator import random_scenario, random_schedule
from reference.progress import Progress
from reference.published_model import PublishedModel
from reference.revenue_comparison import (
    JOURNAL_COLUMNS,
    TABLES,
    model_revenue,
    published_revenue,
)
from reference.scenarios import Scenario
from reference.shrinking import shrink, without


def scenario(prefix: str, index: int) -> Scenario:
    schedule = random_schedule(Random(3))
    return random_scenario(Random(index), schedule, prefix)


def test_the_published_model_equals_the_model(tmp_path: Path) -> None:
    scenarios = [scenario(f"s{index}-", index) for index in range(3)]
    assert compare(PublishedModel(), tmp_path / "batch", scenarios) == []


def one_cent_more_in_tier_2(line: DocumentLine) -> DocumentLine:
    """A mistake that only some scenarios show."""
    if line.charge.tier != 2:
        return line
    return replace(line, amount=line.amount + Decimal("0.01"))


def test_a_cent_is_found_and_its_scenario_made_small(tmp_path: Path) -> None:
    pipeline = PublishedModel(one_cent_more_in_tier_2)
    scenarios = [scenario(f"s{index}-", index) for index in range(6)]
    found = compare(pipeline, tmp_path / "batch", scenarios)
    assert {difference.table for difference in found} == {"lines"}
    index = int(found[0].prefix[1:-1])
    smallest, found = shrink(
        lambda prefix: scenario(prefix, index), pipeline, tmp_path / "shrink", 5
    )
    assert found
    assert smallest.size < 20 < scenario("", index).size


@pytest.mark.parametrize("column", [field.name for field in fields(Progress)])
def test_another_value_in_any_column_of_progress_is_found(
    tmp_path: Path, column: str
) -> None:
    case = Case()
    case.card(("10", "5", ""), ("", "4", ""))
    case.line(pricing_model="graduated", meter="encounter", rate_card_id="CARD")
    case.commit("15")
    case.events(3, "2026-01-10")
    close = case.bill("2027-01-01")
    published = PublishedModel(
        spoil_progress=lambda row: (
            replace(row, **{column: None}) if row == close.progress[-1] else row
        )
    )
    PublishedModel().publish(tmp_path / "same", close)
    published.publish(tmp_path / "other", close)
    model = model_book(close)
    assert published_book(tmp_path / "same").progress == model.progress
    assert (published_book(tmp_path / "other").progress - model.progress).total() == 1


REVENUE_COLUMNS = [
    (name, field.name) for name, row in TABLES.values() for field in fields(row)
] + [
    ("finance.journal_entries", column)
    for column in (*JOURNAL_COLUMNS.split(", "), "debit", "credit")
]


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict, Path]:
    """Revenue of a case in which each table has a row with every column filled.

    With it the file in which it is published.
    """
    case = Case()
    case.line(meter="encounter", unit_price="4")
    case.commit("15", period="billing_period")
    case.line("R", unit_price="1")
    case.milestone("M", "go_live", "10", "2026-02-10")
    case.events(3, "2026-01-10")
    close = case.close("2026-02")
    home = tmp_path_factory.mktemp("closed")
    PublishedModel().publish(home, close)
    return model_revenue(close.revenue), home / "published" / "billing.duckdb"


@pytest.mark.parametrize(("name", "column"), REVENUE_COLUMNS)
def test_another_value_in_any_column_of_revenue_is_found(
    closed: tuple[dict, Path], name: str, column: str
) -> None:
    model, path = closed
    with duckdb.connect(str(path)) as published:
        assert published_revenue(published) == model
        published.execute("begin")
        published.execute(
            f"update {name} set {column} = "
            + (f"{column} + 1" if column in ("debit", "credit", "amount") else "null")
            + f" where rowid = (select max(rowid) from {name} where {_filled(column)})"
        )
        other = published_revenue(published)
        published.execute("rollback")
    assert [table for table in model if other[table] != model[table]] == [
        "journal"
        if name == "finance.journal_entries"
        else next(table for table, (its, _) in TABLES.items() if its == name)
    ]


def _filled(column: str) -> str:
    """Of the journal's products only those of revenue are compared."""
    if column == "product_id":
        return "product_id is not null and credit > 0"
    return f"{column} is not null"


def test_without_an_amendment_nothing_is_left_that_would_be_rejected() -> None:
    rows = [
        (0, "contract_lines", _line("L", "A")),
        (0, "contract_lines", _line("L2", "")),
        (0, "contract_lines", _line("L2", "A")),
        (0, "commitments", _row("of-L", "L", "2026-01-01", "")),
        (0, "commitments", _row("first", "L2", "2026-01-01", "A")),
        (0, "commitments", _row("first", "L2", "2026-05-01", "B")),
        (0, "commitments", _row("later", "L2", "2026-01-01", "")),
        (0, "commitments", _row("later", "L2", "2026-05-01", "A")),
    ]
    left = without(Scenario("", [], rows), {("amendment", "A")}).rows
    assert left == [rows[1], rows[6]]


def _line(line_id: str, amendment_id: str) -> dict:
    return {"line_id": line_id, "contract_id": "C", "amendment_id": amendment_id}


def _row(commitment_id: str, line_id: str, since: str, amendment_id: str) -> dict:
    return {
        "commitment_id": commitment_id,
        "line_id": line_id,
        "effective_on": since,
        "amendment_id": amendment_id,
    }
