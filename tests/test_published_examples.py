"""What other billing systems publish as worked examples, billed by our rules.

Amounts are theirs; where our rule differs, ours is worked by hand and the test says
why. docs/published-examples.md has the sources. Usage of a month is billed on the first
day of the next.
"""

from datetime import date
from decimal import Decimal as D

from conftest import BilledBook, Close

JANUARY, FEBRUARY, MARCH, APRIL = (f"2026-0{month}-01" for month in (1, 2, 3, 4))


def sums(close: Close, customer: str, day: str) -> dict[str, D]:
    """Amount of each product, minimum or true-up on a customer's document of a day."""
    return dict(
        close.rows(
            "select case line_type when 'minimum_spend' then line_type "
            "else product_id end, sum(lines.amount) "
            "from finance.invoice_lines as lines join finance.invoices "
            "using (invoice_id) where customer_id = $1 and invoices.invoice_date = $2 "
            "and status <> 'draft' group by all",
            customer,
            date.fromisoformat(day),
        )
    )


def test_stripe_tiered_pricing_U6(billed_book: BilledBook) -> None:
    # Volume 6 × 6.50 and 20 × 6. Graduated 5 × 7 + 6.50, 5 × 7 + 5 × 6.50 + 10 × 6.
    close = billed_book.closes[2]
    assert sums(close, "fonts", FEBRUARY) == {"graduated": D("41.5"), "volume": D(39)}
    assert sums(close, "fonts", MARCH) == {"graduated": D("127.5"), "volume": D(120)}


def test_stripe_proration_R1_A2(billed_book: BilledBook) -> None:
    # 5 more. Theirs: −5 for unused time, 10 for the rest. Ours: the month is reversed
    # and charged in two parts of 14 of 28 days, 10 × 14/28 and 20 × 14/28.
    assert billed_book.closes[2].lines("upgrade", "2026-02-15") == [
        ("02-01", "02-28", None, D(-1), D(10), D(-10), "adjustment reversal"),
        ("02-01", "02-14", None, D(1), D(10), D(5), "adjustment"),
        ("02-15", "02-28", None, D(1), D(20), D(10), "adjustment"),
    ]


def test_lago_spending_minimum_M4(billed_book: BilledBook) -> None:
    # 5,000 × 0.01 = 50 of 100: 50 more.
    assert billed_book.closes[1].lines("tracked", FEBRUARY) == [
        ("01-01", "01-31", None, D(5000), D("0.01"), D(50), ""),
        ("01-01", "01-31", None, D(1), None, D(50), ""),
    ]


def test_lago_minimum_commitment_M4(billed_book: BilledBook) -> None:
    close = billed_book.closes[2]
    assert sums(close, "committed", FEBRUARY) == {
        "usage": D(800),
        "minimum_spend": D(200),
    }
    assert sums(close, "committed", MARCH) == {"usage": D(1300)}


def test_lago_package_U6(billed_book: BilledBook) -> None:
    # 101 units are not free: two packages.
    assert billed_book.closes[1].lines("packs", FEBRUARY) == [
        ("01-01", "01-31", None, D(101), D(5), D(10), "")
    ]


def test_oracle_slabs_U6(billed_book: BilledBook) -> None:
    # 250 × 1 + 250 × 2 + 500 × 3; 1,000 × 3; 10 + 20 + 30; 30.
    assert sums(billed_book.closes[1], "slabs", FEBRUARY) == {
        "graduated": D(2250),
        "volume": D(3000),
        "graduated-fees": D(60),
        "stairstep-fees": D(30),
    }


def test_autumn_graduated_U6(billed_book: BilledBook) -> None:
    # 10 + 72 + 25.
    assert sums(billed_book.closes[1], "requests", FEBRUARY) == {"graduated": D(107)}


def test_zuplo_tiers_U6(billed_book: BilledBook) -> None:
    # 100 + 450 + 50; 15,000 × 0.01.
    assert sums(billed_book.closes[1], "calls", FEBRUARY) == {
        "graduated": D(600),
        "volume": D(150),
    }


