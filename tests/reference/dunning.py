"""Rules N3 and N4 once more, one invoice after the other, in plain Python.

Written from docs/rules.md. Money is a Decimal; a day is a date.
"""

from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal

from reference.receivables import Account, Applied, Invoice, Standing

ONE_DAY = timedelta(days=1)
CENT = Decimal("0.01")


@dataclass
class Step:
    """A row of a tier; `pause` says what a dispute pauses (N3)."""

    days_past_due: int
    quiet_days: int
    minimum: Decimal
    needs_approval: bool
    pause: str


@dataclass(frozen=True)
class Stand:
    """Where an open invoice stands in its tier (N4).

    `due_on` is when the next step of an active one is due; it may be in the future.
    """

    state: str
    last_step: int | None
    last_sent_on: date | None
    next_step: int | None
    due_on: date | None
    claimed: Decimal


@dataclass
class Dunning(Account):
    """An account whose customers (id → tier) are reminded."""

    tiers: dict[str, list[Step]] = field(default_factory=dict)
    holidays: set[date] = field(default_factory=set)
    customers: dict[str, str] = field(default_factory=dict)
    holds: list[tuple[str, date, date]] = field(default_factory=list)
    promises: list[tuple[str, date, date]] = field(default_factory=list)

    def queue(self, today: date) -> dict[str, date]:
        """Notices due on a day, and since when (N4)."""
        return {
            f"{number}-{stand.next_step}": stand.due_on
            for number, stand in self.stands(today).items()
            if _is_due(stand, today)
        }

    def stands(self, today: date) -> dict[str, Stand]:
        """Each open invoice that is past due or has a step due on a day."""
        applied = self.applied()
        found = {}
        for number, standing in self.standing(today).items():
            if standing.balance <= 0:
                continue
            stand = self._stand(self.invoices[number], standing, applied, today)
            if standing.days_past_due > 0 or _is_due(stand, today):
                found[number] = stand
        return found

    def _stand(
        self,
        invoice: Invoice,
        standing: Standing,
        applied: list[Applied],
        today: date,
    ) -> Stand:
        steps = self.tiers[self.customers[invoice.customer]]
        taken = len(invoice.sent)
        last = (taken or None, invoice.sent[-1] if invoice.sent else None)
        if taken == len(steps):
            asked = standing.balance - standing.accepted
            return Stand("exhausted", *last, None, None, asked)
        step = steps[taken]
        asked = standing.balance - _kept_out(step, standing)
        due_on = invoice.due + step.days_past_due * ONE_DAY
        if invoice.sent:
            due_on = max(due_on, invoice.sent[-1] + step.quiet_days * ONE_DAY)
        while due_on.weekday() >= 5 or due_on in self.holidays:
            due_on += ONE_DAY
        state = "active"
        if self._is_paused(invoice, step, standing, applied, today):
            state = "paused"
        elif any(
            number == invoice.number and made <= today <= pay_by
            for number, made, pay_by in self.promises
        ):
            state = "promised"
        elif asked < step.minimum:
            state = "paused"
        return Stand(
            state,
            *last,
            taken + 1,
            due_on if state == "active" else None,
            asked,
        )

    def _is_paused(
        self,
        invoice: Invoice,
        step: Step,
        standing: Standing,
        applied: list[Applied],
        today: date,
    ) -> bool:
        """Whether a hold or a dispute stops the step (N4)."""
        if any(
            customer == invoice.customer and first <= today <= last
            for customer, first, last in self.holds
        ):
            return True
        disputed = [
            other
            for other in self.invoices.values()
            if self.open_disputes(other, applied, today)
        ]
        if step.pause == "invoice" and invoice in disputed:
            return True
        if step.pause == "customer" and any(
            other.customer == invoice.customer for other in disputed
        ):
            return True
        # What is accepted, or in dispute, is not asked for; the rest must be worth it.
        out = _kept_out(step, standing)
        return out > 0 and standing.balance - out < max(step.minimum, CENT)


def _is_due(stand: Stand, today: date) -> bool:
    return stand.due_on is not None and stand.due_on <= today


def _kept_out(step: Step, standing: Standing) -> Decimal:
    """What is not asked for: what is accepted, by the tier also what is in dispute."""
    return standing.disputed if step.pause == "amount" else standing.accepted
