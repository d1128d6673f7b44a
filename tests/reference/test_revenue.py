"""When charges are earned, and what closes post, against cases worked by hand."""

from decimal import Decimal

import pytest

from reference.cases import Case

D = Decimal


def schedule(book):
    """Whose, month, amount and status of the rows, in their order."""
    return sorted(
        (
            row.milestone_id or row.commitment_id or row.line_id,
            f"{row.revenue_month:%Y-%m}" if row.revenue_month else "",
            row.amount,
            row.status,
        )
        for row in book.revenue.schedule
    )


def posted(case):
    """(accounting month, month of service, amount) of every posting."""
    return [
        (f"{p.accounting_month:%Y-%m}", f"{p.revenue_month:%Y-%m}", p.amount)
        for p in case.ledger.postings
    ]


def balances(book):
    """Month, opening, billed, recognised, deferred, unbilled of contract C."""
    return [
        (
            f"{row.month:%Y-%m}",
            row.deferred_opening,
            row.billed,
            row.recognized,
            row.deferred_closing,
            row.unbilled_closing,
        )
        for row in book.revenue.balances
    ]


# -- V1, V2: months of a charge ------------------------------------------------------


def test_ratable_by_day_of_rounded_cumulative_differences_V1_V2():
    # 100 over 15 January to 14 April: 17 + 28 + 31 + 14 = 90 days.
    # 100 x 17/90 = 18.888… -> 18.89; x 45/90 = 50.00; x 76/90 = 84.444… -> 84.44.
    # So 18.89, 31.11, 34.44 and 15.56.
    case = Case(starts_on="2026-01-15", ends_on="2026-04-14", billing_anchor_day="15")
    case.line(unit_price="100", billing_frequency="quarterly")
    assert schedule(case.bill("2026-01-15")) == [
        ("L", "2026-01", D("18.89"), "scheduled"),
        ("L", "2026-02", D("31.11"), "scheduled"),
        ("L", "2026-03", D("34.44"), "scheduled"),
        ("L", "2026-04", D("15.56"), "scheduled"),
    ]


def test_half_a_cent_goes_away_from_zero_on_the_cumulative_amount_V1():
    # 2 of the 365 days from 31 January at 1.825: 0.01. One of the two: 0.005 -> 0.01,
    # and nothing is left for February.
    case = Case(starts_on="2026-01-31", ends_on="2026-02-01", billing_anchor_day="31")
    case.line(unit_price="1.825", billing_frequency="annual")
    assert schedule(case.bill("2026-01-31")) == [
        ("L", "2026-01", D("0.01"), "scheduled")
    ]


def test_a_currency_without_cents_is_spread_in_whole_units_V1():
    # 100 yen over 90 days as above: 18.9 -> 19; 50; 84.4 -> 84.
    case = Case(
        starts_on="2026-01-15",
        ends_on="2026-04-14",
        billing_anchor_day="15",
        currency="JPY",
    )
    case.line(unit_price="100", billing_frequency="quarterly")
    amounts = [row[2] for row in schedule(case.bill("2026-01-15"))]
    assert amounts == [D(19), D(31), D(34), D(16)]


def test_usage_is_earned_as_used_V2():
    # A quarter's 3 units at 0.335: 1.005 -> 1.01. Two in January: 1.01 x 2/3 = 0.673…
    # -> 0.67; the rest, 0.34, in March. February has none.
    case = Case()
    case.line(meter="encounter", unit_price="0.335", billing_frequency="quarterly")
    case.events(2, "2026-01-10")
    case.events(1, "2026-03-31", "S")
    assert schedule(case.bill("2026-04-01")) == [
        ("L", "2026-01", D("0.67"), "scheduled"),
        ("L", "2026-03", D("0.34"), "scheduled"),
    ]


def test_usage_may_be_earned_by_day_V2():
    # The same 1.01 over 31 + 28 + 31 = 90 days: 0.3478… -> 0.35; 59/90 0.6621… -> 0.66.
    case = Case()
    case.line(
        meter="encounter",
        unit_price="0.335",
        billing_frequency="quarterly",
        revenue_rule="ratable",
    )
    case.events(2, "2026-01-10")
    case.events(1, "2026-03-31", "S")
    amounts = [row[2] for row in schedule(case.bill("2026-04-01"))]
    assert amounts == [D("0.35"), D("0.31"), D("0.35")]


