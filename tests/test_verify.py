"""`billing verify`: what was booked and then changed is found and named.

A copy of the shared book is tampered with, by a seed, by one who has the keys.
"""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random

import duckdb
import pytest
from conftest import BilledBook

from orchestration import ledger_chain
from orchestration.audit import AuditLog
from orchestration.billing_run import BillingRun
from orchestration.cli import app
from orchestration.database import attach, load_encryption
from orchestration.errors import BillingError
from orchestration.heads import HEADS_VARIABLE, heads_of, keep_heads
from orchestration.home import Home
from orchestration.keys import Keys
from orchestration.ledger_chain import (
    FIRST_HASH,
    HEADER,
    RECORDS,
    content_hashes,
    record_hash,
)
from orchestration.verify import verify

# Tables of rows, and how a problem with a row of them is named.
NAMED = {
    "invoices": "invoice {invoice_number}",
    "invoice_lines": "invoice {invoice_number}",
    "invoice_line_facilities": "invoice {invoice_number}",
    "issues": "issue {issue_no}",
    "issue_inputs": "issue {issue_no}",
    "billed_usage": "issue {issue_no}",
    "closings": "closing {closing_no}",
    "posted_revenue": "closing {closing_no}",
    "postings": "posting {posting_no}",
    "journal_lines": "posting {posting_no}",
    "kept_publications": "kept publication {closing_no}",
}
# What of a row says where it belongs: to change it is to move the row.
KEYS = {"issue_no", "closing_no", "posting_no", "invoice_number", "hash"}


@pytest.fixture
def home(billed_book: BilledBook, tmp_path: Path) -> Home:
    """What must be kept of the shared book, to be tampered with."""
    copy = Home(tmp_path)
    copy.create()
    original = Home(billed_book.home)
    for name in ("ledger", "audit"):
        shutil.copy(getattr(original, name), getattr(copy, name))
    for name in ("keys", "published"):
        shutil.copytree(
            getattr(original, name), getattr(copy, name), dirs_exist_ok=True
        )
    return copy


@contextmanager
def tampering(home: Home) -> Iterator[duckdb.DuckDBPyConnection]:
    """The ledger, open to one who has its key."""
    with duckdb.connect() as connection:
        load_encryption(connection)
        attach(connection, home.ledger, "ledger", Keys.of(home).ledger)
        connection.execute("use ledger.book")
        yield connection


def some_rows(
    connection: duckdb.DuckDBPyConnection, table: str, seed: int, count: int
) -> list[dict]:
    """Rows of a table drawn by a seed, with their `rowid`."""
    result = connection.execute(f"select rowid, * from {table} order by rowid")
    names = [column[0] for column in result.description]
    rows = Random(seed).sample(result.fetchall(), count)
    return [dict(zip(names, row, strict=True)) for row in rows]


