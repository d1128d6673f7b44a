"""Obligations, usage by facility and the journal, against cases worked by hand."""

from decimal import Decimal

from reference.cases import Case

D = Decimal


def obligations(book):
    return [
        (f"{row.as_of_month:%Y-%m}", row.within_12_months, row.beyond_12_months)
        for row in book.revenue.obligations
    ]


def facility_usage(book):
    return sorted(
        (row.facility_id, f"{row.month:%Y-%m}", row.quantity, row.amount)
        for row in book.revenue.usage
    )


def journal(case):
    """(accounting month, entry date, account or product, debit less credit)."""
    return [
        (
            f"{line.accounting_month:%Y-%m}",
            str(line.entry_date),
            line.product_id or line.account,
            line.amount,
        )
        for line in case.ledger.journal
    ]


# -- V6 ------------------------------------------------------------------------------


def test_what_is_left_of_recurring_lines_from_the_as_of_month_on_V6():
    # Three years at 10 a month; as of 15 March 2026, closed through February: the
    # months March 2026 to February 2027, 12 x 10, and 22 later ones to December 2028.
    case = Case(ends_on="2028-12-31")
    case.line(unit_price="10")
    case.close("2026-01")
    case.close("2026-02")
    assert obligations(case.bill("2026-03-15")) == [("2026-03", D(120), D(220))]


def test_months_before_are_no_obligation_though_not_posted_V6():
    case = Case()
    case.line(unit_price="10")
    assert obligations(case.bill("2026-11-15")) == [("2026-11", D(20), D(0))]


def test_usage_and_what_commitments_owe_are_none_V6_RR32():
    case = Case()
    case.line(meter="encounter", unit_price="10")
    case.line("S", pricing_model="percentage", percentage="10", base_line_id="L")
    case.commit("5")
    case.events(1, "2026-12-31")
    assert obligations(case.bill("2027-01-01")) == []
    # As of 31 December the day's use is known and the month not over: its 10 are
    # scheduled in the as-of month, and neither they nor their 10 % are fixed.
    assert obligations(case.bill("2026-12-31")) == []


def test_percentages_of_recurring_lines_are_V6():
    case = Case()
    case.line(unit_price="10")
    case.line("S", pricing_model="percentage", percentage="20")
    assert obligations(case.bill("2026-12-01")) == [("2026-12", D(12), D(0))]


def test_what_is_on_hold_is_within_the_year_V6():
    case = Case(ends_on="2028-12-31")
    case.milestone("M", "signature", "500", "2026-01-05", recognize_on="go_live")
    assert obligations(case.bill("2026-02-01")) == [("2026-02", D(500), D(0))]


# -- V7 ------------------------------------------------------------------------------


def test_usage_by_facility_in_its_month_V7():
    # A quarter of 3 units at 0.335, 1.005 -> 1.01: 0.67 to January's two units, one at
    # N and one at S: 0.335 each, the cent left to N; 0.34 to the one of March.
    case = Case()
    case.line(meter="encounter", unit_price="0.335", billing_frequency="quarterly")
    case.events(1, "2026-01-10", "N")
    case.events(1, "2026-01-10", "S")
    case.events(1, "2026-03-31", "S")
    assert facility_usage(case.bill("2026-04-01")) == [
        ("N", "2026-01", D(1), D("0.34")),
        ("S", "2026-01", D(1), D("0.33")),
        ("S", "2026-03", D(1), D("0.34")),
    ]


def test_two_lines_of_one_meter_add_up_whatever_their_revenue_rule_V7():
    # One unit on each of two lines, at 3 and at 4, the second earned by day.
    case = Case()
    case.line(meter="encounter", unit_price="3")
    case.line("M", meter="encounter", unit_price="4", revenue_rule="ratable")
    case.events(1, "2026-01-10")
    assert facility_usage(case.bill("2026-02-01")) == [("N", "2026-01", D(2), D(7))]


def test_free_units_are_not_in_it_V7():
    case = Case()
    case.line(meter="encounter", unit_price="3", included_quantity="1")
    case.events(2, "2026-01-10")
    assert facility_usage(case.bill("2026-02-01")) == [("N", "2026-01", D(1), D(3))]


