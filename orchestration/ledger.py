"""The ledger: what was issued, append-only, and what it rests on.

Nothing here is ever updated or deleted. An issue appends, in one transaction, the
drafts dated through its day (A4, A5), the units they charge, the digests of every
input (C8) and the journal entries of its invoices (V4).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb

from orchestration.errors import BillingError
from orchestration.journal import append_entries
from orchestration.ledger_chain import (
    FIRST_HASH,
    HEADER,
    INPUT,
    LINE,
    SHARE,
    USAGE,
    append_record,
    content_hashes,
    ledger_head,
    next_number,
    rows_digest,
)
from orchestration.ledger_inputs import append_inputs

# What each schema version adds to the one before: tables only, nothing is altered.
_VERSIONS = sorted(
    (Path(__file__).parent / "ledger_schema").glob("*.sql"),
    key=lambda path: int(path.stem),
)
SCHEMA_VERSION = int(_VERSIONS[-1].stem)


@dataclass(frozen=True)
class Issue:
    """What one issue appended; `invoices` are their numbers, in order.

    `head` is the ledger's head behind it.
    """

    issue_no: int
    issue_through: date
    invoices: list[str]
    head: str


def open_ledger(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the tables that a new or an older ledger lacks; refuse a newer one."""
    tables = connection.execute(
        "select count(*) from duckdb_tables() where database_name = 'ledger'"
    ).fetchone()[0]
    version = 0
    if tables:
        (version,) = connection.execute(
            "select max(version) from ledger.book.schema_version"
        ).fetchone()
    if version > SCHEMA_VERSION:
        raise BillingError(
            f"the ledger has schema version {version}, this program knows "
            f"{SCHEMA_VERSION}: use the program that wrote it, or a newer one"
        )
    if version < SCHEMA_VERSION:
        _add_tables(connection, version)


def _add_tables(connection: duckdb.DuckDBPyConnection, version: int) -> None:
    connection.execute("begin")
    for path in _VERSIONS:
        added = int(path.stem)
        if added > version:
            connection.execute(path.read_text(encoding="utf-8"))
            connection.execute(
                "insert into ledger.book.schema_version values ($1)", [added]
            )
    connection.execute("commit")


def closed_through(connection: duckdb.DuckDBPyConnection) -> date | None:
    """The latest day through which invoices were issued (C6); None before the first."""
    return connection.execute(
        "select max(issue_through) from ledger.book.issues"
    ).fetchone()[0]


def last_issue(connection: duckdb.DuckDBPyConnection) -> Issue | None:
    """The latest issue; None before the first."""
    row = connection.execute(
        "select issue_no, issue_through from ledger.book.issues "
        "order by issue_no desc limit 1"
    ).fetchone()
    if row is None:
        return None
    issue_no, issue_through = row
    numbers = connection.execute(
        "select invoice_number from ledger.book.invoices where issue_no = $1 "
        "order by invoice_number",
        [issue_no],
    ).fetchall()
    head = ledger_head(connection)
    return Issue(issue_no, issue_through, [number for (number,) in numbers], head)


def append_issue(
    connection: duckdb.DuckDBPyConnection,
    as_of: date,
    issue_through: date,
    accepted: Sequence[str] = (),
) -> Issue | None:
    """Book the drafts of the warehouse that have a number, in one transaction.

    Returns None, and appends nothing, if there are none and the day was closed before.
    """
    numbers = [
        number
        for (number,) in connection.execute(
            "select next_number from billing.draft_invoices "
            "where next_number is not null order by next_number"
        ).fetchall()
    ]
    closed = closed_through(connection)
    if not numbers and closed is not None and issue_through <= closed:
        return None
    connection.execute("begin")
    try:
        issue = _append(connection, as_of, issue_through, numbers, accepted)
        connection.execute("commit")
    except BaseException:
        connection.execute("rollback")
        raise
    return issue


