"""Journal lines: booked with an issue or a closing, due less booked (V4)."""

from datetime import date

import duckdb

from orchestration.errors import BillingError
from orchestration.ledger_chain import ENTRY, append_record, next_number, rows_digest


def append_entries(
    connection: duckdb.DuckDBPyConnection,
    as_of: date,
    *,
    issue_no: int | None = None,
    closing_no: int | None = None,
) -> int:
    """Book the entries that are due and not booked, within the caller's transaction.

    What only a close books (recognition, unbilled) is left to one. Returns how many
    lines were booked. Raises BillingError if an entry does not balance.
    """
    posting_no = next_number(connection, "postings", "posting_no")
    (lines,) = connection.execute(
        f"insert into ledger.book.journal_lines (posting_no, {ENTRY}) "
        f"select $1, {ENTRY} from warehouse.billing.unposted_entries "
        "where $2 or not is_booked_by_close",
        [posting_no, closing_no is not None],
    ).fetchone()
    if not lines:
        return 0
    unbalanced = connection.execute(
        "select entry_id from ledger.book.journal_lines where posting_no = $1 "
        "group by entry_id, currency having sum(debit) <> sum(credit) "
        "order by entry_id limit 1",
        [posting_no],
    ).fetchone()
    if unbalanced:
        raise BillingError(
            f"the journal entry {unbalanced[0]} does not balance; nothing was booked. "
            "Look at seeds/posting_rules.csv"
        )
    digest = rows_digest(connection, "journal_lines", ENTRY, "posting_no", posting_no)
    append_record(
        connection,
        "postings",
        (posting_no, issue_no, closing_no, as_of, lines, digest),
    )
    return lines
