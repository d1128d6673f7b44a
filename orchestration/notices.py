"""Notices in the ledger: what was approved, what was sent, and what is in doubt.

An event is added, never changed. `sent` is booked before a message is handed over, so
that a crash in between can't make it go twice; then comes `handed_over`, or `failed` if
it surely did not go. A notice whose last event is `sent` is in doubt: a person looks
whether it arrived and says so (`seen`, or `failed`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import duckdb

from orchestration.ledger_chain import append_record, next_number

APPROVED, SENT, HANDED_OVER = "approved", "sent", "handed_over"
FAILED, SEEN = "failed", "seen"
EVENTS = (APPROVED, SENT, HANDED_OVER, FAILED, SEEN)


@dataclass(frozen=True)
class Notice:
    """One step of one invoice, or a new dispute (then without tier and step)."""

    notice_id: str
    customer_id: str
    invoice_number: str
    dunning_tier: str | None
    step: int | None
    action: str
    channel: str
    send_to: str | None
    balance: Decimal
    disputed_amount: Decimal | None


_NOTICE = ", ".join(Notice.__dataclass_fields__)


def book(
    connection: duckdb.DuckDBPyConnection,
    event: str,
    as_of: date,
    notices: Sequence[Notice],
    by_name: str | None = None,
    detail: str | None = None,
) -> str:
    """Book one event of each notice, all or none; returns the ledger's head.

    `detail` is the Message-ID, or why it failed: never a value of a patient.
    """
    connection.execute("begin")
    try:
        for notice in notices:
            content = (
                next_number(connection, "notice_events", "seq"),
                notice.notice_id,
                event,
                as_of,
                notice.customer_id,
                notice.invoice_number,
                notice.dunning_tier,
                notice.step,
                notice.action,
                notice.channel,
                notice.send_to,
                notice.balance,
                notice.disputed_amount,
                by_name,
                detail,
            )
            head = append_record(connection, "notice_events", content)
        connection.execute("commit")
    except BaseException:
        connection.execute("rollback")
        raise
    return head


@dataclass(frozen=True)
class Doubt:
    """A notice of which nobody knows whether it arrived, and its Message-ID."""

    notice: Notice
    sent_on: date
    message_id: str | None


def in_doubt(connection: duckdb.DuckDBPyConnection) -> list[Doubt]:
    """Notices whose intent is booked and nothing after it, the oldest first."""
    rows = connection.execute(
        f"select {_NOTICE}, as_of, detail from (select *, "
        "row_number() over (partition by notice_id order by seq desc) as place "
        "from ledger.book.notice_events) where place = 1 and event = $1 order by seq",
        [SENT],
    ).fetchall()
    return [Doubt(Notice(*row[:-2]), *row[-2:]) for row in rows]


def last_day(connection: duckdb.DuckDBPyConnection) -> date | None:
    """The latest day as of which anything was sent; None before the first."""
    return connection.execute(
        "select max(as_of) from ledger.book.notice_events where event = $1", [SENT]
    ).fetchone()[0]
