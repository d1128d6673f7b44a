"""Random invoices, payments, disputes, promises, holds and days, day after day.

The models and the reference (reference/receivables.py and dunning.py) must apply the
same money, owe the same balances of the same age and ask for the same steps on each
day, and what is asked for must keep what the rules promise, whatever happens.

    DUNNING_EXAMPLES=100 pytest tests/test_dunning_machine.py

draws so many histories in place of a few.
"""

import os
from dataclasses import astuple
from datetime import date, timedelta
from decimal import Decimal

from dunning_models import Books
from dunning_setting import CUSTOMERS, HOLIDAYS, TIERS, land_setting
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from reference.dunning import Dunning as Account
from reference.receivables import (
    CREDIT,
    PAYMENT,
    Dispute,
    Invoice,
    Line,
    Receipt,
)

FIRST = date(2026, 2, 12)
EXAMPLES = int(os.environ.get("DUNNING_EXAMPLES", "3"))

_customers = st.sampled_from(sorted(CUSTOMERS))
_amounts = st.integers(1, 90).map(lambda n: Decimal(n) / 2)
# Most are USD, so that receipts meet invoices.
_currencies = st.sampled_from(("USD", "USD", "USD", "JPY"))
_back = st.sampled_from((0, 0, 0, 1, 4))
_LINES = ("seats", "visits")


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
            self.account = Account(
                tiers=TIERS, holidays=HOLIDAYS, customers=dict(CUSTOMERS)
            )
            land_setting(self.books)

        def name(self, kind: str) -> str:
            self.number += 1
            return f"{kind}-{self.number:03}"

        @rule(
            target=invoices,
            customer=_customers,
            amounts=st.lists(_amounts, min_size=1, max_size=2),
            terms=st.integers(0, 9),
            currency=_currencies,
        )
        def issue(
            self, customer: str, amounts: list[Decimal], terms: int, currency: str
        ) -> str:
            lines = [
                Line(amount, of) for amount, of in zip(amounts, _LINES, strict=False)
            ]
            return self.book(customer, lines, terms, currency)

        @rule(
            customer=_customers,
            of=st.sampled_from(_LINES),
            amount=_amounts,
            currency=_currencies,
            is_adjustment=st.booleans(),
        )
        def memo(
            self,
            customer: str,
            of: str,
            amount: Decimal,
            currency: str,
            is_adjustment: bool,
        ) -> None:
            self.book(customer, [Line(-amount, of, is_adjustment)], 0, currency)

        def book(
            self, customer: str, lines: list[Line], terms: int, currency: str
        ) -> str:
            """Issue a document of these lines today."""
            number, due = self.name("INV"), self.today + timedelta(days=terms)
            total = sum((line.amount for line in lines), Decimal(0))
            # One customer's line is not another's.
            booked = tuple((x.amount, x.of, x.is_adjustment) for x in lines)
            self.books.issue(number, customer, total, self.today, due, currency, booked)
            own = tuple(
                Line(x.amount, f"{customer} {x.of}", x.is_adjustment) for x in lines
            )
            self.account.invoices[number] = Invoice(
                number, customer, total, self.today, due, currency, own
            )
            return number

        @rule(
            invoice=invoices,
            amount=_amounts,
            named=st.booleans(),
            back=_back,
            wrong=st.sampled_from(("",) * 8 + ("currency", "customer", "number")),
        )
        def pay(
            self, invoice: str, amount: Decimal, named: bool, back: int, wrong: str
        ) -> None:
            number = invoice if named else None
            customer = self.account.invoices[invoice].customer
            currency = self.account.invoices[invoice].currency
            if wrong == "currency":
                currency = "EUR"
            elif wrong == "customer":
                customer = min(set(CUSTOMERS) - {customer})
            elif wrong == "number":
                number = "INV-none"
            name = self.name("R")
            receipt = (name, PAYMENT, customer, amount, self.before(back), number)
            self.receive(Receipt(*receipt, currency))

        @rule(invoice=invoices, amount=_amounts, named=st.booleans(), back=_back)
        def credit(self, invoice: str, amount: Decimal, named: bool, back: int) -> None:
            of = self.account.invoices[invoice]
            number = invoice if named else None
            name = self.name("R")
            receipt = (name, CREDIT, of.customer, amount, self.before(back), number)
            self.receive(Receipt(*receipt, of.currency))

        @precondition(lambda self: any(self.payments()))
        @rule(data=st.data(), amount=_amounts, names=st.booleans(), back=_back)
        def take_back(
            self, data: st.DataObject, amount: Decimal, names: bool, back: int
        ) -> None:
            of = data.draw(st.sampled_from(self.payments()))
            if data.draw(st.booleans()):
                amount = of.amount
            name, reference = self.name("R"), of.name if names else None
            # Some say which invoice is not paid now.
            number = data.draw(st.sampled_from((None, of.number)))
            receipt = (name, PAYMENT, of.customer, -amount, self.before(back), number)
            self.receive(Receipt(*receipt, of.currency, reference))

        def payments(self) -> list[Receipt]:
            """What was paid and may be returned."""
            receipts = self.account.receipts
            return [r for r in receipts if r.kind == PAYMENT and r.amount > 0]

        def before(self, back: int) -> date:
            """So many days ago: some money is heard of late."""
            return self.today - timedelta(days=back)

        def receive(self, receipt: Receipt) -> None:
            row = {
                "customer_id": receipt.customer,
                "amount": receipt.amount,
                "currency": receipt.currency,
                "invoice_number": receipt.number,
            }
            if receipt.kind == CREDIT:
                row |= {"credit_id": receipt.name, "issued_on": receipt.day}
                self.books.land("credits", **row)
            else:
                row |= {"payment_id": receipt.name, "received_on": receipt.day}
                self.books.land("payments", reference=receipt.reference, **row)
            self.account.receipts.append(receipt)

        @rule(
            target=disputes,
            invoice=invoices,
            amount=st.one_of(st.none(), _amounts),
            line=st.sampled_from((None, None, 1, 2)),
        )
        def dispute(
            self, invoice: str, amount: Decimal | None, line: int | None
        ) -> str:
            name = self.name("D")
            self.books.land(
                "disputes",
                **{"dispute_id": name, "invoice_number": invoice},
                **{"opened_on": self.today, "amount": amount, "line_number": line},
            )
            self.account.disputes[name] = Dispute(
                name, invoice, self.today, amount, line
            )
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
        def all_is_as_the_rules_say(self) -> None:
            if not hasattr(self, "books"):
                return
            rows = self.books.rows(
                self.today,
                "select notice_id, due_on from warehouse.finance.dunning_queue",
            )
            assert dict(rows) == self.account.queue(self.today)
            assert len(rows) == len(dict(rows))
            assert self.applied() == sorted(
                (
                    (
                        *(a.receipt.name, a.receipt.kind[2:], a.receipt.customer),
                        *(a.receipt.currency, a.number, a.amount, a.day, a.why),
                    )
                    for a in self.account.applied()
                ),
                key=str,
            )
            documents = self.account.standing(self.today)
            assert self.documents() == {
                number: astuple(standing)[:6] for number, standing in documents.items()
            }
            assert self.aging() == {
                number: astuple(standing)[4:]
                for number, standing in documents.items()
                if standing.balance
            }
            assert self.stands() == {
                number: astuple(stand)
                for number, stand in self.account.stands(self.today).items()
            }
            self.money_is_kept()

        def applied(self) -> list[tuple]:
            rows = self.books.connection.execute(
                "select receipt_id, kind, customer_id, currency, invoice_number, "
                "amount, applied_on, unapplied_because "
                "from warehouse.finance.applications"
            ).fetchall()
            rows = [(r[0], r[1].replace("credit_memo", "memo"), *r[2:]) for r in rows]
            return sorted(rows, key=str)

        def documents(self) -> dict[str, tuple]:
            return self.by_number(
                "status, credits, total, paid, balance, days_past_due", "invoices"
            )

        def aging(self) -> dict[str, tuple]:
            return self.by_number(
                "balance, days_past_due, bucket, disputed_amount, accepted_amount",
                "receivables_aging",
            )

        def stands(self) -> dict[str, tuple]:
            """When a paused step would be due is not published."""
            return self.by_number(
                "state, last_step, last_sent_on, next_step, "
                "case when state = 'active' then next_on end, claimed",
                "dunning_status",
            )

        def by_number(self, columns: str, table: str) -> dict[str, tuple]:
            rows = self.books.connection.execute(
                f"select invoice_number, {columns} from warehouse.finance.{table} "
                "where invoice_number is not null"
            ).fetchall()
            found = {number: tuple(row) for number, *row in rows}
            assert len(found) == len(rows)
            return found

        def money_is_kept(self) -> None:
            """No more is applied than came, and no invoice owes less than nothing."""
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
