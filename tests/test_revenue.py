"""Revenue, journal and balances of the shared book, worked by hand from the rules.

The book's three closes are of January, February and March 2026, each as of the first
day after it.
"""

from datetime import date
from decimal import Decimal as D

from conftest import BilledBook, Close

Figures = tuple[D, D, D, D, D]


def balances(close: Close, contract: str) -> dict[str, Figures]:
    """By month: deferred at its start, billed, recognized, deferred, unbilled."""
    return {
        f"{month:%m}": tuple(figures)
        for month, *figures in close.rows(
            "select month, deferred_opening, billed, recognized, deferred_closing, "
            "unbilled_closing from finance.contract_balances "
            "where contract_id = $1 order by month",
            contract,
        )
    }


def figures(*texts: str) -> Figures:
    return tuple(D(text) for text in texts)


def months(close: Close, contract: str, status: str) -> dict[str, D]:
    """Amounts of a contract's schedule by month; on hold, of no month."""
    return {
        f"{month:%m}" if month else "": amount
        for month, amount in close.rows(
            "select revenue_month, sum(amount) from finance.revenue_schedule "
            "where contract_id = $1 and status = $2 "
            "group by revenue_month order by revenue_month",
            contract,
            status,
        )
    }


def journal(close: Close, customer: str, month: int, year: int = 2026) -> list[tuple]:
    """Entries of a month: day, kind, account debited, account credited, amount."""
    return [
        (f"{day:%m-%d}", *entry)
        for day, *entry in close.rows(
            "select entry_date, kind, max(account) filter (debit > 0), "
            "max(account) filter (credit > 0), sum(debit) "
            "from finance.journal_entries "
            "where customer_id = $1 and accounting_month = $2 "
            "group by entry_id, entry_date, kind order by entry_date, kind, entry_id",
            customer,
            date(year, month, 1),
        )
    ]


def remaining(close: Close, contract: str) -> tuple[D, D]:
    (row,) = close.rows(
        "select within_12_months, beyond_12_months from finance.remaining_obligations "
        "where contract_id = $1",
        contract,
    )
    return row


def test_a_year_billed_ahead_is_earned_by_day_V1_V2(billed_book: BilledBook) -> None:
    # 1,200 over the 365 days from 16 January: 16 days 52.603, 44 days 144.658, 75 days
    # 246.575; each month is the difference of the rounded sums.
    third = billed_book.closes[3]
    assert balances(third, "deferred") == {
        "01": figures("0", "1200", "52.60", "1147.40", "0"),
        "02": figures("1147.40", "0", "92.06", "1055.34", "0"),
        "03": figures("1055.34", "0", "101.92", "953.42", "0"),
        "04": figures("953.42", "0", "0", "953.42", "0"),
    }
    assert months(third, "deferred", "posted") == {
        "01": D("52.60"),
        "02": D("92.06"),
        "03": D("101.92"),
    }
    # V6: what is left is all of it within the twelve months from April.
    assert remaining(third, "deferred") == (D("953.42"), D(0))
    # Of the second close, as of 1 March, March was still to be earned.
    assert remaining(billed_book.closes[2], "deferred") == (D("1055.34"), D(0))


def test_paid_at_signature_earned_at_go_live_V2(billed_book: BilledBook) -> None:
    first, second, third = (billed_book.closes[n] for n in (1, 2, 3))
    assert months(first, "golive", "on_hold") == {"": D(1000)}
    assert remaining(first, "golive") == (D(1000), D(0))
    # On 10 February 1,000 and 600 at once; 3,250 over 325 days to 31 December, 10 a
    # day: 19 days of February, 31 of March.
    assert balances(third, "golive") == {
        "01": figures("0", "1000", "0", "1000", "0"),
        "02": figures("1000", "3850", "1790", "3060", "0"),
        "03": figures("3060", "0", "310", "2750", "0"),
        "04": figures("2750", "0", "0", "2750", "0"),
    }
    assert remaining(second, "golive") == (D(3060), D(0))
    assert remaining(third, "golive") == (D(2750), D(0))


