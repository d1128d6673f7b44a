"""Closing a month: in order, once, later, on schedule; its journal as a file."""

import csv
import shutil
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal as D
from hashlib import sha256
from pathlib import Path

import dagster as dg
import pytest
from command_line import Command, Copy
from conftest import BilledBook, Close, billing
from test_revenue import balances, figures, journal

from orchestration.audit import AuditLog
from orchestration.closing import append_closing
from orchestration.errors import BillingError
from orchestration.home import Home
from orchestration.journal_export import COLUMNS, _cell, _totals
from orchestration.keys import Keys
from orchestration.warehouse import open_files

BOOKED = (
    "select (select count(*) from ledger.book.closings), "
    "(select count(*) from ledger.book.posted_revenue), "
    "(select count(*) from ledger.book.journal_lines)"
)


@pytest.fixture(scope="module")
def later(
    billed_book: BilledBook, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Copy]:
    """April: billed as of 3 May, closed as of 5 May; `joins`, `pace`, `tiered` held."""
    place = tmp_path_factory.mktemp("later")
    copy = Copy(place / "home", place / "landing")
    shutil.copytree(billed_book.home, copy.home)
    shutil.copytree(billed_book.landing, copy.landing)
    # Known on 11 April, on 4 May and on 6 May, and one of March on 20 April.
    (copy.landing / "usage" / "late" / "april.csv").write_text(
        "event_id,event_type,facility,occurred_at,received_at\n"
        "E8,encounter,late-a,2026-04-10,2026-04-11T00:00:00Z\n"
        "E9,encounter,late-b,2026-04-12,2026-05-04T08:00:00Z\n"
        "E10,encounter,late-b,2026-04-13,2026-05-06T08:00:00Z\n"
        "E11,encounter,late-a,2026-03-20,2026-04-20T08:00:00Z\n"
    )
    # A fifteenth seat from 16 March on, agreed on 10 April.
    add_row(
        copy.landing / "contracts" / "amendments" / "seats.csv",
        amendment_id="seats-later",
        contract_id="seats",
        signed_on="2026-04-10",
        effective_on="2026-03-16",
        kind="quantity_changed",
    )
    add_row(
        copy.landing / "contracts" / "contract_lines" / "seats.csv",
        quantity="15",
        effective_on="2026-03-16",
        amendment_id="seats-later",
    )
    (copy.landing / "receivables" / "payments" / "late.csv").write_text(
        "payment_id,customer_id,received_on,amount\nPL,late,2026-05-03,2.50\n"
    )
    terms = copy.landing / "contracts" / "contract_lines" / "joins.csv"
    terms.write_text(terms.read_text().replace(",90", ",9o"))
    # Said to be in Canadian dollars when three months were billed in US dollars.
    pace = copy.landing / "contracts" / "contracts" / "pace.csv"
    header, row = pace.read_text().splitlines()
    pace.write_text(f"{header},currency\n{row},CAD\n")
    # Said to be signed next year only.
    tiered = copy.landing / "contracts" / "contracts" / "tiered.csv"
    signed = tiered.read_text()
    assert signed.count("2025-01-15") == 1
    tiered.write_text(signed.replace("2025-01-15", "2027-01-15"))
    places = ("--home", copy.home, "--landing", copy.landing)
    through = ("--as-of", "2026-05-03", "--issue-through", "2026-05-01")
    billing("run", *through, *places)
    billing("close", "2026-04", "--as-of", "2026-05-05", *places)
    yield copy


