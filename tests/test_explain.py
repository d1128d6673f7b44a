"""`billing explain`: every figure of a line, back to where it came from."""

import json
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from conftest import BilledBook

from orchestration.arithmetic import in_figures
from orchestration.errors import BillingError
from orchestration.explain import explain
from orchestration.home import Home
from orchestration.keys import Keys
from orchestration.story.book import Book, Line
from orchestration.story.line import story
from orchestration.warehouse import open_files

NOT_CLAIMED = "25.00: billing.charges has how it is made up"


def number_of(book: BilledBook, customer: str, day: str) -> str:
    """The number of a customer's document of a day."""
    ((number,),) = book.closes[3].rows(
        "select invoice_number from finance.invoices "
        "where customer_id = $1 and invoice_date = $2",
        customer,
        date.fromisoformat(day),
    )
    return number


def explained(
    book: BilledBook, customer: str, day: str, line: int | None = None
) -> str:
    return explain(book.home, number_of(book, customer, day), line)


def test_an_invoice_in_short(billed_book: BilledBook) -> None:
    text = explained(billed_book, "joins", "2026-03-01")
    number = number_of(billed_book, "joins", "2026-03-01")
    assert f"{number} of 2026-03-01, Joins Example" in text
    assert "USD 315.00" in text
    for amount in ("270.00", "-180.00", "90.00", "135.00"):
        assert f" {amount}\n" in text
    assert max(map(len, text.splitlines())) <= 100


def test_a_prorated_charge_with_its_amendment_R1(billed_book: BilledBook) -> None:
    # 3 facilities × 90 × 14 of 28 days.
    text = explained(billed_book, "joins", "2026-03-01", 4)
    assert "  3 × 90.00 × 14/28 = 135.00\n" in text
    assert "amendment joins-join, facility added: signed 2026-02-10, effective" in text
    assert "landed in contracts/amendments/joins.csv, line 2" in text
    assert "landed in contracts/contract_lines/joins.csv, line 2" in text
    assert "in force 2026-01-01 – 2026-12-31" in text
    assert "for each covered facility" in text
    assert "  nothing was booked under these terms and days before\n" in text


def test_a_reversal_with_what_stands_in_its_place_A2(billed_book: BilledBook) -> None:
    booked = number_of(billed_book, "joins", "2026-02-01")
    text = explained(billed_book, "joins", "2026-03-01", 2)
    assert "  2 × 90.00 = 180.00, reversed\n" in text
    assert f"  booked in {booked}, line 1: quantity 2 " in text
    assert "charged again as line 3 (90.00), line 4 (135.00)" in text
    assert "due then                                     " in text
    assert "contract row amendments joins-join (new)" in text
    assert "contract row contract_facilities joins|joins-c|2026-02-15|" in text


def test_late_usage_names_days_and_file_C8(billed_book: BilledBook) -> None:
    # After the first issue E2 of 11 January was cancelled and E4 of 20 January at the
    # other facility came: the line is of zero, for their shares alone.
    text = explained(billed_book, "late", "2026-03-01", 2)
    assert "  late-a on 2026-01-11: 1 booked, none due\n" in text
    assert "  late-b on 2026-01-20: none booked, 1 due\n" in text
    assert "usage file usage/late/step2.csv (new)" in text
    assert "step1" not in text


def test_counts_by_facility_day_and_outcome_U6(billed_book: BilledBook) -> None:
    # February: two units of tier 2 at 8 and its fee of 1.
    text = explained(billed_book, "tiers", "2026-03-01", 1)
    assert "  2 × 8.00 + flat fee 1.00 = 17.00\n" in text
    assert "  > tier 2 (above 3, up to 5), list price 8.00, flat fee 1.00\n" in text
    assert "tiers over a contract year, 1 included" in " ".join(text.split())
    assert "      Feb 3: 1, Feb 4: 1, Feb 5: 1\n" in text
    assert "      Feb 6: 1, Feb 7: 1\n" in text
    assert text.split("Events of these days")[1].split("\n")[1].split() == [
        "billable",
        "5",
    ]


