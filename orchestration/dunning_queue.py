"""What `billing dun` shows: what is due and why, what waits, what a person must see."""

from collections.abc import Iterator
from datetime import date
from typing import Any

import duckdb

from orchestration.database import named_rows
from orchestration.dunning_messages import address
from orchestration.home import Home
from orchestration.keys import Keys
from orchestration.notices import in_doubt
from orchestration.warehouse import open_files
from orchestration.wording import money

# Of more rows the first are shown, and how many there are.
_SHOWN = 50


def print_queue(home: Home, as_of: date) -> None:
    """The queue as of a day, from the warehouse and the ledger."""
    with open_files(home, Keys.of(home), read_only=True) as connection:
        for line in _queue(connection, as_of):
            print(line)


def _queue(connection: duckdb.DuckDBPyConnection, as_of: date) -> Iterator[str]:
    rows = named_rows(
        connection,
        "select queue.*, customer_name from finance.dunning_queue as queue "
        "join finance.invoices using (invoice_number) "
        "order by queue.customer_id, queue.step, queue.invoice_number",
    )
    waiting = [r for r in rows if r["needs_approval"] and r["approved_by"] is None]
    homeless = [
        row
        for row in rows
        if row not in waiting
        and row["channel"] == "email"
        and address(row["send_to"]) is None
    ]
    due = [row for row in rows if row not in waiting and row not in homeless]
    yield f"Due as of {as_of}: {len(due)}"
    yield from _shown(due, _step)
    if waiting:
        yield f"Waiting for approval (--approve NOTICE --by NAME): {len(waiting)}"
        yield from _shown(waiting, _step)
    if homeless:
        yield f"Without an address (land bill_to_email): {len(homeless)}"
        yield from _shown(homeless, _step)
    yield from _disputes(connection)
    yield from _paused(connection)
    doubts = in_doubt(connection)
    if doubts:
        yield (
            "In doubt, counted as sent (look whether they arrived, then "
            f"--seen or --not-sent NOTICE --by NAME): {len(doubts)}"
        )
        for doubt in doubts:
            notice = doubt.notice
            yield (
                f"  {notice.notice_id}  {notice.action} to {notice.send_to}, "
                f"{doubt.sent_on}, message {doubt.message_id}"
            )
    yield from _unapplied(connection)


def _step(row: dict[str, Any]) -> Iterator[str]:
    to = row["send_to"] or "nobody"
    yield (
        f"  {row['notice_id']}  {row['customer_name']} ({row['customer_id']}), "
        f"{row['dunning_tier']} step {row['step']}: {row['action']}, "
        f"{row['channel']} to {to}, {money(row['claimed'], row['currency'])}"
    )
    approved = f"; approved by {row['approved_by']}" if row["approved_by"] else ""
    yield f"      due since {row['due_on']}: {row['why']}{approved}"


def _disputes(connection: duckdb.DuckDBPyConnection) -> Iterator[str]:
    rows = named_rows(
        connection,
        "select tasks.*, currency from finance.account_tasks as tasks "
        "join finance.invoices using (invoice_number) "
        "where task = 'settle dispute' order by due_on, notice_id",
    )
    if rows:
        yield f"Disputes to settle: {len(rows)}"
        yield from _shown(rows, _dispute)


def _dispute(row: dict[str, Any]) -> Iterator[str]:
    handed = f", told {row['handed_on']}" if row["handed_on"] else ", new"
    yield (
        f"  {row['notice_id']}  {row['customer_id']}, {row['invoice_number']}, "
        f"{money(row['amount'], row['currency'])}: "
        f"{row['account_manager'] or 'no account manager'}{handed}"
    )


def _paused(connection: duckdb.DuckDBPyConnection) -> Iterator[str]:
    rows = named_rows(
        connection,
        "select *, row_number() over (order by customer_id, invoice_number) as place "
        "from finance.dunning_status where state in ('paused', 'promised') "
        "order by place",
    )
    if rows:
        yield f"Paused: {len(rows)}"
        yield from _shown(rows, _pause)


def _pause(row: dict[str, Any]) -> Iterator[str]:
    yield f"  {row['invoice_number']}  {row['customer_id']}: {row['paused_because']}"


def _unapplied(connection: duckdb.DuckDBPyConnection) -> Iterator[str]:
    rows = named_rows(
        connection,
        "select * from finance.applications where invoice_number is null "
        "and kind <> 'credit_memo' order by customer_id, applied_on, receipt_id",
    )
    if rows:
        yield f"Received and not applied: {len(rows)}"
        yield from _shown(rows, _receipt)


def _receipt(row: dict[str, Any]) -> Iterator[str]:
    yield (
        f"  {row['kind']} {row['receipt_id']}  {row['customer_id']}, "
        f"{money(row['amount'], row['currency'])}: {row['unapplied_because']}"
    )


def _shown(rows: list[dict[str, Any]], told: Any) -> Iterator[str]:
    for row in rows[:_SHOWN]:
        yield from told(row)
    if len(rows) > _SHOWN:
        yield f"  … and {len(rows) - _SHOWN:,} more: the publication has them all"