def test_usage_of_a_quarter_is_earned_as_used_V2(billed_book: BilledBook) -> None:
    # 0.335 a unit, one a month: sums 0.335, 0.67, 1.005, rounded 0.34, 0.67, 1.01.
    # What March knows of the quarter: 1.01 × 1/3 = 0.337 and × 2/3 = 0.673.
    assert months(billed_book.closes[3], "quarterly", "posted") == {
        "01": D("0.34"),
        "02": D("0.33"),
        "03": D("0.34"),
    }
    # Billed on 1 April for the first time: unbilled until then (V4, V5).
    assert balances(billed_book.closes[3], "quarterly") == {
        "01": figures("0", "0", "0.34", "0", "0.34"),
        "02": figures("-0.34", "0", "0.33", "0", "0.67"),
        "03": figures("-0.67", "0", "0.34", "0", "1.01"),
        "04": figures("-1.01", "1.01", "0", "0", "0"),
    }
    assert journal(billed_book.closes[3], "quarterly", 2) == [
        ("02-01", "unbilled_reversal", "2200", "1110", D("0.34")),
        ("02-28", "recognition", "2200", "4000", D("0.33")),
        ("02-28", "unbilled", "1110", "2200", D("0.67")),
    ]


def test_late_usage_is_catch_up_V3(billed_book: BilledBook) -> None:
    # 2.50 an encounter. January: three known at once; of one cancelled and one more
    # nothing comes. In March one more of January and one of February are known.
    third = billed_book.closes[3]
    assert balances(third, "late") == {
        "01": figures("0", "0", "7.50", "0", "7.50"),
        "02": figures("-7.50", "7.50", "2.50", "0", "2.50"),
        "03": figures("-2.50", "2.50", "5.00", "0", "5.00"),
        "04": figures("-5.00", "5.00", "0", "0", "0"),
    }
    assert months(third, "late", "posted") == {"01": D(10), "02": D(5)}
    assert third.rows(
        "select memo, credit from finance.journal_entries where customer_id = 'late' "
        "and kind = 'recognition' and credit > 0 and accounting_month = '2026-03-01' "
        "order by memo"
    ) == [
        ("Revenue of February 2026, catch-up in March 2026", D("2.50")),
        ("Revenue of January 2026, catch-up in March 2026", D("2.50")),
    ]


def test_a_held_contract_posts_nothing_V3(billed_book: BilledBook) -> None:
    # Broken at the close of February: nothing of it. Mended, March has both months.
    assert months(billed_book.closes[2], "held", "posted") == {"01": D(100)}
    assert balances(billed_book.closes[3], "held") == {
        "01": figures("0", "100", "100", "0", "0"),
        "02": figures("0", "100", "0", "100", "0"),
        "03": figures("100", "0", "200", "0", "100"),
        "04": figures("-100", "200", "0", "100", "0"),
    }


def test_a_terminated_contract_ends_at_nothing_RR_24(billed_book: BilledBook) -> None:
    # 310 × 10/28 = 110.71 of February is earned, the rest given back on 1 March.
    assert balances(billed_book.closes[3], "terminated") == {
        "01": figures("0", "310", "310", "0", "0"),
        "02": figures("0", "310", "110.71", "199.29", "0"),
        "03": figures("199.29", "-199.29", "0", "0", "0"),
        "04": figures("0", "0", "0", "0", "0"),
    }


