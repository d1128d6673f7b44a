"""Text of inputs is text: it is no SQL, no template, no path and no formula.

Names and texts that inputs may hold are such that do harm where they are taken for
something else; each test shows first that they would.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import duckdb
import jinja2
import pytest
from book import Book, Row, Scenario
from conftest import billing

from orchestration.audit import AuditLog
from orchestration.breach import breach
from orchestration.errors import BillingError, UsageError
from orchestration.home import Home
from orchestration.keys import Keys
from orchestration.phi.scan import scan
from orchestration.verify import verify
from orchestration.warehouse import open_files

SQL = "o'; drop schema finance cascade; -- \"; {{ 1 / 0 }} %s $1 \\"
ABOVE = "../../above"
FORMULA = "=cmd|'/c calc'!A1"
CUSTOMERS = (f"customer {SQL}", ABOVE, FORMULA)
FEED = f"feed {SQL}".replace("/", "-")
AS_OF = "2026-03-15"


class Hostile(Scenario):
    """A scenario whose files have harmless names, as a path can't hold all of these."""

    def land(self, table: str, since: int = 1, until: int = 99, **row: str) -> None:
        name = f"customer{CUSTOMERS.index(self.name)}"
        if table == "customers":
            row |= {"bill_to_email": "pay@example.org", "bill_to_name": SQL}
        self.book.land(f"contracts/{table}/{name}", row, since=since, until=until)


def _book() -> Book:
    """Of each customer: an encounter in January at 20.00, a fee of 10.00 a month."""
    book = Book()
    for number, name in enumerate(CUSTOMERS):
        it = Hostile(book, name, "a")
        it.contract(covers="a", po_number=SQL, invoice_group=f"{name} {SQL}")
        it.amend(
            "later", signed_on="2025-12-02", effective_on="2026-01-01", description=SQL
        )
        it.line(
            "visits",
            meter="encounter",
            unit_price="20",
            product_id=SQL,
            description=SQL,
            amendment_id=f"{name}-later",
        )
        it.line(
            "fee",
            pricing_model="flat",
            unit_price="10",
            billing_timing="arrears",
            description=FORMULA,
        )
        place = f"{number} {SQL}"
        it.land(
            "facility_identifiers", feed=FEED, identifier=place, facility_id=f"{name}-a"
        )
        book.land(f"usage/{FEED}/file {number} {FEED}", _event(place, place))
    unknown = _event("nobody's", f"unknown {SQL}") | {"occurred_at": SQL}
    book.land(f"usage/{FEED}/unknown", unknown)
    paid = {"customer_id": CUSTOMERS[0], "received_on": "2026-02-01"}
    good = {"payment_id": SQL, "amount": "1.00", "currency": "USD", "reference": SQL}
    bad = {"payment_id": FORMULA, "amount": SQL, "currency": SQL, "reference": SQL}
    return book.land("receivables/payments", paid | good, paid | bad)


def _event(event_id: str, facility: str) -> Row:
    return {
        "event_id": event_id,
        "event_type": "encounter",
        "facility": facility,
        "patient_id": SQL,
        "occurred_at": "2026-01-10",
        "class": SQL,
        "code": SQL,
    }


@dataclass(frozen=True)
class Billed:
    place: Path
    home: Home
    landing: Path

    def rows(self, sql: str, *values: object) -> list[tuple]:
        publication = str(self.home.publication)
        with duckdb.connect(publication, read_only=True) as connection:
            return connection.execute(sql, values).fetchall()


@pytest.fixture(scope="module")
def billed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Billed]:
    """Billed, with the home and the landing directory below a hostile name."""
    top = tmp_path_factory.mktemp("hostile")
    place = top / f"in {SQL}".replace("/", "-")
    it = Billed(top, Home(place / "home"), place / "landing")
    _book().write(it.landing, 1)
    options = ("--home", it.home.path, "--landing", it.landing)
    billing("run", *options, "--as-of", AS_OF, "--issue-through", AS_OF)
    billing("dun", *options, "--as-of", AS_OF, "--send")
    yield it


def test_each_of_the_texts_does_harm_where_it_is_taken_for_something_else(
    tmp_path: Path,
) -> None:
    with duckdb.connect() as connection:
        connection.execute("create schema finance; create table finance.t (n int)")
        connection.execute(f"select '{SQL}")
        gone = connection.execute(
            "select count(*) from duckdb_schemas() where schema_name = 'finance'"
        ).fetchone()
    assert gone == (0,)
    with pytest.raises(ZeroDivisionError):
        jinja2.Template(SQL).render()
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    (folder / f"{ABOVE}.txt").write_text("out")
    assert (tmp_path / "above.txt").exists()
    assert FORMULA.startswith("=")


