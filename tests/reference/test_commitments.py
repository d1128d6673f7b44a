"""Commitments, their periods and what they owe, against cases worked by hand."""

from decimal import Decimal

import pytest

from reference.cases import Case

D = Decimal
MONTHLY = {"period": "billing_period"}
SPEND = {"kind": "spend"}


def usage_case(**contract):
    """Encounters on line L at 3 each."""
    case = Case(**contract)
    case.line(meter="encounter", unit_price="3")
    return case


def periods(case, as_of):
    """First and last day of each period and what is committed for it."""
    return list(
        dict.fromkeys(
            (str(row.period_start), str(row.period_end), row.committed)
            for row in case.bill(as_of).progress
        )
    )


# -- M1: periods and what is committed for them ----------------------------------


def test_a_period_is_cut_to_the_commitments_own_days_M1():
    # 1 July to 31 December is 184 of the year's 365 days.
    case = usage_case()
    case.commit("365", "2026-07-01")
    assert periods(case, "2027-01-01") == [("2026-07-01", "2026-12-31", D(184))]


def test_a_period_before_the_commitment_owes_nothing_M1():
    # From 15 February: 14 of 28 days of 10.
    case = usage_case()
    case.commit("10", "2026-02-15", **MONTHLY)
    assert [owed[1:4] for owed in case.owed("2026-03-01")] == [
        ("2026-02-15", "2026-02-28", D(5))
    ]


def test_each_version_counts_for_its_days_M1():
    # 90 days to 31 March at 365, 275 days at 730: 90 + 550.
    case = usage_case()
    case.commit("365")
    case.commit("730", "2026-04-01")
    assert periods(case, "2026-12-31") == [("2026-01-01", "2026-12-31", D(640))]


@pytest.mark.parametrize(
    ("first", "then", "committed"), [("true", "false", 200), ("false", "true", 30)]
)
def test_prorate_is_of_the_version_in_force_at_the_end_M1(first, then, committed):
    # 37 days to 6 February, 36 days to 14 March: prorated, 100 × 37/365 + 200 × 36/365
    # = 10 900/365 = 29.86…, rounded 30.
    case = usage_case(ends_on="2026-03-14")
    case.commit("100", prorate=first)
    case.commit("200", "2026-02-07", prorate=then)
    assert periods(case, "2026-04-01") == [("2026-01-01", "2026-03-14", D(committed))]


def test_a_termination_cuts_the_period_and_half_a_unit_goes_up_M1():
    # 1 to 14 February is half of the month's 28 days: 12.5 of 25.
    case = usage_case()
    case.commit("25", **MONTHLY)
    case.amend("A", "2026-01-20", "2026-02-14", new_ends_on="2026-02-14")
    assert periods(case, "2026-03-01") == [
        ("2026-01-01", "2026-01-31", D(25)),
        ("2026-02-01", "2026-02-14", D(13)),
    ]


def test_a_stub_is_a_share_of_its_full_period_M1_C3():
    # 20 January to 14 February is 26 of the 31 days up to the anchor.
    case = usage_case(starts_on="2026-01-20", billing_anchor_day="15")
    case.commit("31", **MONTHLY)
    assert periods(case, "2026-02-14") == [("2026-01-20", "2026-02-14", D(26))]


def test_contract_years_of_a_leap_day_M1_C2():
    # The third year, cut at 31 December 2026, is 307 of 365 days.
    case = usage_case(
        signed_on="2024-01-01", starts_on="2024-02-29", ends_on="2026-12-31"
    )
    case.commit("365")
    assert periods(case, "2027-01-01") == [
        ("2024-02-29", "2025-02-27", D(365)),
        ("2025-02-28", "2026-02-27", D(365)),
        ("2026-02-28", "2026-12-31", D(307)),
    ]


@pytest.mark.parametrize(
    ("line_id", "firsts"),
    [
        ("L", ["2026-01-01", "2026-04-01"]),
        ("P", ["2026-01-01", "2026-02-01", "2026-03-01", "2026-04-01"]),
        ("", ["2026-01-01", "2026-02-01", "2026-03-01", "2026-04-01"]),
    ],
)
def test_billing_periods_are_the_lines_or_else_months_M1(line_id, firsts):
    case = Case()
    case.line(meter="encounter", unit_price="3", billing_frequency="quarterly")
    case.line(
        "P",
        pricing_model="percentage",
        percentage="10",
        base_line_id="L",
        billing_frequency="annual",
    )
    case.commit("90", line_id=line_id, **MONTHLY, **SPEND)
    assert [first for first, _, _ in periods(case, "2026-04-02")] == firsts