def test_free_units_earn_nothing_and_have_no_weight_V2_U6():
    # Of 3 units the first 2, those of January, are free: all of 5 belongs to March.
    case = Case()
    case.line(
        meter="encounter",
        unit_price="5",
        billing_frequency="quarterly",
        included_quantity="2",
    )
    case.events(2, "2026-01-10")
    case.events(1, "2026-03-31")
    assert schedule(case.bill("2026-04-01")) == [("L", "2026-03", D(5), "scheduled")]


def test_a_percentage_of_usage_is_recurring_and_ratable_V2_R4():
    # 10 % of a quarter's 90: 9 over 90 days is 0.10 a day: 3.10, 2.80, 3.10.
    case = Case(ends_on="2026-03-31")
    case.line(meter="encounter", unit_price="90", billing_frequency="quarterly")
    case.line(
        "S",
        pricing_model="percentage",
        percentage="10",
        base_line_id="L",
        billing_frequency="quarterly",
    )
    case.events(1, "2026-02-10")
    assert [r for r in schedule(case.bill("2026-04-01")) if r[0] == "S"] == [
        ("S", "2026-01", D("3.10"), "scheduled"),
        ("S", "2026-02", D("2.80"), "scheduled"),
        ("S", "2026-03", D("3.10"), "scheduled"),
    ]


def test_a_true_up_is_earned_on_the_last_day_of_its_period_V2():
    # 10 committed for a year, 4 used: 6 x 2 = 12, in December.
    case = Case()
    case.line(meter="encounter", unit_price="2")
    case.commit("10")
    case.events(4, "2026-01-10")
    assert schedule(case.bill("2026-12-31")) == [("L", "2026-01", D(8), "scheduled")]
    assert schedule(case.bill("2027-01-01")) == [
        ("K", "2026-12", D(12), "scheduled"),
        ("L", "2026-01", D(8), "scheduled"),
    ]


# -- V2: milestones ------------------------------------------------------------------


def test_a_milestone_is_due_and_earned_when_completed_V2_S1():
    case = Case()
    case.milestone("M", "go_live", "500", "2026-03-10")
    assert schedule(case.bill("2026-03-09")) == []
    assert schedule(case.bill("2026-03-10")) == [("M", "2026-03", D(500), "scheduled")]


def test_a_signature_payment_waits_for_go_live_V2_RR15():
    # Completed on 5 January, it is on hold till the go-live of 20 April is known.
    case = Case()
    case.milestone("M", "signature", "500", "2026-01-05", recognize_on="go_live")
    case.milestone("G", "go_live", "0", "2026-04-20")
    assert schedule(case.bill("2026-04-19")) == [("M", "", D(500), "on_hold")]
    assert schedule(case.bill("2026-04-20")) == [("M", "2026-04", D(500), "scheduled")]


def test_of_several_the_last_is_waited_for_V2():
    case = Case()
    case.milestone("M", "signature", "500", "2026-01-05", recognize_on="go_live")
    case.milestone("G1", "go_live", "0", "2026-02-10")
    case.milestone("G2", "go_live", "0", "2026-05-10")
    assert schedule(case.bill("2026-03-01")) == [("M", "", D(500), "on_hold")]
    assert schedule(case.bill("2026-06-01"))[0][1] == "2026-05"


def test_its_own_completion_counts_if_later_V2():
    case = Case()
    case.milestone("M", "acceptance", "500", "2026-06-05", recognize_on="go_live")
    case.milestone("G", "go_live", "0", "2026-02-10")
    assert schedule(case.bill("2026-07-01"))[0][1] == "2026-06"


def test_still_on_hold_at_the_end_it_is_earned_on_the_last_day_V2():
    case = Case()
    case.milestone("M", "signature", "500", "2026-01-05", recognize_on="go_live")
    assert schedule(case.bill("2026-12-31")) == [("M", "", D(500), "on_hold")]
    assert schedule(case.bill("2027-01-01")) == [("M", "2026-12", D(500), "scheduled")]
    # A termination moves the end: it is on hold no longer than the contract runs.
    case.amend("A", "2026-03-01", "2026-03-15", new_ends_on="2026-03-15")
    assert schedule(case.bill("2026-03-16")) == [("M", "2026-03", D(500), "scheduled")]


