"""How commitments stand (M6), against cases worked by hand."""

from dataclasses import astuple
from datetime import date
from decimal import Decimal

import pytest

from reference.cases import Case

D = Decimal
MONTHLY = {"period": "billing_period"}
SPEND = {"kind": "spend"}


def year_case():
    """365 encounters of 2026 are committed at 2 each; 31, 28 and 2 are used."""
    case = Case()
    case.line(meter="encounter", unit_price="2")
    case.commit("365")
    case.events(31, "2026-01-10")
    case.events(28, "2026-02-10")
    case.events(2, "2026-03-05")
    return case


def test_a_row_for_each_month_up_to_the_day_before_M6():
    # March: 10 days, 69 elapsed; 61 × 365/69 = 322.68… → 323; 42 missing at 2.
    # Percents: 31/365 = 8.493…, 59/365 = 16.164…, 61/365 = 16.712…
    rows = [astuple(row) for row in year_case().bill("2026-03-11").progress]
    key = ("K", "C", "L", date(2026, 1, 1), date(2026, 12, 31))
    assert rows == [
        (*key, date(2026, 1, 1), D(365), D(31), D(31), D("8.49"), D(365))
        + (None, D(0), None, "on_track"),
        (*key, date(2026, 2, 1), D(365), D(59), D(59), D("16.16"), D(365))
        + (None, D(0), None, "on_track"),
        (*key, date(2026, 3, 1), D(365), D(61), D(69), D("16.71"), D(323))
        + (None, D(84), None, "at_risk"),
    ]


def test_the_true_up_is_in_the_row_of_the_month_that_ended_M6():
    # 304 missing at 2; on 31 December the last day is still to come.
    case = year_case()
    assert {row.true_up for row in case.bill("2026-12-31").progress} == {None}
    rows = case.bill("2027-02-01").progress
    assert [row.true_up for row in rows] == [None] * 11 + [D(608)]


def test_a_period_that_was_met_has_a_true_up_of_zero_M6():
    case = Case()
    case.line(meter="encounter", unit_price="2")
    case.commit("2", **MONTHLY)
    case.events(3, "2026-01-31")
    row = case.bill("2026-02-01").progress[0]
    assert (row.true_up, row.percent, row.status) == (D(0), D(150), "met")


def test_a_period_begun_on_the_as_of_day_has_no_row_yet_M6():
    case = year_case()
    assert case.bill("2026-01-01").progress == []
    (row,) = case.bill("2026-01-02").progress
    # 1 of 365 days; nothing used: 365 missing at 2.
    assert (row.expected_to_date, row.projected_true_up) == (D(1), D(730))


def test_a_period_over_the_turn_of_months_has_a_row_for_each_M6():
    # 20 January to 19 February: 12 days in January, 31 in all; 31 × 12/31. The days
    # after the period are none of its own.
    case = Case(starts_on="2026-01-20", billing_anchor_day="20")
    case.line(meter="encounter", unit_price="2")
    case.commit("31", **MONTHLY)
    rows = case.bill("2026-02-28").progress[:2]
    assert [(str(r.month), r.expected_to_date, r.true_up) for r in rows] == [
        ("2026-01-01", D(12), None),
        ("2026-02-01", D(31), D(62)),
    ]


def test_days_are_those_of_the_cut_period_M6():
    # From 16 January: 16 of 31 days of 31. After 4 days a quarter of 16 is expected,
    # and the 2 used become 8; the unit before counts for nothing.
    case = Case()
    case.line(meter="encounter", unit_price="2")
    case.commit("31", "2026-01-16", **MONTHLY)
    case.events(1, "2026-01-15")
    case.events(2, "2026-01-19")
    (row,) = case.bill("2026-01-20").progress
    assert (row.period_start, row.committed) == (date(2026, 1, 16), D(16))
    assert (row.expected_to_date, row.actual_to_date, row.projected) == (D(4), 2, D(8))


def test_nothing_committed_has_no_percent_and_is_met_M6():
    case = Case()
    case.line(meter="encounter", unit_price="2")
    case.commit("0")
    (row,) = case.bill("2026-01-02").progress
    assert (row.percent, row.status, row.projected_true_up) == (None, "met", D(0))


@pytest.mark.parametrize("model", ["graduated", "volume"])
def test_the_tier_holds_what_is_used_so_far_M6(model):
    case = Case()
    case.card(("3", "2", ""), ("", "1", ""))
    case.line(pricing_model=model, meter="encounter", rate_card_id="CARD")
    case.commit("10")
    case.events(3, "2026-01-10")
    case.events(1, "2026-02-10")
    assert [row.tier for row in case.bill("2026-03-01").progress] == [1, 2]


