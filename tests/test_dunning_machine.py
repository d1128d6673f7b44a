"""Random invoices, payments, disputes, promises, holds and days, day after day.

The models and the reference (reference/dunning.py) must ask for the same steps on each
day, and what is asked for must keep what the rules promise, whatever happens.
"""

import os
from datetime import date, timedelta
from decimal import Decimal

from dunning_models import Books
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from reference.dunning import Account, Dispute, Invoice, Receipt, Step

FIRST = date(2026, 2, 12)
# Washington's Birthday, after a weekend.
HOLIDAYS = {date(2026, 2, 16), date(2026, 5, 25)}
TIERS = {
    "by amount": [
        Step(1, 0, Decimal(20), False, "amount"),
        Step(5, 4, Decimal(20), False, "amount"),
        Step(9, 4, Decimal(40), True, "amount"),
    ],
    "by invoice": [
        Step(-2, 0, Decimal(0), False, "invoice"),
        Step(6, 5, Decimal(20), False, "none"),
    ],
    "by customer": [
        Step(2, 0, Decimal(0), False, "customer"),
        Step(2, 7, Decimal(0), False, "customer"),
    ],
}
CUSTOMERS = {"a": "by amount", "i": "by invoice", "c": "by customer"}
EXAMPLES = int(os.environ.get("DUNNING_EXAMPLES", "3"))

_customers = st.sampled_from(sorted(CUSTOMERS))
_amounts = st.integers(1, 90).map(lambda n: Decimal(n) / 2)