def _append(
    connection: duckdb.DuckDBPyConnection,
    as_of: date,
    issue_through: date,
    numbers: list[str],
    accepted: Sequence[str],
) -> Issue:
    _check_numbers(connection, numbers)
    issue_no = next_number(connection, "issues", "issue_no")
    drafts = "billing.draft_invoices where next_number is not null"
    connection.execute(
        f"insert into ledger.book.invoice_lines ({LINE}) "
        "select next_number, line_number, charge_key, contract_id, line_id, "
        "milestone_id, commitment_id, product_id, line_type, is_adjustment, "
        "is_reversal, description, service_start, service_end, version_start, meter, "
        "tier, quantity, list_price, discount_percent, unit_price, proration, amount, "
        "amendment_id "
        f"from billing.draft_lines join (select draft_id, next_number from {drafts}) "
        "using (draft_id)"
    )
    connection.execute(
        f"insert into ledger.book.invoice_line_facilities ({SHARE}) "
        "select next_number, line_number, facility_id, facility_name, quantity, amount "
        "from billing.draft_line_facilities "
        f"join (select draft_id, next_number from {drafts}) using (draft_id)"
    )
    headers = connection.execute(
        f"select {HEADER} from (select next_number as invoice_number, "
        f"is_tax_exempt as tax_exempt, cast($1 as date) as issued_at, * from {drafts}) "
        "order by invoice_number",
        [as_of],
    ).fetchall()
    last = connection.execute(
        "select content_hash from ledger.book.invoices "
        "order by issue_no desc, invoice_number desc limit 1"
    ).fetchone()
    hashes = content_hashes(connection, headers, last[0] if last else FIRST_HASH)
    connection.execute(
        f"insert into ledger.book.invoices (issue_no, {HEADER}, previous_hash, "
        f"content_hash) select $1, {HEADER}, hashes.previous_hash, hashes.content_hash "
        "from (select next_number as invoice_number, is_tax_exempt as tax_exempt, "
        f"cast($2 as date) as issued_at, * from {drafts}) "
        "join (select unnest($3) as invoice_number, unnest($4) as previous_hash, "
        "unnest($5) as content_hash) as hashes using (invoice_number)",
        [
            issue_no,
            as_of,
            numbers,
            [before for before, _ in hashes],
            [after for _, after in hashes],
        ],
    )
    # In the order of their digest, which then need not sort them.
    connection.execute(
        f"insert into ledger.book.billed_usage select $1, {USAGE} "
        f"from billing.unbooked_usage order by {USAGE}",
        [issue_no],
    )
    append_inputs(connection, issue_no, accepted)
    last_hash = hashes[-1][1] if hashes else (last[0] if last else FIRST_HASH)
    content = (
        issue_no,
        as_of,
        issue_through,
        len(numbers),
        last_hash,
        rows_digest(connection, "issue_inputs", INPUT, "issue_no", issue_no),
        rows_digest(connection, "billed_usage", USAGE, "issue_no", issue_no),
    )
    append_record(connection, "issues", content)
    append_entries(connection, as_of, issue_no=issue_no)
    return Issue(issue_no, issue_through, numbers, ledger_head(connection))


def _check_numbers(
    connection: duckdb.DuckDBPyConnection, numbers: Sequence[str]
) -> None:
    """Raises BillingError unless the numbers go on from what is booked (A4)."""
    last: dict[str, int] = {}
    booked = connection.execute("select invoice_number from ledger.book.invoices")
    for (number,) in booked.fetchall():
        year, place = _year_and_place(number)
        last[year] = max(last.get(year, 0), place)
    for number in numbers:
        year, place = _year_and_place(number)
        if place != last.get(year, 0) + 1:
            raise BillingError(
                f"the next invoice of {year} is number {last.get(year, 0) + 1}, the "
                f"draft has {number}; nothing was issued. Run again"
            )
        last[year] = place


def _year_and_place(number: str) -> tuple[str, int]:
    _, year, place = number.split("-")
    return year, int(place)