def test_zuora_usage_after_the_invoice_A2(billed_book: BilledBook) -> None:
    # 10 × 2 + 5 × 3 = 35. With six more 10 × 2 + 10 × 3 + 1 × 5 = 55: 20 more.
    assert sums(billed_book.closes[1], "ondemand", FEBRUARY) == {"graduated": D(35)}
    close = billed_book.closes[2]
    assert sums(close, "ondemand", MARCH) == {"graduated": D(20)}
    assert close.lines("ondemand", MARCH) == [
        ("01-01", "01-31", 2, D(5), D(3), D(15), "adjustment"),
        ("01-01", "01-31", 3, D(1), D(5), D(5), "adjustment"),
    ]


def test_zuora_volume_by_billing_period_U6(billed_book: BilledBook) -> None:
    # 160 × 9 and 195 × 9.
    close = billed_book.closes[2]
    assert sums(close, "minutes", FEBRUARY) == {"volume": D(1440)}
    assert sums(close, "minutes", MARCH) == {"volume": D(1755)}


def test_zuora_tiers_with_overage_U6(billed_book: BilledBook) -> None:
    assert sums(billed_book.closes[1], "overage", FEBRUARY) == {"units": D(60)}


def test_zuora_usage_proration_is_not_ours_U4(billed_book: BilledBook) -> None:
    # Theirs 31 × 17/31 = 17. Ours 31: only units of covered days count in the first
    # place, and all of them were used.
    assert sums(billed_book.closes[1], "partial", FEBRUARY) == {"units": D(31)}


def test_zuora_recurring_proration_R1(billed_book: BilledBook) -> None:
    # 35 × 14/31 = 15.81 by actual days (their TCV); 35 × 14/30 = 16.33 by months of 30
    # days (their TCB in that tenant), which we don't have.
    assert sums(billed_book.closes[1], "seven", JANUARY) == {"units": D("15.81")}


def test_netsuite_annual_included_quantity_U6(billed_book: BilledBook) -> None:
    # 6,000 and 5,000 of 12,000; of the 2,000 of March 1,000 are over: 500. Theirs also
    # invoices the free months at 0; ours has no line for free units.
    close = billed_book.closes[3]
    assert close.invoices("pool") == {APRIL: D(500)}
    assert close.lines("pool", APRIL) == [
        ("03-01", "03-31", 1, D(1000), D("0.5"), D(500), "")
    ]


def test_recurly_steps_and_volume_R3(billed_book: BilledBook) -> None:
    # The third step; 21 × 9.
    assert sums(billed_book.closes[1], "recurring", JANUARY) == {
        "steps": D(150),
        "volume": D(189),
    }


def test_zenskar_steps_U6(billed_book: BilledBook) -> None:
    close = billed_book.closes[1]
    assert sums(close, "storage", FEBRUARY) == {"stairstep-fees": D(300)}


def test_netsuite_tiers_of_a_year_U5(billed_book: BilledBook) -> None:
    # 50 × 1; then 50 × 1 + 100 × 0.80 + 25 × 0.70.
    close = billed_book.closes[2]
    assert close.invoices("year") == {FEBRUARY: D(50), MARCH: D("147.5")}


def test_zuora_stub_and_last_period_C3_R1(billed_book: BilledBook) -> None:
    # 50 × 15/31 = 24.194, 50, and 65 × 13/28 = 30.179. Theirs are 24.2, 50 and 30.2.
    assert billed_book.closes[2].invoices("stub") == {
        JANUARY: D("24.19"),
        "2026-01-16": D(50),
        "2026-02-16": D("30.18"),
    }


def test_inomial_plan_change_R1_A2(billed_book: BilledBook) -> None:
    # Theirs: −50 × 17/31 = −27.42 and 100 × 17/31 = 54.84, for March 77.42 in all.
    # Ours reverses March and charges its first 14 days again: 50 × 14/31 = 22.58.
    close = billed_book.closes[3]
    assert close.lines("plan", "2026-03-15") == [
        ("03-01", "03-31", None, D(-1), D(50), D(-50), "adjustment reversal"),
        ("03-01", "03-14", None, D(1), D(50), D("22.58"), "adjustment"),
        ("03-15", "03-31", None, D(1), D(100), D("54.84"), "adjustment"),
    ]
    assert close.invoices("plan")[MARCH] + close.invoices("plan")["2026-03-15"] == D(
        "77.42"
    )
