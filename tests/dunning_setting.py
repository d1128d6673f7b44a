"""Holidays, tiers and customers of the random histories of dunning."""

from datetime import date
from decimal import Decimal

from dunning_models import Books
from reference.dunning import Step

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


def land_setting(books: Books) -> None:
    """What the models know of it, before anything happens."""
    for day in HOLIDAYS:
        books.holiday(day)
    for tier, steps in TIERS.items():
        for place, step in enumerate(steps, start=1):
            books.policy(
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
        books.land(
            "customers",
            customer_id=customer,
            customer_name=customer,
            dunning_tier=tier,
        )
