"""The price book, end to end through the command. Every number is worked by hand."""

from datetime import date
from decimal import Decimal as D

from conftest import BilledBook, Close

FEBRUARY, MARCH = "2026-02-01", "2026-03-01"


def words(close: Close, customer: str, day: str) -> list[tuple[str, str | None]]:
    """Description and amendment of each line of a customer's document of a day."""
    return close.rows(
        "select description, amendment_id from finance.invoice_lines as lines "
        "join finance.invoices using (invoice_id) where customer_id = $1 "
        "and invoices.invoice_date = $2 and status <> 'draft' order by line_number",
        customer,
        date.fromisoformat(day),
    )


def test_pricing_models_of_recurring_lines_R3_R4(billed_book: BilledBook) -> None:
    # 8 of 5 × 20 and 15 for more: 5 × 20 + 3 × 15 = 145, all at 15 = 120. 8 in threes
    # are 3 × 30; the step above 5 costs 140. 1000 less 10 %, and 18 % of 900.
    close = billed_book.closes[1]
    january = ("01-01", "01-31")
    assert close.lines("shelf", "2026-01-01") == [
        (*january, None, D(8), D("18.125"), D(145), ""),
        (*january, None, D(8), D(30), D(90), ""),
        (*january, None, D(1), D(900), D(900), ""),
        (*january, 2, D(8), D(140), D(140), ""),
        (*january, None, D(900), D("0.18"), D(162), ""),
        (*january, 2, D(8), D(15), D(120), ""),
    ]
    assert [text for text, _ in words(close, "shelf", "2026-01-01")] == [
        "grad, January 2026",
        "pack, packages of 3, January 2026",
        "platform, January 2026",
        "stair, tier 2 (6 and more), January 2026",
        "support, 18 % of platform, January 2026",
        "vol, tier 2 (6 and more), January 2026",
    ]


def test_pricing_models_of_usage_lines_U6_U8(billed_book: BilledBook) -> None:
    # 12 procedures. disc: 2 less 10 % = 1.80, less 25 % too = 1.35; 10 and 2 of them.
    # free: 10 at 1.50. pack: three of five at 7. stair: the step to 15. vol: 12 × 4
    # and the tier's fee of 10. Two emergencies at 9. Of three encounters with a
    # patient two are one patient's, seen first at b: 2 × 3.
    close = billed_book.closes[1]
    january = ("01-01", "01-31")
    assert close.lines("meters", FEBRUARY) == [
        (*january, 1, D(10), D("1.8"), D(18), ""),
        (*january, 2, D(2), D("1.35"), D("2.7"), ""),
        (*january, None, D(2), D(9), D(18), ""),
        (*january, None, D(12), D(50), D(50), ""),
        (*january, None, D(10), D("1.5"), D(15), ""),
        (*january, None, D(12), D(7), D(21), ""),
        (*january, None, D(2), D(3), D(6), ""),
        (*january, 2, D(12), D(180), D(180), ""),
        (*january, 2, D(12), D(4), D(58), ""),
    ]
    texts = [text for text, _ in words(close, "meters", FEBRUARY)]
    assert texts[5] == "pack, packages of 5, January 2026"
    assert texts[8] == "vol, tier 2 (11–20), with its fee of 10, January 2026"
    assert close.shares("meters", FEBRUARY, 3) == dict.fromkeys("ab", (D(1), D(9)))
    assert close.shares("meters", FEBRUARY, 7) == dict.fromkeys("ab", (D(1), D(3)))
    assert close.rows(
        "select tier, list_price, discount_percent from finance.invoice_lines "
        "where line_id = 'meters-disc' order by tier"
    ) == [(1, D(2), D(10)), (2, D(2), D("32.5"))]


def test_prices_that_change_in_mid_period_R1_U7(billed_book: BilledBook) -> None:
    # 310 × 15/31 and 620 × 16/31; the encounters of the 15th and of the 16th.
    close = billed_book.closes[1]
    assert close.lines("repriced", "2026-01-01") == [
        ("01-01", "01-15", None, D(1), D(310), D(150), ""),
        ("01-16", "01-31", None, D(1), D(620), D(320), ""),
    ]
    assert close.lines("repriced", FEBRUARY)[1:] == [
        ("01-01", "01-15", None, D(1), D(2), D(2), ""),
        ("01-16", "01-31", None, D(1), D(3), D(3), ""),
    ]


def test_a_missed_commitment_appears_the_day_after_M2_M5(
    billed_book: BilledBook,
) -> None:
    # 60 of 100 in the year to 31 January: 40 × 2 on 1 February.
    close = billed_book.closes[1]
    assert close.invoices("shortfall") == {"2025-04-01": D(120), FEBRUARY: D(80)}
    assert close.lines("shortfall", FEBRUARY) == [
        ("02-01", "01-31", None, D(40), D(2), D(80), "")
    ]
    assert words(close, "shortfall", FEBRUARY) == [
        ("True-up: 40 procedures short of 100, February 2025 – January 2026", None)
    ]


def test_late_units_change_an_issued_true_up_A2(billed_book: BilledBook) -> None:
    # 15 more of January: 15 × 2, and 15 fewer are missing.
    close = billed_book.closes[2]
    assert close.lines("shortfall", MARCH) == [
        ("01-01", "01-31", None, D(15), D(2), D(30), "adjustment"),
        ("02-01", "01-31", None, D(-15), D(2), D(-30), "adjustment"),
    ]