def test_a_spend_is_rounded_to_the_minor_unit_M1():
    # 14 of 28 days: half of 25 yen, and of 0.25 dollars.
    for currency, committed, half in (("JPY", "25", "13"), ("USD", "0.25", "0.13")):
        case = usage_case(ends_on="2026-02-14", currency=currency)
        case.commit(committed, **MONTHLY, **SPEND)
        assert periods(case, "2026-02-14")[-1][-1] == D(half)


def test_the_row_signed_last_holds_once_it_is_known_T1():
    # Z is signed before A; both are from the contract's start on.
    case = usage_case()
    case.commit("10")
    case.amend("Z", "2026-02-01", "2026-01-01")
    case.commit("20", amendment_id="Z")
    case.amend("A", "2026-03-01", "2026-01-01")
    case.commit("30", amendment_id="A")
    figures = [periods(case, f"2026-0{n}-01")[0][-1] for n in (2, 3)]
    assert periods(case, "2026-01-31")[0][-1] == D(10)
    assert figures == [D(20), D(30)]


# -- M2: shortfall ----------------------------------------------------------------


def test_missing_units_at_the_lines_net_price_M2_M5():
    # 10 committed, 4 used in January; net price 3 less half. February: nothing used.
    case = Case()
    case.line(meter="encounter", unit_price="3", discount_percent="50")
    case.commit("10", **MONTHLY)
    case.events(4, "2026-01-31")
    assert case.owed("2026-03-01") == [
        ("2026-02-01", "2026-01-01", "2026-01-31", D(6), D("1.5"), D(9)),
        ("2026-03-01", "2026-02-01", "2026-02-28", D(10), D("1.5"), D(15)),
    ]


def test_nothing_is_owed_if_as_much_is_used_M2():
    case = usage_case()
    case.commit("4", **MONTHLY)
    case.events(4, "2026-01-31")
    assert case.owed("2026-02-01") == []


def test_the_shortfall_price_is_that_of_the_periods_end_M2():
    # The price from 31 January holds for January's 10 missing units.
    case = usage_case()
    case.commit("10", shortfall_price="2", **MONTHLY)
    case.commit("10", "2026-01-31", shortfall_price="0.125", **MONTHLY)
    assert case.owed("2026-02-01")[0][3:] == (D(10), D("0.125"), D("1.25"))


@pytest.mark.parametrize("model", ["graduated", "volume"])
@pytest.mark.parametrize(
    ("committed", "price", "amount"), [("5", "2", "2"), ("6", "1", "2")]
)
def test_tiered_lines_price_what_is_missing_at_the_committed_tier_M2(
    model, committed, price, amount
):
    # Bound 5 is inclusive: 5 committed are held by tier 1 at 2, 6 by tier 2 at 1.
    # The 4 used are in tier 1; 1 or 2 are missing. Flat fees are no unit price.
    case = Case()
    case.card(("5", "2", "50"), ("", "1", "70"))
    case.line(pricing_model=model, meter="encounter", rate_card_id="CARD")
    case.commit(committed, **MONTHLY)
    case.events(4, "2026-01-10")
    assert case.owed("2026-02-01")[0][4:] == (D(price), D(amount))


def test_the_tier_is_that_of_the_prorated_quantity_M2():
    # 1 to 14 February: 5 of 10, in tier 1.
    case = Case(ends_on="2026-02-14")
    case.card(("5", "2", ""), ("", "1", ""))
    case.line(pricing_model="graduated", meter="encounter", rate_card_id="CARD")
    case.commit("10", **MONTHLY)
    january, february = case.owed("2026-03-01")
    assert january[3:] == (D(10), D(1), D(10))
    assert february[3:] == (D(5), D(2), D(10))


def test_an_ended_line_has_the_price_of_its_last_active_day_M2():
    case = usage_case()
    case.line(effective_on="2026-01-11", meter="encounter", unit_price="4")
    case.line(
        effective_on="2026-01-21", meter="encounter", unit_price="5", status="ended"
    )
    case.commit("1", **MONTHLY)
    assert [owed[4] for owed in case.owed("2026-03-01")] == [D(4), D(4)]


def test_a_line_not_yet_active_has_no_price_M2():
    case = Case()
    case.line(effective_on="2026-02-15", meter="encounter", unit_price="3")
    case.commit("1", **MONTHLY)
    assert [owed[1] for owed in case.owed("2026-03-01")] == ["2026-02-01"]


