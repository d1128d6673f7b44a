"""Random scenarios: valid terms of every kind, appended and amended between closes."""

from datetime import date, timedelta
from random import Random

from reference.builder import Builder
from reference.random_corrections import add_corrections
from reference.random_receipts import add_receipts
from reference.random_terms import ContractTerms
from reference.random_usage import add_usage
from reference.revenue import following, month_of
from reference.scenarios import Scenario, Step


def random_schedule(rng: Random, runs: int | None = None) -> list[Step]:
    """Two to four runs (or so many), from some day on, a leap February among them."""
    as_of = date(2023, 5, 1) + timedelta(days=rng.randrange(500))
    steps: list[Step] = []
    closed = date.min
    few = rng.choice((2, 3, 3, 4))
    for _ in range(runs or few):
        if rng.random() < 0.4:
            as_of = as_of.replace(day=rng.choice((1, 1, 2, 28)))
        if steps and rng.random() < 0.95:
            as_of = max(as_of, steps[-1].as_of)
        as_of = max(as_of, closed)
        back = rng.choice((0, 0, 0, 1, 3, rng.randrange(40)))
        through = max(as_of - timedelta(days=back), closed)
        month = _month_to_close(rng, steps, as_of)
        if month is not None and rng.random() < 0.65:
            # A close issues through the first day after its month, as of then or later.
            through = following(month)
            if rng.random() < 0.5:
                as_of = max([through, closed, *(step.as_of for step in steps)])
            steps.append(Step(as_of, through, month))
        elif rng.random() < 0.07:
            steps.append(Step(as_of, None))
        else:
            steps.append(Step(as_of, through))
        closed = max(closed, steps[-1].issue_through or closed)
        as_of += timedelta(days=rng.choice((0, 7, 31, 31, 62, rng.randrange(1, 130))))
    return steps


def _month_to_close(rng: Random, steps: list[Step], as_of: date) -> date | None:
    """The next month, if it is over; first any; now and then one closed already."""
    months = [step.closes for step in steps if step.closes]
    if months and rng.random() < 0.05:
        return max(months)
    month = following(max(months)) if months else following(month_of(as_of), -1)
    if not months:
        month = following(month, rng.choice((0, 0, 0, 0, -1, -3)))
    return month if following(month) <= as_of else None


def random_scenario(
    rng: Random,
    schedule: list[Step] | None = None,
    prefix: str = "",
) -> Scenario:
    """One to three customers with contracts, amendments and usage, all rows valid."""
    schedule = schedule or random_schedule(rng)
    return _Customers(rng, Scenario(prefix, schedule)).build()


