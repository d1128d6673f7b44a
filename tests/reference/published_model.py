"""The model in place of the pipeline: it publishes as the pipeline would."""

import csv
from collections import defaultdict
from collections.abc import Callable
from dataclasses import astuple
from pathlib import Path

import duckdb

from reference import Close, Document, DocumentLine, Landing, Ledger, bill
from reference.comparison import document_row, line_row
from reference.progress import Progress
from reference.receivables_comparison import (
    AGING_COLUMNS,
    APPLIED_COLUMNS,
    CASH_COLUMNS,
    cash_row,
    model_receivables,
)
from reference.revenue_comparison import TABLES, columns, roles
from reference.scenarios import Step

SCHEMA = """
create schema finance; create schema quality;
create table finance.invoices (invoice_id int, customer_id varchar,
    invoice_group varchar, currency varchar, invoice_date date,
    invoice_number varchar, document_type varchar, due_date date,
    po_number varchar, subtotal decimal(18,2), status varchar,
    credits decimal(18,2), total decimal(18,2), paid decimal(18,2),
    balance decimal(18,2), days_past_due int);
create table finance.receivables_aging (customer_id varchar, invoice_number varchar,
    balance decimal(18,2), days_past_due int, bucket varchar,
    disputed_amount decimal(18,2), accepted_amount decimal(18,2));
create table finance.applications (customer_id varchar, receipt_id varchar,
    kind varchar, currency varchar, invoice_number varchar, amount decimal(18,2),
    applied_on date, unapplied_because varchar);
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
create table finance.revenue_schedule (contract_id varchar, line_id varchar,
    milestone_id varchar, commitment_id varchar, line_type varchar,
    revenue_month date, amount decimal(18,2), status varchar);
create table finance.contract_balances (contract_id varchar, month date,
    deferred_opening decimal(18,2), billed decimal(18,2),
    recognized decimal(18,2), deferred_closing decimal(18,2),
    unbilled_closing decimal(18,2));
create table finance.remaining_obligations (contract_id varchar, as_of_month date,
    within_12_months decimal(18,2), beyond_12_months decimal(18,2));
create table finance.usage_by_facility (contract_id varchar, facility_id varchar,
    meter varchar, month date, quantity decimal(18,4), amount decimal(18,2));
create table finance.journal_entries (accounting_month date, entry_date date,
    account varchar, debit decimal(18,2), credit decimal(18,2), currency varchar,
    contract_id varchar, invoice_number varchar, product_id varchar,
    customer_id varchar);
create table quality.usage_outcomes (feed varchar, service_month date,
    outcome varchar, reason varchar, rows bigint);
"""

Rows = defaultdict[str, list[tuple]]
"""By table of finance, with its columns where they are not all in order."""

CHUNK = 100


def unspoilt(row):
    """The row as it is."""
    return row


def read_landing(directory: Path) -> Landing:
    """What `write_landing` wrote."""

    def read(path: Path) -> list[dict[str, str]]:
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    usage: dict[str, dict[str, list[dict[str, str]]]] = {}
    for path in sorted((directory / "usage").glob("*/*.csv")):
        usage.setdefault(path.parent.name, {})[path.name] = read(path)
    tables = [
        *(directory / "contracts").glob("*.csv"),
        *(directory / "receivables").glob("*.csv"),
    ]
    return Landing({path.stem: read(path) for path in tables}, usage)


class PublishedModel:
    """Runs the model on landed files; the `spoil` functions make it say otherwise."""

    def __init__(
        self,
        spoil: Callable[[DocumentLine], DocumentLine] = unspoilt,
        spoil_progress: Callable[[Progress], Progress] = unspoilt,
    ):
        self.ledgers: dict[Path, Ledger] = {}
        self.spoil = spoil
        self.spoil_progress = spoil_progress

    def __call__(self, home: Path, landing: Path, step: Step) -> None:
        ledger = self.ledgers.setdefault(home, Ledger())
        rows = read_landing(landing)
        close = bill(rows, ledger, step.as_of, step.issue_through, step.closes)
        self.publish(home, close)

    def publish(self, home: Path, close: Close) -> None:
        """Write the published file of a home afresh."""
        path = home / "published" / "billing.duckdb"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        rows: Rows = defaultdict(list)
        self._documents(rows, close)
        for row in close.progress:
            rows["commitment_progress"].append(astuple(self.spoil_progress(row)))
        for table, (name, row_type) in TABLES.items():
            target = f"{name.removeprefix('finance.')} ({columns(row_type)})"
            rows[target] = [astuple(row) for row in getattr(close.revenue, table)]
        _journal(rows, close)
        with duckdb.connect(str(path)) as db:
            db.execute("begin")
            db.execute(SCHEMA)
            for table, of_table in rows.items():
                _insert(db, f"finance.{table}", of_table)
            outcomes = [
                (
                    outcome.feed,
                    outcome.service_date and outcome.service_date.replace(day=1),
                    outcome.outcome,
                    outcome.reason,
                    1,
                )
                for outcome in close.outcomes
            ]
            _insert(db, "quality.usage_outcomes", outcomes)
            db.execute("commit")

    def _documents(self, rows: Rows, close: Close) -> None:
        """Documents with what is owed on them, their lines, what was applied."""
        money = model_receivables(close.account, close.cash, close.as_of)
        owed = {row[1]: row[2:] for row in money["owed"]}
        rows[f"receivables_aging ({AGING_COLUMNS})"] = list(money["aging"])
        rows[f"applications ({APPLIED_COLUMNS})"] = list(money["applications"])
        for number, document in enumerate(close.documents):
            rows["invoices"].append(
                (
                    number,
                    *document_row(document),
                    *owed.get(document.number, (None,) * 6),
                )
            )
            self._lines(rows, number, document)

    def _lines(self, rows: Rows, number: int, document: Document) -> None:
        for line_number, booked in enumerate(document.lines, start=1):
            line = self.spoil(booked)
            rows["invoice_lines"].append((number, line_number, *line_row(line)))
            rows["invoice_line_facilities"] += [
                (number, line_number, facility, *share)
                for facility, share in line.shares.items()
            ]


def _journal(rows: Rows, close: Close) -> None:
    """Entries of revenue, and of what was received."""
    account_of = {role: account for account, role in roles().items()}
    for line in close.revenue.journal:
        rows["journal_entries"].append(
            (
                line.accounting_month,
                line.entry_date,
                account_of[line.account],
                max(line.amount, 0),
                max(-line.amount, 0),
                line.currency,
                line.contract_id,
                line.invoice_number,
                line.product_id,
                "",
            )
        )
    for line in close.cash:
        *row, account, currency, number, amount = cash_row(line)
        sides = (max(amount, 0), max(-amount, 0))
        rows[f"journal_entries ({CASH_COLUMNS}, debit, credit)"].append(
            (*row, account_of[account], currency, number, *sides)
        )


def _insert(db: duckdb.DuckDBPyConnection, table: str, rows: list[tuple]) -> None:
    for start in range(0, len(rows), CHUNK):
        chunk = rows[start : start + CHUNK]
        marks = f"({', '.join('?' * len(chunk[0]))})"
        db.execute(
            f"insert into {table} values {', '.join([marks] * len(chunk))}",
            [value for row in chunk for value in row],
        )
