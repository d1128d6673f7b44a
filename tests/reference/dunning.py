"""Rules N1 and N4 once more, one invoice after the other, in plain Python.

Written from docs/rules.md. Money is a Decimal; a day is a date.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal

ONE_DAY = timedelta(days=1)
NOTHING = Decimal(0)


@dataclass
class Step:
    days_past_due: int
    quiet_days: int
    minimum: Decimal
    needs_approval: bool
    pause: str


@dataclass
class Invoice:
    number: str
    customer: str
    total: Decimal
    day: date
    due: date
    sent: list[date] = field(default_factory=list)


@dataclass
class Receipt:
    """A payment or credit; `kind` is the place in which it is applied on a day."""

    name: str
    kind: str
    customer: str
    amount: Decimal
    day: date
    number: str | None


@dataclass
class Dispute:
    name: str
    number: str
    opened: date
    amount: Decimal | None
    resolved: date | None = None
    resolution: str | None = None


@dataclass
class Account:
    """All that is known of a few customers."""

    tiers: dict[str, list[Step]]
    holidays: set[date]
    customers: dict[str, str] = field(default_factory=dict)
    invoices: dict[str, Invoice] = field(default_factory=dict)
    receipts: list[Receipt] = field(default_factory=list)
    disputes: dict[str, Dispute] = field(default_factory=dict)
    holds: list[tuple[str, date, date]] = field(default_factory=list)
    promises: list[tuple[str, date, date]] = field(default_factory=list)

    def applied(self) -> Iterator[tuple[Receipt, str, Decimal]]:
        """Each receipt, the invoice it goes to, and how much of it (N1)."""
        owed = {n: i.total for n, i in self.invoices.items() if i.total > 0}
        memos = [
            Receipt(i.number, "0 memo", i.customer, -i.total, i.day, None)
            for i in self.invoices.values()
            if i.total < 0
        ]
        receipts = [*self.receipts, *memos]
        for receipt in sorted(
            (r for r in receipts if r.number is not None),
            key=lambda r: (r.day, r.kind, r.name),
        ):
            number = receipt.number
            if number in owed and self.invoices[number].customer == receipt.customer:
                part = min(owed[number], receipt.amount)
                owed[number] -= part
                if part:
                    yield receipt, number, part
        for receipt in sorted(
            (r for r in receipts if r.number is None),
            key=lambda r: (r.day, r.kind, r.name),
        ):
            rest = receipt.amount
            for number in sorted(owed, key=lambda n: (self.invoices[n].due, n)):
                if self.invoices[number].customer == receipt.customer:
                    part = min(owed[number], rest)
                    owed[number] -= part
                    rest -= part
                    if part:
                        yield receipt, number, part

    def queue(self, today: date) -> dict[str, date]:
        """Notices due on a day, and since when (N4)."""
        applied = list(self.applied())
        due = {}
        for invoice in self.invoices.values():
            steps = self.tiers[self.customers[invoice.customer]]
            taken = len(invoice.sent)
            balance = invoice.total - sum(
                part for _, number, part in applied if number == invoice.number
            )
            if balance <= 0 or taken == len(steps):
                continue
            step = steps[taken]
            day = invoice.due + step.days_past_due * ONE_DAY
            if invoice.sent:
                day = max(day, invoice.sent[-1] + step.quiet_days * ONE_DAY)
            while day.weekday() >= 5 or day in self.holidays:
                day += ONE_DAY
            if day <= today and not self._waits(invoice, step, balance, applied, today):
                due[f"{invoice.number}-{taken + 1}"] = day
        return due

    def _waits(self, invoice, step, balance, applied, today) -> bool:
        if any(
            customer == invoice.customer and first <= today <= last
            for customer, first, last in self.holds
        ):
            return True
        if any(
            number == invoice.number and made <= today <= pay_by
            for number, made, pay_by in self.promises
        ):
            return True
        if balance < step.minimum:
            return True
        valid = [d for d in self.disputes.values() if self._counts(d, applied)]
        still_open = [d for d in valid if not d.resolved or d.resolved > today]
        own = [d for d in still_open if d.number == invoice.number]
        if step.pause == "invoice" and own:
            return True
        if step.pause == "customer" and any(
            self.invoices[d.number].customer == invoice.customer for d in still_open
        ):
            return True
        out = self._accepted(invoice, valid, applied, today)
        if step.pause == "amount":
            out += sum(self._contested(d) for d in own)
        out = min(out, balance)
        return out > 0 and balance - out < max(step.minimum, Decimal("0.01"))

    def _counts(self, dispute: Dispute, applied) -> bool:
        """Whether the invoice was owed when the dispute was opened."""
        invoice = self.invoices[dispute.number]
        before = sum(
            part
            for receipt, number, part in applied
            if number == invoice.number
            and max(receipt.day, invoice.day) < dispute.opened
        )
        return invoice.total > before

    def _contested(self, dispute: Dispute) -> Decimal:
        total = self.invoices[dispute.number].total
        return total if dispute.amount is None else min(dispute.amount, total)

    def _accepted(self, invoice, valid, applied, today) -> Decimal:
        """What was accepted and is not credited yet."""
        accepted = [
            d
            for d in valid
            if d.number == invoice.number
            and d.resolution == "accepted"
            and d.resolved <= today
        ]
        if not accepted:
            return NOTHING
        since = min(d.opened for d in accepted)
        credited = sum(
            part
            for receipt, number, part in applied
            if number == invoice.number
            and receipt.kind == "1 credit"
            and max(receipt.day, invoice.day) >= since
        )
        return max(sum(self._contested(d) for d in accepted) - credited, NOTHING)