def test_a_completion_after_the_end_does_not_move_what_the_end_released_V2():
    # Earned on the last day, 31 March: a go-live of 10 May is too late.
    case = Case(ends_on="2026-03-31")
    case.milestone("M", "signature", "500", "2026-01-05", recognize_on="go_live")
    case.milestone("G", "go_live", "0", "2026-05-10")
    assert schedule(case.bill("2026-04-01")) == [("M", "2026-03", D(500), "scheduled")]
    assert schedule(case.bill("2026-06-01")) == [("M", "2026-03", D(500), "scheduled")]


def test_implementation_is_earned_by_day_from_go_live_to_the_end_V2_RR17():
    # From 20 November, 11 + 31 = 42 days: 100 x 11/42 = 26.190… -> 26.19, then 73.81.
    case = Case()
    case.milestone(
        "M",
        "signature",
        "100",
        "2026-01-05",
        recognize_on="go_live",
        recognition="ratable_to_contract_end",
    )
    case.milestone("G", "go_live", "0", "2026-11-20")
    assert schedule(case.bill("2026-11-20")) == [
        ("M", "2026-11", D("26.19"), "scheduled"),
        ("M", "2026-12", D("73.81"), "scheduled"),
    ]


@pytest.mark.parametrize(
    ("new_end", "completed", "expected"),
    [
        # A renewal doesn't claw back: 30 days of November and 31 of December,
        # 61 x 30/61 = 30.
        ("2027-12-31", "2026-11-01", {"2026-11": D(30), "2026-12": D(31)}),
        # A termination brings the end forward: 30 days, all in November.
        ("2026-11-30", "2026-11-01", {"2026-11": D(61)}),
        # Completed after the contract's own end: to the end known now, of 31 + 30 days.
        ("2027-06-30", "2027-05-01", {"2027-05": D(31), "2027-06": D(30)}),
        # Completed after the end: on its day.
        ("2026-11-30", "2026-12-05", {"2026-12": D(61)}),
    ],
)
def test_to_the_earlier_of_its_own_end_and_the_one_known_V2(
    new_end, completed, expected
):
    case = Case()
    case.amend("A", "2026-10-01", "2026-10-01", new_ends_on=new_end)
    case.milestone(
        "M", "go_live", "61", completed, recognition="ratable_to_contract_end"
    )
    book = case.bill("2027-07-01")
    assert {month: amount for _, month, amount, _ in schedule(book)} == expected


# -- V3: closes ----------------------------------------------------------------------


def test_a_close_posts_what_is_due_and_late_usage_is_catch_up_V3():
    case = Case()
    case.line(meter="encounter", unit_price="3")
    case.events(2, "2026-01-10")
    case.close("2026-01")
    case.events(1, "2026-01-11", "S")
    case.events(4, "2026-02-11")
    book = case.close("2026-02")
    assert posted(case) == [
        ("2026-01", "2026-01", D(6)),
        ("2026-02", "2026-01", D(3)),
        ("2026-02", "2026-02", D(12)),
    ]
    assert schedule(book) == [
        ("L", "2026-01", D(9), "posted"),
        ("L", "2026-02", D(12), "posted"),
    ]


def test_until_the_catch_up_is_posted_it_is_scheduled_for_the_closed_month_V1():
    case = Case()
    case.line(meter="encounter", unit_price="3")
    case.events(2, "2026-01-10")
    case.close("2026-01")
    case.events(1, "2026-01-11", "S")
    assert schedule(case.bill("2026-02-10")) == [
        ("L", "2026-01", D(3), "scheduled"),
        ("L", "2026-01", D(6), "posted"),
    ]


def test_closing_again_posts_nothing_and_months_go_in_order_V3():
    case = Case()
    case.line(meter="encounter", unit_price="3")
    case.events(2, "2026-01-10")
    case.close("2026-01")
    case.events(1, "2026-01-11", "S")
    case.close("2026-01", "2026-02-05")
    assert posted(case) == [("2026-01", "2026-01", D(6))]
    with pytest.raises(ValueError, match="close 2026-02 before 2026-03"):
        case.close("2026-03")


