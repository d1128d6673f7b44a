"""Figures that standards and systems of others have published, computed by the rules.

Only the numbers are theirs; the contracts around them are ours, as short as they can
be. `IFRS 15 IE` are the illustrative examples that come with the standard; those of
ASC 606-10-55 are the same.
"""

from decimal import Decimal

from reference.cases import Case
from reference.test_revenue import balances, posted, schedule
from reference.test_revenue_tables import journal, obligations

D = Decimal


def test_a_non_cancellable_contract_paid_in_advance_IFRS_15_IE199_to_IE200():
    """Example 38, case B: 1,000 due on 31 January, transferred on 31 March.

    Receivable and contract liability on 31 January, revenue on 31 March.
    """
    case = Case()
    case.milestone("M", "signature", "1000", "2026-01-31", recognize_on="go_live")
    case.milestone("T", "go_live", "0", "2026-03-31")
    for month in ("2026-01", "2026-02"):
        case.close(month)
    book = case.close("2026-03")
    entries = [row for row in journal(case) if row[3]]
    assert entries == [
        ("2026-01", "2026-01-31", "receivable", D(1000)),
        ("2026-01", "2026-01-31", "deferred_revenue", D(-1000)),
        ("2026-03", "2026-03-31", "deferred_revenue", D(1000)),
        ("2026-03", "2026-03-31", "revenue", D(-1000)),
    ]
    assert balances(book)[1] == ("2026-02", D(1000), D(0), D(0), D(1000), D(0))


def volume_discount(price, discounted, bound, expected, first, second, months):
    """Two quarters; before the second is closed, more than the bound is expected.

    What the volume will be is estimated by the committed quantity (M3, RR-9).
    """
    case = Case()
    case.card((bound, price, ""), ("", discounted, ""))
    case.line(
        pricing_model="volume",
        meter="encounter",
        rate_card_id="CARD",
        tier_scope="contract_year",
        billing_frequency="quarterly",
    )
    case.commit(bound, effective_on="2026-01-01", true_up="rerate")
    case.events(first, "2026-02-10")
    case.events(second, "2026-05-10")
    for month in ("2026-01", "2026-02", "2026-03"):
        case.close(month)
    case.amend("A", "2026-06-15", "2026-01-01", kind="commitment_changed")
    case.commit(expected, effective_on="2026-01-01", true_up="rerate", amendment_id="A")
    for month in months:
        case.close(month)
    quarters = {"1": D(0), "2": D(0)}
    for month, _, amount in posted(case):
        quarters["1" if month <= "2026-03" else "2"] += amount
    return quarters


def test_a_volume_discount_IFRS_15_IE124_to_IE127():
    """Example 24: 100 a unit, 90 for all if more than 1,000; 75 units, then 500.

    First quarter 75 x 100 = 7,500. In the second the discount is expected: 500 x 90
    less 75 x 10 = 44,250.
    """
    quarters = volume_discount(
        "100", "90", "1000", "1001", 75, 500, ("2026-04", "2026-05", "2026-06")
    )
    assert quarters == {"1": D(7500), "2": D(44250)}


def test_a_volume_discount_ifrsbuddy():
    """ifrsbuddy.com, "IFRS 15 transaction price worked example": 480, 432 above 600.

    75 units, 36,000; then 225 more, 300 x 432 - 36,000 = 93,600.
    """
    quarters = volume_discount(
        "480", "432", "600", "601", 75, 225, ("2026-04", "2026-05", "2026-06")
    )
    assert quarters == {"1": D(36000), "2": D(93600)}


def test_remaining_obligations_IFRS_15_IE212_to_IE219():
    """Example 42, contract B: two years at 400 a month, 18 months of them left.

    4,800 within a year and 2,400 later, 7,200 in all, at the end of December.
    """
    case = Case(starts_on="2025-07-01", ends_on="2027-06-30", signed_on="2025-07-01")
    case.line(unit_price="400")
    case.close("2025-12")
    assert obligations(case.bill("2026-01-01")) == [("2026-01", D(4800), D(2400))]


def test_a_month_from_the_15th_docs_stripe_com():
    """Revenue recognition, methodology, subscriptions: 31 a month from 15 January.

    17 in January, 14 deferred at its end.
    """
    case = Case(starts_on="2026-01-15", ends_on="2026-02-14", billing_anchor_day="15")
    case.line(unit_price="31")
    book = case.close("2026-01")
    assert balances(book)[0] == ("2026-01", D(0), D(31), D(17), D(14), D(0))


def test_an_upgrade_docs_stripe_com():
    """The same page: 90 for April, from the 21st at 120: 60 for 20 days, then 40."""
    case = Case(starts_on="2026-04-01", ends_on="2026-04-30")
    case.line(unit_price="90")
    case.bill("2026-04-01", "2026-04-01")
    case.amend("A", "2026-04-21", "2026-04-21", invoicing="immediate")
    case.line(effective_on="2026-04-21", unit_price="120", amendment_id="A")
    book = case.close("2026-04")
    assert posted(case) == [
        ("2026-04", "2026-04", D(60)),
        ("2026-04", "2026-04", D(40)),
    ]
    assert balances(book)[0] == ("2026-04", D(0), D(100), D(100), D(0), D(0))


def test_four_months_by_day_docs_stripe_com():
    """Revenue settings, examples, by day: 120 for the 120 days from 15 June.

    16, 31, 31, 30 and 12. (365 a year is 120 for 120 days.)
    """
    case = Case(
        signed_on="2026-06-15",
        starts_on="2026-06-15",
        ends_on="2026-10-12",
        billing_anchor_day="15",
    )
    case.line(unit_price="365", billing_frequency="annual")
    amounts = [row[2] for row in schedule(case.bill("2026-06-15"))]
    assert amounts == [D(16), D(31), D(31), D(30), D(12)]
