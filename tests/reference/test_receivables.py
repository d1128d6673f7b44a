"""Receivables of the reference, worked by hand (N1, N2, N4)."""

from datetime import date
from decimal import Decimal

from reference.cases import Case
from reference.receivables import (
    CREDIT,
    PAYMENT,
    Account,
    Dispute,
    Invoice,
    Line,
    Receipt,
)


def march(day: int) -> date:
    return date(2026, 3, day)


def invoice(number: str, total: str, due: date, *amounts: str, **more) -> Invoice:
    lines = tuple(Line(Decimal(a), f"line {n}") for n, a in enumerate(amounts, 1))
    return Invoice(number, "c", Decimal(total), march(1), due, lines=lines, **more)


def payment(name: str, amount: str, day: int, number=None, **more) -> Receipt:
    return Receipt(name, PAYMENT, "c", Decimal(amount), march(day), number, **more)


def credit(name: str, amount: str, day: int, number=None) -> Receipt:
    return Receipt(name, CREDIT, "c", Decimal(amount), march(day), number)


def account(invoices: list[Invoice], *receipts: Receipt) -> Account:
    return Account({i.number: i for i in invoices}, list(receipts))


def applied(of: Account) -> list[tuple]:
    return [(a.receipt.name, a.number, str(a.amount), a.why) for a in of.applied()]


def test_what_names_an_invoice_comes_first_then_the_oldest_due_N1():
    of = account(
        [invoice("2", "50", march(9)), invoice("1", "30", march(20))],
        # P pays 50 of 70 to "2", which is due first, and 15 of what "1" still owes:
        # 30 less the 10 that C gave it by name and less P2's 5. 5 are left.
        payment("P", "70", 2),
        payment("P2", "5", 4, "1"),
        credit("C", "10", 4, "1"),
    )
    assert applied(of) == [
        ("C", "1", "10", None),
        ("P2", "1", "5", None),
        ("P", "2", "50", None),
        ("P", "1", "15", None),
        ("P", None, "5", "above all that is owed"),
    ]


def test_memos_go_before_credits_before_payments_of_a_day_N1():
    of = account(
        [
            invoice("1", "60", march(9)),
            Invoice("2", "c", Decimal(-25), march(2), march(2)),
        ],
        payment("P", "60", 2),
        credit("C", "20", 2),
    )
    # 60 = 25 of the memo, 20 of the credit, 15 of the payment.
    assert applied(of)[:3] == [
        ("2", "1", "25", None),
        ("C", "1", "20", None),
        ("P", "1", "15", None),
    ]
    standing = of.standing(march(9))
    one, two = standing["1"], standing["2"]
    assert (one.credits, one.total, one.paid, one.balance) == (45, 15, 15, 0)
    # On a memo, credits are minus what it gave.
    assert (two.credits, two.total, two.balance) == (-25, 0, 0)
    assert (one.status, two.status) == ("paid", "paid")


def test_what_cannot_be_applied_says_why_N1():
    of = account(
        [
            invoice("1", "10", march(9)),
            invoice("2", "10", march(9), currency="EUR"),
            Invoice("3", "d", Decimal(10), march(1), march(9)),
        ],
        payment("A", "12", 2, "1"),
        payment("B", "1", 3, "2"),
        payment("C", "1", 4, "3"),
        payment("D", "1", 5, "4"),
    )
    assert [(name, why) for name, number, _, why in applied(of) if not number] == [
        ("A", "above what 1 owed"),
        ("B", "names 2, which is in EUR"),
        ("C", "names 3, which is of another customer"),
        ("D", "names 4, which is not issued"),
    ]


def test_a_return_comes_off_the_payment_it_names_then_the_latest_N1():
    of = account(
        [invoice("1", "1000", march(9))],
        payment("A", "100", 2),
        payment("B", "50", 3, "1"),
        payment("C", "40", 4),
        payment("R", "-30", 5, reference="A"),
        # C is the latest without an invoice: 40 off it, 10 off what R left of A.
        payment("S", "-50", 6),
    )
    # A: 100 - 30 - 10 = 60.
    assert applied(of) == [("B", "1", "50", None), ("A", "1", "60", None)]


def test_returned_more_than_received_stands_with_the_last_returns_N1():
    of = account(
        [invoice("1", "1000", march(9))],
        payment("A", "10", 2),
        payment("R", "-8", 3, reference="A"),
        payment("S", "-12", 4),
        payment("T", "-3", 5),
    )
    # 10 came and 23 went: 13 too much, 3 of T and 10 of S.
    why = "returns more than was received"
    assert applied(of) == [("S", None, "-10", why), ("T", None, "-3", why)]


