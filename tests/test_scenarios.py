"""Worked scenarios, end to end through the command. Every number is worked by hand."""

from datetime import date
from decimal import Decimal as D

from conftest import BilledBook, Close


def test_a_facility_that_joins_by_amendment_R1_A2(billed_book: BilledBook) -> None:
    # January and February were issued at 2 × 90. On 15 February a third joins: the
    # 28 days are billed again as 2 × 90 × 14/28 and 3 × 90 × 14/28; March at 3 × 90.
    assert billed_book.closes[1].invoices("joins") == {
        "2026-01-01": D("180.00"),
        "2026-02-01": D("180.00"),
    }
    close = billed_book.closes[2]
    assert close.invoices("joins")["2026-03-01"] == D("315.00")
    assert close.lines("joins", "2026-03-01") == [
        ("03-01", "03-31", None, D(3), D(90), D(270), ""),
        ("02-01", "02-28", None, D(-2), D(90), D(-180), "adjustment reversal"),
        ("02-01", "02-14", None, D(2), D(90), D(90), "adjustment"),
        ("02-15", "02-28", None, D(3), D(90), D(135), "adjustment"),
    ]
    assert close.shares("joins", "2026-03-01", 2) == {
        "a": (D(-1), D(-90)),
        "b": (D(-1), D(-90)),
    }
    assert close.shares("joins", "2026-03-01", 4) == dict.fromkeys("abc", (D(1), D(45)))


def test_late_cancelled_and_moved_encounters_C6_A2(billed_book: BilledBook) -> None:
    # January: E1 and E2 at a, E3 at b. Then E2 is cancelled and E4 at b comes late:
    # three encounters still, shared otherwise. February has E5. A month later E6 adds
    # one to January, E7 one to February; March has none, but is a regular date.
    assert billed_book.closes[1].invoices("late") == {"2026-02-01": D("7.50")}
    close = billed_book.closes[2]
    assert close.lines("late", "2026-03-01") == [
        ("02-01", "02-28", None, D(1), D("2.5"), D("2.5"), ""),
        ("01-01", "01-31", None, D(0), D("2.5"), D(0), "adjustment"),
    ]
    assert close.shares("late", "2026-03-01", 2) == {
        "a": (D(-1), D("-2.5")),
        "b": (D(1), D("2.5")),
    }
    assert billed_book.closes[3].lines("late", "2026-04-01") == [
        ("01-01", "01-31", None, D(1), D("2.5"), D("2.5"), "adjustment"),
        ("02-01", "02-28", None, D(1), D("2.5"), D("2.5"), "adjustment"),
    ]


def test_seats_that_change_are_invoiced_at_once_C6(billed_book: BilledBook) -> None:
    # Signed on the 20th, effective on the 15th: the invoice is of the 20th.
    # 10 × 20 × 14/28 = 100, 14 × 20 × 14/28 = 140; March 14 × 20 = 280.
    close = billed_book.closes[2]
    assert close.lines("seats", "2026-02-20") == [
        ("02-01", "02-28", None, D(-10), D(20), D(-200), "adjustment reversal"),
        ("02-01", "02-14", None, D(10), D(20), D(100), "adjustment"),
        ("02-15", "02-28", None, D(14), D(20), D(140), "adjustment"),
    ]
    assert close.invoices("seats") == {
        "2026-01-01": D(200),
        "2026-02-01": D(200),
        "2026-02-20": D(40),
        "2026-03-01": D(280),
    }


def test_quarters_years_anchors_and_stubs_C3_C4(billed_book: BilledBook) -> None:
    # The stub of 5 days ends on 15 January. Its full quarter has 92 days (from
    # 15 October), its full year 365: 300 × 5/92 = 16.304, 1200 × 5/365 = 16.438. The
    # first year is cut after 351 of its 365 days: 1200 × 351/365 = 1153.9726.
    close = billed_book.closes[1]
    assert close.lines("rhythms", "2026-01-10") == [
        ("01-10", "01-14", None, D(1), D(1200), D("16.44"), "")
    ]
    assert close.lines("rhythms", "2026-01-15") == [
        ("01-15", "12-31", None, D(1), D(1200), D("1153.97"), ""),
        ("01-10", "01-14", None, D(1), D(300), D("16.3"), ""),
    ]
    # The quarter to 14 April is a draft of 15 April, the earliest date to come (C7).
    assert billed_book.closes[3].rows(
        "select invoice_date, total, invoice_number from finance.invoices "
        "where customer_id = 'rhythms' and status = 'draft'"
    ) == [(date(2026, 4, 15), D(300), None)]


