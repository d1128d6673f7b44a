"""What is drafted and issued, against cases worked by hand."""

from decimal import Decimal

from reference.cases import Case

D = Decimal


def test_late_usage_is_an_adjustment_on_the_next_regular_invoice_C6_A2():
    case = Case()
    case.line(meter="encounter", unit_price="3")
    case.events(2, "2026-01-10")
    case.bill("2026-02-01", "2026-02-01")
    case.events(1, "2026-01-11", "S")
    drafts = case.bill("2026-02-05").drafts
    assert [str(draft.invoice_date) for draft in drafts] == ["2026-03-01"]
    (line,) = drafts[0].lines
    assert (line.quantity, line.amount, line.is_adjustment) == (D(1), D(3), True)
    assert line.reverses is False
    assert line.shares == {"S": (D(1), D(3))}


def test_usage_moved_between_facilities_is_a_line_of_zero_A2():
    case = Case()
    case.line(meter="encounter", unit_price="3")
    case.event("e", "2026-01-10", "N", received_at="2026-01-10")
    case.bill("2026-02-01", "2026-02-01")
    case.event("e", "2026-01-10", "S", received_at="2026-02-02")
    (line,) = case.bill("2026-02-05").drafts[0].lines
    assert (line.quantity, line.amount) == (D(0), D(0))
    assert line.shares == {"N": (D(-1), D(-3)), "S": (D(1), D(3))}
    assert case.bill("2026-03-01", "2026-03-01").drafts == []


def test_an_immediate_amendment_carries_its_adjustments_C6():
    # Seats go from 1 to 2 on 11 January, signed on 15 January, at 31 a month.
    case = Case()
    case.line(unit_price="31")
    case.bill("2026-01-02", "2026-01-02")
    case.amend("A", "2026-01-15", "2026-01-11", invoicing="immediate")
    case.line(
        effective_on="2026-01-11", unit_price="31", quantity="2", amendment_id="A"
    )
    first = case.bill("2026-01-20").drafts[0]
    assert str(first.invoice_date) == "2026-01-15"
    assert [(ln.amount, ln.reverses) for ln in first.lines] == [
        (D(10), False),
        (D(42), False),
        (D(-31), True),
    ]
    assert first.total == D(21)


def test_a_termination_gives_a_credit_memo_on_the_as_of_day_C6_A3():
    case = Case()
    case.line(unit_price="365", billing_frequency="annual")
    case.bill("2026-01-02", "2026-01-02")
    case.amend("A", "2026-03-01", "2026-03-31", new_ends_on="2026-03-31")
    (memo,) = case.bill("2026-04-02").drafts
    assert (str(memo.invoice_date), memo.document_type) == ("2026-04-02", "credit_memo")
    assert memo.total == D(90) - D(365)


def test_numbers_run_by_year_in_order_of_date_A4():
    case = Case(starts_on="2025-12-01")
    case.line(unit_price="1")
    issued = case.bill("2026-02-10", "2026-02-01").issued
    assert [document.number for document in issued] == [
        "INV-2025-000001",
        "INV-2026-000001",
        "INV-2026-000002",
    ]
    assert case.bill("2026-02-10", "2026-02-01").issued == issued