def test_the_bill_is_right_and_the_texts_are_on_it_as_sent(billed: Billed) -> None:
    """January: 20.00 and the fee of 10.00; February: the fee of 10.00."""
    issued = billed.rows(
        "select customer_id, invoice_date::varchar, subtotal, po_number, invoice_group "
        "from finance.invoices where status <> 'draft' order by all"
    )
    assert issued == sorted(
        (name, day, Decimal(total), SQL, f"{name} {SQL}")
        for name in CUSTOMERS
        for day, total in (("2026-02-01", "30.00"), ("2026-03-01", "10.00"))
    )
    texts = {
        text for (text,) in billed.rows("select description from finance.invoice_lines")
    }
    assert any(SQL in text for text in texts) and any(FORMULA in text for text in texts)
    assert verify(billed.home).problems == []
    assert billed.rows("select count(*) from quality.rejected_usage") == [(1,)]
    rejected = billed.rows("select column_name from quality.rejected_rows")
    assert {column for (column,) in rejected} <= {"amount", "currency"}


def test_nothing_is_written_outside_the_home(billed: Billed) -> None:
    assert [path.name for path in billed.place.iterdir()] == [
        billed.home.path.parent.name
    ]
    assert sorted(path.name for path in billed.home.path.parent.iterdir()) == [
        "home",
        "landing",
    ]
    messages = list(billed.home.outbox.iterdir())
    assert messages and all("above" not in path.name for path in messages)


@pytest.mark.parametrize("text", [SQL, ABOVE, FORMULA])
def test_arguments_of_commands_are_text(billed: Billed, text: str) -> None:
    home = ("--home", billed.home.path)
    for command in (
        ("invoice", text),
        ("explain", text),
        ("dun", "--approve", text, "--by", text, "--landing", billed.landing),
        ("keys", "rotate", text),
        ("close", text),
    ):
        with pytest.raises((BillingError, UsageError)) as stopped:
            billing(*command, *home)
        assert type(stopped.value) in (BillingError, UsageError)
    billing("audit", "--object", text, "--actor", text, "--action", text, *home)
    for name in CUSTOMERS:
        billing("statement", name, *home)
    assert billed.rows("select count(*) > 0 from finance.invoices") == [(True,)]


def test_searches_find_what_is_meant_and_nothing_else(billed: Billed) -> None:
    from datetime import date

    days = (date(2000, 1, 1), date(2999, 1, 1))
    for name in CUSTOMERS:
        found = breach(billed.home, *days, target=name)
        assert [(one.customer_id, one.individuals) for one in found.customers] == [
            (name, 1)
        ]
    assert breach(billed.home, *days, target=FEED).individuals == len(CUSTOMERS)


def test_a_scan_reads_files_whatever_they_are_called(billed: Billed) -> None:
    found = scan(billed.home, billed.landing)
    assert found.unread == []
    # SQL is a patient's id here, and the contracts say it as well: it can't be told.
    assert found.found == {}, found.in_words()


def test_the_journal_for_a_spreadsheet_holds_no_formula(
    billed: Billed, tmp_path: Path
) -> None:
    options = ("--home", billed.home.path, "--landing", billed.landing)
    billing("close", "2026-01", *options, "--as-of", AS_OF)
    out = tmp_path / "journal.csv"
    billing("journal", "2026-01", "--out", out, "--home", billed.home.path)
    with out.open(newline="") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert any("cmd|" in cell for cell in cells), "the door must be there"
    assert not any(cell.startswith(("=", "+", "@")) for cell in cells)


def test_the_log_holds_the_texts_as_text(billed: Billed) -> None:
    log = AuditLog(billed.home.audit)
    assert log.problems() == []
    (issue, *_) = [row for row in log.rows() if row["action"] == "issue"]
    assert sorted(issue["detail"]["customers"]) == sorted(CUSTOMERS)


def test_keys_and_paths_are_quoted(tmp_path: Path, monkeypatch) -> None:
    for name in ("WAREHOUSE", "LEDGER", "TOKEN"):
        monkeypatch.setenv(f"BILLING_{name}_KEY", f"{name} {SQL}".strip("\\"))
    home = Home(tmp_path / f"home {SQL}".replace("/", "-"))
    home.create()
    with open_files(home, Keys.of(home)) as connection:
        connection.execute("create table warehouse.main.t as select 1 as n")
    with open_files(home, Keys.of(home)) as connection:
        assert connection.execute("from warehouse.main.t").fetchall() == [(1,)]
    # DuckDB would take it for the start of an escape, and say something else.
    monkeypatch.setenv("BILLING_LEDGER_KEY", SQL)
    with pytest.raises(BillingError, match="the ledger key holds a backslash"):
        Keys.of(home)