def test_a_termination_gives_a_credit_memo_C6_A3(billed_book: BilledBook) -> None:
    # 310 × 10/28 = 110.714 stays of the 310 of February. Nothing regular is to come,
    # so the memo is of the as-of day.
    close = billed_book.closes[2]
    assert close.lines("terminated", "2026-03-01") == [
        ("02-01", "02-28", None, D(-1), D(310), D(-310), "adjustment reversal"),
        ("02-01", "02-10", None, D(1), D(310), D("110.71"), "adjustment"),
    ]
    assert close.rows(
        "select document_type, subtotal from finance.invoices "
        "where customer_id = 'terminated' and invoice_date = '2026-03-01'"
    ) == [("credit_memo", D("-199.29"))]


def test_a_currency_without_cents_A1(billed_book: BilledBook) -> None:
    # 1001 × 16/31 = 516.645, which is 517 yen.
    assert billed_book.closes[1].invoices("yen") == {
        "2026-01-16": D(517),
        "2026-02-01": D(1001),
    }


def test_two_contracts_on_one_invoice_C4_C5(billed_book: BilledBook) -> None:
    # Due after the longer terms, 45 days after 1 January; the order of the contract
    # that has one.
    assert billed_book.closes[1].rows(
        "select invoice_date, total, due_date - invoice_date, po_number "
        "from finance.invoices where customer_id = 'grouped' "
        "and invoice_date = '2026-01-01'"
    )[0][1:] == (D(150), 45, "PO-9")


def test_a_contract_that_breaks_is_held_until_mended(billed_book: BilledBook) -> None:
    before, broken, mended = (billed_book.closes[n] for n in (1, 2, 3))
    billed = {"2026-01-01": D(100), "2026-02-01": D(100)}
    assert before.invoices("held") == billed
    assert broken.invoices("held") == billed
    assert broken.rows(
        "select count(*) from finance.invoices "
        "where customer_id = 'held' and status = 'draft'"
    ) == [(0,)]
    assert broken.rows(
        "select source_file, line, column_name, value, contract_id "
        "from quality.rejected_rows where contract_id = 'held'"
    ) == [("contracts/contract_lines/held.csv", 2, "unit_price", "1oo", "held")]
    # Mended, March is late: its own day was closed, so it goes with April's.
    assert mended.invoices("held") == billed | {"2026-04-01": D(200)}
    assert mended.lines("held", "2026-04-01") == [
        ("04-01", "04-30", None, D(1), D(100), D(100), ""),
        ("03-01", "03-31", None, D(1), D(100), D(100), "adjustment"),
    ]


def test_what_cannot_be_priced_holds_its_contract_alone(
    billed_book: BilledBook,
) -> None:
    close = billed_book.closes[1]
    assert close.invoices("refused") == {
        "2026-01-01 refused-good": D(10),
        "2026-02-01 refused-good": D(10),
    }
    held = {
        contract
        for (contract,) in close.rows(
            "select contract_id from quality.rejected_rows "
            "where contract_id like 'refused%'"
        )
    }
    assert held == {"refused-noprice", "refused-nocard", "refused-overlap"}


def test_an_encounter_counts_for_one_contract_U1(billed_book: BilledBook) -> None:
    # The older contract has those of 10 and 20 January and 14 February, its last day,
    # after which its last period is billed; the newer one that of the 15th.
    assert billed_book.closes[2].invoices("two") == {
        "2026-02-01 two-older": D(2),
        "2026-02-15 two-older": D(1),
        "2026-03-01 two-newer": D(3),
    }


