"""One invoice day after day: each pause, and what is due when it lifts (N4).

The tier of the tests: step 1 a day past due; step 2 at 10 days and 7 quiet days after
step 1, at least 25.00, of the undisputed rest; step 3 at 20 days. INV-1 of 100.00 is
due on Wednesday, 4 March 2026, so that step 1 is due on Thursday, 5 March. Step 2 is
due on Saturday the 14th, so on Monday the 16th, if step 1 went by the 7th.
"""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from dunning_models import Books

STEPS = ((1, 0, 0), (10, 7, 25), (20, 7, 25))


class Days:
    """A customer's account, sent to on every business day what is due."""

    def __init__(self, models: dict[str, tuple[str, str]], pause: str) -> None:
        self.books = Books(models)
        self.books.land(
            "customers", customer_id="c", customer_name="C", dunning_tier="tier"
        )
        for step, (days, quiet, minimum) in enumerate(STEPS, start=1):
            self.books.policy(
                **{"dunning_tier": "tier", "step": step, "days_past_due": days},
                **{"quiet_days": quiet, "minimum_balance": Decimal(minimum)},
                **{"action": "reminder", "channel": "email"},
                **{"needs_approval": False, "pause_on_dispute": pause},
            )
        self.invoice("INV-1", 100, march(4))

    def invoice(self, number: str, total: int, due: date) -> None:
        self.books.issue(number, "c", Decimal(total), date(2026, 2, 2), due)

    def pay(self, amount: str, day: date) -> None:
        self.books.land(
            "payments",
            **{"payment_id": f"p{day}", "customer_id": "c", "received_on": day},
            **{"amount": Decimal(amount), "currency": "USD"},
        )

    def credit(self, amount: str, day: date) -> None:
        self.books.land(
            "credits",
            **{"credit_id": f"c{day}", "customer_id": "c", "issued_on": day},
            **{"amount": Decimal(amount), "currency": "USD"},
            invoice_number="INV-1",
        )

    def dispute(self, day: date, amount: str | None = None) -> None:
        self.books.land(
            "disputes",
            **{"dispute_id": "d", "invoice_number": "INV-1", "opened_on": day},
            amount=Decimal(amount) if amount else None,
        )

    def send(self, *days: date) -> list[str]:
        """Send what is due on each of the days; returns day, invoice and step."""
        sent = []
        for day in days:
            for notice_id, number, step in self.rows(
                day, "notice_id, invoice_number, step", "dunning_queue"
            ):
                self.books.sent(notice_id, number, step, day)
                sent.append(f"{day:%d} {number} step {step}")
        return sent

    def rows(self, day: date, columns: str, table: str) -> list[tuple]:
        return self.books.rows(
            day, f"select {columns} from warehouse.finance.{table} order by all"
        )

    def status(self, day: date) -> Any:
        """State of INV-1, and why it is paused."""
        return self.rows(day, "invoice_number, state, paused_because", "dunning_status")


def march(day: int) -> date:
    return date(2026, 3, day)


def in_march(*days: int) -> list[date]:
    """Days in order; those from 32 on are in April."""
    return [march(1) + timedelta(days=day - 1) for day in days]


@pytest.fixture
def days(
    dunning_sql: dict[str, tuple[str, str]], request: pytest.FixtureRequest
) -> Days:
    return Days(dunning_sql, getattr(request, "param", "amount"))


def test_steps_go_one_at_a_time_on_business_days(days: Days) -> None:
    # Step 2: Saturday the 14th, so the 16th. Step 3: 4 + 20 = Tuesday the 24th, which
    # is more than 7 days after the 16th.
    assert days.send(*in_march(4, 5, 6, 13, 14, 15, 16, 17, 23, 24, 25, 31)) == [
        "05 INV-1 step 1",
        "16 INV-1 step 2",
        "24 INV-1 step 3",
    ]
    assert days.status(march(31)) == [("INV-1", "exhausted", None)]


def test_a_holiday_moves_a_step_on_and_never_back(days: Days) -> None:
    days.books.holiday(march(5))
    days.books.holiday(march(6))
    # Thursday and Friday off, then the weekend: Monday the 9th. Step 2: 9 + 7 = 16.
    assert days.send(*in_march(5, 6, 7, 8, 9, 13, 16)) == [
        "09 INV-1 step 1",
        "16 INV-1 step 2",
    ]


def test_quiet_days_are_kept_after_a_late_step(days: Days) -> None:
    # Nobody sent before Tuesday the 10th: step 2 not on the 16th but on 10 + 7 = 17.
    assert days.send(*in_march(10, 11, 16, 17, 23, 24)) == [
        "10 INV-1 step 1",
        "17 INV-1 step 2",
        "24 INV-1 step 3",
    ]


def test_a_hold_stops_all_and_no_burst_follows(days: Days) -> None:
    days.books.land(
        "holds", customer_id="c", from_date=march(2), through_date=march(26)
    )
    assert days.send(*in_march(5, 16, 26)) == []
    # The 27th: days 1, 10 and 20 are all past; step 1 goes, then 7 quiet days.
    assert days.send(*in_march(27, 28, 33, 34)) == [
        "27 INV-1 step 1",
        "03 INV-1 step 2",
    ]