def test_the_progress_of_a_commitment_M6(billed_book: BilledBook) -> None:
    # By 31 October, 273 of 365 days: expected 100 × 273/365 = 75 whole units,
    # projected 60 × 365/273 = 80; 20 short at 2. The last month has the true-up.
    rows = billed_book.closes[1].rows(
        "select month, committed, actual_to_date, expected_to_date, percent, "
        "projected, projected_true_up, true_up, status "
        "from finance.commitment_progress "
        "where contract_id = 'shortfall' and month in ('2025-10-01', '2026-01-01') "
        "order by month"
    )
    assert rows == [
        (
            *(date(2025, 10, 1), D(100), D(60), D(75), D(60), D(80), D(40)),
            *(None, "at_risk"),
        ),
        (
            *(date(2026, 1, 1), D(100), D(60), D(100), D(60), D(60), D(80)),
            *(D(80), "at_risk"),
        ),
    ]


def test_a_commitment_halved_in_mid_year_M1(billed_book: BilledBook) -> None:
    # 181 days of 730/365 and 184 of 365/365: 362 + 184 = 546; 46 missing at 1.50.
    close = billed_book.closes[1]
    assert close.lines("halved", FEBRUARY) == [
        ("02-01", "01-31", None, D(46), D("1.5"), D(69), "")
    ]
    assert words(close, "halved", FEBRUARY) == [
        (
            "True-up: 46 procedures short of 546, February 2025 – January 2026",
            "halved-half",
        )
    ]


def test_a_minimum_spend_each_month_M4(billed_book: BilledBook) -> None:
    # January: 600 and 12 × 5 of 1000. February: 600.
    assert billed_book.closes[1].lines("minimum", FEBRUARY) == [
        ("02-01", "02-28", None, D(1), D(600), D(600), ""),
        ("01-01", "01-31", None, D(12), D(5), D(60), ""),
        ("01-01", "01-31", None, D(1), None, D(340), ""),
    ]
    close = billed_book.closes[2]
    assert close.lines("minimum", MARCH)[1:] == [
        ("02-01", "02-28", None, D(1), None, D(400), "")
    ]
    assert words(close, "minimum", MARCH)[1:] == [
        ("Minimum spend: 400 short of 1,000, February 2026", None)
    ]


def test_a_commitment_cut_by_termination_M1(billed_book: BilledBook) -> None:
    # To 10 February 225 of 365 days are left of the year: 225 less 200, at 4.
    close = billed_book.closes[2]
    assert close.lines("cut", "2026-02-11") == [
        ("07-01", "02-10", None, D(25), D(4), D(100), "")
    ]


def test_a_volume_rerated_at_the_years_end_M3(billed_book: BilledBook) -> None:
    # 120 at the committed tier's 10 through the year; 120 reach the tier of 8.
    close = billed_book.closes[1]
    assert close.invoices("rerate") == {"2025-07-01": D(1200), FEBRUARY: D(-240)}
    assert close.lines("rerate", FEBRUARY) == [
        ("02-01", "01-31", None, D(120), None, D(-240), "")
    ]
    assert words(close, "rerate", FEBRUARY) == [
        ("True-up: 120 procedures reach tier 2, February 2025 – January 2026", None)
    ]


def test_milestones_S1(billed_book: BilledBook) -> None:
    close = billed_book.closes[1]
    assert close.invoices("milestones") == {
        "2025-12-01": D(5000),
        "2026-01-01": D(10),
        FEBRUARY: D(2510),
    }
    assert close.lines("milestones", FEBRUARY)[1:] == [
        ("01-15", "01-15", None, D(1), D(2500), D(2500), "")
    ]
    assert words(close, "milestones", FEBRUARY)[1:] == [
        ("Milestone go-live, 15 January 2026", None)
    ]
    assert billed_book.closes[3].lines("milestones", "2026-03-20") == [
        ("03-20", "03-20", None, D(1), D(750), D(750), "")
    ]


def test_a_module_that_ends_names_its_amendment_A2(billed_book: BilledBook) -> None:
    # 14 of February's 28 days stay.
    close = billed_book.closes[2]
    assert close.lines("module", MARCH) == [
        ("02-01", "02-28", None, D(-1), D(280), D(-280), "adjustment reversal"),
        ("02-01", "02-14", None, D(1), D(280), D(140), "adjustment"),
    ]
    assert words(close, "module", MARCH) == [
        ("Reversal: portal, February 2026", "module-drop"),
        ("portal, 1 February 2026 – 14 February 2026", "module-drop"),
    ]


def test_a_renewal_goes_on_without_adjustment_T2(billed_book: BilledBook) -> None:
    assert billed_book.closes[2].lines("renewed", MARCH) == [
        ("03-01", "03-31", None, D(1), D(100), D(100), "")
    ]


def test_an_amendment_signed_ahead_changes_nothing_billed_T2(
    billed_book: BilledBook,
) -> None:
    assert billed_book.closes[2].lines("ahead", MARCH) == [
        ("03-01", "03-31", None, D(1), D(10), D(10), "")
    ]


def test_a_corrected_count_A2(billed_book: BilledBook) -> None:
    # 7 instead of 10: three fewer at 2.
    assert billed_book.closes[2].lines("corrected", MARCH) == [
        ("01-01", "01-31", None, D(-3), D(2), D(-6), "adjustment")
    ]