def test_every_row_of_a_dirty_feed_has_one_outcome(billed_book: BilledBook) -> None:
    close = billed_book.closes[1]
    assert _outcomes(close, "dirt") == {
        ("billable", None): 3,
        ("replaced", None): 3,
        ("void", None): 1,
        ("unmetered", None): 1,
        ("rejected", "missing_facility"): 1,
        ("rejected", "unknown_facility"): 1,
        ("rejected", "no_contract"): 2,
        ("rejected", "facility_not_covered"): 1,
        ("rejected", "future_date"): 1,
        ("rejected", "invalid_date"): 1,
        ("rejected", "invalid_quantity"): 2,
    }
    assert close.rows(
        "select rows_read, known, not_yet_known, unreadable "
        "from quality.intake_files where feed = 'dirt'"
    ) == [(17, 17, 0, 0)]
    assert close.invoices("dirt") == {"2026-02-01": D(3)}
    # In March the event of 5 February has come about: after the contract.
    later = _outcomes(billed_book.closes[2], "dirt")
    assert later["rejected", "no_contract"] == 3
    assert ("rejected", "future_date") not in later


def test_what_is_shown_of_a_rejected_event_tells_no_patient(
    billed_book: BilledBook,
) -> None:
    shown = billed_book.closes[1].rows(
        "select event_id, facility, service_date, event_type "
        "from quality.rejected_usage where feed = 'dirt' "
        "and reason = 'unknown_facility'"
    )
    assert [(e, f, f"{day}", kind) for e, f, day, kind in shown] == [
        (None, "(unreadable)", "2026-01-01", "encounter")
    ]


def test_an_event_type_no_meter_counts_is_not_shown(billed_book: BilledBook) -> None:
    shown = billed_book.closes[1].rows(
        "select event_type, count(*) from quality.rejected_usage "
        "where feed = 'dirt' and reason = 'invalid_quantity' group by 1 order by 1"
    )
    assert shown == [("(other)", 1), ("encounter", 1)]


def test_usage_without_an_agreement_is_billed_once_there_is_one(
    billed_book: BilledBook,
) -> None:
    before, after = billed_book.closes[1], billed_book.closes[2]
    assert _outcomes(before, "agreement") == {("rejected", "no_baa"): 2}
    assert before.invoices("agreement") == {}
    assert _outcomes(after, "agreement") == {("billable", None): 2}
    assert after.lines("agreement", "2026-03-01") == [
        ("01-01", "01-31", None, D(2), D(4), D(8), "adjustment")
    ]


def test_what_came_under_an_agreement_stays_billed_after_its_end_HP_6(
    billed_book: BilledBook,
) -> None:
    # One encounter at 4 in January, one in February, received on the last day. The one
    # received a day after is not billed, and nothing of the others is taken back.
    last = billed_book.closes[3]
    assert _outcomes(last, "parting") == {
        ("billable", None): 2,
        ("rejected", "no_baa"): 1,
    }
    assert last.invoices("parting") == {"2026-02-01": D(4), "2026-03-01": D(4)}


def test_graduated_tiers_run_on_through_the_year_U5_U6_A7(
    billed_book: BilledBook,
) -> None:
    # One of January's four is free, three fill tier 1. February: two of tier 2 and
    # its fee of 1; three at 0.125 are 0.375, the half cent away from zero. They are
    # a : b = 1 : 2, 12 2/3 and 25 1/3 cents: the cent left over goes to a.
    assert billed_book.closes[1].lines("tiers", "2026-02-01") == [
        ("01-01", "01-31", 1, D(3), D(10), D(30), "")
    ]
    close = billed_book.closes[2]
    assert close.lines("tiers", "2026-03-01") == [
        ("02-01", "02-28", 2, D(2), D(8), D(17), ""),
        ("02-01", "02-28", 3, D(3), D("0.125"), D("0.38"), ""),
    ]
    assert close.shares("tiers", "2026-03-01", 2) == {
        "a": (D(1), D("0.13")),
        "b": (D(2), D("0.25")),
    }


def _outcomes(close: Close, feed: str) -> dict[tuple[str, str | None], int]:
    return {
        (outcome, reason): int(rows)
        for outcome, reason, rows in close.rows(
            "select outcome, reason, sum(rows) from quality.usage_outcomes "
            "where feed = $1 group by outcome, reason",
            feed,
        )
    }
