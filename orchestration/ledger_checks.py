"""Whether the ledger is what was booked: every hash and every total made again.

Each check takes a connection with `ledger` attached and gives what differs, in words
that name the row; nothing if all is well. A hash tells that an invoice or a record was
changed; which row of it, `ledger_witness` tells.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import duckdb

from orchestration.ledger_chain import (
    ENTRY,
    FIRST_HASH,
    HEADER,
    INPUT,
    POSTED,
    PURGED,
    RECORDS,
    SETTLED,
    USAGE,
    invoice_hash,
    invoice_texts,
    record_hash,
    rows_digest,
)

# Rows that a record books: their table, its columns, the record's number, where the
# record says how many they are, and their digest.
_ROWS = {
    "issues": (
        ("issue_inputs", INPUT, "issue_no", None, "inputs_digest"),
        ("billed_usage", USAGE, "issue_no", None, "usage_digest"),
    ),
    "purges": (
        ("settled_usage", SETTLED, "purge_no", None, "settled_digest"),
        ("purged_files", PURGED, "purge_no", "files", "files_digest"),
    ),
    "closings": (
        ("posted_revenue", POSTED, "closing_no", "posted_rows", "posted_digest"),
    ),
    "postings": (("journal_lines", ENTRY, "posting_no", "lines", "lines_digest"),),
}
_WORDS = {
    "issues": "issue",
    "closings": "closing",
    "postings": "posting",
    "kept_publications": "kept publication",
    "notice_events": "notice event",
}


@dataclass(frozen=True)
class Record:
    """A record of the ledger as it stands there; `content` by column."""

    table: str
    content: dict[str, object]
    previous_hash: str
    hash: str

    @property
    def words(self) -> str:
        """The record as a person calls it: issue 3."""
        name = _WORDS.get(self.table, self.table.removesuffix("s"))
        return f"{name} {next(iter(self.content.values()))}"


def records(connection: duckdb.DuckDBPyConnection) -> list[Record]:
    """Every record of the ledger, of all kinds, in no order."""
    found = []
    for table, columns in RECORDS.items():
        rows = connection.execute(
            f"select {columns}, previous_hash, hash from ledger.book.{table}"
        ).fetchall()
        names = columns.split(", ")
        for *content, previous, digest in rows:
            named = dict(zip(names, content, strict=True))
            found.append(Record(table, named, previous, digest))
    return found


def chain_problems(found: list[Record]) -> Iterator[str]:
    """Records that were changed, that follow none, and that follow the same one."""
    for record in found:
        if record_hash(record.content.values(), record.previous_hash) != record.hash:
            yield f"{record.words}: was changed after it was booked"
    followers = defaultdict(list)
    for record in found:
        followers[record.previous_hash].append(record)
    for several in followers.values():
        if len(several) > 1:
            names = " and ".join(sorted(record.words for record in several))
            yield f"{names}: follow the same record, one of them was added"
    reached, head = set(), FIRST_HASH
    while head in followers and head not in reached:
        reached.add(head)
        head = followers[head][0].hash
    for record in found:
        if record.previous_hash not in reached:
            yield f"{record.words}: follows a record that is not there"


def row_problems(
    connection: duckdb.DuckDBPyConnection, found: list[Record]
) -> Iterator[tuple[Record, str, str]]:
    """Records whose rows were changed: the record, the rows' table, what differs."""
    for record in found:
        for table, columns, number, counted, digest in _ROWS.get(record.table, ()):
            booked = record.content[number]
            if counted is not None:
                (rows,) = connection.execute(
                    f"select count(*) from ledger.book.{table} where {number} = $1",
                    [booked],
                ).fetchone()
                if rows != record.content[counted]:
                    yield (
                        record,
                        table,
                        f"booked {record.content[counted]:,} rows of {table}, "
                        f"{rows:,} are there",
                    )
            made_again = rows_digest(connection, table, columns, number, booked)
            if made_again != record.content[digest]:
                yield record, table, f"its rows of {table} were changed"
    for table, rows in _ROWS.items():
        for child, _, number, _, _ in rows:
            for (orphan,) in connection.execute(
                f"select distinct {number} from ledger.book.{child} where {number} "
                f"not in (select {number} from ledger.book.{table}) order by 1"
            ).fetchall():
                lost = Record(table, {number: orphan}, "", "")
                yield lost, child, f"is not booked, but rows of {child} name it"


def issue_problems(
    connection: duckdb.DuckDBPyConnection, found: list[Record]
) -> Iterator[str]:
    """Issues whose invoices are not as many, or not the last one, that they booked."""
    for record in found:
        if record.table != "issues":
            continue
        issue_no = record.content["issue_no"]
        (invoices,) = connection.execute(
            "select count(*) from ledger.book.invoices where issue_no = $1", [issue_no]
        ).fetchone()
        if invoices != record.content["invoices"]:
            yield (
                f"{record.words}: booked {record.content['invoices']:,} invoices, "
                f"{invoices:,} are there"
            )
        last = connection.execute(
            "select content_hash from ledger.book.invoices where issue_no <= $1 "
            "order by issue_no desc, invoice_number desc limit 1",
            [issue_no],
        ).fetchone()
        if (last[0] if last else FIRST_HASH) != record.content["last_invoice_hash"]:
            yield f"{record.words}: its last invoice is not the one it booked"


