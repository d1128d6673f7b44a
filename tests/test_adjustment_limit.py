"""How far closed periods are adjusted, and which changed inputs are named for it (C8).

The tables hold what counts and, beside it, what does not.
"""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal as D

import duckdb
import pytest
from memory_book import book_in_memory

from orchestration.adjustment_limit import adjusted_customers
from orchestration.changed_inputs import changed_inputs

# Closed through 31 March 2026: twelve months are those from 1 April 2025 on.
BOOK = """
    create schema ledger.book;
    create schema warehouse.billing;
    create schema warehouse.raw;
    create schema warehouse.restricted;
    create table ledger.book.issues as select * from (values
        (1, date '2026-02-28'), (2, date '2026-03-31')
    ) as issues(issue_no, issue_through);
    create table ledger.book.invoices as select * from (values
        ('north', 'USD', 1000.00, date '2025-03-31'),
        ('north', 'USD', 300.00, date '2025-04-01'),
        ('north', 'USD', 200.00, date '2026-03-31'),
        ('north', 'USD', 4000.00, date '2026-04-01'),
        ('north', 'EUR', 70.00, date '2026-03-31'),
        ('east', 'USD', -50.00, date '2026-03-31')
    ) as invoices(customer_id, currency, total, invoice_date);
    create table warehouse.billing.draft_lines as select * from (values
        ('north', 'USD', 'deal', 'seats', null, -30.00, true, 'A1', 2, 3),
        ('north', 'USD', 'deal', 'seats', null, 20.00, true, 'A2', 1, 2),
        ('north', 'USD', 'deal', null, 'live', 15.00, true, null, 1, 1),
        ('north', 'USD', 'deal', 'scans', null, 8.00, true, null, 1, 1),
        ('north', 'USD', 'deal', 'scans', null, -8.00, true, null, 1, 1),
        ('north', 'USD', 'deal', 'visits', null, 600.00, false, null, 1, 1),
        ('east', 'USD', 'other', 'seats', null, 0.01, true, null, 1, 1)
    ) as lines(customer_id, currency, contract_id, line_id, milestone_id, amount,
        is_adjustment, amendment_id, first_day, last_day);
    alter table warehouse.billing.draft_lines add column commitment_id varchar;
    alter table warehouse.billing.draft_lines add column service_start date;
    alter table warehouse.billing.draft_lines add column service_end date;
    update warehouse.billing.draft_lines set
        service_start = make_date(2026, 3, first_day::integer),
        service_end = make_date(2026, 3, last_day::integer);
    create table ledger.book.issue_inputs as select * from (values
        (1, 'contract_row', 'contracts deal', 'deal', 'a'),
        (2, 'contract_row', 'contracts deal', 'deal', 'b'),
        (1, 'contract_row', 'contract_lines old', 'deal', 'a'),
        (2, 'contract_row', 'contract_lines old', 'deal', null),
        (2, 'contract_row', 'contract_lines same', 'deal', 'c'),
        (1, 'contract_row', 'contract_lines same', 'deal', 'c'),
        (2, 'contract_row', 'contracts other', 'other', 'd'),
        (3, 'contract_row', 'contract_lines later', 'deal', 'd'),
        (2, 'contract_row', 'customers north', null, 'e'),
        (2, 'contract_row', 'customers east', null, 'e'),
        (2, 'contract_row', 'baas north|2026-01-01', null, 'e'),
        (2, 'contract_row', 'baas northeast|2026-01-01', null, 'e'),
        (2, 'contract_row', 'facilities clinic', null, 'e'),
        (2, 'contract_row', 'facilities ward', null, 'e'),
        (2, 'contract_row', 'rate_cards card|1', null, 'e'),
        (2, 'contract_row', 'facility_identifiers ehr|C', null, 'e'),
        (2, 'seed', 'meters', null, 'f'),
        (2, 'usage_file', 'first.csv', null, 'g'),
        (2, 'usage_file', 'last.csv', null, 'g'),
        (2, 'usage_file', 'before.csv', null, 'g'),
        (2, 'usage_file', 'after.csv', null, 'g'),
        (2, 'usage_file', 'others.csv', null, 'g')
    ) as inputs(issue_no, kind, name, contract_id, digest);
    create table warehouse.raw.contracts as select * from (values
        ('deal', 'north'), ('other', 'east'), ('third', 'northeast')
    ) as contracts(contract_id, customer_id);
    create table warehouse.raw.contract_rows as select * from (values
        ('baas', 'north|2026-01-01'), ('baas', 'northeast|2026-01-01')
    ) as rows(table_name, row_key);
    create table warehouse.raw.rate_cards as select * from (values ('card', 1))
        as cards(rate_card_id, tier);
    create table warehouse.raw.contract_lines as select * from (values
        ('deal', 'card')) as lines(contract_id, rate_card_id);
    create table warehouse.raw.contract_facilities as select * from (values
        ('deal', 'clinic'), ('other', 'ward')) as covered(contract_id, facility_id);
    create table warehouse.raw.facility_identifiers as select * from (values
        ('ehr', 'C', 'clinic')) as names(feed, identifier, facility_id);
    create table warehouse.raw.usage_files as select * from (values
        ('1', 'first.csv'), ('2', 'last.csv'), ('3', 'before.csv'), ('4', 'after.csv'),
        ('5', 'others.csv')) as files(file_id, source_file);
    create table warehouse.restricted.attributed_usage as select * from (values
        ('1', 'deal', date '2026-03-01'), ('2', 'deal', date '2026-03-03'),
        ('3', 'deal', date '2026-02-28'), ('4', 'deal', date '2026-03-04'),
        ('5', 'other', date '2026-03-02')) as usage(file_id, contract_id, service_date);
"""


@pytest.fixture(scope="module")
def book() -> Iterator[duckdb.DuckDBPyConnection]:
    with book_in_memory(BOOK) as connection:
        yield connection


def test_adjustments_meet_by_line_and_stand_beside_twelve_months(book) -> None:
    east, north = adjusted_customers(book)
    # 300 and 200 in the twelve months; -30 + 20 of the seats, +15 of the milestone.
    assert (north.currency, north.billed, north.adjusted) == ("USD", D(500), D(25))
    assert [(line.subject, line.adjusted) for line in north.lines] == [
        ("live", D(15)),
        ("seats", D(-10)),
    ]
    seats = north.lines[1]
    assert seats.days == (date(2026, 3, 1), date(2026, 3, 3))
    assert seats.amendments == "A1, A2"
    # 25 of 500 are 5 %; where nothing was billed any adjustment is more.
    assert not north.exceeds(D(5))
    assert north.exceeds(D("4.99"))
    assert east.exceeds(D(100))


def test_changed_inputs_are_those_that_bear_on_the_contract(book) -> None:
    days = (date(2026, 3, 1), date(2026, 3, 3))
    found = changed_inputs(book, "deal", days, since_issue=1, through_issue=2)
    assert [str(change) for change in found] == [
        "contract row baas north|2026-01-01 (new)",
        "contract row contract_lines old (gone)",
        "contract row contracts deal (changed)",
        "contract row customers north (new)",
        "contract row facilities clinic (new)",
        "contract row facility_identifiers ehr|C (new)",
        "contract row rate_cards card|1 (new)",
        "seed meters (new)",
        "usage file first.csv (new)",
        "usage file last.csv (new)",
    ]
