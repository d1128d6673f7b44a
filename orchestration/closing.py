"""Closing a month: its revenue and entries are booked with the closing, all or none.

Nothing here is ever updated or deleted (V3). The publication as a close left it is kept
beside the current one, its digest booked.
"""

import shutil
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb

from orchestration.errors import BillingError
from orchestration.files import file_digest, put_in_place
from orchestration.home import PRIVATE_DIRECTORY, Home
from orchestration.journal import append_entries
from orchestration.keys import Keys
from orchestration.ledger import open_ledger
from orchestration.ledger_chain import (
    POSTED,
    append_record,
    ledger_head,
    next_number,
    rows_digest,
)
from orchestration.warehouse import open_files


@dataclass(frozen=True)
class Closing:
    """A closed month, its first day; `is_kept`: its publication is kept."""

    closing_no: int
    month: date
    as_of: date
    posted_rows: int
    is_kept: bool
    head: str


def last_closing(connection: duckdb.DuckDBPyConnection) -> Closing | None:
    """The latest closing; None before the first."""
    row = connection.execute(
        "select closing_no, month, as_of, posted_rows, closing_no in "
        "(select closing_no from ledger.book.kept_publications) "
        "from ledger.book.closings order by closing_no desc limit 1"
    ).fetchone()
    return None if row is None else Closing(*row, ledger_head(connection))


def closing_of_home(path: Path) -> Closing | None:
    """The latest closing of a home; None before the first."""
    home = Home(path)
    if not home.ledger.exists():
        return None
    with open_files(home, Keys.of(home)) as connection:
        open_ledger(connection)
        return last_closing(connection)


def following(month: date) -> date:
    """The first day of the next month."""
    year, zero_based = divmod(month.year * 12 + month.month, 12)
    return date(year, zero_based + 1, 1)


def check_order(last: Closing | None, month: date) -> None:
    """Raises BillingError unless `month` is the next to close, or the last one closed.

    The first close may be of any month.
    """
    if last is None or month in (last.month, following(last.month)):
        return
    if month < last.month:
        raise BillingError(
            f"{month:%Y-%m} is closed: the books are closed through "
            f"{last.month:%Y-%m}. What comes late is posted with the next close"
        )
    raise BillingError(
        f"{month:%Y-%m} can't be closed before {following(last.month):%Y-%m}: months "
        f"are closed in order, and the last one closed is {last.month:%Y-%m}"
    )


def append_closing(
    connection: duckdb.DuckDBPyConnection, as_of: date, month: date
) -> Closing | None:
    """Book the closing of a month with what is due and not posted, in one transaction.

    Posts the month and all before it (V3). Returns None, and appends nothing, if the
    month is the last one closed.
    """
    last = last_closing(connection)
    check_order(last, month)
    if last is not None and month == last.month:
        return None
    connection.execute("begin")
    try:
        closing = _append(connection, as_of, month)
        connection.execute("commit")
    except BaseException:
        connection.execute("rollback")
        raise
    return closing


def _append(connection: duckdb.DuckDBPyConnection, as_of: date, month: date) -> Closing:
    closing_no = next_number(connection, "closings", "closing_no")
    (posted_rows,) = connection.execute(
        f"insert into ledger.book.posted_revenue (closing_no, {POSTED}) "
        f"select $1, {POSTED} from (select *, cast($2 as date) as accounting_month "
        "from warehouse.finance.revenue_schedule "
        "where status = 'scheduled' and revenue_month <= $2)",
        [closing_no, month],
    ).fetchone()
    digest = rows_digest(connection, "posted_revenue", POSTED, "closing_no", closing_no)
    append_record(
        connection, "closings", (closing_no, month, as_of, posted_rows, digest)
    )
    append_entries(connection, as_of, closing_no=closing_no)
    head = ledger_head(connection)
    return Closing(closing_no, month, as_of, posted_rows, False, head)


def kept_publication(home: Home, month: date) -> Path:
    """Where the publication lies as the close of a month left it."""
    return home.closes / f"{month:%Y-%m}.duckdb"


def keep_publication(
    connection: duckdb.DuckDBPyConnection, home: Home, closing: Closing
) -> str:
    """Copy the current publication as that of a closing and book its digest.

    Returns the ledger's head. What a crash left half done is done again.
    """
    kept = kept_publication(home, closing.month)
    temporary = kept.with_name(f".{kept.name}.new")
    try:
        kept.parent.mkdir(mode=PRIVATE_DIRECTORY, exist_ok=True)
        shutil.copyfile(home.publication, temporary)
        put_in_place(temporary, kept)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise BillingError(
            f"{kept} could not be written ({error.strerror}); {closing.month:%Y-%m} is "
            "closed, and the next run keeps its publication"
        ) from None
    return append_record(
        connection, "kept_publications", (closing.closing_no, file_digest(kept))
    )
