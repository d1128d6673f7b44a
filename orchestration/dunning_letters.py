"""Which letters the queue asks for: one for each customer, step and address."""

import os
import re
from collections.abc import Iterator
from datetime import date
from typing import Any

import duckdb

from orchestration.database import named_rows
from orchestration.documents import document
from orchestration.dunning_messages import Letter, address
from orchestration.errors import BillingError
from orchestration.home import Home
from orchestration.notices import Notice
from orchestration.statements import statement_text

SENDER_VARIABLE = "BILLING_MAIL_FROM"
Row = dict[str, Any]

# A step waits for its approval, a message for its address; a task needs none.
_STEPS = """
    select queue.*, invoices.invoice_date, invoices.due_date, invoices.po_number,
        invoices.total, invoices.paid
    from finance.dunning_queue as queue
    join finance.invoices using (invoice_number)
    where (not queue.needs_approval or queue.approved_by is not null)
        and (queue.channel = 'task' or queue.send_to is not null)
    order by queue.customer_id, queue.step, queue.send_to, invoices.due_date,
        queue.invoice_number
"""
_DISPUTES = """
    select tasks.notice_id, tasks.customer_id, tasks.invoice_number,
        null as dunning_tier, null as step, 'dispute' as action, 'task' as channel,
        tasks.account_manager as send_to, tasks.amount as balance,
        null as disputed_amount, tasks.amount as claimed, invoices.currency,
        invoices.invoice_date, invoices.due_date, invoices.po_number, invoices.total,
        invoices.paid, invoices.days_past_due, disputes.dispute_id,
        disputes.line_number, disputes.opened_on
    from finance.account_tasks as tasks
    join finance.invoices using (invoice_number)
    join finance.disputes on tasks.notice_id = 'dispute-' || disputes.dispute_id
    where tasks.task = 'settle dispute' and tasks.handed_on is null
    order by tasks.notice_id
"""


def due_letters(
    connection: duckdb.DuckDBPyConnection, home: Home, as_of: date
) -> tuple[list[Letter], str]:
    """What is to be sent now, and the address it comes from.

    Several invoices at one step make one letter; a new dispute one of its own. Raises
    BillingError if nobody is named as sender.
    """
    by_letter: dict[tuple, list[Row]] = {}
    for row in named_rows(connection, _STEPS):
        if row["channel"] == "email" and address(row["send_to"]) is None:
            continue
        names = ("customer_id", "dunning_tier", "step", "send_to")
        by_letter.setdefault(tuple(row[name] for name in names), []).append(row)
    for row in named_rows(connection, _DISPUTES):
        by_letter[(row["notice_id"],)] = [row]
    if not by_letter:
        return [], ""
    seller = _seller(connection)
    letters = [
        _letter(connection, home, rows, seller, as_of) for rows in by_letter.values()
    ]
    speaks = any(address(letter.notices[0].send_to) for letter in letters)
    return letters, _sender(seller) if speaks else ""


def _letter(
    connection: duckdb.DuckDBPyConnection,
    home: Home,
    rows: list[Row],
    seller: Row,
    as_of: date,
) -> Letter:
    first = rows[0]
    (customer,) = named_rows(
        connection,
        "select * from staging.stg_customers where customer_id = $1",
        [first["customer_id"]],
    ) or [{"customer_id": first["customer_id"]}]
    names = Notice.__dataclass_fields__
    return Letter(
        notices=[Notice(**{name: row[name] for name in names}) for row in rows],
        customer=customer,
        seller=seller,
        invoices=rows,
        files=list(_files(connection, home, rows, as_of)),
        as_of=as_of,
        dispute=first | {"amount": first["claimed"]}
        if first["action"] == "dispute"
        else None,
    )


def _files(
    connection: duckdb.DuckDBPyConnection, home: Home, rows: list[Row], as_of: date
) -> Iterator[tuple[str, bytes]]:
    """Invoices, as PDF where one was made; with tasks and statements the account."""
    if rows[0]["channel"] == "task" or rows[0]["action"] == "statement":
        customer_id = rows[0]["customer_id"]
        text = statement_text(connection, customer_id, as_of)
        if text is not None:
            name = re.sub(r"[^A-Za-z0-9._-]+", "_", customer_id)
            yield f"statement-{name}-{as_of}.txt", text.encode()
    for row in rows:
        number = row["invoice_number"]
        pdf = home.published / "invoices" / f"{number}.pdf"
        if pdf.exists():
            yield pdf.name, pdf.read_bytes()
        else:
            yield f"{number}.txt", document(connection, number).encode()


def _seller(connection: duckdb.DuckDBPyConnection) -> Row:
    (seller,) = named_rows(
        connection,
        "select seller_name as name, seller_contact as contact "
        "from staging.stg_issued_invoices order by issued_at desc, invoice_number desc "
        "limit 1",
    )
    return {name: value or "" for name, value in seller.items()}


def _sender(seller: Row) -> str:
    """The address messages come from: that of the environment, else the seller's."""
    given = os.environ.get(SENDER_VARIABLE)
    if given:
        if address(given) is None:
            raise BillingError(f"{SENDER_VARIABLE} {given}: give one address")
        return given
    for word in re.split(r"[\s,;<>()]+", seller["contact"]):
        if address(word):
            return word
    raise BillingError(
        f"nobody is named as sender: set {SENDER_VARIABLE} to the address that dunning "
        "messages come from. Nothing was sent"
    )