def machine(models: dict[str, tuple[str, str]]) -> type[RuleBasedStateMachine]:
    """The state machine over these models."""

    class Dunning(RuleBasedStateMachine):
        invoices = Bundle("invoices")
        disputes = Bundle("disputes")

        @initialize()
        def begin(self) -> None:
            self.today = FIRST
            self.number = 0
            self.books = Books(models)
            self.account = Account(TIERS, HOLIDAYS, dict(CUSTOMERS))
            for day in HOLIDAYS:
                self.books.holiday(day)
            for tier, steps in TIERS.items():
                for place, step in enumerate(steps, start=1):
                    self.books.policy(
                        dunning_tier=tier,
                        step=place,
                        days_past_due=step.days_past_due,
                        quiet_days=step.quiet_days,
                        action="reminder",
                        channel="email",
                        minimum_balance=step.minimum,
                        needs_approval=step.needs_approval,
                        pause_on_dispute=step.pause,
                    )
            for customer, tier in CUSTOMERS.items():
                self.books.land(
                    "customers",
                    customer_id=customer,
                    customer_name=customer,
                    dunning_tier=tier,
                )

        def name(self, kind: str) -> str:
            self.number += 1
            return f"{kind}-{self.number:03}"

        @rule(
            target=invoices,
            customer=_customers,
            amount=_amounts,
            terms=st.integers(0, 9),
        )
        def issue(self, customer: str, amount: Decimal, terms: int) -> str:
            number, due = self.name("INV"), self.today + timedelta(days=terms)
            self.books.issue(number, customer, amount, self.today, due)
            self.account.invoices[number] = Invoice(
                number, customer, amount, self.today, due
            )
            return number

        @rule(customer=_customers, amount=_amounts)
        def memo(self, customer: str, amount: Decimal) -> None:
            number = self.name("INV")
            self.books.issue(number, customer, -amount, self.today, self.today)
            self.account.invoices[number] = Invoice(
                number, customer, -amount, self.today, self.today
            )

        @rule(invoice=invoices, amount=_amounts, named=st.booleans())
        def pay(self, invoice: str, amount: Decimal, named: bool) -> None:
            self.receive(
                "payments", "payment_id", "received_on", invoice, amount, named
            )

        @rule(invoice=invoices, amount=_amounts, named=st.booleans())
        def credit(self, invoice: str, amount: Decimal, named: bool) -> None:
            self.receive("credits", "credit_id", "issued_on", invoice, amount, named)

        def receive(self, table, key, dated, invoice, amount, named) -> None:
            name, number = self.name("R"), invoice if named else None
            customer = self.account.invoices[invoice].customer
            self.books.land(
                table,
                **{key: name, dated: self.today, "customer_id": customer},
                **{"amount": amount, "currency": "USD", "invoice_number": number},
            )
            kind = "1 credit" if table == "credits" else "2 payment"
            self.account.receipts.append(
                Receipt(name, kind, customer, amount, self.today, number)
            )

        @rule(target=disputes, invoice=invoices, amount=st.one_of(st.none(), _amounts))
        def dispute(self, invoice: str, amount: Decimal | None) -> str:
            name = self.name("D")
            self.books.land(
                "disputes",
                **{"dispute_id": name, "invoice_number": invoice},
                **{"opened_on": self.today, "amount": amount},
            )
            self.account.disputes[name] = Dispute(name, invoice, self.today, amount)
            return name

        @rule(
            name=consumes(disputes),
            resolution=st.sampled_from(["accepted", "rejected"]),
        )
        def resolve(self, name: str, resolution: str) -> None:
            self.books.resolve(name, self.today, resolution)
            dispute = self.account.disputes[name]
            dispute.resolved, dispute.resolution = self.today, resolution

        @rule(customer=_customers, days=st.integers(0, 6))
        def hold(self, customer: str, days: int) -> None:
            last = self.today + timedelta(days=days)
            self.books.land(
                "holds", customer_id=customer, from_date=self.today, through_date=last
            )
            self.account.holds.append((customer, self.today, last))

        @rule(invoice=invoices, days=st.integers(0, 6))
        def promise(self, invoice: str, days: int) -> None:
            last = self.today + timedelta(days=days)
            self.books.land(
                "promises",
                **{"promise_id": self.name("P"), "invoice_number": invoice},
                **{"made_on": self.today, "pay_by": last},
            )
            self.account.promises.append((invoice, self.today, last))

        @rule(days=st.integers(1, 5))
        def wait(self, days: int) -> None:
            self.today += timedelta(days=days)

        @rule(approves=st.booleans())
        def send(self, approves: bool) -> None:
            rows = self.books.rows(
                self.today,
                "select notice_id, invoice_number, step, needs_approval "
                "from warehouse.finance.dunning_queue",
            )
            for notice_id, number, step, needs_approval in rows:
                if approves or not needs_approval:
                    self.books.sent(notice_id, number, step, self.today)
                    self.keeps_its_promises(number, step)
                    self.account.invoices[number].sent.append(self.today)

        def keeps_its_promises(self, number: str, step: int) -> None:
            invoice = self.account.invoices[number]
            steps = TIERS[CUSTOMERS[invoice.customer]]
            # In order, one at a time, none past the last.
            assert step == len(invoice.sent) + 1 <= len(steps)
            if invoice.sent:
                quiet = timedelta(days=steps[step - 1].quiet_days)
                assert self.today >= invoice.sent[-1] + quiet
            for customer, first, last in self.account.holds:
                assert customer != invoice.customer or not first <= self.today <= last
            for promised, made, pay_by in self.account.promises:
                assert promised != number or not made <= self.today <= pay_by

        @invariant()
        def the_queue_is_that_of_the_rules(self) -> None:
            if not hasattr(self, "books"):
                return
            rows = self.books.rows(
                self.today,
                "select notice_id, due_on from warehouse.finance.dunning_queue",
            )
            assert dict(rows) == self.account.queue(self.today)
            assert len(rows) == len(dict(rows))
            # No more is applied than came, and no invoice owes less than nothing.
            (least,) = self.books.connection.execute(
                "select coalesce(min(amount), 0) from warehouse.finance.applications"
            ).fetchone()
            assert least >= 0
            (wrong,) = self.books.connection.execute(
                "select count(*) from warehouse.finance.invoices where "
                "document_type = 'invoice' and balance < 0 or "
                "document_type = 'credit_memo' and balance > 0"
            ).fetchone()
            assert wrong == 0
            applied, came = self.books.connection.execute(
                "select (select coalesce(sum(amount), 0) "
                "from warehouse.finance.applications where kind <> 'credit_memo'), "
                "(select coalesce(sum(amount), 0) from warehouse.staging.stg_receipts)"
            ).fetchone()
            assert applied == came

    return Dunning


def test_whatever_happens_the_same_steps_are_due_N4(
    dunning_sql: dict[str, tuple[str, str]],
) -> None:
    run_state_machine_as_test(
        machine(dunning_sql),
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
