"""Rejected usage is a work list: once mended it is billed, on its own dates (U1)."""

from datetime import date as day
from decimal import Decimal as D

from conftest import BilledBook, Close

MARCH = day(2026, 3, 1)
REASONS = {
    "unknown_facility",
    "facility_not_covered",
    "missing_facility",
    "invalid_date",
    "invalid_quantity",
    "future_date",
    "no_contract",
}


def work_list(close: Close) -> dict[str, str]:
    """What is rejected of the feed, by reason, and what would mend it."""
    return dict(
        close.rows(
            "select reason, remedy from quality.rejected_usage where feed = 'mended'"
        )
    )


def test_every_reason_says_what_would_mend_it(billed_book: BilledBook) -> None:
    before = billed_book.closes[1]
    remedies = work_list(before)
    assert set(remedies) == REASONS
    assert len(set(remedies.values())) == len(REASONS)
    assert "facility_identifiers.csv" in remedies["unknown_facility"]
    assert before.invoices("mended") == {}


def test_what_was_mended_is_billed_on_its_own_dates(billed_book: BilledBook) -> None:
    after = billed_book.closes[2]
    assert work_list(after) == {}
    # Five of January at 4, one of February at 4; one of December at 3.
    assert after.rows(
        "select lines.invoice_date, lines.contract_id, service_start, service_end, "
        "quantity, lines.amount, is_adjustment "
        "from finance.invoice_lines as lines join finance.invoices using (invoice_id) "
        "where customer_id = 'mended' and status <> 'draft' order by service_start"
    ) == [
        (
            MARCH,
            "mended-december",
            day(2025, 12, 1),
            day(2025, 12, 31),
            D(1),
            D(3),
            True,
        ),
        (MARCH, "mended", day(2026, 1, 1), day(2026, 1, 31), D(5), D(20), True),
        (MARCH, "mended", day(2026, 2, 1), day(2026, 2, 28), D(1), D(4), False),
    ]


def test_mended_usage_is_shared_where_it_happened_A7(billed_book: BilledBook) -> None:
    # Of January's five, four were at a and one at b.
    assert billed_book.closes[2].rows(
        "select facility_id, shares.quantity, shares.amount "
        "from finance.invoice_line_facilities as shares "
        "join finance.invoice_lines as lines using (invoice_id, line_number) "
        "where lines.contract_id = 'mended' and service_start = date '2026-01-01' "
        "order by 1"
    ) == [("mended-a", D(4), D(16)), ("mended-b", D(1), D(4))]
