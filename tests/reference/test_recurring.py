"""Recurring charges, calendar and terms, against cases worked by hand."""

from datetime import date
from decimal import Decimal

from reference.cases import Case, amounts

D = Decimal


def test_a_stub_is_a_share_of_the_full_period_that_ends_at_the_anchor_C3():
    # 20 January to 14 February is 26 of the 31 days of 15 January to 14 February.
    case = Case(starts_on="2026-01-20", billing_anchor_day="15")
    case.line(unit_price="310")
    assert case.lines("2026-01-20")[0] == (
        "2026-01-20",
        "2026-01-20",
        "2026-02-14",
        D(1),
        D(310),
        D(260),
    )


def test_a_quarterly_stub_is_a_share_of_the_whole_quarter_C3():
    # First anchor 1 February; its quarter is 1 November to 31 January, 92 days.
    case = Case(starts_on="2026-01-09")
    case.line(unit_price="920", billing_frequency="quarterly")
    drafts = case.lines("2026-02-01")
    assert drafts[0][1:3] == ("2026-01-09", "2026-01-31")
    assert amounts(drafts)[0] == D(230)
    assert drafts[1][1:3] == ("2026-02-01", "2026-04-30")


def test_an_anchor_past_the_months_end_is_its_last_day_and_comes_back_C3():
    case = Case(starts_on="2026-01-31", billing_anchor_day="31")
    case.line(unit_price="1")
    starts = [line[1] for line in case.lines("2026-04-29")]
    assert starts == ["2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30"]


def test_the_last_period_is_cut_and_keeps_its_length_C3():
    case = Case(ends_on="2026-02-14")
    case.line(unit_price="100", billing_timing="arrears")
    last = case.lines("2026-03-01")[-1]
    assert last == ("2026-02-15", "2026-02-01", "2026-02-14", D(1), D(100), D(50))


def test_a_seat_change_makes_two_segments_R1():
    # March: 10 days of 4 seats and 21 of 6, at 31 a seat.
    case = Case()
    case.line(unit_price="31", quantity="4")
    case.amend("A", "2026-03-01", "2026-03-11")
    case.line(
        effective_on="2026-03-11", unit_price="31", quantity="6", amendment_id="A"
    )
    march = [ln for ln in case.lines("2026-03-01") if ln[0] == "2026-03-01"]
    assert [(ln[3], ln[5]) for ln in march] == [(D(4), D(40)), (D(6), D(126))]


def test_covered_facilities_are_the_quantity_and_share_it_R1_R2_A7():
    case = Case()
    case.facility("W", "2026-02-15")
    case.line(unit_price="0.10", quantity_basis="covered_facilities")
    february = [
        line
        for document in case.bill("2026-02-01").documents
        for line in document.lines
        if line.invoice_date == date(2026, 2, 1)
    ]
    # 2 × 0.10 × 14/28 = 0.10; 3 × 0.10 × 14/28 = 0.15
    assert [line.amount for line in february] == [D("0.10"), D("0.15")]
    assert february[1].shares == {f: (D(1), D("0.05")) for f in ("N", "S", "W")}


def test_a_remainder_goes_to_the_largest_then_the_first_facility_A7():
    case = Case()
    case.facility("W")
    case.line(unit_price="0.33333333", quantity_basis="covered_facilities")
    line = case.bill("2026-01-01").documents[0].lines[0]
    assert line.amount == D("1.00")
    assert [share[1] for share in line.shares.values()] == [
        D("0.34"),
        D("0.33"),
        D("0.33"),
    ]


def test_recurring_graduated_is_one_line_with_a_blended_price_R3():
    # 2 × 10 + 5 × 8 + fee 3 = 63 for 7; 63 / 7 = 9
    case = Case()
    case.card(("2", "10", ""), ("", "8", "3"))
    case.line(
        pricing_model="graduated",
        quantity="8",
        included_quantity="1",
        rate_card_id="CARD",
    )
    assert case.lines("2026-01-01")[0][3:] == (D(7), D(9), D(63))


def test_discounts_are_rounded_once_to_8_places_U6():
    case = Case()
    case.line(unit_price="0.12345678", discount_percent="33.3333", quantity="1000000")
    # 0.12345678 × 0.666667 = 0.08230456115226 → 0.08230456
    assert case.lines("2026-01-01")[0][4:] == (D("0.08230456"), D("82304.56"))


