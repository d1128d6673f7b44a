"""Notices in the ledger: chained with all else, and in doubt until told otherwise."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from orchestration import ledger, notices
from orchestration.home import Home
from orchestration.keys import Keys
from orchestration.ledger_chain import FIRST_HASH, RECORDS, ledger_head, record_hash
from orchestration.notices import Notice
from orchestration.warehouse import open_files

DAY = date(2026, 2, 9)


@pytest.fixture
def book(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    home = Home(tmp_path)
    home.create()
    with open_files(home, Keys.of(home)) as connection:
        ledger.open_ledger(connection)
        yield connection


def notice(step: int = 1) -> Notice:
    return Notice(
        *(f"INV-1-{step}", "c1", "INV-1", "clinic", step, "reminder", "email"),
        *("ap@clinic.example", Decimal("40.00"), Decimal("0.00")),
    )


def test_events_are_chained_one_after_the_other_A5(
    book: duckdb.DuckDBPyConnection,
) -> None:
    notices.book(book, notices.SENT, DAY, [notice(1), notice(2)])
    head = notices.book(book, notices.HANDED_OVER, DAY, [notice(1)], detail="a\tb")
    columns = RECORDS["notice_events"]
    rows = book.execute(
        f"select {columns}, previous_hash, hash from ledger.book.notice_events "
        "order by seq"
    ).fetchall()
    previous = FIRST_HASH
    for number, row in enumerate(rows, start=1):
        *content, before, own = row
        assert content[0] == number
        assert before == previous
        assert own == record_hash(content, previous)
        previous = own
    assert head == ledger_head(book) == previous
    assert len(rows) == 3


def test_a_notice_is_in_doubt_from_its_intent_until_it_is_told_what_became_of_it(
    book: duckdb.DuckDBPyConnection,
) -> None:
    def doubtful() -> list[str]:
        return [doubt.notice.notice_id for doubt in notices.in_doubt(book)]

    for step in (1, 2, 3, 4):
        notices.book(book, notices.SENT, DAY, [notice(step)], detail=f"<m{step}>")
    assert doubtful() == ["INV-1-1", "INV-1-2", "INV-1-3", "INV-1-4"]
    assert notices.in_doubt(book)[0].message_id == "<m1>"
    notices.book(book, notices.HANDED_OVER, DAY, [notice(1)])
    notices.book(book, notices.FAILED, DAY, [notice(2)])
    notices.book(book, notices.SEEN, DAY, [notice(3)], "Ann")
    assert doubtful() == ["INV-1-4"]
    # Sent again after it failed: in doubt again.
    notices.book(book, notices.SENT, DAY, [notice(2)], detail="<again>")
    assert doubtful() == ["INV-1-4", "INV-1-2"]


def test_what_fails_half_way_books_nothing(book: duckdb.DuckDBPyConnection) -> None:
    bad = Notice(*("INV-2-1", "c1", "INV-2", "clinic", 1, None, "email", None, 0, 0))
    with pytest.raises(duckdb.ConstraintException):
        notices.book(book, notices.SENT, DAY, [notice(), bad])
    assert notices.in_doubt(book) == []
    assert ledger_head(book) == FIRST_HASH
    assert notices.last_day(book) is None
