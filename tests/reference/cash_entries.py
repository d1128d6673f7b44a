"""Entries of payments, credits and their applications: due − booked (V4)."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from reference.receivables import CREDIT, MEMO, PAYMENT, Account, Invoice, Receipt
from reference.records import CashLine, Landing, Ledger
from reference.revenue import following, month_of
from reference.values import day, text

NOTHING = Decimal(0)


@dataclass(frozen=True)
class _Entry:
    """What is due under a source; `amount` goes from the credited to the debited."""

    customer_id: str
    entry_date: date
    debit: str
    credit: str
    amount: Decimal
    currency: str
    invoice_number: str | None


def account_of(landing: Landing, ledger: Ledger, as_of: date) -> Account:
    """What was issued, and what was received by a day."""
    invoices = {
        document.number: Invoice(
            document.number,
            document.customer_id,
            document.total,
            document.invoice_date,
            document.due_date,
            document.currency,
        )
        for document in ledger.documents
    }
    payments = [
        _receipt(row, row["payment_id"], PAYMENT, row["received_on"])
        for row in landing.rows("payments")
    ]
    credits = [
        _receipt(row, row["credit_id"], CREDIT, row["issued_on"])
        for row in landing.rows("credits")
    ]
    receipts = [r for r in payments + credits if r.day <= as_of]
    return Account(invoices=invoices, receipts=receipts)


def _receipt(row: dict[str, str], name: str, kind: str, when: str) -> Receipt:
    return Receipt(
        name,
        kind,
        row["customer_id"],
        Decimal(row["amount"]),
        day(when),
        text(row, "invoice_number") or None,
        text(row, "currency", "USD"),
        text(row, "reference") or None,
    )


def book_cash(landing: Landing, ledger: Ledger, as_of: date) -> None:
    """Append what is due and not booked; in a closed month, to the one after it."""
    due = _due(landing, account_of(landing, ledger, as_of))
    booked: dict[tuple, _Entry] = {}
    sums: dict[tuple, Decimal] = {}
    for line in ledger.cash:
        # Of each entry the line of the account that it debits says all.
        if line.is_debit:
            booked[line.source] = line.entry
            sums[line.source] = sums.get(line.source, NOTHING) + line.amount
    closed = max(ledger.closed_months, default=date.min)
    for source in due | booked:
        entry = due.get(source) or booked[source]
        is_due = due[source].amount if source in due else NOTHING
        amount = is_due - sums.get(source, NOTHING)
        if not amount:
            continue
        month = month_of(entry.entry_date)
        if month <= closed:
            month = following(closed)
        for account, sign in ((entry.debit, 1), (entry.credit, -1)):
            ledger.cash.append(
                CashLine(source, entry, month, account, sign * amount, sign > 0)
            )


def _due(landing: Landing, account: Account) -> dict[tuple, _Entry]:
    """Entries due by their source."""
    reasons = {row["credit_id"]: row.get("reason") for row in landing.rows("credits")}
    due: dict[tuple, _Entry] = {}
    for receipt in account.receipts:
        accounts = ("cash", "unapplied_cash")
        if receipt.kind == CREDIT:
            is_bad = reasons[receipt.name] == "write_off"
            accounts = (
                "bad_debt" if is_bad else "revenue_credits",
                "unapplied_credits",
            )
        due[receipt.kind, receipt.name] = _Entry(
            receipt.customer,
            receipt.day,
            *accounts,
            receipt.amount,
            receipt.currency,
            None,
        )
    for applied in account.applied():
        receipt = applied.receipt
        if applied.number is None or receipt.kind == MEMO:
            continue
        unapplied = "unapplied_cash" if receipt.kind == PAYMENT else "unapplied_credits"
        due["applied", receipt.kind, receipt.name, applied.number] = _Entry(
            receipt.customer,
            applied.day,
            unapplied,
            "receivable",
            applied.amount,
            receipt.currency,
            applied.number,
        )
    return due
