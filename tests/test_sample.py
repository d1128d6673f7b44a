"""The sample, billed as the README says: numbers of docs/worked-invoice.md and of
docs/worked-revenue.md, by hand.
"""

from decimal import Decimal as D
from pathlib import Path

import pytest
from conftest import Close, billing
from test_revenue import balances, figures, journal, remaining

from orchestration.documents import invoice_text
from orchestration.home import Home


@pytest.fixture(scope="module")
def sample_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """BILLING_HOME after the three months of `make invoices`."""
    home = tmp_path_factory.mktemp("sample")
    billing("replay", "--from", "2022-01", "--to", "2022-03", "--home", home)
    return home


@pytest.fixture(scope="module")
def sample(sample_home: Path) -> Close:
    return Close(sample_home / "published" / "billing.duckdb")


def test_the_worked_invoice(sample: Close) -> None:
    # 24 encounters at covered facilities in February: 15 × 6.40, 9 × 5.205 = 46.845.
    # 38 × 405 × 15/28 = 8,244.643 and 39 × 405 × 13/28 = 7,333.393.
    assert sample.lines("sandhills", "2022-03-01") == [
        ("03-01", "03-31", None, D(39), D(405), D(15795), ""),
        ("02-01", "02-28", 1, D(15), D("6.4"), D(96), ""),
        ("02-01", "02-28", 2, D(9), D("5.205"), D("46.85"), ""),
        ("02-01", "02-28", None, D(-38), D(405), D(-15390), "adjustment reversal"),
        ("02-01", "02-15", None, D(38), D(405), D("8244.64"), "adjustment"),
        ("02-16", "02-28", None, D(39), D(405), D("7333.39"), "adjustment"),
    ]


def test_the_worked_invoice_by_facility_A7(sample: Close) -> None:
    # Tier 2: 4,685 cents, two left for three remainders of 5/9, in order of id.
    assert sample.shares("sandhills", "2022-03-01", 3) == {
        "SAND-01": (D(4), D("20.82")),
        "SAND-02": (D(2), D("10.41")),
        "SAND-09": (D(1), D("5.21")),
        "SAND-24": (D(1), D("5.21")),
        "SAND-28": (D(1), D("5.20")),
    }
    # Tier 1: 6.40 an encounter.
    assert sample.shares("sandhills", "2022-03-01", 2) == {
        "SAND-01": (D(6), D("38.40")),
        "SAND-12": (D(2), D("12.80")),
        **{
            f"SAND-{number}": (D(1), D("6.40"))
            for number in ("03", "06", "14", "18", "19", "29", "30")
        },
    }
    after = [f"SAND-{number:02}" for number in range(1, 40)]
    before = [facility for facility in after if facility != "SAND-28"]
    assert sample.shares("sandhills", "2022-03-01", 1) == dict.fromkeys(
        after, (D(1), D("405.00"))
    )
    assert sample.shares("sandhills", "2022-03-01", 4) == dict.fromkeys(
        before, (D(-1), D("-405.00"))
    )
    # 824,464 cents: 38 × 21,696 leave 16; 733,339 cents: 39 × 18,803 leave 22.
    assert sample.shares("sandhills", "2022-03-01", 5) == dict.fromkeys(
        before, (D(1), D("216.96"))
    ) | dict.fromkeys(before[:16], (D(1), D("216.97")))
    assert sample.shares("sandhills", "2022-03-01", 6) == dict.fromkeys(
        after, (D(1), D("188.03"))
    ) | dict.fromkeys(after[:22], (D(1), D("188.04")))


def test_rejected_encounters_of_the_first_quarter(sample: Close) -> None:
    # SAND-40 is owned, but under no contract. 7 + 11 + 16 encounters are nobody's.
    assert sample.rows(
        "select reason, count(*) from quality.rejected_usage "
        "where event_type = 'encounter' "
        "and service_date between date '2022-01-01' and date '2022-03-01' "
        "group by all order by all"
    ) == [("facility_not_covered", 1), ("unknown_facility", 34)]


