"""What changes after it was billed, end to end. Every number is worked by hand."""

from datetime import date
from decimal import Decimal as D

from conftest import BilledBook
from test_price_book import words

FEBRUARY, MARCH, APRIL = (f"2026-0{month}-01" for month in (2, 3, 4))
ADJUSTED = "adjustment"


def test_late_units_move_others_over_a_tier_and_a_version_U4_U5(
    billed_book: BilledBook,
) -> None:
    # 8 of January at 10; of February's 6 the 9th and 10th at 9, four at 7. With three
    # more of January 10 at 10 and one at 8 are January's, February's six all at 7:
    # 108 + 42 less 80 + 46 is 24.
    assert billed_book.closes[2].lines("crossing", MARCH) == [
        ("02-01", "02-28", 1, D(2), D(9), D(18), ""),
        ("02-01", "02-28", 2, D(4), D(7), D(28), ""),
    ]
    close = billed_book.closes[3]
    assert close.lines("crossing", APRIL) == [
        ("01-01", "01-31", 1, D(2), D(10), D(20), ADJUSTED),
        ("01-01", "01-31", 2, D(1), D(8), D(8), ADJUSTED),
        ("02-01", "02-28", 1, D(-2), D(9), D(-18), "adjustment reversal"),
        ("02-01", "02-28", 2, D(2), D(7), D(14), ADJUSTED),
    ]
    assert close.invoices("crossing")[APRIL] == D(24)


def test_late_units_bring_a_month_to_the_next_volume_tier_A2(
    billed_book: BilledBook,
) -> None:
    # 10 × 5; 12 × 4.
    close = billed_book.closes[2]
    assert close.lines("jump", MARCH) == [
        ("01-01", "01-31", 1, D(-10), D(5), D(-50), "adjustment reversal"),
        ("01-01", "01-31", 2, D(12), D(4), D(48), ADJUSTED),
    ]
    assert words(close, "jump", MARCH) == [
        ("Reversal: scans, tier 1 (1–10), January 2026", None),
        ("scans, tier 2 (11 and more), January 2026", None),
    ]


def test_a_minimum_spend_cut_by_termination_M1_M4(billed_book: BilledBook) -> None:
    # To 10 February 225 of 365 days: 3650 × 225/365 = 2250, less 200 × 4.
    assert billed_book.closes[2].lines("spent", "2026-02-11") == [
        ("07-01", "02-10", None, D(1), None, D(1450), "")
    ]


def test_the_states_of_a_commitment_M6(billed_book: BilledBook) -> None:
    # January: 120 × 31/365 = 10.2 expected, 12 × 365/31 = 141.3 projected. February:
    # 120 × 59/365 = 19.4 and 122 × 365/59 = 754.7; 122/120 = 101.67 %.
    rows = billed_book.closes[2].rows(
        "select month, actual_to_date, expected_to_date, percent, projected, "
        "projected_true_up, true_up, status from finance.commitment_progress "
        "where contract_id = 'pace' order by month"
    )
    assert rows == [
        (date(2026, 1, 1), 12, 10, 10, 141, 0, None, "on_track"),
        (date(2026, 2, 1), 122, 19, D("101.67"), 755, 0, None, "met"),
    ]


def test_the_progress_of_a_rerated_year_M6(billed_book: BilledBook) -> None:
    # By 30 June, 150 of 365 days: 50 × 150/365 = 20.5, 120 × 365/150 = 292 at 8 less
    # 10. In its last month the true-up: 120 × 8 less 1200.
    rows = billed_book.closes[1].rows(
        "select month, actual_to_date, expected_to_date, projected, tier, "
        "projected_true_up, true_up, status from finance.commitment_progress "
        "where contract_id = 'rerate' and month in ('2025-06-01', '2026-01-01') "
        "order by month"
    )
    assert rows == [
        (date(2025, 6, 1), 120, 21, 292, 2, -584, None, "met"),
        (date(2026, 1, 1), 120, 50, 120, 2, -240, -240, "met"),
    ]


def test_the_progress_of_a_minimum_spend_M6(billed_book: BilledBook) -> None:
    # January: 600 and 60 of 1000, its last day: 340 are due.
    rows = billed_book.closes[1].rows(
        "select committed, actual_to_date, expected_to_date, percent, projected, "
        "tier, projected_true_up, true_up, status from finance.commitment_progress "
        "where contract_id = 'minimum'"
    )
    assert rows == [(1000, 660, 1000, 66, 660, None, 340, 340, "at_risk")]


def test_a_milestone_is_corrected_and_withdrawn_S1_A2(billed_book: BilledBook) -> None:
    at = ("01-10", "01-10", None)
    assert billed_book.closes[1].lines("undone", "2026-01-10") == [
        (*at, D(1), D(100), D(100), "")
    ]
    assert billed_book.closes[2].lines("undone", MARCH)[1:] == [
        (*at, D(-1), D(100), D(-100), "adjustment reversal"),
        (*at, D(1), D(150), D(150), ADJUSTED),
    ]
    assert billed_book.closes[3].lines("undone", APRIL)[1:] == [
        (*at, D(-1), D(150), D(-150), "adjustment reversal")
    ]


