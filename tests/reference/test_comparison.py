"""The comparison itself, with the model published in place of the pipeline."""

import csv
from collections.abc import Callable
from dataclasses import astuple, fields, replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from random import Random

import duckdb
import pytest

from reference import Close, DocumentLine, Landing, Ledger, bill
from reference.cases import Case
from reference.comparison import compare, model_book, published_book
from reference.generator import random_scenario, random_schedule
from reference.progress import Progress
from reference.scenarios import Scenario
from reference.shrinking import shrink, without


def read_landing(directory: Path) -> Landing:
    """What `write_landing` wrote."""

    def read(path: Path) -> list[dict[str, str]]:
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    usage: dict[str, dict[str, list[dict[str, str]]]] = {}
    for path in sorted((directory / "usage").glob("*/*.csv")):
        usage.setdefault(path.parent.name, {})[path.name] = read(path)
    contracts = (directory / "contracts").glob("*.csv")
    return Landing({path.stem: read(path) for path in contracts}, usage)


class PublishedModel:
    """Runs the model on landed files and publishes it as the pipeline would."""

    def __init__(
        self,
        spoil: Callable[[DocumentLine], DocumentLine] = lambda line: line,
        spoil_progress: Callable[[Progress], Progress] = lambda row: row,
    ):
        self.ledgers: dict[Path, Ledger] = {}
        self.spoil = spoil
        self.spoil_progress = spoil_progress
        self.runs = 0

    def __call__(
        self, home: Path, landing: Path, as_of: date, issue_through: date | None
    ) -> None:
        self.runs += 1
        ledger = self.ledgers.setdefault(home, Ledger())
        self.publish(home, bill(read_landing(landing), ledger, as_of, issue_through))

    def publish(self, home: Path, close: Close) -> None:
        path = home / "published" / "billing.duckdb"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        with duckdb.connect(str(path)) as db:
            db.execute("""
                begin;
                create schema finance; create schema quality;
                create table finance.invoices (invoice_id int, customer_id varchar,
                    invoice_group varchar, currency varchar, invoice_date date,
                    invoice_number varchar, document_type varchar, due_date date,
                    po_number varchar, subtotal decimal(18,2));
                create table finance.invoice_lines (invoice_id int, line_number int,
                    contract_id varchar, line_id varchar, milestone_id varchar,
                    commitment_id varchar, line_type varchar,
                    product_id varchar, is_adjustment boolean,
                    reverses boolean, service_start date, service_end date,
                    meter varchar, tier int, quantity decimal(18,4),
                    unit_price decimal(19,8), amount decimal(18,2));
                create table finance.invoice_line_facilities (invoice_id int,
                    line_number int, facility_id varchar, quantity decimal(18,4),
                    amount decimal(18,2));
                create table finance.commitment_progress (commitment_id varchar,
                    contract_id varchar, line_id varchar, period_start date,
                    period_end date, month date, committed decimal(18,4),
                    actual_to_date decimal(18,4), expected_to_date decimal(18,4),
                    percent decimal(18,2), projected decimal(18,4), tier int,
                    projected_true_up decimal(18,2), true_up decimal(18,2),
                    status varchar);
                create table quality.usage_outcomes (feed varchar, service_month date,
                    outcome varchar, reason varchar, rows bigint);
            """)
            for number, document in enumerate(close.documents):
                self.insert(db, number, document)
            for row in close.progress:
                spoilt = self.spoil_progress(row)
                _insert(db, "finance.commitment_progress", astuple(spoilt))
            for outcome in close.outcomes:
                month = outcome.service_date and outcome.service_date.replace(day=1)
                row = (outcome.feed, month, outcome.outcome, outcome.reason, 1)
                _insert(db, "quality.usage_outcomes", row)
            db.execute("commit")

    def insert(self, db, number, document) -> None:
        row = [
            number,
            document.customer_id,
            document.invoice_group,
            document.currency,
            document.invoice_date,
            document.number,
            document.document_type,
            document.due_date,
            document.po_number,
            document.total,
        ]
        _insert(db, "finance.invoices", row)
        for line_number, booked in enumerate(document.lines, start=1):
            line = self.spoil(booked)
            charge = line.charge
            row = [
                number,
                line_number,
                charge.contract_id,
                charge.line_id,
                charge.milestone_id,
                charge.commitment_id,
                charge.line_type,
                charge.product_id,
                line.is_adjustment,
                line.reverses,
                charge.service_start,
                charge.service_end,
                charge.meter,
                charge.tier,
                line.quantity,
                charge.unit_price,
                line.amount,
            ]
            _insert(db, "finance.invoice_lines", row)
            for facility, share in line.shares.items():
                row = [number, line_number, facility, *share]
                _insert(db, "finance.invoice_line_facilities", row)


def _insert(db, table, row) -> None:
    marks = ", ".join("?" for _ in row)
    db.execute(f"insert into {table} values ({marks})", list(row))


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
        lambda prefix: scenario(prefix, index), pipeline, tmp_path / "shrink", 10
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