class _Customers(Builder):
    """Adds the rows of one scenario."""

    def build(self) -> Scenario:
        rng = self.rng
        facilities: dict[str, list[str]] = {}
        for _ in range(rng.choice((1, 1, 2, 3))):
            facilities[self._customer()] = []
        for _ in range(max(len(facilities), rng.randrange(2, 6))):
            customer_id = rng.choice(
                [c for c in facilities if not facilities[c]] or list(facilities)
            )
            facility_id = self.new_id("site")
            facilities[customer_id].append(facility_id)
            self.add(
                0,
                "facilities",
                facility_id=facility_id,
                customer_id=customer_id,
                facility_name=f"Site {facility_id}",
            )
        currencies: dict[str, str] = {}
        for customer_id, of_customer in facilities.items():
            currency = rng.choice(("", "USD", "EUR", "JPY"))
            currencies[customer_id] = currency or "USD"
            for _ in range(rng.choice((1, 2, 2, 3))):
                self._contract(customer_id, of_customer, currency)
        add_usage(rng, self.scenario, [f for fs in facilities.values() for f in fs])
        add_receipts(self, currencies)
        add_corrections(self)
        return self.scenario

    def _customer(self) -> str:
        customer_id = self.new_id("cust")
        self.add(
            0,
            "customers",
            customer_id=customer_id,
            dunning_tier="clinic",
            customer_name=f"Customer {customer_id}",
        )
        kind = self.rng.random()
        if kind < 0.8:
            self.add(0, "baas", customer_id=customer_id, effective_on="2019-01-01")
        elif kind < 0.9:
            begins = self.some_day(self.first_day, self.last_day)
            self.add(
                self.landed(begins),
                "baas",
                customer_id=customer_id,
                effective_on=begins,
            )
        else:
            ends = self.some_day(self.first_day, self.last_day)
            self.add(
                0,
                "baas",
                customer_id=customer_id,
                effective_on="2019-01-01",
                ends_on=ends,
            )
        return customer_id

    def _term(self) -> tuple[date, int]:
        """First day and days of a contract; its anniversaries may matter."""
        rng = self.rng
        length = rng.choice((365, 365, 366, 730, rng.randrange(20, 500)))
        begun = self.scenario.schedule[0].as_of + timedelta(days=20)
        kind = rng.random()
        if kind < 0.15 and self.starts:
            starts = self.starts[-1]
        elif kind < 0.35:
            starts = self.first_day - timedelta(days=rng.randrange(200, 400))
            length = 730
        elif kind < 0.39:
            starts, length = date(2020, 2, 29), 2192
        else:
            starts = self.some_day(
                self.first_day - timedelta(days=60),
                begun if kind < 0.85 else self.last_day,
            )
        if rng.random() < 0.35:
            # Ends between the runs, so that a year of commitments with usage does too.
            steps = self.scenario.schedule
            ends = self.some_day(steps[0].as_of - timedelta(days=20), steps[-1].as_of)
            length = max((ends - starts).days + 1, 20)
        self.starts.append(starts)
        return starts, length

    def _contract(self, customer_id: str, facilities: list[str], currency: str) -> None:
        rng = self.rng
        starts, length = self._term()
        ends = starts + timedelta(days=length - 1)
        signed = starts + timedelta(days=rng.choice((-60, -20, -1, 0, 0, 6, 45)))
        contract = self.new_id("con")
        step = self.landed(signed)
        currency = rng.choice((currency,) * 6 + ("", "EUR"))
        self.add(
            step,
            "contracts",
            contract_id=contract,
            customer_id=customer_id,
            signed_on=signed,
            starts_on=starts,
            ends_on=ends,
            currency=currency,
            invoice_group=rng.choice(("", "main", "main", "main", "other")),
            billing_anchor_day=rng.choice(
                (
                    "",
                    1,
                    starts.day,
                    starts.day,
                    15,
                    28,
                    29,
                    30,
                    31,
                    rng.randrange(1, 32),
                )
            ),
            payment_terms_days=rng.choice(("", 0, 15, 45, 60)),
            po_number=rng.choice(("", "", f"PO-{contract}")),
        )
        terms = ContractTerms(self, contract, starts, ends, facilities, step, currency)
        terms.begin()
        for _ in range(rng.choice((0, 1, 2, 2, 3, 4))):
            terms.amend(signed)
        for _ in range(rng.choice((0, 0, 1, 1, 2, 3))):
            self._milestone(contract, step, starts, ends, currency)

    def _milestone(
        self, contract: str, step: int, starts: date, ends: date, currency: str
    ) -> None:
        rng = self.rng
        cents = ("2500.50", "0.01") if currency != "JPY" else ("2500", "1")
        completed = rng.choice(("", *(self.some_day(starts, self.last_day),) * 3))
        if rng.random() < 0.1:
            completed = ends + timedelta(days=rng.randrange(20))
        self.add(
            step,
            "milestones",
            milestone_id=self.new_id("mile"),
            contract_id=contract,
            milestone=rng.choice(("signature", "go_live", "acceptance", "other")),
            amount=rng.choice(("1000", *cents)),
            completed_on=completed,
            recognize_on=rng.choice(("", "", "signature", "go_live", "acceptance")),
            recognition=rng.choice(("", "point_in_time", "ratable_to_contract_end")),
            invoicing=rng.choice(("", "on_completion", "next_invoice")),
        )