def test_a_price_lowered_for_billed_months_is_credited_at_once_C6(
    billed_book: BilledBook,
) -> None:
    # 100 × 14/31 = 45.161, 90 × 17/31 = 49.355; February at 90. The memo has the day of
    # the signature: −100 + 45.16 + 49.35 − 100 + 90.
    close = billed_book.closes[2]
    assert close.lines("backdated", "2026-02-20") == [
        ("01-01", "01-31", None, D(-1), D(100), D(-100), "adjustment reversal"),
        ("01-01", "01-14", None, D(1), D(100), D("45.16"), ADJUSTED),
        ("01-15", "01-31", None, D(1), D(90), D("49.35"), ADJUSTED),
        ("02-01", "02-28", None, D(-1), D(100), D(-100), "adjustment reversal"),
        ("02-01", "02-28", None, D(1), D(90), D(90), ADJUSTED),
    ]
    assert {by for _, by in words(close, "backdated", "2026-02-20")} == {
        "backdated-less"
    }
    assert close.rows(
        "select document_type, subtotal from finance.invoices "
        "where customer_id = 'backdated' and invoice_date = '2026-02-20'"
    ) == [("credit_memo", D("-15.49"))]
    assert close.invoices("backdated")[MARCH] == D(90)


def test_a_share_of_usage_follows_late_units_R4(billed_book: BilledBook) -> None:
    # 20 % of 50, then of 60.
    assert billed_book.closes[1].lines("share", FEBRUARY) == [
        ("01-01", "01-31", None, D(50), D("0.2"), D(10), ""),
        ("01-01", "01-31", None, D(10), D(5), D(50), ""),
    ]
    assert billed_book.closes[2].lines("share", MARCH) == [
        ("01-01", "01-31", None, D(10), D("0.2"), D(2), ADJUSTED),
        ("01-01", "01-31", None, D(2), D(5), D(10), ADJUSTED),
    ]


def test_a_commitment_lowered_after_its_true_up_T1_M2(billed_book: BilledBook) -> None:
    # 40 short of 100 at 2 were issued; 10 short of 70 are due.
    assert billed_book.closes[1].invoices("pledged")[FEBRUARY] == D(80)
    close = billed_book.closes[2]
    assert close.lines("pledged", MARCH) == [
        ("02-01", "01-31", None, D(-30), D(2), D(-60), ADJUSTED)
    ]
    assert words(close, "pledged", MARCH) == [
        (
            "Correction: True-up: 10 procedures short of 70, "
            "February 2025 – January 2026",
            "pledged-less",
        )
    ]


def test_a_commitment_by_quarters_M1(billed_book: BilledBook) -> None:
    # 40 × 3, and 60 more of 100.
    close = billed_book.closes[1]
    assert close.lines("quarter", "2026-01-01") == [
        ("10-01", "12-31", None, D(40), D(3), D(120), ""),
        ("10-01", "12-31", None, D(60), D(3), D(180), ""),
    ]
    assert words(close, "quarter", "2026-01-01")[1] == (
        "True-up: 60 procedures short of 100, October 2025 – December 2025",
        None,
    )


def test_units_of_a_facility_that_had_left_are_taken_back_U1(
    billed_book: BilledBook,
) -> None:
    # 8 × 2 were billed, the five of b after the 16th are not covered.
    close = billed_book.closes[2]
    assert close.lines("left", MARCH) == [
        ("01-01", "01-31", None, D(-5), D(2), D(-10), ADJUSTED)
    ]
    assert close.shares("left", MARCH, 1) == {"b": (D(-5), D(-10))}
    assert close.rows(
        "select outcome, reason, sum(rows) from quality.usage_outcomes "
        "where feed = 'left' group by all order by all"
    ) == [("billable", None, 1), ("rejected", "facility_not_covered", 1)]


def test_late_units_rerate_a_year_that_was_over_M3(billed_book: BilledBook) -> None:
    # 90 stay in the committed tier: no true-up. 110 are 1100 as they came and 880 at
    # the tier reached.
    assert billed_book.closes[1].invoices("rerun") == {"2025-07-01": D(900)}
    assert billed_book.closes[2].lines("rerun", MARCH) == [
        ("01-01", "01-31", 1, D(20), D(10), D(200), ADJUSTED),
        ("02-01", "01-31", None, D(110), None, D(-220), ADJUSTED),
    ]


def test_what_counts_to_a_minimum_of_all_M4(billed_book: BilledBook) -> None:
    # January: 100, 10 % of it, 20 × 1; 70 are missing of 200.
    assert billed_book.closes[1].lines("floor", FEBRUARY) == [
        ("02-01", "02-28", None, D(1), D(100), D(100), ""),
        ("02-01", "02-28", None, D(100), D("0.1"), D(10), ""),
        ("01-01", "01-31", None, D(20), D(1), D(20), ""),
        ("01-01", "01-31", None, D(1), None, D(70), ""),
    ]


def test_a_missing_unit_costs_what_the_committed_tier_does_M2(
    billed_book: BilledBook,
) -> None:
    # 50 × 10 and 10 × 8; 40 are missing of 100, which tier 2 holds.
    close = billed_book.closes[1]
    assert close.invoices("tiered") == {"2025-07-01": D(580), FEBRUARY: D(320)}
    assert close.lines("tiered", FEBRUARY) == [
        ("02-01", "01-31", None, D(40), D(8), D(320), "")
    ]