def test_a_true_up_is_earned_on_its_last_day_V2(billed_book: BilledBook) -> None:
    # 60 of 100 units in the year to 31 January: 40 × 2 missing. 15 more of January are
    # known in February: 30 of usage, and 30 less of the true-up.
    first, second = (billed_book.closes[n] for n in (1, 2))
    of_january = (
        "select line_type, sum(amount) from finance.revenue_schedule "
        "where contract_id = 'shortfall' and status = 'posted' "
        "and revenue_month = '2026-01-01' group by line_type order by line_type"
    )
    assert first.rows(of_january) == [("true_up", D(80))]
    assert second.rows(of_january) == [("true_up", D(50)), ("usage", D(30))]
    # A minimum of 1,000 a month: 600 and 60 of usage leave 340 to its last day.
    assert balances(first, "minimum")["01"][2] == D(1000)


def test_cash_credits_and_applications_are_entries_V4(billed_book: BilledBook) -> None:
    third = billed_book.closes[3]
    # 150 come on 20 January: 100 to January's invoice, 50 wait for that of 1 February.
    assert journal(third, "payer", 1) == [
        ("01-01", "invoice", "1100", "2200", D(100)),
        ("01-20", "payment", "1010", "2100", D(150)),
        ("01-20", "payment_application", "2100", "1100", D(100)),
        ("01-31", "recognition", "2200", "4000", D(100)),
    ]
    # 30 of them go back, so that 20 are left for February's, to which a credit of 20
    # (contra revenue) and 5 written off (bad debt) go as well.
    assert journal(third, "payer", 2) == [
        ("02-01", "invoice", "1100", "2200", D(100)),
        ("02-01", "payment_application", "2100", "1100", D(50)),
        ("02-01", "payment_application", "1100", "2100", D(30)),
        ("02-10", "credit", "4900", "2110", D(20)),
        ("02-10", "credit_application", "2110", "1100", D(20)),
        ("02-12", "credit", "6100", "2110", D(5)),
        ("02-12", "credit_application", "2110", "1100", D(5)),
        ("02-15", "payment", "2100", "1010", D(30)),
        ("02-28", "recognition", "2200", "4000", D(100)),
    ]
    # 40 of January are known in March, when January and February are closed: posted
    # in the month being closed.
    assert journal(third, "payer", 3) == [
        ("01-25", "payment", "1010", "2100", D(40)),
        ("02-01", "payment_application", "2100", "1100", D(40)),
        ("03-01", "invoice", "1100", "2200", D(100)),
        ("03-31", "recognition", "2200", "4000", D(100)),
    ]
    # Owed: four invoices of 100, less 160 of cash and 25 of credits.
    assert third.rows(
        "select sum(debit - credit) from finance.journal_entries "
        "where customer_id = 'payer' and account = '1100'"
    ) == [(D(215),)]
    assert third.rows(
        "select sum(balance) from finance.invoices where customer_id = 'payer' "
        "and status <> 'draft'"
    ) == [(D(215),)]


def test_a_payment_of_another_customer_or_currency_is_booked_anew_V4(
    billed_book: BilledBook,
) -> None:
    # 60 of the wrong customer and 40 of dollars are booked in January, which is closed
    # when the bank mends them; February takes both back whole and books what is right.
    third = billed_book.closes[3]
    assert journal(third, "misposted", 1) == [("01-10", "payment", "1010", "2100", 60)]
    assert journal(third, "misposted", 2) == [("01-10", "payment", "2100", "1010", 60)]
    assert journal(third, "reposted", 1) == [("01-11", "payment", "1010", "2100", 40)]
    assert journal(third, "reposted", 2) == [
        ("01-10", "payment", "1010", "2100", 60),
        ("01-11", "payment", "1010", "2100", 37),
        ("01-11", "payment", "2100", "1010", 40),
    ]
    assert journal(third, "misposted", 3) == journal(third, "reposted", 3) == []
    cash = (
        "select currency, sum(debit - credit) from finance.journal_entries "
        "where customer_id = $1 and account = '1010' group by currency order by all"
    )
    assert third.rows(cash, "misposted") == [("USD", 0)]
    assert third.rows(cash, "reposted") == [("EUR", 37), ("USD", 60)]