def add_row(path: Path, **values: str) -> None:
    """Add a row like the last one but for these values."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows([*rows, rows[-1] | values])


def test_months_are_closed_in_order_and_once(billing: Command, copy: Copy) -> None:
    before = copy.ledger(BOOKED)
    places = ("--home", copy.home, "--landing", copy.landing)
    told = billing("close", "2026-05", *places)
    assert told.status == 1
    assert "2026-05 can't be closed before 2026-04" in told.err
    assert "2026-05 can't be closed" in copy.refusals()[-1]
    for month in ("2026-03", "2026-01"):
        told = billing("close", month, *places)
        assert told.status == 0
        assert f"{month} is closed already; nothing was posted" in told.out
    assert copy.ledger(BOOKED) == before


@pytest.mark.parametrize(
    "lines",
    [
        # A debit to book without its credit, and one with that of another currency.
        "(1.00, 0.00, 'USD')",
        "(1.00, 0.00, 'USD'), (0.00, 1.00, 'CHF')",
    ],
)
def test_a_close_books_all_or_nothing_V3(copy: Copy, lines: str) -> None:
    before = copy.ledger(BOOKED)
    home = Home(copy.home)
    with open_files(home, Keys.of(home)) as connection:
        connection.execute(
            "insert into billing.unposted_entries by name "
            "select * from (select * exclude (posting_no, entry_id, source_key, debit, "
            "credit, currency, accounting_month), 'one' as entry_id, "
            "'one' as source_key, date '2026-04-01' as accounting_month, "
            "true as is_booked_by_close from ledger.book.journal_lines limit 1) "
            f"cross join (values {lines}) as lines (debit, credit, currency)"
        )
        with pytest.raises(BillingError, match="entry one does not balance"):
            append_closing(connection, date(2026, 5, 1), date(2026, 4, 1))
    assert copy.ledger(BOOKED) == before


def test_the_month_closed_last_is_closed_once_V3(copy: Copy) -> None:
    before = copy.ledger(BOOKED)
    home = Home(copy.home)
    with open_files(home, Keys.of(home)) as connection:
        assert append_closing(connection, date(2026, 5, 1), date(2026, 3, 1)) is None
    assert copy.ledger(BOOKED) == before


def test_a_later_close_knows_what_came_until_then(later: Copy) -> None:
    # 2.50 an encounter. The run of 3 May knew of one in April and one of March, the
    # close of another in April; of 6 May's it did not.
    close = Close(later.publication)
    after = balances(close, "late")
    assert after["04"] == figures("-5.00", "5.00", "7.50", "0", "7.50")
    assert after["05"] == figures("-7.50", "5.00", "0", "0", "2.50")
    assert later.ledger(
        "select month, as_of from ledger.book.closings order by closing_no desc limit 1"
    ) == [(date(2026, 4, 1), date(2026, 5, 5))]


def test_a_day_before_the_last_close_is_refused(billing: Command, later: Copy) -> None:
    before = later.ledger(BOOKED)
    places = ("--home", later.home, "--landing", later.landing)
    told = billing("run", "--as-of", "2026-05-04", *places)
    assert told.status == 1
    assert "2026-04 was closed as of 2026-05-05" in told.err
    assert later.ledger(BOOKED) == before


def test_what_happens_after_the_month_is_booked_in_its_own_V4(later: Copy) -> None:
    close = Close(later.publication)
    assert journal(close, "late", 4) == [
        ("04-01", "invoice", "1100", "2200", D("5.00")),
        ("04-01", "unbilled_reversal", "2200", "1110", D("5.00")),
        ("04-30", "recognition", "2200", "4000", D("2.50")),
        ("04-30", "recognition", "2200", "4000", D("5.00")),
        ("04-30", "unbilled", "1110", "2200", D("7.50")),
    ]
    assert journal(close, "late", 5) == [
        ("05-01", "invoice", "1100", "2200", D("5.00")),
        ("05-01", "unbilled_reversal", "2200", "1110", D("7.50")),
        ("05-03", "payment", "1010", "2100", D("2.50")),
        ("05-03", "payment_application", "2100", "1100", D("2.50")),
    ]


def test_a_contract_held_after_it_was_billed_posts_nothing_V3(later: Copy) -> None:
    # April's 270.00 was billed on 1 April and stays deferred; nothing of it is earned,
    # taken back or billed.
    assert balances(Close(later.publication), "joins")["04"] == figures(
        "0", "270", "0", "270", "0"
    )
    assert later.ledger(
        "select count(*) from ledger.book.posted_revenue "
        "where contract_id = 'joins' and accounting_month >= '2026-04-01'"
    ) == [(0,)]


def test_a_currency_that_changes_holds_its_contract_alone_A2(later: Copy) -> None:
    close = Close(later.publication)
    ((column, value, reason),) = close.rows(
        "select column_name, value, reason from quality.rejected_rows "
        "where source_file = 'contracts/contracts/pace.csv'"
    )
    assert (column, value) == ("currency", "CAD")
    assert reason.startswith("is not USD, in which the contract is booked")
    assert later.ledger(
        "select distinct currency from ledger.book.journal_lines "
        "where contract_id = 'pace'"
    ) == [("USD",)]
    # It posts nothing more; what is booked of it stays.
    assert later.ledger(
        "select count(*) from ledger.book.posted_revenue "
        "where contract_id = 'pace' and accounting_month >= '2026-04-01'"
    ) == [(0,)]


def test_a_billed_contract_that_is_signed_later_is_held_and_named_P2(
    later: Copy,
) -> None:
    # It would else be billed no more, and nobody told.
    close = Close(later.publication)
    ((column, reason, contract_id),) = close.rows(
        "select column_name, reason, contract_id from quality.rejected_rows "
        "where source_file = 'contracts/contracts/tiered.csv'"
    )
    assert (column, contract_id) == ("signed_on", "tiered")
    assert reason.startswith("is after the as-of day, but the contract was billed")


def test_the_journal_of_a_closed_month_is_a_file(
    billing: Command, later: Copy, tmp_path: Path
) -> None:
    out = tmp_path / "april.csv"
    told = billing("journal", "2026-04", "--home", later.home, "--out", out)
    assert told.status == 0
    with out.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        rows = list(reader)
    assert tuple(reader.fieldnames) == COLUMNS
    late = [row for row in rows if row["customer_id"] == "late"]
    assert [
        (row["entry_date"], row["account"], row["debit"], row["credit"]) for row in late
    ] == [
        ("2026-04-01", "1100", "5.00", "0.00"),
        ("2026-04-01", "2200", "0.00", "5.00"),
        ("2026-04-01", "2200", "5.00", "0.00"),
        ("2026-04-01", "1110", "0.00", "5.00"),
        ("2026-04-30", "2200", "2.50", "0.00"),
        ("2026-04-30", "4000", "0.00", "2.50"),
        ("2026-04-30", "2200", "5.00", "0.00"),
        ("2026-04-30", "4000", "0.00", "5.00"),
        ("2026-04-30", "1110", "7.50", "0.00"),
        ("2026-04-30", "2200", "0.00", "7.50"),
    ]
    assert late[0]["account_name"] == "Accounts receivable"
    assert {row["accounting_month"] for row in rows} == {"2026-04-01"}
    for currency in ("USD", "JPY"):
        of_it = [row for row in rows if row["currency"] == currency]
        debits = sum(D(row["debit"]) for row in of_it)
        assert debits == sum(D(row["credit"]) for row in of_it) > 0
        assert f"{currency}: {len(of_it):,} lines" in told.out
    # Again, the same bytes; each export is in the audit log with their digest.
    content = out.read_bytes()
    assert billing("journal", "2026-04", "--home", later.home, "--out", out).status == 0
    assert out.read_bytes() == content
    row = list(AuditLog(Home(later.home).audit).rows())[-1]
    assert (row["action"], row["object"]) == ("export", "journal 2026-04")
    assert row["detail"]["sha256"] == sha256(content).hexdigest()


def test_the_journal_of_an_open_month_only_when_told(
    billing: Command, later: Copy, tmp_path: Path
) -> None:
    out = tmp_path / "may.csv"
    command = ("journal", "2026-05", "--home", later.home, "--out", out)
    told = billing(*command)
    assert told.status == 1
    assert "2026-05 is not closed" in told.err and "--open" in told.err
    assert not out.exists()
    assert billing(*command, "--open").status == 0
    assert "Payment PL" in out.read_text()
    told = billing(*command[:-1], tmp_path / "nowhere" / "may.csv", "--open")
    assert told.status == 1
    assert "can't be written" in told.err


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@sum", "'@sum"),
        ("\tx", "'\tx"),
        ("a=1", "a=1"),
        (None, ""),
        (D("0.00"), "0.00"),
        (date(2026, 4, 1), "2026-04-01"),
    ],
)
def test_no_text_of_the_file_is_a_formula(value: object, cell: str) -> None:
    assert _cell(value) == cell


def test_an_entry_off_balance_is_not_written() -> None:
    row = {"entry_id": "one", "currency": "USD"}
    rows = [
        row | {"debit": D("5.00"), "credit": D("0.00")},
        row | {"debit": D("0.00"), "credit": D("4.99")},
    ]
    with pytest.raises(BillingError, match=r"entry one is off balance by 0\.01 USD"):
        _totals(rows)


def test_the_schedule_closes_the_month_that_is_over(
    copy: Copy, monkeypatch: pytest.MonkeyPatch
) -> None:
    from orchestration.definitions import defs, monthly_close

    monkeypatch.setenv("BILLING_HOME", str(copy.home))
    monkeypatch.setenv("BILLING_LANDING", str(copy.landing))
    request = monthly_close(
        dg.build_schedule_context(
            scheduled_execution_time=datetime(2026, 5, 1, 5, tzinfo=UTC)
        )
    )
    with dg.DagsterInstance.ephemeral() as instance:
        result = defs.resolve_job_def("billing").execute_in_process(
            instance=instance, run_config=request.run_config
        )
    assert result.success
    (published,) = result.asset_materializations_for_node("publication")
    report = published.metadata["close report"].value
    assert report == (Home(copy.home).closes / "2026-04.md").read_text(encoding="utf-8")
    assert copy.ledger(
        "select month, as_of, closing_no in "
        "(select closing_no from ledger.book.kept_publications) "
        "from ledger.book.closings order by closing_no desc limit 1"
    ) == [(date(2026, 4, 1), date(2026, 5, 1), True)]
    assert copy.ledger(
        "select max(invoice_date) from ledger.book.invoices "
        "where customer_id = 'joins' and invoice_date > '2026-04-01'"
    ) == [(date(2026, 5, 1),)]
    # 270 for April; nothing of it was held here.
    assert balances(Close(copy.publication), "joins")["04"] == figures(
        "0", "270", "270", "0", "0"
    )


def test_the_report_says_what_moved_and_why(later: Copy) -> None:
    report = (Home(later.home).closes / "2026-04.md").read_text(encoding="utf-8")
    lines = report.splitlines()
    assert lines[0] == "# Close of April 2026"
    # 280.00 of March are 280 × 15/31 = 135.48 and 300 × 16/31 = 154.84 now.
    for row in (
        "| amendment | 1 | 10.32 USD |",
        "| late usage | 1 | 2.50 USD |",
        "| seats | recurring seats-seats | amendment seats-later | 10.32 USD |",
        "| late | usage late-visits | late usage | 2.50 USD |",
        "| late | late-a | late | encounter | 2026-03 | 1 | 2.50 USD |",
        # What was earned in March, of which nothing is in April.
        "| prepaid | prepaid | 1,000.00 USD | 0.00 USD | -1,000.00 USD "
        "| milestone -1,000.00 |",
        "| joins | joins | 270.00 USD | 0.00 USD | -270.00 USD "
        "| held; recurring -270.00 |",
    ):
        assert row in lines, row
    (held,) = [line for line in lines if line.startswith("| joins | joins | 2026-04")]
    assert "| 270.00 USD | contracts/contract_lines/joins.csv, line 2, unit_price" in (
        held
    )
    assert "9o" not in held
    # The figures are those of the journal: what is deferred less unbilled.
    close = Close(later.publication)
    ((net,),) = close.rows(
        "select sum(credit - debit) from finance.journal_entries where currency = 'USD'"
        " and account in ('2200', '1110') and accounting_month <= '2026-04-01'"
    )
    (figures_row,) = [line for line in lines if line.startswith("| USD | ")][:1]
    cells = [cell.strip() for cell in figures_row.split("|")[1:-1]]
    amounts = [D(cell.removesuffix(" USD").replace(",", "")) for cell in cells[1:]]
    opening, billed, recognized, catch_up, deferred, unbilled = amounts
    assert opening + billed - recognized == deferred - unbilled == net
    assert catch_up == D("12.82")