def other(value: object) -> object:
    """A value of the same type that is not the given one."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | Decimal):
        return value + 1
    if isinstance(value, date):
        return value + timedelta(days=1)
    return f"{value or ''}x"


def changeable(row: dict, rng: Random) -> str:
    """A column of a row whose change is a change of content."""
    names = [
        name
        for name, value in row.items()
        if name not in KEYS | {"rowid", "previous_hash"} and value is not None
    ]
    return rng.choice(names)


def problems(home: Home, *expected: str) -> list[str]:
    return verify(home, expected).problems


def test_a_book_that_nobody_touched_verifies(home: Home) -> None:
    found = verify(home)
    assert found.problems == []
    assert found.invoices > 0
    assert found.records > len(RECORDS)
    assert FIRST_HASH not in (found.ledger_head, found.audit_head)
    # Each head that was ever printed is known.
    assert problems(home, found.ledger_head, found.audit_head) == []


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("table", NAMED)
def test_a_row_that_was_changed_is_named(home: Home, table: str, seed: int) -> None:
    with tampering(home) as ledger:
        (row,) = some_rows(ledger, table, seed, 1)
        column = changeable(row, Random(seed))
        ledger.execute(
            f"update {table} set {column} = $1 where rowid = $2",
            [other(row[column]), row["rowid"]],
        )
    found = problems(home)
    name = NAMED[table].format(**row)
    assert any(f"{name}: " in problem for problem in found), (column, found)


@pytest.mark.parametrize("table", [t for t in NAMED if "invoice" in t])
def test_a_number_that_is_none_is_named(home: Home, table: str) -> None:
    with tampering(home) as ledger:
        (row,) = some_rows(ledger, table, 1, 1)
        ledger.execute(
            f"update {table} set invoice_number = $1 where rowid = $2",
            [other(row["invoice_number"]), row["rowid"]],
        )
    found = problems(home)
    assert any(f"invoice {row['invoice_number']}" in problem for problem in found)


@pytest.mark.parametrize("table", NAMED)
def test_a_row_that_was_removed_is_named(home: Home, table: str) -> None:
    with tampering(home) as ledger:
        (row,) = some_rows(ledger, table, 1, 1)
        ledger.execute(f"delete from {table} where rowid = $1", [row["rowid"]])
    found = " ".join(problems(home))
    # Of a record or an invoice that is gone, those tell that came after it.
    assert NAMED[table].format(**row) in found or "is not there" in found


@pytest.mark.parametrize("table", NAMED)
def test_a_row_that_was_added_is_named(home: Home, table: str) -> None:
    with tampering(home) as ledger:
        (row,) = some_rows(ledger, table, 2, 1)
        ledger.execute(
            f"insert into {table} select * from {table} where rowid = $1",
            [row["rowid"]],
        )
    found = problems(home)
    name = NAMED[table].format(**row)
    assert any(name in problem for problem in found), found


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("invoice_lines", "description"),
        ("invoice_line_facilities", "facility_id"),
        ("journal_lines", "memo"),
        ("posted_revenue", "revenue_month"),
        ("billed_usage", "service_date"),
        ("invoices", "customer_name"),
    ],
)
def test_two_rows_that_were_swapped_are_named(
    home: Home, table: str, column: str
) -> None:
    with tampering(home) as ledger:
        for seed in range(99):
            one, two = some_rows(ledger, table, seed, 2)
            if one[column] != two[column]:
                break
        for row, value in ((one, two[column]), (two, one[column])):
            ledger.execute(
                f"update {table} set {column} = $1 where rowid = $2",
                [value, row["rowid"]],
            )
    found = problems(home)
    for row in (one, two):
        name = NAMED[table].format(**row)
        assert any(f"{name}: " in problem for problem in found), found


def test_the_row_is_named_by_what_was_published(home: Home) -> None:
    with tampering(home) as ledger:
        number, line, amount = ledger.execute(
            "select invoice_number, line_number, amount from invoice_lines "
            "where amount > 100 order by all limit 1"
        ).fetchone()
        ledger.execute(
            "update invoice_lines set amount = amount - 100 "
            "where invoice_number = $1 and line_number = $2",
            [number, line],
        )
    (changed,) = [p for p in problems(home) if "was changed after it was issued" in p]
    assert changed.startswith(f"invoice {number}: ")
    assert (
        f"line_number {line}: amount is {amount - 100}, was published as {amount}"
    ) in changed
    assert f"invoice {number}: the invoice's total is not the sum of its lines" in (
        problems(home)
    )


def test_invoices_without_rows_are_named_and_no_others(home: Home) -> None:
    with tampering(home) as ledger:
        numbers = [
            number
            for (number,) in ledger.execute(
                "select invoice_number from invoices order by issue_no, invoice_number"
            ).fetchall()
        ]
        emptied = [numbers[0], numbers[5], numbers[6], numbers[-1]]
        for table in ("invoice_lines", "invoice_line_facilities"):
            ledger.execute(
                f"delete from {table} where invoice_number in (select unnest($1))",
                [emptied],
            )
    changed = [p for p in problems(home) if "was changed after it was issued" in p]
    assert [problem.split(":")[0] for problem in changed] == [
        f"invoice {number}" for number in emptied
    ]


@pytest.mark.parametrize("rows", [1, 7])
def test_an_invoice_is_one_text_however_its_rows_arrive(
    home: Home, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_chain, "_BATCH", rows)
    assert problems(home) == []


def rechain(ledger: duckdb.DuckDBPyConnection) -> None:
    """Make all hashes again, as one would who wants a change not to show."""
    headers = ledger.execute(
        f"select {HEADER} from invoices order by issue_no, invoice_number"
    ).fetchall()
    hashes = content_hashes(ledger, headers, FIRST_HASH)
    for header, (previous, own) in zip(headers, hashes, strict=True):
        ledger.execute(
            "update invoices set previous_hash = $1, content_hash = $2 "
            "where invoice_number = $3",
            [previous, own, header[0]],
        )
    ledger.execute(
        "update issues set last_invoice_hash = (select max_by(content_hash, "
        "invoice_number) from invoices where invoices.issue_no <= issues.issue_no)"
    )
    head = FIRST_HASH
    for table, rowid in chain(ledger):
        content = ledger.execute(
            f"select {RECORDS[table]} from {table} where rowid = $1", [rowid]
        ).fetchone()
        own = record_hash(content, head)
        ledger.execute(
            f"update {table} set previous_hash = $1, hash = $2 where rowid = $3",
            [head, own, rowid],
        )
        head = own


def chain(ledger: duckdb.DuckDBPyConnection) -> list[tuple[str, int]]:
    """Table and rowid of each record, in the order in which they were booked."""
    followers = {
        previous: (own, table, rowid)
        for table in RECORDS
        for previous, own, rowid in ledger.execute(
            f"select previous_hash, hash, rowid from {table}"
        ).fetchall()
    }
    found, head = [], FIRST_HASH
    while head in followers:
        head, table, rowid = followers[head]
        found.append((table, rowid))
    return found


def test_a_chain_that_was_made_anew_is_found_by_the_log(home: Home) -> None:
    with tampering(home) as ledger:
        ledger.execute("update invoices set po_number = 'PO-FORGED'")
        rechain(ledger)
    found = problems(home)
    assert found
    assert all("audit.jsonl" in problem for problem in found), found
    assert any("its chain was made anew" in problem for problem in found)


def cut_ledger(home: Home) -> None:
    """Take the last record off the ledger, with its rows."""
    with tampering(home) as ledger:
        table, rowid = chain(ledger)[-1]
        assert table == "kept_publications"
        ledger.execute(f"delete from {table} where rowid = $1", [rowid])


def cut_log(home: Home, rows: int) -> None:
    """Take the last rows off the audit log."""
    lines = home.audit.read_text(encoding="utf-8").splitlines(keepends=True)
    home.audit.write_text("".join(lines[:-rows]), encoding="utf-8")


def test_a_ledger_cut_short_is_found_by_the_log_and_by_its_head(home: Home) -> None:
    head = verify(home).ledger_head
    cut_ledger(home)
    assert any("ledger's head" in problem for problem in problems(home))
    assert any(f"the head {head} is neither" in p for p in problems(home, head))


def test_a_log_cut_short_is_found_by_its_head(home: Home) -> None:
    AuditLog(home.audit).append("explain", "INV-2026-000001")
    head = verify(home).audit_head
    cut_log(home, 1)
    # What was cut off named no new head of the ledger: it does not show by itself.
    assert problems(home) == []
    assert any(f"the head {head} is neither" in p for p in problems(home, head))


def test_a_log_cut_before_the_last_booking_is_found(home: Home) -> None:
    rows = [json.loads(line) for line in home.audit.read_text().splitlines()]
    last = next(
        place
        for place in range(len(rows), 0, -1)
        if rows[place - 1]["ledger_head"] != rows[place - 2]["ledger_head"]
    )
    cut_log(home, len(rows) - last + 1)
    assert any("is not in audit.jsonl" in problem for problem in problems(home))


def test_a_log_that_was_lost_is_told_of_and_found_after_a_run_went_on_with_it(
    home: Home, capsys: pytest.CaptureFixture
) -> None:
    # A run notes the last issue and the last closing after it, and no others.
    rows = list(AuditLog(home.audit).rows())
    issues = [row for row in rows if row["action"] == "issue"]
    assert len(issues) > 1
    run = BillingRun(home=str(home.path), landing="landing", as_of="2026-05-01")
    run.check_ledger()
    assert capsys.readouterr().err == ""
    home.audit.unlink()
    run.check_ledger()
    assert f"{home.audit} is gone or empty" in capsys.readouterr().err
    (problem,) = problems(home)
    assert problem.startswith("audit.jsonl does not tell of issue 1, ")
    assert f"issue {len(issues)}" not in problem


def test_both_put_back_are_found_by_a_head_kept_elsewhere(home: Home) -> None:
    now = verify(home)
    cut_ledger(home)
    head = verify(home).ledger_head
    rows = home.audit.read_text(encoding="utf-8").splitlines(keepends=True)
    named = max(
        place
        for place, row in enumerate(rows)
        if json.loads(row)["ledger_head"] == head
    )
    home.audit.write_text("".join(rows[: named + 1]), encoding="utf-8")
    assert problems(home) == []
    for head in (now.ledger_head, now.audit_head):
        assert any(f"the head {head} is neither" in p for p in problems(home, head))


def test_a_kept_publication_that_was_changed_or_is_gone_is_named(home: Home) -> None:
    first, second, *_ = sorted(home.closes.glob("*.duckdb"))
    with first.open("ab") as file:
        file.write(b"x")
    second.unlink()
    found = problems(home)
    assert f"{first}: was changed after the close kept it" in found
    assert f"{second}: is gone; restore it from its backup" in found


def test_the_command_prints_both_heads_and_ends_with_1_if_anything_differs(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    heads = heads_of(home)
    app(["verify", "--home", str(home.path)], standalone_mode=False)
    printed = capsys.readouterr().out
    assert heads.ledger in printed
    assert heads.audit in printed
    (row,) = [row for row in AuditLog(home.audit).rows() if row["action"] == "verify"]
    assert row["detail"]["problems"] == 0
    with pytest.raises(BillingError, match="1 problem, named above") as stopped:
        app(
            ["verify", "--home", str(home.path), "--expect", "f" * 64],
            standalone_mode=False,
        )
    assert stopped.value.exit_status == 1


def test_heads_are_kept_outside_of_the_home_only(
    home: Home, tmp_path_factory: pytest.TempPathFactory, monkeypatch
) -> None:
    kept = tmp_path_factory.mktemp("elsewhere") / "heads.txt"
    monkeypatch.setenv(HEADS_VARIABLE, str(kept))
    heads = keep_heads(home, date(2026, 3, 1))
    assert kept.read_text() == f"2026-03 ledger {heads.ledger} audit {heads.audit}\n"
    monkeypatch.setenv(HEADS_VARIABLE, str(home.path / "heads.txt"))
    with pytest.raises(BillingError, match="inside of"):
        keep_heads(home, date(2026, 3, 1))
    monkeypatch.setenv(HEADS_VARIABLE, str(kept.parent / "nowhere" / "heads.txt"))
    with pytest.raises(BillingError, match=f"Write them down: ledger {heads.ledger}"):
        keep_heads(home, date(2026, 3, 1))