def test_published_a_volume_discount_incentive(billed_book: BilledBook) -> None:
    """IFRS 15 Illustrative Examples, Example 24 (ASC 606-10-55-216 to 55-220).

    Its quarters are months here: 75 units at 100 are 7,500; then 500 at 90 less 10 for
    each of the 75 are 44,250.
    """
    third = billed_book.closes[3]
    assert balances(third, "incentive")["01"][2] == D(7500)
    assert balances(third, "incentive")["02"][2] == D(44250)


def test_published_a_receivable_before_its_revenue(billed_book: BilledBook) -> None:
    """IFRS 15 Illustrative Examples, Example 38 Case B (ASC 606-10-55-285 and 55-286).

    31 January: receivable and contract liability. 1 March: cash and receivable.
    31 March: contract liability and revenue.
    """
    third = billed_book.closes[3]
    assert journal(third, "prepaid", 1) == [
        ("01-31", "invoice", "1100", "2200", D(1000))
    ]
    assert journal(third, "prepaid", 2) == []
    # Cash passes through unapplied cash.
    assert journal(third, "prepaid", 3) == [
        ("03-01", "payment", "1010", "2100", D(1000)),
        ("03-01", "payment_application", "2100", "1100", D(1000)),
        ("03-31", "recognition", "2200", "4000", D(1000)),
    ]


def test_published_remaining_obligations(billed_book: BilledBook) -> None:
    """IFRS 15 Illustrative Examples, Example 42, contract B (ASC 606-10-55-298 ff.).

    18 months of 400 are left: 4,800 within a year, 2,400 later.
    """
    third = billed_book.closes[3]
    assert remaining(third, "obliged") == (D(4800), D(2400))
    # The first close, of January, posts October to December as catch-up.
    assert balances(billed_book.closes[1], "obliged") == {
        "10": figures("0", "400", "0", "400", "0"),
        "11": figures("400", "400", "0", "800", "0"),
        "12": figures("800", "400", "0", "1200", "0"),
        "01": figures("1200", "400", "1600", "0", "0"),
        "02": figures("0", "400", "0", "400", "0"),
    }


def test_published_a_month_from_the_15th(billed_book: BilledBook) -> None:
    """Stripe, documentation, "Revenue recognition methodology": of 31 from 15 January
    17 are earned in January, 14 are deferred.
    """
    third = billed_book.closes[3]
    assert balances(third, "fifteenth")["01"] == figures("0", "31", "17", "14", "0")
    # Ours: 28 days from 15 February, 31 × 14/28 = 15.50 of them in February.
    assert balances(third, "fifteenth")["02"] == figures(
        "14", "31", "29.50", "15.50", "0"
    )


def test_every_close_balances_and_rolls_forward_V4_V5(billed_book: BilledBook) -> None:
    for close in billed_book.closes.values():
        assert (
            close.rows(
                "select entry_id, currency from finance.journal_entries "
                "group by entry_id, currency having sum(debit) <> sum(credit)"
            )
            == []
        )
        assert (
            close.rows(
                "select * from finance.contract_balances where deferred_opening + "
                "billed - recognized <> deferred_closing - unbilled_closing "
                "or (deferred_closing <> 0 and unbilled_closing <> 0)"
            )
            == []
        )


def test_usage_by_facility_adds_up_to_the_usage_of_the_schedule_V7(
    billed_book: BilledBook,
) -> None:
    # In March's view: of January one at north a, two at b and a late one at a.
    third = billed_book.closes[3]
    assert third.rows(
        "select facility_id, month, quantity, amount from finance.usage_by_facility "
        "where contract_id = 'late' order by month, facility_id"
    ) == [
        ("late-a", date(2026, 1, 1), D(2), D(5)),
        ("late-b", date(2026, 1, 1), D(2), D(5)),
        ("late-a", date(2026, 2, 1), D(2), D(5)),
    ]