@pytest.mark.parametrize(
    ("more", "missing"),
    [({}, 6), ({"pricing_model": "package", "package_size": "5"}, 8)],
)
def test_free_units_count_to_no_commitment_M2_U6_U4(more, missing):
    # 1 of 5 is free by the version of their date, 3 by that of the last active day,
    # which holds for a package: 10 − 4 or 10 − 2.
    case = Case()
    terms = {"meter": "encounter", "unit_price": "1"} | more
    case.line(included_quantity="1", **terms)
    case.line(effective_on="2026-01-20", included_quantity="3", **terms)
    case.commit("10", shortfall_price="1", **MONTHLY)
    case.events(5, "2026-01-10")
    assert case.owed("2026-02-01")[0][3] == D(missing)


def test_units_before_the_cut_period_do_not_count_M1_M2():
    # From 11 January: 21 of 31 days of 31 units; 2 of the 5 units are dated in them.
    case = usage_case()
    case.commit("31", "2026-01-11", **MONTHLY)
    case.events(3, "2026-01-10")
    case.events(2, "2026-01-11")
    assert case.owed("2026-02-01")[0][1:4] == ("2026-01-11", "2026-01-31", D(19))


def test_patients_count_once_M2_U8():
    case = Case()
    case.line(meter="patient", unit_price="5")
    case.commit("3", **MONTHLY)
    case.event("1", "2026-01-10", patient_id="x")
    case.event("2", "2026-01-20", patient_id="x")
    case.event("3", "2026-01-20", patient_id="y")
    assert case.owed("2026-02-01")[0][3:] == (D(1), D(5), D(5))


# -- M4: spend --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "amount"),
    [
        ({"counts": "all"}, "61"),  # 100 − (30 + 6 + 3)
        ({}, "61"),
        ({"counts": "usage"}, "94"),
        ({"line_id": "L"}, "94"),
        ({"line_id": "SEATS"}, "70"),
        ({"line_id": "SHARE"}, "97"),
    ],
)
def test_spend_counts_charges_in_scope_M4(more, amount):
    # January: a seat for 30, a share of 10 % of it, 2 encounters for 6. A milestone
    # and the true-up of another commitment don't count.
    case = usage_case()
    case.line("SEATS", unit_price="30")
    case.line("SHARE", pricing_model="percentage", percentage="10")
    case.tables["milestones"] = [
        {
            "milestone_id": "M",
            "contract_id": "C",
            "milestone": "go_live",
            "amount": "500",
            "completed_on": "2026-01-20",
        }
    ]
    case.events(2, "2026-01-20")
    case.commit("100", **more, **MONTHLY, **SPEND)
    case.commit("9", commitment_id="OTHER", **MONTHLY)
    spend = [o for o in case.owed("2026-02-01") if o[4] is None]
    assert spend == [("2026-02-01", "2026-01-01", "2026-01-31", D(1), None, D(amount))]


def test_charges_of_another_contract_do_not_count_M4():
    case = Case()
    other = case.tables["contracts"][0] | {"contract_id": "B"}
    case.tables["contracts"].insert(0, other)
    case.line("OTHER", contract_id="B", unit_price="70")
    case.line(unit_price="30")
    case.commit("100", **MONTHLY, **SPEND)
    assert case.owed("2026-02-01")[0][-1] == D(70)


def test_a_charge_counts_in_the_period_of_its_service_start_M4():
    # A year in advance starts in January, which it fills; February has nothing.
    case = Case()
    case.line(unit_price="365", billing_frequency="annual")
    case.commit("100", **MONTHLY, **SPEND)
    assert case.owed("2026-03-01") == [
        ("2026-03-01", "2026-02-01", "2026-02-28", D(1), None, D(100))
    ]


def test_a_charge_that_starts_before_the_cut_period_does_not_count_M1_M4():
    # 21 of 31 days of 31; January's seat starts on the 1st.
    case = Case()
    case.line(unit_price="30")
    case.commit("31", "2026-01-11", **MONTHLY, **SPEND)
    assert case.owed("2026-02-01")[0][1:] == (
        "2026-01-11",
        "2026-01-31",
        D(1),
        None,
        D(21),
    )


def test_a_charge_in_arrears_counts_whatever_its_invoice_date_M4():
    # December's seat is invoiced on 1 January 2027, as the minimum spend is.
    case = Case()
    case.line(unit_price="10", billing_timing="arrears")
    case.commit("125", **SPEND)
    assert case.owed("2027-01-01") == [
        ("2027-01-01", "2026-01-01", "2026-12-31", D(1), None, D(5))
    ]