def test_a_rerated_year_M3(billed_book: BilledBook) -> None:
    # 120 at 10 through the year, at 8 at its end.
    text = explained(billed_book, "rerate", "2026-02-01", 1)
    assert "  version of 2025-02-01: 50\n" in text
    assert "committed 50, counted 120\n" in text
    said = " ".join(text.split())
    assert "reached tier 2 and were charged 1,200.00 as they came" in said
    assert "at that tier's prices they are due 960.00" in said
    assert "line rerate-scans, version of 2025-02-01 in force" in said


def test_a_shortfall_with_what_its_versions_commit_M1_M2(
    billed_book: BilledBook,
) -> None:
    text = explained(billed_book, "halved", "2026-02-01", 1)
    assert "  46 × 1.50 = 69.00\n" in text
    assert "  version of 2025-02-01: 730 × 181/365 days\n" in text
    assert "  version of 2025-08-01: 365 × 184/365 days\n" in text
    assert "amendment halved-half, commitment changed" in text
    assert "  546 − 500: 46 units short\n" in text
    assert "not in force any more" not in text


def test_a_minimum_with_the_charges_that_count_M4(billed_book: BilledBook) -> None:
    text = explained(billed_book, "minimum", "2026-02-01", 3)
    assert "minimum-pledge: money per month\n" in text
    lines = [line.split() for line in text.splitlines()]
    assert ["line", "minimum-platform", "600.00"] in lines
    assert ["line", "minimum-scans", "60.00"] in lines
    assert "  1,000 − 660: 340 to reach the minimum\n" in text


def test_a_true_up_that_late_units_change_A2(billed_book: BilledBook) -> None:
    booked = number_of(billed_book, "shortfall", "2026-02-01")
    text = explained(billed_book, "shortfall", "2026-03-01", 2)
    assert f"  booked in {booked}, line 1: quantity 40 " in text
    assert "usage file usage/shortfall/step2.csv (new)" in text


def test_units_before_a_charge_that_move_its_tiers_U5(billed_book: BilledBook) -> None:
    # February's units leave tier 1 because of three that came late for January.
    text = explained(billed_book, "crossing", "2026-04-01", 3)
    assert "Reversal: scans, tier 1 (1–10), February 2026" in text
    assert "  crossing-a on 2026-01-20: none booked, 3 due\n" in text
    assert "usage file usage/crossing/step3.csv (new)" in text


def test_a_package_of_a_line_that_has_ended_since_A6() -> None:
    # An ended row needs no package_size: how many packages were billed is not claimed.
    line = {
        **{"amount": Decimal("14.00"), "quantity": Decimal(3)},
        **{"unit_price": Decimal(7), "reverses": False, "line_type": "usage"},
        **{"service_start": date(2026, 1, 1), "service_end": date(2026, 1, 31)},
    }
    terms = {"model": "package", "tiers": [], "full_days": 31, "cents_step": 1}
    assert in_figures(line, package_size=Decimal(2), **terms).startswith("2 × 7.00 for")
    assert in_figures(line, package_size=None, **terms).startswith("14.00: ")


@pytest.mark.parametrize(
    ("model", "amount", "quantity", "unit_price", "more", "figures"),
    [
        # A credit is a price below 0: 3 × -0.125 is -0.375, half away from zero (A1).
        ("per_unit", "-0.38", 3, "-0.125", {}, "3 × -0.125 = -0.38"),
        # No unit is in the second tier; its fee is in no line of the first (U6).
        ("graduated", "20.00", 10, "2", {}, "(10 × 2.00) = 20.00"),
        ("volume", "25.00", 10, "2", {"tier": 1}, NOT_CLAIMED),
        ("volume", "25.00", 10, "2", {"tier": 2}, "10 × 2.00 + flat fee 5.00 = 25.00"),
        # A share is of what was charged, whatever its days (R4).
        ("percentage", "5.00", 100, "0.05", {"proration": None}, "100 × 0.05 = 5.00"),
    ],
)
def test_amounts_in_figures(
    model: str, amount: str, quantity: int, unit_price: str, more: dict, figures: str
) -> None:
    line = {
        **{"amount": Decimal(amount), "quantity": Decimal(quantity), "tier": None},
        **{"unit_price": Decimal(unit_price), "reverses": False, "proration": 1},
        **{"service_start": date(2026, 1, 1), "service_end": date(2026, 1, 31)},
        **{"line_type": "usage" if model == "volume" else "recurring"},
        **more,
    }
    tiers = [
        {"tier": 1, "above": 0, "up_to": 10, "unit_price": Decimal(2), "flat_fee": 0},
        {"tier": 2, "above": 10, "up_to": 99, "unit_price": Decimal(1), "flat_fee": 5},
    ]
    full_days = 365 if model == "percentage" else 31
    terms = {"package_size": None, "full_days": full_days, "cents_step": 1}
    assert in_figures(line, model=model, tiers=tiers, **terms) == figures


