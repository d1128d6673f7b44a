"""Rerated volume lines (M3), against cases worked by hand."""

from decimal import Decimal

import pytest

from reference.cases import Case

D = Decimal
VOLUME = {
    "pricing_model": "volume",
    "meter": "encounter",
    "rate_card_id": "CARD",
    "tier_scope": "contract_year",
}
RERATE = {"true_up": "rerate"}


def rerate_case(**contract):
    """To 10 units at 5; to 20 at 4 and a fee of 7; beyond at 3 and a fee of 9."""
    case = Case(**contract)
    case.card(("10", "5", ""), ("20", "4", "7"), ("", "3", "9"))
    case.line(**VOLUME)
    return case


def usage(case, as_of):
    """(service start, tier, quantity, amount) of the usage charges."""
    return [
        (str(c.service_start), c.tier, c.quantity, c.amount)
        for c in case.bill(as_of).charges
        if c.line_type == "usage"
    ]


def year(amount, quantity):
    """The one true-up of 2026."""
    return [("2027-01-01", "2026-01-01", "2026-12-31", D(quantity), None, D(amount))]


def test_units_have_the_committed_tiers_price_its_fee_once_M3():
    # 15 are committed: tier 2. 3 × 4 + 7, then 5 × 4. The 8 used are of tier 1:
    # 8 × 5 = 40, less 39.
    case = rerate_case()
    case.commit("15", **RERATE)
    case.events(3, "2026-01-10")
    case.events(5, "2026-02-10")
    assert usage(case, "2027-01-01") == [
        ("2026-01-01", 2, D(3), D(19)),
        ("2026-02-01", 2, D(5), D(20)),
    ]
    assert case.owed("2026-12-31") == []
    assert case.owed("2027-01-01") == year("1", "8")


def test_more_than_committed_is_given_back_M3():
    # 25 × 4 + 7 = 107; tier 3: 25 × 3 + 9 = 84.
    case = rerate_case()
    case.commit("15", **RERATE)
    case.events(25, "2026-01-10")
    assert case.owed("2027-01-01") == year("-23", "25")


@pytest.mark.parametrize("used", [0, 12])
def test_no_line_where_nothing_differs_or_nothing_is_used_M3(used):
    # 12 are in the committed tier.
    case = rerate_case()
    case.commit("15", **RERATE)
    case.events(used, "2026-01-10")
    assert case.owed("2027-01-01") == []


def test_without_units_the_fee_of_the_first_tier_is_not_due_M3():
    case = Case()
    case.card(("10", "5", "6"), ("", "4", "7"))
    case.line(**VOLUME)
    case.commit("15", **RERATE)
    assert case.owed("2027-01-01") == []


def test_the_commitment_version_of_a_units_date_holds_M3():
    # 15 committed to June: 3 × 4 + 7 = 19. 8 from July: 3 × 5 = 15. Reached: tier 1,
    # 6 × 5 = 30, less 34.
    case = rerate_case()
    case.commit("15", **RERATE)
    case.commit("8", "2026-07-01", **RERATE)
    case.events(3, "2026-06-30")
    case.events(3, "2026-07-01")
    assert [ln[1:] for ln in usage(case, "2027-01-01")] == [
        (2, D(3), D(19)),
        (1, D(3), D(15)),
    ]
    assert case.owed("2027-01-01") == year("-4", "6")


def test_two_tiers_of_one_billing_period_are_two_lines_M3_U7():
    # As above, both in one month: fees 7 for tier 2 and 9 for tier 3.
    case = rerate_case()
    case.commit("15", **RERATE)
    case.commit("21", "2026-01-15", **RERATE)
    case.events(2, "2026-01-14")
    case.events(2, "2026-01-15")
    assert usage(case, "2026-02-01") == [
        ("2026-01-01", 2, D(2), D(15)),
        ("2026-01-01", 3, D(2), D(15)),
    ]


def test_the_committed_quantity_is_not_prorated_for_its_tier_M3():
    # The contract is cut to 73 days, a fifth: 3 of 15 would be tier 1.
    case = rerate_case(ends_on="2026-03-14")
    case.commit("15", **RERATE)
    case.events(1, "2026-01-10")
    assert usage(case, "2026-02-01") == [("2026-01-01", 2, D(1), D(11))]
    assert case.bill("2026-02-01").progress[0].committed == D(3)


def test_prices_are_of_the_line_versions_of_the_dates_the_fee_of_the_last_M3():
    # Half price from July. Charged: 12 × 4 + 7 = 55 and 12 × 2 = 24. Reached: tier 3:
    # 12 × 3 + 12 × 1.5 = 54, fee 9 less half: 58.5. 58.5 − 79 = −20.5
    case = rerate_case()
    case.line(effective_on="2026-07-01", discount_percent="50", **VOLUME)
    case.commit("15", **RERATE)
    case.events(12, "2026-06-30")
    case.events(12, "2026-07-01")
    assert case.owed("2027-01-01") == year("-20.5", "24")


def test_free_units_are_not_priced_again_M3_U6():
    # 4 of 12 are free: 8 × 4 + 7 = 39 charged; 8 are of tier 1: 40.
    case = Case()
    case.card(("10", "5", ""), ("20", "4", "7"), ("", "3", "9"))
    case.line(included_quantity="4", **VOLUME)
    case.commit("15", **RERATE)
    case.events(12, "2026-01-10")
    assert case.owed("2027-01-01") == year("1", "8")


def test_years_before_it_begins_are_plain_volume_M3():
    # 2026: 11 × 4 + 7 = 51 by what was used. 2027: 2 × 4 + 7 = 15, then 2 × 5 − 15.
    case = rerate_case(ends_on="2027-12-31")
    case.commit("15", "2027-01-01", **RERATE)
    case.events(11, "2026-01-10")
    case.events(2, "2027-01-10")
    assert [ln[-1] for ln in usage(case, "2028-01-01")] == [D(51), D(15)]
    assert case.owed("2028-01-01") == [
        ("2028-01-01", "2027-01-01", "2027-12-31", D(2), None, D(-5))
    ]