def test_buckets_N2():
    of = account([invoice("1", "10", march(1))])
    # 31 March is 30 days after the 1st; 30 April 60; 30 May 90.
    assert of.standing(march(1))["1"].bucket == "current"
    assert of.standing(march(2))["1"].bucket == "1-30"
    assert of.standing(march(31))["1"].bucket == "1-30"
    assert of.standing(date(2026, 4, 1))["1"].bucket == "31-60"
    assert of.standing(date(2026, 4, 30))["1"].bucket == "31-60"
    assert of.standing(date(2026, 5, 1))["1"].bucket == "61-90"
    assert of.standing(date(2026, 5, 30))["1"].bucket == "61-90"
    assert of.standing(date(2026, 5, 31))["1"].bucket == "90+"


def test_what_was_accepted_stays_out_until_credited_or_adjusted_N4():
    of = account([invoice("1", "100", march(9), "60", "40")])
    of.disputes["D"] = Dispute("D", "1", march(5), None, line=2)
    one = of.standing(march(6))["1"]
    assert (one.status, one.disputed, one.accepted) == ("disputed", 40, 0)
    of.disputes["D"].resolved = march(8)
    of.disputes["D"].resolution = "accepted"
    one = of.standing(march(8))["1"]
    assert (one.status, one.disputed, one.accepted) == ("open", 40, 40)
    of.receipts.append(credit("C", "15", 9, "1"))
    # 40 - 15 = 25, of which an adjustment of the line takes 20; the other line's none.
    adjusted = (Line(Decimal(-20), "line 2", True), Line(Decimal(-6), "line 1", True))
    memo = Invoice("2", "d", Decimal(-26), march(9), march(9), lines=adjusted)
    of.invoices["2"] = memo
    assert of.standing(march(9))["1"].accepted == 5
    # Late usage of the line, 30 more, was not in dispute: all 20 taken back are undone,
    # and no more than the 25 that are not credited stay out.
    late = (Line(Decimal(30), "line 2", True),)
    of.invoices["3"] = Invoice("3", "d", Decimal(30), march(9), march(9), lines=late)
    assert of.standing(march(9))["1"].accepted == 25


def test_entries_of_cash_are_due_less_booked_V4():
    case = Case()
    case.line("R", unit_price="100")
    # Issued on 1 January in advance: 100.00 of January.
    case.tables["payments"] = [
        {
            "payment_id": "P",
            "customer_id": "CUST",
            "received_on": "2026-01-20",
            "amount": "70",
        }
    ]
    case.close("2026-01")
    (number,) = {
        document.number
        for document in case.ledger.documents
        if document.invoice_date == date(2026, 1, 1)
    }
    january, february = date(2026, 1, 1), date(2026, 2, 1)
    assert cash_lines(case) == [
        (january, "cash", Decimal(70), None),
        (january, "unapplied_cash", Decimal(-70), None),
        (january, "unapplied_cash", Decimal(70), number),
        (january, "receivable", Decimal(-70), number),
    ]
    # A credit of January, heard of in February, names the invoice: 50 of it come
    # first, so that 20 of the payment move on to the invoice of 1 February. January
    # is closed: what it takes back is booked in February, as is the credit.
    case.tables["credits"] = [
        {
            "credit_id": "K",
            "customer_id": "CUST",
            "issued_on": "2026-01-31",
            "amount": "50",
            "invoice_number": number,
            "reason": "write_off",
        }
    ]
    case.close("2026-02")
    second = next(
        document.number
        for document in case.ledger.documents
        if document.invoice_date == february
    )
    assert cash_lines(case)[4:] == [
        (february, "bad_debt", Decimal(50), None),
        (february, "unapplied_credits", Decimal(-50), None),
        (february, "unapplied_credits", Decimal(50), number),
        (february, "receivable", Decimal(-50), number),
        (february, "unapplied_cash", Decimal(-20), number),
        (february, "receivable", Decimal(20), number),
        (february, "unapplied_cash", Decimal(20), second),
        (february, "receivable", Decimal(-20), second),
    ]


def cash_lines(case: Case) -> list[tuple]:
    return [
        (
            line.accounting_month,
            line.account,
            line.amount,
            line.entry.invoice_number,
        )
        for line in case.ledger.cash
    ]