def test_a_promise_holds_through_its_day_and_broken_the_next_step_goes(
    days: Days,
) -> None:
    days.books.land(
        "promises",
        **{"promise_id": "m", "invoice_number": "INV-1"},
        **{"made_on": march(6), "pay_by": march(18)},
    )
    assert days.send(*in_march(5, 6, 16, 18)) == ["05 INV-1 step 1"]
    assert days.status(march(18)) == [("INV-1", "promised", "promise until 2026-03-18")]
    assert days.send(march(19)) == ["19 INV-1 step 2"]


def test_a_promise_kept_ends_it(days: Days) -> None:
    days.books.land(
        "promises",
        **{"promise_id": "m", "invoice_number": "INV-1"},
        **{"made_on": march(6), "pay_by": march(18)},
    )
    days.pay("100", march(18))
    assert days.send(*in_march(5, 16, 18, 19, 31)) == ["05 INV-1 step 1"]
    assert days.status(march(31)) == []


def test_a_balance_below_the_minimum_of_the_step_is_left_alone(days: Days) -> None:
    # 100.00 - 75.01 = 24.99, and step 2 asks for 25.00.
    days.pay("75.01", march(9))
    assert days.send(*in_march(5, 16, 31)) == ["05 INV-1 step 1"]
    assert days.status(march(31)) == [("INV-1", "paused", "balance below 25.00")]


def test_of_a_partial_dispute_the_rest_goes_on(days: Days) -> None:
    # 100.00 - 75.00 = 25.00 is just the minimum.
    days.dispute(march(6), "75")
    assert days.send(*in_march(5, 6, 15, 16)) == ["05 INV-1 step 1", "16 INV-1 step 2"]
    assert days.rows(
        march(17), "balance, disputed_amount, claimed", "dunning_status"
    ) == [(Decimal("100.00"), Decimal("75.00"), Decimal("25.00"))]


def test_a_dispute_that_leaves_too_little_pauses_and_rejected_one_step_is_due(
    days: Days,
) -> None:
    days.dispute(march(6), "75.01")
    assert days.send(*in_march(5, 16, 25)) == ["05 INV-1 step 1"]
    assert days.status(march(25)) == [("INV-1", "paused", "dispute about 75.01")]
    days.books.resolve("d", march(26), "rejected")
    # Known from the 26th on; then step 2, though step 3's day has come as well.
    assert days.send(*in_march(26, 27, 32)) == ["26 INV-1 step 2"]
    assert days.send(*in_march(33)) == ["02 INV-1 step 3"]


@pytest.mark.parametrize("days", ["invoice"], indirect=True)
def test_an_accepted_dispute_keeps_its_amount_out_until_it_is_credited(
    days: Days,
) -> None:
    days.dispute(march(6), "80")
    days.books.resolve("d", march(10), "accepted")
    # 100.00 - 80.00 = 20.00 is below 25.00, whatever a dispute pauses in this tier.
    assert days.send(*in_march(5, 16, 20)) == ["05 INV-1 step 1"]
    assert days.status(march(20)) == [("INV-1", "paused", "dispute about 80.00")]
    # Half of it credited: balance 60.00, of which 40.00 stay out.
    days.credit("40", march(23))
    assert days.rows(march(23), "balance, disputed_amount", "receivables_aging") == [
        (Decimal("60.00"), Decimal("40.00"))
    ]
    assert days.send(*in_march(23, 24)) == []
    # All of it: balance 20.00, nothing disputed, and too little for the step.
    days.credit("40", march(25))
    assert days.status(march(25)) == [("INV-1", "paused", "balance below 25.00")]


@pytest.mark.parametrize("days", ["invoice"], indirect=True)
def test_an_accepted_dispute_of_little_lets_the_rest_go_on(days: Days) -> None:
    days.dispute(march(6), "30")
    assert days.send(*in_march(5, 16)) == ["05 INV-1 step 1"]
    days.books.resolve("d", march(17), "accepted")
    # No credit yet: 70.00 are asked for.
    assert days.send(march(17)) == ["17 INV-1 step 2"]
    assert days.rows(march(18), "claimed", "dunning_status") == [(Decimal("70.00"),)]


@pytest.mark.parametrize(
    ("days", "goes_on"),
    [
        # Step 1 of both went before the dispute of the 10th. INV-2 is due as INV-1.
        ("invoice", ["16 INV-2 step 2"]),
        ("customer", []),
        ("none", ["16 INV-1 step 2", "16 INV-2 step 2"]),
    ],
    indirect=["days"],
)
def test_a_dispute_pauses_the_invoice_or_the_customer_as_the_tier_says(
    days: Days, goes_on: list[str]
) -> None:
    days.invoice("INV-2", 100, march(4))
    assert days.send(*in_march(5, 9)) == ["05 INV-1 step 1", "05 INV-2 step 1"]
    days.dispute(march(10), "1")
    assert days.send(*in_march(10, 16, 17)) == goes_on


def test_a_dispute_of_a_paid_invoice_pauses_nothing(days: Days) -> None:
    days.invoice("INV-2", 100, march(4))
    # The oldest first: INV-1 is paid on the 9th.
    days.pay("100", march(9))
    days.dispute(march(10))
    assert days.rows(march(10), "state, problem_column", "disputes") == [
        ("refused", "invoice_number")
    ]