# -- V4 ------------------------------------------------------------------------------


def test_invoices_recognition_and_unbilled_entries_V4():
    # 31 for January in advance; 2 units at 100 in arrears. At the end of January 231
    # are recognised and 31 billed: 200 are unbilled until 1 February, when they are.
    case = Case()
    case.line(unit_price="31", product_id="platform")
    case.line("U", meter="encounter", unit_price="100", product_id="scans")
    case.events(2, "2026-01-10")
    case.close("2026-01")
    assert journal(case) == [
        ("2026-01", "2026-01-01", "receivable", D(31)),
        ("2026-01", "2026-01-01", "deferred_revenue", D(-31)),
        # On 1 February the usage and February in advance are one invoice.
        ("2026-02", "2026-02-01", "receivable", D(231)),
        ("2026-02", "2026-02-01", "deferred_revenue", D(-231)),
        ("2026-01", "2026-01-31", "deferred_revenue", D(31)),
        ("2026-01", "2026-01-31", "platform", D(-31)),
        ("2026-01", "2026-01-31", "deferred_revenue", D(200)),
        ("2026-01", "2026-01-31", "scans", D(-200)),
        ("2026-01", "2026-01-31", "unbilled_receivable", D(200)),
        ("2026-01", "2026-01-31", "deferred_revenue", D(-200)),
        ("2026-02", "2026-02-01", "unbilled_receivable", D(-200)),
        ("2026-02", "2026-02-01", "deferred_revenue", D(200)),
    ]


def test_a_credit_memo_is_an_invoice_below_zero_V4():
    case = Case()
    case.line(unit_price="365", billing_frequency="annual")
    case.bill("2026-01-02", "2026-01-02")
    case.amend("A", "2026-03-01", "2026-03-31", new_ends_on="2026-03-31")
    case.bill("2026-04-02", "2026-04-02")
    assert journal(case)[2:] == [
        ("2026-04", "2026-04-02", "receivable", D(-275)),
        ("2026-04", "2026-04-02", "deferred_revenue", D(275)),
    ]


def test_balances_are_those_of_the_accounts_V4_V5():
    case = Case()
    case.line(unit_price="365", billing_frequency="annual", effective_on="2026-02-10")
    case.line("U", meter="encounter", unit_price="100")
    for month in range(1, 5):
        case.events(month, f"2026-0{month}-10")
    for month in range(1, 5):
        book = case.close(f"2026-0{month}")
        closed = f"2026-0{month}"
        for row in book.revenue.balances:
            if f"{row.month:%Y-%m}" > closed:
                continue
            until = [
                line
                for line in case.ledger.journal
                if line.accounting_month <= row.month
            ]
            assert row.deferred_closing == -sum(
                line.amount for line in until if line.account == "deferred_revenue"
            )
            assert row.unbilled_closing == sum(
                line.amount for line in until if line.account == "unbilled_receivable"
            )


def test_the_first_close_turns_what_months_before_it_earned_above_billed_V4():
    # A year of 20 units at 5, billed on 1 February when the annual period ends; all of
    # them reach the tier of 4: a memo of 20 x 4 - 100 = -20 on the year's end,
    # 15 January. That month ends with 20 more earned than billed, February with none.
    case = Case(starts_on="2025-01-15", ends_on="2027-01-14")
    case.card(("10", "5", "0"), ("", "4", "0"))
    case.line(
        meter="encounter",
        pricing_model="volume",
        rate_card_id="CARD",
        tier_scope="contract_year",
        billing_frequency="annual",
    )
    case.commit("5", effective_on="2025-01-15", true_up="rerate")
    case.events(20, "2025-03-10")
    book = case.close("2026-02")
    unbilled = [row for row in journal(case) if row[2] == "unbilled_receivable"]
    assert unbilled == [
        ("2026-01", "2026-01-31", "unbilled_receivable", D(20)),
        ("2026-02", "2026-02-01", "unbilled_receivable", D(-20)),
    ]
    assert [(row.month.month, row.unbilled_closing) for row in book.revenue.balances][
        :2
    ] == [(1, D(20)), (2, D(0))]
