"""What of the close report needs no close: which judgements a month touches, gaps."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal as D

import duckdb
import pytest
from memory_book import book_in_memory

from orchestration.close_report import _gaps, _held, _judgements, _row
from orchestration.closing import Closing
from orchestration.open_judgements import JUDGEMENTS

MARCH = date(2026, 3, 1)

# What each judgement reads: what it is about in March and, beside it, what it is not.
BOOK = """
    create schema ledger.book;
    create schema warehouse.finance;
    create schema warehouse.billing;
    create schema warehouse.staging;
    create schema warehouse.quality;
    create table ledger.book.posted_revenue (contract_id varchar, line_id varchar,
        milestone_id varchar, product_id varchar, line_type varchar, currency varchar,
        amount decimal(18, 2), accounting_month date);
    insert into ledger.book.posted_revenue values
        ('A', 'yearly', null, 'visits', 'usage', 'USD', 10, '2026-03-01'),
        ('A', 'monthly', null, 'visits', 'usage', 'USD', 20, '2026-03-01'),
        ('A', 'yearly', null, 'visits', 'usage', 'USD', 40, '2026-02-01'),
        ('B', 'volume', null, 'scans', 'usage', 'USD', 70, '2026-03-01'),
        ('C', 'volume', null, 'scans', 'true_up', 'USD', 300, '2026-03-01'),
        ('D', null, null, null, 'minimum_spend', 'JPY', 500, '2026-03-01'),
        ('E', null, 'M1', null, 'milestone', 'USD', 900, '2026-03-01'),
        ('F', null, 'M2', null, 'milestone', 'USD', 800, '2026-03-01'),
        ('F', 'fee', null, 'portal', 'recurring', 'USD', 5, '2026-03-01'),
        ('G', null, 'M3', null, 'milestone', 'EUR', 30, '2026-03-01');
    create table warehouse.billing.line_versions as select * from (values
        ('yearly', date '2026-01-01', 'graduated', 'contract_year'),
        ('yearly', date '2026-02-01', 'graduated', 'contract_year'),
        ('monthly', date '2026-01-01', 'graduated', 'monthly'),
        ('volume', date '2026-01-01', 'volume', 'contract_year')
    ) as lines(line_id, version_start, pricing_model, scope_frequency);
    create table warehouse.finance.contract_balances as select * from (values
        ('A', 'USD', date '2026-03-01', 12.50), ('B', 'USD', date '2026-03-01', 0.00),
        ('A', 'USD', date '2026-02-01', 99.00)
    ) as balances(contract_id, currency, month, unbilled_closing);
    create table warehouse.billing.contracts as select * from (values
        ('A', 'USD'), ('B', 'USD'), ('D', 'JPY')) as contracts(contract_id, currency);
    create table warehouse.finance.commitment_progress as select * from (values
        ('running', 'A', date '2026-03-01', 1000, 400, null, 150.00),
        ('met', 'B', date '2026-03-01', 100, 400, null, 0.00),
        ('over', 'B', date '2026-03-01', 100, 40, 60.00, 60.00),
        ('units', 'B', date '2026-03-01', 100, 40, null, 30.00),
        ('ahead', 'D', date '2026-03-01', 100, 400, null, -20.00),
        ('running', 'A', date '2026-02-01', 1000, 300, null, 250.00)
    ) as progress(commitment_id, contract_id, month, committed, actual_to_date,
        true_up, projected_true_up);
    create table warehouse.billing.commitment_versions as select * from (values
        ('running', 'spend'), ('met', 'spend'), ('over', 'spend'),
        ('units', 'quantity'), ('ahead', 'quantity')
    ) as versions(commitment_id, kind);
    create table warehouse.finance.revenue_schedule as select * from (values
        ('E', 'USD', 'on_hold', 450.00), ('E', 'USD', 'scheduled', 1.00)
    ) as schedule(contract_id, currency, status, amount);
    create table warehouse.staging.stg_amendments as select * from (values
        ('E', date '2026-03-10', date '2026-02-01'),
        ('F', date '2026-01-10', date '2026-02-01'),
        ('F', date '2026-03-01', date '2026-02-28'),
        ('G', date '2026-01-10', date '2026-03-01')
    ) as amendments(contract_id, signed_on, effective_on);
    create table warehouse.finance.invoices as select * from (values
        ('open', 'USD', 60.00, date '2026-03-01', date '2026-04-15'),
        ('open', 'USD', 8.00, date '2026-02-01', date '2026-03-31'),
        ('open', 'USD', 3.00, date '2026-02-01', date '2026-04-01'),
        ('open', 'USD', -5.00, date '2026-03-01', date '2026-04-15'),
        ('draft', 'USD', 9.00, date '2026-03-01', date '2026-04-15'),
        ('open', 'USD', 7.00, date '2026-04-01', date '2026-05-01'),
        ('paid', 'USD', 0.00, date '2026-03-01', date '2026-04-15')
    ) as invoices(status, currency, balance, invoice_date, due_date);
    create table warehouse.quality.feed_gaps as select * from (values
        ('ehr', 'north', 'A', date '2026-03-22', date '2026-03-31', 10, 17.47, 'USD'),
        ('ehr', 'south', 'A', date '2026-03-02', date '2026-03-09', null, null, 'USD'),
        ('ehr', 'later', 'A', date '2026-04-02', date '2026-04-09', 5, 99.00, 'USD')
    ) as gaps(feed, facility, contract_id, silent_since, silent_through,
        estimated_quantity, estimated_amount, currency);
    set variable month = date '2026-03-01';
    set variable since = date '2026-03-01';
