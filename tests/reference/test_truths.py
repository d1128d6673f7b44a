"""What must hold of the model whatever the scenario: no sums worked by hand here."""

from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal
from random import Random

import pytest

from reference import Close, Ledger, bill
from reference.generator import random_scenario, random_schedule
from reference.scenarios import Scenario, merged_landing

FAR = date(2029, 1, 1)
SCHEDULE = 11


@pytest.fixture(scope="module")
def scenarios() -> list[Scenario]:
    schedule = random_schedule(Random(SCHEDULE))
    assert sum(step.closes is not None for step in schedule) >= 2
    return [random_scenario(Random(seed), schedule, f"s{seed}-") for seed in range(12)]


def run_all(scenarios: list[Scenario], ledger: Ledger) -> Close:
    for number, step in enumerate(scenarios[0].schedule):
        landing = merged_landing(scenarios, number)
        close = bill(landing, ledger, step.as_of, step.issue_through, step.closes)
    return close


def booked_by_charge(ledger: Ledger) -> dict[tuple, tuple]:
    sums: dict[tuple, list] = defaultdict(lambda: [Decimal(0), Decimal(0), {}])
    for document in ledger.documents:
        for line in document.lines:
            entry = sums[line.charge.identity]
            entry[0] += line.quantity
            entry[1] += line.amount
            for facility, (quantity, amount) in line.shares.items():
                was = entry[2].get(facility, (Decimal(0), Decimal(0)))
                entry[2][facility] = (was[0] + quantity, was[1] + amount)
    return {
        identity: (quantity, amount, {f: s for f, s in shares.items() if any(s)})
        for identity, (quantity, amount, shares) in sums.items()
        if quantity or amount
    }


def test_issued_documents_never_change_and_issuing_twice_appends_nothing(scenarios):
    ledger = Ledger()
    for number, step in enumerate(scenarios[0].schedule):
        before = list(ledger.documents)
        landing = merged_landing(scenarios, number)
        first = bill(landing, ledger, step.as_of, step.issue_through, step.closes)
        assert ledger.documents[: len(before)] == before
        second = bill(landing, ledger, step.as_of, step.issue_through, step.closes)
        assert (second.issued, second.drafts) == (first.issued, first.drafts)
        assert second.revenue == first.revenue


def test_once_everything_is_issued_what_is_booked_is_what_is_due(scenarios):
    ledger = Ledger()
    run_all(scenarios, ledger)
    last = merged_landing(scenarios, len(scenarios[0].schedule) - 1)
    close = bill(last, ledger, FAR, FAR)
    # Adjustments go onto the as-of day once no regular date follows.
    close = bill(last, ledger, FAR, FAR)
    assert close.drafts == []
    due = {c.identity: (c.quantity, c.amount, c.shares) for c in close.charges}
    assert booked_by_charge(ledger) == due


def test_closing_in_turn_or_at_once_books_the_same_charges(scenarios):
    last = merged_landing(scenarios[:6], len(scenarios[0].schedule) - 1)
    at_once, in_turn = Ledger(), Ledger()
    bill(last, at_once, FAR, FAR)
    when = date(2023, 6, 1)
    while when < FAR:
        bill(last, in_turn, FAR, when)
        when += timedelta(days=211)
    bill(last, in_turn, FAR, FAR)
    assert booked_by_charge(in_turn) == booked_by_charge(at_once)


def test_lines_add_up_to_documents_and_usage_shares_to_lines(scenarios):
    ledger = Ledger()
    close = run_all(scenarios, ledger)
    for document in close.documents:
        assert document.total == sum(line.amount for line in document.lines)
        for line in document.lines:
            if line.shares:
                assert line.amount == sum(s[1] for s in line.shares.values())
            if line.charge.line_type == "usage":
                assert line.quantity == sum(s[0] for s in line.shares.values())


def test_order_of_rows_does_not_matter(scenarios):
    last = len(scenarios[0].schedule) - 1
    landing, shuffled = (merged_landing(scenarios, last) for _ in range(2))
    for rows in shuffled.tables.values():
        Random(0).shuffle(rows)
    straight, ledger = Ledger(), Ledger()
    as_of = scenarios[0].schedule[-1].as_of
    bill(landing, straight, as_of, as_of)
    bill(shuffled, ledger, as_of, as_of)
    assert booked_by_charge(ledger) == booked_by_charge(straight)
    assert [(d.number, d.total) for d in ledger.documents] == [
        (d.number, d.total) for d in straight.documents
    ]


def test_what_progress_says_is_due_is_charged_once_its_period_has_ended(scenarios):
    close = run_all(scenarios, Ledger())
    as_of = scenarios[0].schedule[-1].as_of
    due = {
        (row.commitment_id, row.period_start, row.period_end): row.true_up
        for row in close.progress
        if row.true_up is not None
    }
    charged = {
        (charge.commitment_id, charge.service_start, charge.service_end): charge.amount
        for charge in close.charges
        if charge.commitment_id
    }
    assert charged
    assert all(end < as_of for _, _, end in due)
    assert {period: due[period] for period in charged} == charged
    assert not any(due[period] for period in due.keys() - charged.keys())


def test_months_add_up_to_charges_and_what_was_posted(scenarios):
    ledger = Ledger()
    close = run_all(scenarios, ledger)
    due = sum((charge.amount for charge in close.charges), Decimal(0))
    assert sum(row.amount for row in close.revenue.schedule) == due
    posted = sum((p.amount for p in ledger.postings), Decimal(0))
    assert posted
    rows = close.revenue.schedule
    assert sum(row.amount for row in rows if row.status == "posted") == posted


def test_balances_are_those_of_the_accounts_at_the_last_close_RR31(scenarios):
    ledger = Ledger()
    close = run_all(scenarios, ledger)
    month = max(ledger.closed_months)
    sums: dict[tuple, Decimal] = defaultdict(Decimal)
    for line in ledger.journal:
        sums["all", line.currency] += line.amount
        if line.accounting_month <= month:
            sums[line.contract_id, line.account] += line.amount
    assert not any(sums["all", currency] for currency in ("USD", "EUR", "JPY"))
    rows = [row for row in close.revenue.balances if row.month == month]
    assert any(row.unbilled_closing for row in rows)
    for row in rows:
        contract_id = row.contract_id
        assert sums[contract_id, "deferred_revenue"] == -row.deferred_closing
        assert sums[contract_id, "unbilled_receivable"] == row.unbilled_closing


def test_usage_by_facility_adds_up_to_usage_charges(scenarios):
    close = run_all(scenarios, Ledger())
    usage = [charge for charge in close.charges if charge.line_type == "usage"]
    rows = close.revenue.usage
    assert sum(row.amount for row in rows) == sum(c.amount for c in usage)
    assert sum(row.quantity for row in rows) == sum(c.quantity for c in usage)