def test_the_other_invoices(sample: Close) -> None:
    # 15 × 5.205 = 78.075. January: 37 encounters are 96 + 78.08 + 7 × 4.15; March: 35
    # are 96 + 78.08 + 5 × 4.15,
    # with a quarter of support.
    assert sample.invoices("sandhills") == {
        "2022-01-01 SANDHILLS-2022": D("15390.00"),
        "2022-02-01 SANDHILLS-2022": D("15593.13"),
        "2022-03-01 SANDHILLS-2022": D("16125.88"),
        "2022-04-01 SANDHILLS-2022": D("17939.83"),
    }
    # The clinic's stub is 49 × 22/31 = 34.774; then 5, 3 and 7 procedures at 1.85.
    assert sample.invoices("prairie") == {
        "2022-01-10 PRAIRIE-2022": D("34.77"),
        "2022-02-01 PRAIRIE-2022": D("58.25"),
        "2022-03-01 PRAIRIE-2022": D("54.55"),
        "2022-04-01 PRAIRIE-2022": D("61.95"),
    }
    # Seats: 812.50 × 10/28 = 290.178 and 1,040 × 18/28 = 668.571 instead of 812.50.
    assert sample.lines("platte", "2022-03-01") == [
        ("03-01", "03-31", None, D(32), D("32.5"), D(1040), ""),
        ("02-01", "02-28", None, D(-25), D("32.5"), D("-812.5"), "adjustment reversal"),
        ("02-01", "02-10", None, D(25), D("32.5"), D("290.18"), "adjustment"),
        ("02-11", "02-28", None, D(32), D("32.5"), D("668.57"), "adjustment"),
    ]


def test_numbers_run_without_a_gap_A4(sample: Close) -> None:
    # Three closes, each later than the one before; within each by date and customer.
    numbers = sample.rows(
        "select invoice_number from finance.invoices "
        "where status <> 'draft' order by invoice_date, customer_id"
    )
    assert numbers == [(f"INV-2022-{n:06}",) for n in range(1, 13)]


def test_the_text_of_an_invoice(sample_home: Path) -> None:
    text = invoice_text(sample_home, "INV-2022-000009")
    assert "Bill to: Sandhills Example Health, Accounts Payable" in text
    assert "Purchase order PO-7731" in text
    assert "Due 2022-04-15 (45 days)" in text
    assert "16,125.88" in text
    assert "Tax: exempt, certificate on file." in text
    assert max(len(line) for line in text.splitlines()) <= 100


def test_the_worked_roll_forward_V5(sample: Close) -> None:
    # Support: 1,950 × 31/90 = 671.67; × 59/90 = 1,278.33, less that 606.66; the rest
    # 671.67. With it 15,390 + 203.13; 15,578.03 + 142.85; 15,795 + 194.83.
    assert balances(sample, "SANDHILLS-2022") == {
        "01": figures("0", "15390.00", "16264.80", "0", "874.80"),
        "02": figures("-874.80", "15593.13", "16327.54", "0", "1609.21"),
        "03": figures("-1609.21", "16125.88", "16661.50", "0", "2144.83"),
        "04": figures("-2144.83", "17939.83", "0", "15795.00", "0"),
    }


def test_the_worked_journal_V4(sample: Close) -> None:
    assert journal(sample, "sandhills", 2, 2022) == [
        ("02-01", "invoice", "1100", "2200", D("15593.13")),
        ("02-01", "unbilled_reversal", "2200", "1110", D("874.80")),
        ("02-28", "recognition", "2200", "4000", D("15578.03")),
        ("02-28", "recognition", "2200", "4000", D("142.85")),
        ("02-28", "recognition", "2200", "4000", D("606.66")),
        ("02-28", "unbilled", "1110", "2200", D("1609.21")),
    ]
    ((deferred,),) = sample.rows(
        "select sum(credit - debit) from finance.journal_entries "
        "where contract_id = 'SANDHILLS-2022' and account = '2200' "
        "and accounting_month <= '2022-02-01'"
    )
    assert deferred == 0


def test_the_worked_obligations_V6(sample: Close) -> None:
    assert remaining(sample, "SANDHILLS-2022") == (D("197340.00"), D("345345.00"))


def test_a_replay_closes_each_month(sample_home: Path) -> None:
    closes = Home(sample_home).closes
    assert sorted(path.name for path in closes.iterdir()) == [
        f"2022-0{month}.{kind}" for month in (1, 2, 3) for kind in ("duckdb", "md")
    ]
    # Each publication is as its own close left it.
    assert balances(Close(closes / "2022-01.duckdb"), "SANDHILLS-2022")["01"] == (
        figures("0", "15390.00", "16264.80", "0", "874.80")
    )