def test_the_first_close_posts_all_months_before_it_V3():
    case = Case(ends_on="2026-03-31")
    case.line(unit_price="31")
    case.close("2026-02")
    assert posted(case) == [
        ("2026-02", "2026-01", D(31)),
        ("2026-02", "2026-02", D(31)),
    ]


def test_a_retroactive_price_is_reversed_and_charged_anew_V3_A2():
    # January at 31 is posted; signed in February, the price is 62 from 11 January on:
    # 31 x 10/31 = 10 and 62 x 21/31 = 42 are due of January, 31 is no longer.
    case = Case()
    case.line(unit_price="31")
    case.close("2026-01")
    case.amend("A", "2026-02-10", "2026-01-11")
    case.line(effective_on="2026-01-11", unit_price="62", amendment_id="A")
    case.close("2026-02")
    assert sorted(posted(case)) == [
        ("2026-01", "2026-01", D(31)),
        ("2026-02", "2026-01", D(-31)),
        ("2026-02", "2026-01", D(10)),
        ("2026-02", "2026-01", D(42)),
        ("2026-02", "2026-02", D(62)),
    ]


def test_a_held_contract_posts_nothing_V3():
    case = Case()
    case.line(unit_price="31")
    case.close("2026-01", held=frozenset("C"))
    assert posted(case) == []
    case.close("2026-02")
    assert [amount for _, _, amount in posted(case)] == [D(31), D(31)]


def test_a_late_close_knows_what_arrived_until_then_V3():
    case = Case()
    case.line(meter="encounter", unit_price="3")
    case.event("a", "2026-01-10", received_at="2026-01-10")
    case.event("b", "2026-01-11", received_at="2026-02-04")
    case.close("2026-01", "2026-02-05")
    assert posted(case) == [("2026-01", "2026-01", D(6))]
    # It was billed in January's invoice, dated 1 February.
    assert [d.total for d in case.ledger.documents] == [D(6)]


# -- V5: balances --------------------------------------------------------------------


def test_balances_roll_forward_V5():
    # A year in advance, 365, on 1 January; 31 and 28 days are recognised. Usage in
    # arrears: January's 2 x 100 are billed on 1 February.
    case = Case()
    case.line(unit_price="365", billing_frequency="annual")
    case.line("U", meter="encounter", unit_price="100")
    case.events(2, "2026-01-10")
    case.close("2026-01")
    book = case.close("2026-02")
    assert balances(book) == [
        # 365 - 31 - 200 = 134 deferred; 134 + 200 - 28 = 306.
        ("2026-01", D(0), D(365), D(231), D(134), D(0)),
        ("2026-02", D(134), D(200), D(28), D(306), D(0)),
        ("2026-03", D(306), D(0), D(0), D(306), D(0)),
    ]


def test_recognised_above_billed_is_unbilled_V5():
    case = Case()
    case.line("U", meter="encounter", unit_price="100")
    case.events(2, "2026-01-10")
    book = case.close("2026-01")
    assert balances(book) == [
        ("2026-01", D(0), D(0), D(200), D(0), D(200)),
        ("2026-02", D(-200), D(200), D(0), D(0), D(0)),
    ]


def test_a_terminated_contract_ends_with_nothing_RR24():
    # 365 billed; ended on 31 March after 90 days: 90 earned, 275 credited.
    case = Case()
    case.line(unit_price="365", billing_frequency="annual")
    case.close("2026-01")
    case.amend("A", "2026-03-05", "2026-03-31", new_ends_on="2026-03-31")
    case.close("2026-02")
    book = case.close("2026-03")
    assert balances(book)[-2:] == [
        # After 31 + 28 days 306 are deferred; March earns 31, and 275 are left.
        ("2026-03", D(306), D(0), D(31), D(275), D(0)),
        # The credit memo of the as-of day, 1 April, takes them off.
        ("2026-04", D(275), D(-275), D(0), D(0), D(0)),
    ]