def test_the_tier_is_by_the_lines_version_on_its_last_active_day_M6():
    # Ended in February: January's card holds on. From March another: 4 is tier 1.
    case = Case()
    case.card(("3", "2", ""), ("", "1", ""))
    card = {"pricing_model": "volume", "meter": "encounter", "rate_card_id": "CARD"}
    case.line(**card)
    case.line(effective_on="2026-02-01", status="ended", **card)
    case.tables["rate_cards"].append(
        {"rate_card_id": "ONE", "tier": "1", "unit_price": "9"}
    )
    case.line(effective_on="2026-03-01", **(card | {"rate_card_id": "ONE"}))
    case.commit("10")
    case.events(4, "2026-01-10")
    assert [row.tier for row in case.bill("2026-04-01").progress] == [2, 2, 1]


def test_spend_is_by_service_start_and_has_no_tier_M6():
    # January's seat of 30 starts on the 1st and counts on the 2nd; 31 days of 30 a day
    # are projected, 930 of 1000: 70 are missing. A day of 1000/31 is 32.26.
    case = Case()
    case.line(unit_price="30")
    case.commit("1000", **MONTHLY, **SPEND)
    (row,) = case.bill("2026-01-02").progress
    assert (row.line_id, row.tier) == (None, None)
    assert (row.actual_to_date, row.expected_to_date) == (D(30), D("32.26"))
    assert (row.projected, row.projected_true_up) == (D(930), D(70))
    assert (row.percent, row.status) == (D(3), "at_risk")


def test_the_minimum_spend_that_is_due_M6_M4():
    case = Case()
    case.line(unit_price="30")
    case.commit("100", **MONTHLY, **SPEND)
    assert case.bill("2026-02-01").progress[0].true_up == D(70)


def test_a_shortfall_is_projected_as_at_the_periods_end_M6():
    # 5 each from December holds for the 42 missing in March.
    case = year_case()
    case.commit("365", "2026-12-01", shortfall_price="5")
    assert case.bill("2026-03-11").progress[-1].projected_true_up == D(210)


def rerated(used, when):
    """15 are committed, tier 2, on a line with prices 5, 4 and 3 to 10, 20 units."""
    case = Case()
    case.card(("10", "5", ""), ("20", "4", "7"), ("", "3", "9"))
    case.line(
        pricing_model="volume",
        meter="encounter",
        rate_card_id="CARD",
        tier_scope="contract_year",
    )
    case.commit("15", true_up="rerate")
    case.events(used, when)
    return case


@pytest.mark.parametrize(
    ("used", "projected", "true_up"),
    [
        (0, "0", "0"),
        (1, "12", "0"),  # 365/31 = 11.77…: the committed tier
        (2, "24", "-24"),  # 23.54…: 24 × (3 − 4)
    ],
)
def test_a_rerate_is_projected_by_the_tier_of_what_is_projected_M6(
    used, projected, true_up
):
    (row,) = rerated(used, "2026-01-10").bill("2026-02-01").progress
    assert (row.projected, row.projected_true_up) == (D(projected), D(true_up))


def test_a_rerate_is_projected_by_the_commitment_in_force_then_M6():
    # 8 are committed from February: tier 1. January as before; February: 2 × 365/59 =
    # 12.37… → 12 in tier 2: 12 × (4 − 5).
    case = rerated(2, "2026-01-10")
    case.commit("8", "2026-02-01", true_up="rerate")
    rows = case.bill("2026-03-01").progress
    assert [row.projected_true_up for row in rows] == [D(-24), D(-12)]


def test_yen_are_whole_M6():
    # 1000 of the year's 365 days: 2.739… a day; 3 seats of 7 yen count.
    case = Case(currency="JPY")
    case.line(unit_price="7", quantity="3", billing_frequency="annual")
    case.commit("1000", **SPEND)
    (row,) = case.bill("2026-01-02").progress
    assert (row.actual_to_date, row.expected_to_date) == (D(21), D(3))
    assert row.projected == D(21 * 365)


def test_a_rerate_is_projected_by_the_lines_version_of_then_M6():
    # January: 24 × (3 − 4). February at half price: 8 are committed, of tier 1 at
    # 2.50, and 12 projected, of tier 2 at 2: 12 × (2 − 2.50).
    case = rerated(2, "2026-01-10")
    line = case.tables["contract_lines"][0]
    case.tables["contract_lines"].append(
        line | {"effective_on": "2026-02-01", "discount_percent": "50"}
    )
    case.commit("8", "2026-02-01", true_up="rerate")
    rows = case.bill("2026-03-01").progress
    assert [row.projected_true_up for row in rows] == [D(-24), D(-6)]