def invoice_problems(
    connection: duckdb.DuckDBPyConnection,
) -> list[tuple[str, str]]:
    """Invoices whose content hash is another when made again (A5): number, what."""
    found = []
    previous = FIRST_HASH
    invoices = connection.execute(
        f"select {HEADER}, previous_hash, content_hash from ledger.book.invoices "
        "order by issue_no, invoice_number"
    ).fetchall()
    texts = invoice_texts(connection, [header for *header, _, _ in invoices])
    for (number, *_, before, booked), text in zip(invoices, texts, strict=True):
        if invoice_hash(text, before) != booked:
            found.append((number, "was changed after it was issued"))
        if before != previous:
            found.append((number, "does not follow the invoice issued before it"))
        previous = booked
    return found


_TOTALS = {
    "the invoice's total is not the sum of its lines": """
        select invoice_number from ledger.book.invoices
        left join (
            select invoice_number, sum(amount) as amount
            from ledger.book.invoice_lines group by invoice_number) as lines
            using (invoice_number)
        where invoices.total is distinct from coalesce(lines.amount, 0)""",
    "a line's facilities do not add up to it": """
        select distinct invoice_number from (
            select invoice_number, line_number, sum(amount) as amount
            from ledger.book.invoice_line_facilities group by all) as shares
        left join ledger.book.invoice_lines as lines
            using (invoice_number, line_number)
        where shares.amount is distinct from lines.amount""",
    "is no invoice, but lines name it": """
        select distinct invoice_number from ledger.book.invoice_lines
        where invoice_number not in (
            select invoice_number from ledger.book.invoices)""",
    "is there twice": """
        select invoice_number from ledger.book.invoices
        group by invoice_number having count(*) > 1""",
    "a number before it is missing": """
        select invoice_number from (
            select invoice_number,
                try_cast(split_part(invoice_number, '-', 3) as bigint) as place,
                lag(place, 1, 0) over (
                    partition by split_part(invoice_number, '-', 2) order by place)
                as place_before
            from ledger.book.invoices)
        where place > place_before + 1""",
    "is of an issue that is not booked": """
        select invoice_number from ledger.book.invoices
        where issue_no not in (select issue_no from ledger.book.issues)""",
}


def total_problems(connection: duckdb.DuckDBPyConnection) -> Iterator[tuple[str, str]]:
    """Totals of invoices that do not tie (A4, A7, V4): number, what."""
    for words, query in _TOTALS.items():
        for (number,) in connection.execute(f"{query} order by 1").fetchall():
            yield number, words


# With the accounts of a role as $receivable and so on.
_JOURNAL = {
    "entry {}: its debits are not its credits": """
        select entry_id from ledger.book.journal_lines
        group by entry_id, currency having sum(debit) <> sum(credit)""",
    "entry {}: a line is not either a debit or a credit above 0": """
        select entry_id from ledger.book.journal_lines
        where least(debit, credit) <> 0 or greatest(debit, credit) <= 0""",
    "invoice {}: its journal entries do not debit what it bills": """
        select invoice_number from ledger.book.invoices
        left join (
            select invoice_number, sum(debit - credit) as debited
            from ledger.book.journal_lines
            where kind = 'invoice' and account in (select unnest($receivable))
            group by invoice_number) using (invoice_number)
        where invoices.total <> coalesce(debited, 0)
            and exists (select 1 from ledger.book.postings)""",
    "{}: what was posted is not what the journal recognizes": """
        select contract_id || ', ' || strftime(accounting_month, '%Y-%m') from (
            select contract_id, accounting_month, amount
            from ledger.book.posted_revenue
            union all
            select contract_id, accounting_month, debit - credit
            from ledger.book.journal_lines
            where kind = 'recognition' and account in (select unnest($revenue)))
        group by contract_id, accounting_month having sum(amount) <> 0""",
    "contract {}: billed less recognized is not its deferred less its unbilled": """
        select contract_id from (
            select contract_id, amount from ledger.book.invoice_lines
            union all
            select contract_id, -amount from ledger.book.posted_revenue
            union all
            select contract_id, debit - credit from ledger.book.journal_lines
            where contract_id is not null and account in (
                select unnest($deferred_revenue || $unbilled_receivable)))
        where exists (select 1 from ledger.book.postings)
        group by contract_id having sum(amount) <> 0""",
}


def journal_problems(
    connection: duckdb.DuckDBPyConnection, accounts: list[dict[str, str]]
) -> Iterator[str]:
    """Entries that do not balance, and what does not tie to them (V4, V5).

    `accounts` are the rows of `seeds/ledger_accounts.csv`.
    """
    roles = defaultdict(list)
    for account in accounts:
        roles[account["role"]].append(account["account"])
    for words, query in _JOURNAL.items():
        used = {role: roles[role] for role in roles if f"${role}" in query}
        for (name,) in connection.execute(f"{query} order by 1", used).fetchall():
            yield words.format(name)