"""


@pytest.fixture(scope="module")
def book() -> Iterator[duckdb.DuckDBPyConnection]:
    with book_in_memory(BOOK) as connection:
        yield connection


# By judgement: what, currency, how many, and how much of March it touches.
TOUCHED = {
    "What is unbilled": [("unbilled", "USD", 1, D("12.50"))],
    "Tiers that get cheaper over the contract year": [("recognized", "USD", 1, D(10))],
    "Discounts that price past units again": [("recognized", "USD", 1, D(70))],
    "Shortfalls of commitments": [
        ("projected, not recognized", "USD", 2, D(180)),
        ("recognized", "JPY", 1, D(500)),
        ("recognized", "USD", 1, D(300)),
    ],
    "Implementation": [
        ("on hold", "USD", 1, D(450)),
        ("recognized", "EUR", 1, D(30)),
        ("recognized", "USD", 2, D(1700)),
    ],
    "Several products in one contract": [("recognized", "USD", 1, D(805))],
    # Those of F were known at the close before, and in force; G's begins in March.
    "Changes to work that is half done": [
        ("recognized", "EUR", 1, D(30)),
        ("recognized", "USD", 1, D(900)),
    ],
    "Minimums in remaining obligations": [
        ("commitments to quantities", "JPY", 1, None),
        ("commitments to quantities", "USD", 1, None),
        ("committed, not spent yet", "USD", 2, D(600)),
    ],
    # Of those dated in March or before and due later: 60 and 3 are still owed.
    "Invoices not yet due": [("open and not yet due", "USD", 2, D(63))],
}


@pytest.mark.parametrize("judgement", JUDGEMENTS, ids=lambda one: one.name)
def test_a_judgement_is_listed_with_what_it_touches(judgement, book) -> None:
    touched = book.execute(judgement.query).fetchall()
    assert sorted(touched, key=str) == TOUCHED[judgement.name]


def test_a_judgement_that_touches_nothing_is_not_listed(book) -> None:
    everything = _judgements(book)
    assert sum(line.startswith("| What is unbilled |") for line in everything) == 1
    book.execute("set variable month = date '2025-03-01'")
    try:
        (name,) = [
            line.split("|")[1].strip()
            for line in _judgements(book)
            if line.startswith("| ") and "---" not in line
        ][1:]
    finally:
        book.execute("set variable month = date '2026-03-01'")
    # What is on hold waits whatever the month.
    assert name == "Implementation"


def test_gaps_of_the_month_are_listed_by_what_they_are_worth(book) -> None:
    closing = Closing(1, MARCH, date(2026, 4, 1), 0, True, "")
    assert [line for line in _gaps(book, closing) if line.startswith("| ehr")] == [
        "| ehr | north | A | since 2026-03-22 | 10 | 17.47 USD |",
        "| ehr | south | A | 2026-03-02 to 2026-03-09 | 0 | 0.00 USD |",
    ]


HELD = """
    create schema warehouse.finance;
    create schema warehouse.billing;
    create schema warehouse.quality;
    create table warehouse.finance.contract_balances as select * from (values
        ('K1', 'north', 'JPY', date '2026-02-01', 100),
        ('K1', 'north', 'JPY', date '2026-03-01', 0)
    ) as balances(contract_id, customer_id, currency, month, billed);
    create table warehouse.billing.contracts as select * from (values
        ('K2', 'south', 'USD')) as contracts(contract_id, customer_id, currency);
    create table warehouse.quality.rejected_rows as select * from (values
        ('contracts/contracts.csv', 2, 'ends_on', 'is no date', 'K1'),
        ('contracts/contract_lines.csv', 3, 'meter', 'is no meter', 'K2'),
        ('contracts/contracts.csv', 4, 'ends_on', 'is no date', 'K3')
    ) as rejected(source_file, line, column_name, reason, contract_id);
"""


def test_a_contract_whose_own_row_is_rejected_is_told_as_it_was_booked() -> None:
    with duckdb.connect() as connection:
        connection.execute(f"attach ':memory:' as warehouse; {HELD}")
        rows = [row for row in _held(connection, MARCH) if row.startswith("| K")]
    assert [row.rpartition(" | ")[0] for row in rows] == [
        "| K1 | north | 2026-02 | 100 JPY",
        "| K2 | south | never | ",
        "| K3 |  | never | ",
    ]


def test_a_cell_ends_neither_its_row_nor_its_column() -> None:
    assert _row(["a|b", "two\nlines"]) == "| a\\|b | two lines |"
