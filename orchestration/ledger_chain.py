"""How the ledger's rows are hashed and chained, so that an auditor can do it again.

Invoices are chained by their content hashes (A5). What is booked in one go is a record:
an issue, a closing, a posting of journal lines, the digest of a kept publication, what
became of a notice. The records of all kinds make one chain: each holds the hash of the
record before it, whatever its kind. The hash that no record follows is the head.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal

import duckdb
import numpy as np
import pyarrow
import pyarrow.compute

FIRST_HASH = "0" * 64
_BATCH = 100_000

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
POSTED = (
    "charge_key, customer_id, contract_id, line_id, milestone_id, commitment_id, "
    "product_id, amendment_id, line_type, currency, amount, service_start, "
    "service_end, revenue_month, accounting_month"
)
ENTRY = (
    "entry_id, source_key, kind, account, debit, credit, currency, customer_id, "
    "contract_id, invoice_number, product_id, memo, entry_date, accounting_month"
)
SETTLED = "customer_id, settled_before"
PURGED = "feed, file_id"

# Tables of records, and what of each is hashed, in this order, before the hash of the
# record before it. The digests among it are those of the rows of the record
# (`rows_digest`).
RECORDS = {
    "issues": (
        "issue_no, as_of, issue_through, invoices, last_invoice_hash, inputs_digest, "
        "usage_digest"
    ),
    "purges": (
        "purge_no, as_of, files, rows, individuals, settled_digest, files_digest"
    ),
    "closings": "closing_no, month, as_of, posted_rows, posted_digest",
    "postings": "posting_no, issue_no, closing_no, as_of, lines, lines_digest",
    "kept_publications": "closing_no, digest",
    "notice_events": (
        "seq, notice_id, event, as_of, customer_id, invoice_number, dunning_tier, "
        "step, action, channel, send_to, balance, disputed_amount, by_name, detail"
    ),
}


def ledger_head(connection: duckdb.DuckDBPyConnection) -> str:
    """The hash of the record booked last, of whatever kind; zeros before the first."""
    rows = connection.execute(
        f"with records as ({_records(connection)}) select hash from records "
        "where hash not in (select previous_hash from records) limit 1"
    ).fetchone()
    return rows[0] if rows else FIRST_HASH


def record_hashes(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """The hash of each record, of whatever kind: every head the ledger ever had."""
    rows = connection.execute(f"select hash from ({_records(connection)})").fetchall()
    return [digest for (digest,) in rows]


def _records(connection: duckdb.DuckDBPyConnection) -> str:
    """SQL of all records; a ledger of an older schema has not all their tables yet."""
    tables = connection.execute(
        "select table_name from duckdb_tables() where database_name = 'ledger'"
    ).fetchall()
    return " union all ".join(
        f"select previous_hash, hash from ledger.book.{table}"
        for (table,) in tables
        if table in RECORDS
    )


def append_record(
    connection: duckdb.DuckDBPyConnection, table: str, content: Sequence[object]
) -> str:
    """Book a record behind all others; returns its hash, the ledger's head from now.

    `content` are the values of the table's columns as RECORDS names them.
    """
    previous = ledger_head(connection)
    digest = record_hash(content, previous)
    marks = ", ".join("?" * (len(content) + 2))
    connection.execute(
        f"insert into ledger.book.{table} ({RECORDS[table]}, previous_hash, hash) "
        f"values ({marks})",
        [*content, previous, digest],
    )
    return digest


def record_hash(content: Iterable[object], previous: str) -> str:
    """SHA-256 of a record's canonical text and the hash of the record before it."""
    return _sha256(canonical_row(content) + previous)


def next_number(connection: duckdb.DuckDBPyConnection, table: str, column: str) -> int:
    """The number of the next record of a table: 1, 2, …"""
    return connection.execute(
        f"select coalesce(max({column}), 0) + 1 from ledger.book.{table}"
    ).fetchone()[0]