def test_a_percentage_names_its_base_R4(billed_book: BilledBook) -> None:
    text = explained(billed_book, "shelf", "2026-02-01", 5)
    assert "of line shelf-platform" in text
    assert "its base, line shelf-platform: platform, February 2026" in text
    assert "  900 × 0.18 = 162.00\n" in text


def test_where_the_counters_of_a_year_stand_U6(billed_book: BilledBook) -> None:
    # Four of January, one of them free.
    text = explained(billed_book, "tiers", "2026-03-01", 1)
    assert "  counted in the contract year from 2026-01-01 before these days   " in text
    assert "the first 1 of the contract year are free" in text


def test_every_line_of_the_book_can_be_explained(billed_book: BilledBook) -> None:
    home = Home(billed_book.home)
    with open_files(home, Keys.of(home), read_only=True) as connection:
        book = Book(connection)
        lines = book.rows("select * from ledger.book.invoice_lines")
        headers = book.rows(
            "select * from ledger.book.invoices "
            "join ledger.book.issues using (issue_no)"
        )
        by_number = {header["invoice_number"]: header for header in headers}
        for line in lines:
            header = by_number[line["invoice_number"]]
            beside = [
                other
                for other in lines
                if other["invoice_number"] == line["invoice_number"]
            ]
            text = list(story(Line(book, header, beside, line)))
            assert max(map(len, text)) <= 100
            assert not [words for words in text if "billing.charges has how" in words]


def test_the_outcomes_of_a_dirty_feed_but_no_patient(billed_book: BilledBook) -> None:
    text = explained(billed_book, "dirt", "2026-02-01", 1)
    outcomes = text.split("Events of these days")[1].split("\n\n")[0]
    found = {
        " ".join(words[:-1]): words[-1]
        for words in map(str.split, outcomes.splitlines()[1:])
    }
    assert found["billable"] == "3"
    assert found["void"] == "1"
    assert "CANARY" not in text


def test_a_yen_price_comes_to_whole_yen_A1(billed_book: BilledBook) -> None:
    # 1001 × 16/31 = 516.645.
    text = explained(billed_book, "yen", "2026-01-16", 1)
    assert "  1 × 1,001.00 × 16/31 = 517.00\n" in text


def test_it_is_noted_in_the_audit_log(billed_book: BilledBook) -> None:
    number = number_of(billed_book, "yen", "2026-01-16")
    explain(billed_book.home, number)
    last = (billed_book.home / "audit.jsonl").read_text().splitlines()[-1]
    row = json.loads(last)
    assert (row["action"], row["object"]) == ("explain", number)
    assert row["detail"]["customers"] == ["yen"]
    # Its only line is for 16 to 31 January.
    assert row["detail"]["period"] == ["2026-01-16", "2026-01-31"]


def test_what_there_is_not(billed_book: BilledBook, tmp_path: Path) -> None:
    with pytest.raises(BillingError, match="there is no invoice INV-1999-000001"):
        explain(billed_book.home, "INV-1999-000001")
    number = number_of(billed_book, "yen", "2026-01-16")
    with pytest.raises(BillingError, match="has no line 2: its lines are 1 to 1"):
        explain(billed_book.home, number, 2)
    with pytest.raises(BillingError, match="nothing was issued here yet"):
        explain(tmp_path / "home", number)