def test_a_recurring_quantity_of_zero_makes_no_charge_a_price_of_zero_does_R2():
    case = Case()
    case.line("ZERO", unit_price="5", quantity="0")
    case.line("FREE", unit_price="0", quantity="3")
    assert case.lines("2026-01-01")[0][3:] == (D(3), D(0), D(0))
    assert len(case.lines("2026-01-01")) == 2  # January, and the next: February


def test_percentage_of_all_recurring_and_of_one_line_R4():
    case = Case()
    case.line("BASE", unit_price="100.05")
    case.line("OTHER", unit_price="50")
    case.line("ALL", pricing_model="percentage", percentage="20")
    case.line(
        "ONE",
        pricing_model="percentage",
        percentage="20",
        discount_percent="50",
        base_line_id="BASE",
    )
    january = case.bill("2025-12-31").documents[0]
    got = {(ln.charge.line_id, ln.quantity, ln.amount) for ln in january.lines}
    assert got == {
        ("BASE", D(1), D("100.05")),
        ("OTHER", D(1), D(50)),
        ("ALL", D("100.05"), D("20.01")),
        ("ALL", D(50), D(10)),
        ("ONE", D("100.05"), D("10.01")),
    }


def test_a_percentage_is_of_the_version_on_the_charges_first_day_R4():
    # 30 % from 15 January, so first for February; ended in March.
    case = Case()
    case.line("BASE", unit_price="100")
    share = {"pricing_model": "percentage", "base_line_id": "BASE"}
    case.line("SHARE", percentage="20", **share)
    case.line("SHARE", "2026-01-15", percentage="30", **share)
    case.line("SHARE", "2026-03-01", percentage="30", status="ended", **share)
    charges = case.bill("2026-06-01").charges
    shares = [c for c in charges if c.line_id == "SHARE"]
    assert [(str(c.own_date), c.amount) for c in shares] == [
        ("2026-01-01", D(20)),
        ("2026-02-01", D(30)),
    ]


def test_a_milestone_without_a_regular_date_to_come_is_dated_by_itself_S1():
    case = Case()
    case.line(unit_price="1", billing_frequency="annual")
    case.tables["milestones"] = [
        {
            "milestone_id": "M",
            "contract_id": "C",
            "milestone": "go_live",
            "amount": "500",
            "completed_on": "2026-01-20",
            "invoicing": "next_invoice",
        }
    ]
    dates = {ln[0] for ln in case.lines("2026-01-20") if ln[-1] == 500}
    assert dates == {"2026-01-20"}


def test_a_milestone_waits_for_the_next_regular_date_S1():
    case = Case()
    case.line(unit_price="1")
    case.tables["milestones"] = [
        {
            "milestone_id": "M",
            "contract_id": "C",
            "milestone": "go_live",
            "amount": "500",
            "completed_on": "2026-01-20",
            "invoicing": "next_invoice",
        }
    ]
    dates = {ln[0] for ln in case.lines("2026-01-20") if ln[-1] == 500}
    assert dates == {"2026-02-01"}


def test_yen_has_no_decimals_and_half_goes_away_from_zero_A1():
    case = Case(currency="JPY")
    case.line(unit_price="2.5")
    assert amounts(case.lines("2026-01-01"))[0] == D(3)


def test_a_later_row_holds_and_a_later_signed_earlier_one_does_not_displace_T1():
    case = Case()
    case.line(unit_price="1")
    case.amend("LATE", "2026-02-01", "2026-01-15")
    case.amend("EARLY", "2026-01-01", "2026-03-01")
    case.line(effective_on="2026-03-01", unit_price="30", amendment_id="EARLY")
    case.line(effective_on="2026-01-15", unit_price="20", amendment_id="LATE")
    prices = {ln[1]: ln[4] for ln in case.lines("2026-04-01")}
    assert prices == {
        "2026-01-01": D(1),
        "2026-01-15": D(20),
        "2026-02-01": D(20),
        "2026-03-01": D(30),
        "2026-04-01": D(30),
        "2026-05-01": D(30),
    }
