"""When and how true-ups are known and booked, against cases worked by hand."""

from decimal import Decimal

from reference.cases import Case

D = Decimal
MONTHLY = {"period": "billing_period"}
SPEND = {"kind": "spend"}


def usage_case(**contract):
    """Encounters on line L at 3 each."""
    case = Case(**contract)
    case.line(meter="encounter", unit_price="3")
    return case


def test_a_true_up_is_known_only_when_its_period_has_ended_C7():
    # On 31 January the draft of 1 February has the usage so far and no true-up.
    case = usage_case()
    case.commit("10", **MONTHLY)
    case.events(4, "2026-01-10")
    (draft,) = case.bill("2026-01-31").drafts
    assert [line.charge.line_type for line in draft.lines] == ["usage"]
    known = case.bill("2026-02-01").drafts[0].lines
    assert sorted((line.charge.line_type, line.amount) for line in known) == [
        ("true_up", D(18)),
        ("usage", D(12)),
    ]


def test_a_commitments_dates_are_not_regular_C6_S1():
    # Monthly commitment, quarterly line: the next regular date is 1 April.
    case = Case()
    case.line(meter="encounter", unit_price="1", billing_frequency="quarterly")
    case.commit("10", **MONTHLY, **SPEND)
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
    dates = [
        str(charge.own_date)
        for charge in case.bill("2026-02-01").charges
        if charge.milestone_id
    ]
    assert dates == ["2026-04-01"]


def booked_true_up():
    """January's true-up of 6 units for 18 is issued on 1 February."""
    case = usage_case()
    case.commit("10", **MONTHLY)
    case.events(4, "2026-01-10")
    case.bill("2026-02-01", "2026-02-01")
    return case


def true_ups(case, as_of):
    return [
        (str(line.invoice_date), line.quantity, line.amount, line.reverses)
        for document in case.bill(as_of).drafts
        for line in document.lines
        if line.charge.line_type == "true_up"
    ]


def test_late_usage_takes_off_a_true_up_A2():
    case = booked_true_up()
    case.events(1, "2026-01-11", "S")
    assert true_ups(case, "2026-02-10") == [("2026-03-01", D(-1), D(-3), False)]


def test_another_shortfall_price_reverses_and_charges_A2():
    case = booked_true_up()
    case.amend("A", "2026-02-02", "2026-01-01")
    case.commit("10", "2020-01-01", shortfall_price="2", amendment_id="A", **MONTHLY)
    assert sorted(true_ups(case, "2026-02-10")) == [
        ("2026-03-01", D(-6), D(-18), True),
        ("2026-03-01", D(6), D(12), False),
    ]


def test_another_version_at_the_end_reverses_and_charges_A2():
    # The version is part of the identity: 6 units for 18, then 7 for 21.
    case = booked_true_up()
    case.amend("A", "2026-02-02", "2026-01-31")
    case.commit("11", "2026-01-31", prorate="false", amendment_id="A", **MONTHLY)
    assert sorted(true_ups(case, "2026-02-10")) == [
        ("2026-03-01", D(-6), D(-18), True),
        ("2026-03-01", D(7), D(21), False),
    ]


def test_a_renewal_takes_back_the_true_up_of_a_longer_year_A2_M1():
    # The year ended on 30 January when it was issued; renewed, it has not ended. The
    # next regular date after 31 January is that of January's usage.
    case = usage_case(ends_on="2026-01-30")
    case.commit("365", prorate="false")
    case.bill("2026-01-31", "2026-01-31")
    case.amend("A", "2026-02-02", "2026-01-31", new_ends_on="2026-12-31")
    assert true_ups(case, "2026-02-10") == [("2026-02-01", D(-365), D(-1095), True)]


def test_a_share_of_usage_is_no_share_of_its_true_up_R4_M2():
    case = usage_case()
    case.line("SHARE", pricing_model="percentage", percentage="10", base_line_id="L")
    case.commit("10", **MONTHLY)
    case.events(4, "2026-01-10")
    shares = [c for c in case.bill("2026-02-01").charges if c.line_id == "SHARE"]
    assert [(c.quantity, c.amount) for c in shares] == [(D(12), D("1.20"))]
