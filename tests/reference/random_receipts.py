"""Random payments, credits and returns of a scenario's customers."""

from datetime import date

from reference.builder import Builder


def add_receipts(builder: Builder, currencies: dict[str, str]) -> None:
    """Some for each customer; `currencies` are those of the customers' contracts."""
    for customer_id, currency in currencies.items():
        for _ in range(builder.rng.choice((0, 1, 2, 4))):
            _receipt(builder, customer_id, currency)


def _receipt(builder: Builder, customer_id: str, currency: str) -> None:
    rng = builder.rng
    amounts = ("10", "1000", "99.99", "0.01", "250.50")
    if currency == "JPY":
        amounts = ("10", "1000", "99", "1", "250")
    row: dict[str, object] = {
        "customer_id": customer_id,
        "amount": rng.choice(amounts),
        "currency": rng.choice((currency,) * 6 + ("EUR",)),
        "invoice_number": rng.choice(("",) * 5 + (_some_number(builder),)),
    }
    if row["currency"] == "EUR" and currency == "JPY":
        row["amount"] = "3.10"
    first = builder.first_day + (builder.last_day - builder.first_day) / 3
    day = builder.some_day(first, builder.last_day)
    if rng.random() < 0.25:
        credit = {"credit_id": builder.new_id("cred"), "issued_on": day}
        reason = rng.choice(("", "write_off", "goodwill"))
        builder.add(builder.landed(day), "credits", **row, **credit, reason=reason)
        return
    payment = builder.new_id("pay")
    _pay(builder, payment, day, row)
    if rng.random() < 0.25:
        back = builder.some_day(day, builder.last_day)
        amount = rng.choice((str(row["amount"]), str(row["amount"]), amounts[0]))
        returned = row | {"amount": f"-{amount}", "invoice_number": ""}
        returned["reference"] = rng.choice(("", payment))
        _pay(builder, builder.new_id("pay"), back, returned)


def _pay(builder: Builder, payment: str, day: date, row: dict[str, object]) -> None:
    step = builder.landed(day)
    builder.add(step, "payments", payment_id=payment, received_on=day, **row)


def _some_number(builder: Builder) -> str:
    """A number that may be issued, then mostly to another customer."""
    year = builder.scenario.schedule[0].as_of.year
    return f"INV-{year}-{builder.rng.randrange(1, 120):06d}"
