"""A customer's statement of account as text: what is open, what was received."""

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from orchestration.audit import AuditLog
from orchestration.database import named_rows
from orchestration.errors import BillingError
from orchestration.home import Home
from orchestration.keys import Keys
from orchestration.last_run import last_run
from orchestration.warehouse import open_files
from orchestration.wording import WIDTH, ends, figure, money

BUCKETS = ("current", "1-30", "31-60", "61-90", "90+")
# Payments and credits are shown that came within so many days, and all with a rest.
_DAYS = 90

Row = dict[str, Any]


def statement(home_path: Path, customer_id: str) -> str:
    """The statement of a customer as of the last run, 100 columns wide.

    Raises BillingError if there is no such customer, if nothing was billed yet, or
    while a run writes.
    """
    home = Home(home_path)
    run = last_run(home)
    if run is None or not home.warehouse.exists():
        raise BillingError(f"{home.path}: nothing was billed here yet")
    if not run.is_published:
        raise BillingError(
            f"the last run, as of {run.as_of}, did not come to its end; run again"
        )
    with (
        home.lock("billing statement"),
        open_files(home, Keys.of(home), read_only=True) as connection,
    ):
        text = statement_text(connection, customer_id, run.as_of)
        if text is None:
            raise BillingError(
                f"there is no customer {customer_id}; "
                "finance.invoices of the publication has the ids"
            )
        AuditLog(home.audit).append(
            "statement",
            customer_id,
            detail={
                "keys": ["warehouse", "ledger"],
                "customers": [customer_id],
                "as_of": run.as_of.isoformat(),
            },
        )
    return text


def statement_text(
    connection: duckdb.DuckDBPyConnection, customer_id: str, as_of: date
) -> str | None:
    """The statement; None if there is no such customer."""

    def rows(sql: str, *values: object) -> list[Row]:
        return named_rows(connection, sql, [customer_id, *values])

    customers = rows(
        "select customer_id, bill_to_name, bill_to_address "
        "from staging.stg_customers where customer_id = $1 union all "
        "(select customer_id, bill_to_name, bill_to_address "
        "from staging.stg_issued_invoices where customer_id = $1 "
        "order by invoice_number desc limit 1) limit 1"
    )
    if not customers:
        return None
    seller = connection.execute(
        "select seller_name, seller_address, seller_contact "
        "from staging.stg_issued_invoices order by issued_at desc, invoice_number desc "
        "limit 1"
    ).fetchone()
    return "\n".join(_document(customers[0], seller, rows, as_of)) + "\n"


def _document(customer: Row, seller: Any, rows: Any, as_of: date) -> Iterator[str]:
    name, place, contact = seller or ("", "", "")
    yield ends(name, "STATEMENT OF ACCOUNT")
    yield ends(place, f"As of {as_of}")
    yield ends(contact, f"Customer {customer['customer_id']}")
    yield ""
    yield f"{customer['bill_to_name']}"
    if customer["bill_to_address"]:
        yield f"{customer['bill_to_address']}"
    open_items = rows(
        "select aging.*, invoices.total, invoices.paid, invoices.invoice_date, "
        "invoices.document_type from finance.receivables_aging as aging "
        "join finance.invoices using (invoice_number) where aging.customer_id = $1 "
        "order by aging.currency, aging.due_date, invoice_number"
    )
    receipts = rows(
        "select * from finance.applications where customer_id = $1 "
        "and (applied_on > $2 or invoice_number is null) "
        # What is left of a memo is its own open balance.
        "and (kind <> 'credit_memo' or invoice_number is not null) "
        "order by currency, applied_on, kind, receipt_id, invoice_number nulls last",
        as_of - timedelta(days=_DAYS),
    )
    disputes = rows(
        "select disputes.*, invoices.currency from finance.disputes "
        "join finance.invoices using (invoice_number) "
        "where disputes.customer_id = $1 and state = 'open' "
        "order by opened_on, dispute_id"
    )
    found = {row["currency"] for row in (*open_items, *receipts, *disputes)}
    for currency in sorted(found) or [None]:
        yield from _account(
            currency,
            [row for row in open_items if row["currency"] == currency],
            [row for row in receipts if row["currency"] == currency],
            [row for row in disputes if row["currency"] == currency],
        )
    yield ""
    if contact:
        yield f"Questions or a dispute: {contact}."


def _account(
    currency: str | None, items: list[Row], receipts: list[Row], disputes: list[Row]
) -> Iterator[str]:
    """What is open in one currency, then what came in, then what is contested."""
    yield ""
    yield "=" * WIDTH
    if currency is None:
        yield "Nothing is open, and nothing was received of late."
        return
    yield _columns("Open", "Date", "Due", "Days", "Total", "Paid", "Balance")
    yield "-" * WIDTH
    for row in items:
        yield _columns(
            row["invoice_number"],
            row["invoice_date"],
            row["due_date"],
            row["days_past_due"] if row["days_past_due"] > 0 else "",
            figure(row["total"], currency),
            figure(row["paid"], currency),
            figure(row["balance"], currency),
        )
    if not items:
        yield "nothing"
    yield "-" * WIDTH
    for bucket in BUCKETS:
        amount = _sum(row["balance"] for row in items if row["bucket"] == bucket)
        if amount:
            words = "Not due yet" if bucket == "current" else f"{bucket} days past due"
            yield ends(f"{'':4}{words}", money(amount, currency))
    left = _sum(row["amount"] for row in receipts if row["invoice_number"] is None)
    if left:
        yield ends(f"{'':4}Less not applied yet", money(-left, currency))
    owed = _sum(row["balance"] for row in items) - left
    yield ends("Balance of the account", money(owed, currency))
    if receipts:
        yield ""
        yield f"Payments and credits of the last {_DAYS} days, and those not applied"
        for row in receipts:
            kind = row["kind"].replace("_", " ")
            where = row["invoice_number"] or "not applied yet"
            yield ends(
                f"{'':4}{row['applied_on']}  {kind} {row['receipt_id']}, {where}",
                money(row["amount"], currency),
            )
    if disputes:
        yield ""
        yield "In dispute"
        for row in disputes:
            line = f", line {row['line_number']}" if row["line_number"] else ""
            yield ends(
                f"{'':4}{row['opened_on']}  {row['dispute_id']}: "
                f"{row['invoice_number']}{line}",
                money(row["amount"], currency),
            )


def _columns(number, day, due, days, *amounts) -> str:
    first = f"{number!s:18}{day!s:12}{due!s:12}{days!s:>6}"
    return first + "".join(f"{amount!s:>17}" for amount in amounts)


def _sum(amounts: Any) -> Decimal:
    return sum(amounts, Decimal(0))