def content_hashes(
    connection: duckdb.DuckDBPyConnection,
    headers: Sequence[Sequence[object]],
    previous: str,
) -> list[tuple[str, str]]:
    """For each header, in order: the hash before it and its own content hash (A5)."""
    hashes = []
    for text in invoice_texts(connection, headers):
        own = invoice_hash(text, previous)
        hashes.append((previous, own))
        previous = own
    return hashes


def invoice_texts(
    connection: duckdb.DuckDBPyConnection, headers: Sequence[Sequence[object]]
) -> Iterator[bytes]:
    """For each header: canonical text of it, its lines and shares as the ledger has
    them (A5), in UTF-8.

    The connection may run nothing else until the last text was taken: the texts of all
    invoices may be larger than all else in memory, so they are not held.
    """
    place = 0
    for of_header, rows in _texts(connection, [header[0] for header in headers]):
        # Of what comes before there is nothing but the header.
        for header in headers[place:of_header]:
            yield canonical_row(header).encode()
        yield canonical_row(headers[of_header]).encode() + rows
        place = of_header + 1
    for header in headers[place:]:
        yield canonical_row(header).encode()


def invoice_hash(text: bytes, previous: str) -> str:
    """SHA-256 of an invoice's canonical text and the hash of the invoice before it."""
    return hashlib.sha256(text + previous.encode()).hexdigest()


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
    found = " or ".join(
        f"contains(concat({', '.join(texts)}), chr({code}))" for code in (92, 9, 10)
    )
    return (
        f"case when {found} "
        f"then concat_ws(chr(9), {', '.join(escaped)}) "
        f"else concat_ws(chr(9), {', '.join(plain)}) end || chr(10)"
    )


def _texts(
    connection: duckdb.DuckDBPyConnection, numbers: Sequence[object]
) -> Iterator[tuple[int, bytes]]:
    """Places of those invoices that have rows, and the canonical text of these."""
    line = _canonical_sql(connection, "invoice_lines", LINE)
    share = _canonical_sql(connection, "invoice_line_facilities", SHARE)
    result = connection.execute(
        f"""
        with places as (
            select unnest($1) as invoice_number, unnest(range(len($1))) as place
        )
        select place, text from (
            select place, 1 as part, line_number, '' as facility_id, {line} as text
            from ledger.book.invoice_lines join places using (invoice_number)
            union all
            select place, 2, line_number, facility_id, {share}
            from ledger.book.invoice_line_facilities join places using (invoice_number)
        )
        order by place, part, line_number, facility_id""",
        [numbers],
    )
    last, found = None, b""
    for batch in result.to_arrow_reader(_BATCH):
        places, content = batch.columns
        runs = pyarrow.compute.run_end_encode(places)
        text, ends = _one_text(content)
        start = 0
        for place, end in zip(
            runs.values.to_pylist(), runs.run_ends.to_pylist(), strict=True
        ):
            if place != last:
                if last is not None:
                    yield last, found
                last, found = place, b""
            # An invoice may go on in the next batch.
            found += text[ends[start] : ends[end]]
            start = end
    if last is not None:
        yield last, found


def rows_digest(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    columns: str,
    record: str,
    number: int,
) -> str:
    """SHA-256 of the canonical text of a record's rows, in the order of all columns.

    `record` is the column that names the record, such as issue_no.
    """
    row = _canonical_sql(connection, table, columns)
    texts = connection.execute(
        f"select {row} from (select {columns} from ledger.book.{table} "
        f"where {record} = $1 order by {columns})",
        [number],
    )
    digest = hashlib.sha256()
    for batch in texts.to_arrow_reader(_BATCH):
        (column,) = batch.columns
        text, ends = _one_text(column)
        digest.update(text[ends[0] : ends[-1]])
    return digest.hexdigest()


def _one_text(column: pyarrow.StringArray) -> tuple[memoryview, np.ndarray]:
    """Texts as Arrow keeps them: one behind the other; where each begins and ends."""
    _, offsets, content = column.buffers()
    ends = np.frombuffer(offsets, np.int32)[column.offset :]
    return memoryview(content), ends[: len(column) + 1]


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
