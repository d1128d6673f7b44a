"""Rules N1 and N2 once more, one receipt after the other, in plain Python.

Written from docs/rules.md. Money is a Decimal; a day is a date. `Account` holds all
that is known of a few customers and says what paid what, and what is still owed.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal

NOTHING = Decimal(0)
MEMO, CREDIT, PAYMENT = "0 memo", "1 credit", "2 payment"
"""Kinds of receipts, in the order in which those of one day are applied."""


@dataclass(frozen=True)
class Line:
    """A line of an invoice; `of` says what it charges and for which days."""

    amount: Decimal
    of: str
    is_adjustment: bool = False


@dataclass
class Invoice:
    """An issued document; one below 0 is a credit memo. `sent` are days of notices."""

    number: str
    customer: str
    total: Decimal
    day: date
    due: date
    currency: str = "USD"
    lines: tuple[Line, ...] = ()
    sent: list[date] = field(default_factory=list)


@dataclass(frozen=True)
class Receipt:
    """A payment, credit or credit memo; a payment below 0 was returned."""

    name: str
    kind: str
    customer: str
    amount: Decimal
    day: date
    number: str | None
    currency: str = "USD"
    reference: str | None = None

    @property
    def order(self) -> tuple:
        """Its place among the others (N1)."""
        return self.day, self.kind, self.name


@dataclass(frozen=True)
class Applied:
    """What of a receipt went to an invoice; without one, what is left of it and why."""

    receipt: Receipt
    number: str | None
    amount: Decimal
    day: date
    why: str | None = None


@dataclass
class Dispute:
    """Of an invoice, a line of it (counted from 1) or an amount."""

    name: str
    number: str
    opened: date
    amount: Decimal | None
    line: int | None = None
    resolved: date | None = None
    resolution: str | None = None


@dataclass(frozen=True)
class Standing:
    """What is owed on a document (N1) and how old it is (N2)."""

    status: str
    credits: Decimal
    total: Decimal
    paid: Decimal
    balance: Decimal
    days_past_due: int
    bucket: str
    disputed: Decimal
    accepted: Decimal


@dataclass
class Account:
    """All that is known of a few customers."""

    invoices: dict[str, Invoice] = field(default_factory=dict)
    receipts: list[Receipt] = field(default_factory=list)
    disputes: dict[str, Dispute] = field(default_factory=dict)

    def applied(self) -> list[Applied]:
        """Each receipt: which invoices it goes to, and what is left of it (N1)."""
        owed = {n: i.total for n, i in self.invoices.items() if i.total > 0}
        receipts = sorted(self._available(), key=lambda r: r.order)
        named = [r for r in receipts if r.number is not None]
        found: list[Applied] = []
        for receipt in named + [r for r in receipts if r.number is None]:
            rest = receipt.amount
            for number in self._paid_by(receipt):
                part = min(owed[number], max(rest, NOTHING))
                if part:
                    owed[number] -= part
                    rest -= part
                    day = max(receipt.day, self.invoices[number].day)
                    found.append(Applied(receipt, number, part, day))
            if rest:
                why = self._why(receipt)
                found.append(Applied(receipt, None, rest, receipt.day, why))
        return found

    def _paid_by(self, receipt: Receipt) -> list[str]:
        """The invoices that a receipt may pay, in their order."""
        own = [
            invoice
            for invoice in self.invoices.values()
            if invoice.customer == receipt.customer
            and invoice.currency == receipt.currency
            and invoice.total > 0
            and receipt.number in (None, invoice.number)
        ]
        return [i.number for i in sorted(own, key=lambda i: (i.due, i.number))]

    def _available(self) -> Iterator[Receipt]:
        """Receipts less what was returned of them, and credit memos."""
        left = {r.name: r.amount for r in self.receipts if r.amount > 0}
        payments = [r for r in self.receipts if r.kind == PAYMENT and r.amount > 0]
        returns = [r for r in self.receipts if r.amount < 0]
        too_much: dict[tuple[str, str], Decimal] = {}
        for returned in sorted(returns, key=lambda r: (r.reference is None, r.order)):
            rest = -returned.amount
            for payment in _taken_back(returned, payments):
                part = min(left[payment.name], rest)
                left[payment.name] -= part
                rest -= part
            own = (returned.customer, returned.currency)
            too_much[own] = too_much.get(own, NOTHING) + rest
        # What was never received stands with the returns that came last.
        for returned in sorted(returns, key=lambda r: r.order, reverse=True):
            own = (returned.customer, returned.currency)
            rest = min(too_much[own], -returned.amount)
            too_much[own] -= rest
            yield replace(returned, amount=-rest, number=None)
        for receipt in self.receipts:
            if receipt.amount > 0:
                yield replace(receipt, amount=left[receipt.name])
        for memo in self.invoices.values():
            if memo.total < 0:
                yield Receipt(
                    memo.number,
                    MEMO,
                    memo.customer,
                    -memo.total,
                    memo.day,
                    None,
                    memo.currency,
                )

    def _why(self, receipt: Receipt) -> str:
        """Why something of a receipt is not applied."""
        if receipt.amount < 0:
            return "returns more than was received"
        number = receipt.number
        if number is None:
            return "above all that is owed"
        invoice = self.invoices.get(number)
        if invoice is None:
            return f"names {number}, which is not issued"
        if invoice.customer != receipt.customer:
            return f"names {number}, which is of another customer"
        if invoice.currency != receipt.currency:
            return f"names {number}, which is in {invoice.currency}"
        return f"above what {number} owed"

    def standing(self, today: date) -> dict[str, Standing]:
        """Each document on a day."""
        applied = self.applied()
        return {
            number: self._standing(invoice, applied, today)
            for number, invoice in self.invoices.items()
        }

    def _standing(
        self, invoice: Invoice, applied: list[Applied], today: date
    ) -> Standing:
        to_it = [a for a in applied if a.number == invoice.number]
        paid = _sum(a for a in to_it if a.receipt.kind == PAYMENT)
        credits = _sum(a for a in to_it if a.receipt.kind != PAYMENT)
        given = _sum(
            a for a in applied if a.number and a.receipt.name == invoice.number
        )
        total = invoice.total - credits + given
        balance = total - paid
        past_due = (today - invoice.due).days
        still_open = self.open_disputes(invoice, applied, today)
        accepted = self.accepted(invoice, applied, today)
        contested = accepted + sum(map(self.contested, still_open), NOTHING)
        return Standing(
            status=_status(bool(still_open), balance, balance != invoice.total),
            credits=credits - given,
            total=total,
            paid=paid,
            balance=balance,
            days_past_due=past_due,
            bucket=_bucket(past_due),
            disputed=max(min(contested, balance), NOTHING),
            accepted=max(min(accepted, balance), NOTHING),
        )

    def open_disputes(
        self, invoice: Invoice, applied: list[Applied], today: date
    ) -> list[Dispute]:
        """Disputes of an invoice that are not resolved on a day."""
        return [
            d
            for d in self._valid(invoice, applied)
            if not d.resolved or d.resolved > today
        ]

    def accepted(
        self, invoice: Invoice, applied: list[Applied], today: date
    ) -> Decimal:
        """What was accepted and is neither credited nor adjusted yet (N4)."""
        accepted = [
            d
            for d in self._valid(invoice, applied)
            if d.resolution == "accepted" and d.resolved <= today
        ]
        if not accepted:
            return NOTHING
        since = min(d.opened for d in accepted)
        made_good = _sum(
            a
            for a in applied
            if a.number == invoice.number
            and a.receipt.kind == CREDIT
            and a.day >= since
        )
        disputed = {
            line.of
            for d in accepted
            for place, line in enumerate(invoice.lines, start=1)
            if d.line in (None, place)
        }
        for of in disputed:
            adjusted = sum(
                line.amount
                for other in self.invoices.values()
                if other.day >= since and other is not invoice
                for line in other.lines
                if line.is_adjustment and line.of == of
            )
            # What it was charged more since was not in dispute.
            made_good += max(-adjusted, NOTHING)
        left = sum(map(self.contested, accepted), NOTHING) - made_good
        return max(left, NOTHING)

    def contested(self, dispute: Dispute) -> Decimal:
        """Its amount, else its line, else the whole invoice, and no more than that."""
        invoice = self.invoices[dispute.number]
        most = invoice.total
        if dispute.line is not None:
            most = max(invoice.lines[dispute.line - 1].amount, NOTHING)
        return most if dispute.amount is None else min(dispute.amount, most)

    def _valid(self, invoice: Invoice, applied: list[Applied]) -> list[Dispute]:
        """Disputes of lines that are there, of what was owed when they were opened."""
        return [
            d
            for d in self.disputes.values()
            if d.number == invoice.number
            and invoice.total
            > _sum(a for a in applied if a.number == d.number and a.day < d.opened)
            and (d.line is None or d.line <= len(invoice.lines))
        ]


def _taken_back(returned: Receipt, payments: list[Receipt]) -> list[Receipt]:
    """The payments that a return comes off, in their order (N1)."""
    own = [
        p
        for p in payments
        if (p.customer, p.currency) == (returned.customer, returned.currency)
    ]
    named = [p for p in own if p.name == returned.reference]
    latest = sorted(own, key=lambda p: p.order, reverse=True)
    free = [p for p in latest if p.number is None]
    return named + free + [p for p in latest if p.number is not None]


def _sum(applied: Iterator[Applied]) -> Decimal:
    return sum((a.amount for a in applied), NOTHING)


def _status(is_disputed: bool, balance: Decimal, is_moved: bool) -> str:
    if is_disputed:
        return "disputed"
    if balance == 0:
        return "paid"
    return "partially_paid" if is_moved else "open"


def _bucket(past_due: int) -> str:
    if past_due <= 0:
        return "current"
    for last in (30, 60, 90):
        if past_due <= last:
            return f"{last - 29}-{last}"
    return "90+"
