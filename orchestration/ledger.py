"""The ledger: what was issued, append-only, and what it rests on.

Nothing here is ever updated or deleted. An issue appends, in one transaction, the
drafts dated through its day (A4, A5), the units they charge and the digests of every
input (C8). Invoices and issues are chained by hash.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow

from orchestration.errors import BillingError
from orchestration.ledger_inputs import append_inputs

FIRST_HASH = "0" * 64
_BATCH = 100_000

# What each schema version adds to the one before: tables only, nothing is altered.
_VERSIONS = sorted(
    (Path(__file__).parent / "ledger_schema").glob("*.sql"),
    key=lambda path: int(path.stem),
)
SCHEMA_VERSION = int(_VERSIONS[-1].stem)

HEADER = (
    "invoice_number, document_type, customer_id, customer_name, bill_to_name, "
    "bill_to_email, bill_to_address, tax_exempt, seller_name, seller_address, "
    "seller_tax_id, seller_contact, invoice_group, currency, invoice_date, due_date, "
    "payment_terms_days, po_number, total, issued_at"
)
LINE = (
    "invoice_number, line_number, charge_key, contract_id, line_id, milestone_id, "
    "commitment_id, product_id, line_type, is_adjustment, reverses, description, "
    "service_start, service_end, version_start, meter, tier, quantity, list_price, "
    "discount_percent, unit_price, proration, amount, amendment_id"
)
SHARE = "invoice_number, line_number, facility_id, facility_name, quantity, amount"
INPUT = "kind, name, contract_id, digest"
USAGE = "line_id, facility_id, service_date, units"


@dataclass(frozen=True)
class Issue:
    """What one issue appended; `invoices` are their numbers, in order."""

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
        "select issue_no, issue_through, hash from ledger.book.issues "
        "order by issue_no desc limit 1"
    ).fetchone()
    if row is None:
        return None
    issue_no, issue_through, digest = row
    numbers = connection.execute(
        "select invoice_number from ledger.book.invoices where issue_no = $1 "
        "order by invoice_number",
        [issue_no],
    ).fetchall()
    return Issue(issue_no, issue_through, [number for (number,) in numbers], digest)


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
    issue_no, previous = connection.execute(
        "select coalesce(max(issue_no), 0) + 1, max_by(hash, issue_no) "
        "from ledger.book.issues"
    ).fetchone()
    previous = previous or FIRST_HASH
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
    connection.execute(
        f"insert into ledger.book.billed_usage select $1, {USAGE} "
        "from billing.unbooked_usage",
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
        _rows_digest(connection, "issue_inputs", INPUT, issue_no),
        _rows_digest(connection, "billed_usage", USAGE, issue_no),
    )
    digest = _sha256(canonical_row(content) + previous)
    connection.execute(
        "insert into ledger.book.issues values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        [*content, previous, digest],
    )
    return Issue(issue_no, issue_through, numbers, digest)


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


def content_hashes(
    connection: duckdb.DuckDBPyConnection,
    headers: Iterable[tuple],
    previous: str,
) -> list[tuple[str, str]]:
    """For each header, in order: the hash before it and its own content hash (A5).

    SHA-256 of the canonical text of header, lines and shares as the ledger holds
    them, followed by the hash of the invoice before.
    """
    headers = list(headers)
    numbers = [header[0] for header in headers]
    lines = _texts(connection, LINE, "invoice_lines", "line_number", numbers)
    shares = _texts(
        connection,
        SHARE,
        "invoice_line_facilities",
        "line_number, facility_id",
        numbers,
    )
    hashes = []
    for header in headers:
        number = header[0]
        text = canonical_row(header) + lines.get(number, "") + shares.get(number, "")
        own = _sha256(text + previous)
        hashes.append((previous, own))
        previous = own
    return hashes


def canonical_row(values: Iterable[object]) -> str:
    """A row as text: tabs between, a newline behind, empty for null.

    Decimals as published, dates as ISO, booleans true or false; within text a
    backslash, tab or newline is written \\\\, \\t, \\n, so that no two rows are alike.
    """
    return "\t".join(_canonical(value) for value in values) + "\n"


def _canonical(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return format(value, "f")
    return str(value).replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")


def _canonical_sql(
    connection: duckdb.DuckDBPyConnection, table: str, columns: str
) -> str:
    """`canonical_row` of a ledger table's columns, as SQL: so that millions of rows
    need not pass through Python.
    """
    types = dict(
        connection.execute(
            "select column_name, data_type from duckdb_columns() "
            "where database_name = 'ledger' and table_name = $1",
            [table],
        ).fetchall()
    )
    names = columns.split(", ")
    plain = [f"coalesce({name}::varchar, '')" for name in names]
    escaped = plain
    for character, written in (
        ("chr(92)", r"\\"),
        ("chr(9)", r"\t"),
        ("chr(10)", r"\n"),
    ):
        escaped = [f"replace({value}, {character}, '{written}')" for value in escaped]
    texts = [
        value
        for name, value in zip(names, plain, strict=True)
        if types[name] == "VARCHAR"
    ]
    # Hardly any text has such a character: to look for it once is cheaper.
    return (
        f"case when regexp_matches(concat({', '.join(texts)}), '[\\\\\\t\\n]') "
        f"then concat_ws(chr(9), {', '.join(escaped)}) "
        f"else concat_ws(chr(9), {', '.join(plain)}) end || chr(10)"
    )


def _texts(connection, columns, table, order, numbers) -> dict[str, str]:
    """The canonical text of an invoice's rows, by its number."""
    row = _canonical_sql(connection, table, columns)
    result = connection.execute(
        f"select invoice_number, {row} from ledger.book.{table} "
        "where invoice_number in (select unnest($1)) "
        f"order by invoice_number, {order}",
        [numbers],
    )
    texts: dict[str, list[str]] = defaultdict(list)
    while rows := result.fetchmany(_BATCH):
        for number, text in rows:
            texts[number].append(text)
    return {number: "".join(of_invoice) for number, of_invoice in texts.items()}


def _rows_digest(connection, table: str, columns: str, issue_no: int) -> str:
    """SHA-256 of the canonical text of an issue's rows, in the order of all columns."""
    row = _canonical_sql(connection, table, columns)
    texts = connection.execute(
        f"select {row} from ledger.book.{table} where issue_no = $1 order by {columns}",
        [issue_no],
    )
    digest = hashlib.sha256()
    # Arrow keeps the texts of a batch one behind the other: all are hashed at once.
    for batch in texts.to_arrow_reader(_BATCH):
        (column,) = batch.columns
        _, offsets, content = column.buffers()
        ends = pyarrow.Array.from_buffers(
            pyarrow.int32(), len(column) + 1, [None, offsets]
        )
        digest.update(memoryview(content)[ends[0].as_py() : ends[-1].as_py()])
    return digest.hexdigest()


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
