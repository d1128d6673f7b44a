"""Customers that owe an invoice each, for the tests of dunning.

Every contract is billed for a year in advance on 1 January 2026 with 30 days to pay, so
that every invoice is due on Saturday, 31 January. Numbers go by customer (A4).
"""

from book import Book, Scenario

# Customer, its tier, and the prices of its lines: a flat fee each, for the year.
CUSTOMERS = {
    "clinic": ("clinic", ("400", "100")),
    "system": ("enterprise", ("50000", "8000")),
    "group": ("standard", ("1000", "250")),
    "credited": ("standard", ("200",)),
    "held": ("clinic", ("300",)),
    "payer": ("clinic", ("100",)),
}
MANAGER = "manager@seller.example"
CLINIC, CREDITED, GROUP, HELD, PAYER, SYSTEM = (
    f"INV-2026-00000{number}" for number in range(1, 7)
)
FIRST, SECOND = "2026-02-09", "2026-05-11"


def dunning_book() -> Book:
    """The contracts; nothing of receivables/ yet."""
    book = Book()
    for name, (tier, prices) in CUSTOMERS.items():
        owes(book, name, tier, prices)
    return book


def owes(book: Book, name: str, tier: str, prices: tuple[str, ...]) -> Scenario:
    """A customer with one invoice, a line for each price."""
    it = Scenario(book, name, "a")
    book.rows = [row for row in book.rows if row[2] != f"contracts/customers/{name}"]
    it.land(
        "customers",
        customer_id=name,
        customer_name=f"{name.title()} Example",
        dunning_tier=tier,
        bill_to_email=f"ap@{name}.example",
        account_manager=MANAGER,
    )
    it.contract(covers="a")
    for place, price in enumerate(prices, start=1):
        it.line(
            f"line{place}",
            pricing_model="flat",
            billing_frequency="annual",
            unit_price=price,
            description=f"Module {place}",
        )
    return it


def receives(book: Book, table: str, **row: str) -> None:
    """A row of receivables/."""
    book.land(f"receivables/{table}", row)


def landed() -> Book:
    """What came in by 9 February, good and bad."""
    book = dunning_book()
    for row in (
        {"payment_id": "short", "customer_id": "group", "received_on": "2026-02-05"}
        | {"amount": "1000", "invoice_number": GROUP},
        {"payment_id": "other", "customer_id": "group", "received_on": "2026-02-05"}
        | {"amount": "99", "invoice_number": CLINIC},
        {"payment_id": "euro", "customer_id": "group", "received_on": "2026-02-05"}
        | {"amount": "98", "invoice_number": GROUP, "currency": "EUR"},
        {"payment_id": "unknown", "customer_id": "clinic", "received_on": "2026-02-05"}
        | {"amount": "97", "invoice_number": "INV-2026-999999"},
        {"payment_id": "much", "customer_id": "payer", "received_on": "2026-02-02"}
        | {"amount": "150"},
        {"payment_id": "never", "customer_id": "clinic", "received_on": "2026-02-30"}
        | {"amount": "1"},
        {"payment_id": "twice", "customer_id": "clinic", "received_on": "2026-02-05"}
        | {"amount": "2"},
        {"payment_id": "twice", "customer_id": "clinic", "received_on": "2026-02-05"}
        | {"amount": "3"},
        # Received tomorrow: not known yet.
        {"payment_id": "later", "customer_id": "clinic", "received_on": "2026-02-10"}
        | {"amount": "500"},
    ):
        receives(book, "payments", **row)
    receives(
        book,
        "credits",
        **{"credit_id": "goodwill", "customer_id": "credited", "amount": "300"},
        **{"issued_on": "2026-02-03", "invoice_number": CREDITED},
    )
    for name, number, line, resolved in (
        ("contested", SYSTEM, "2", ""),
        ("draft", "INV-2026-000099", "", ""),
        ("no-line", SYSTEM, "9", ""),
        ("paid", PAYER, "", ""),
        ("backwards", SYSTEM, "1", "2026-02-01"),
    ):
        receives(
            book,
            "disputes",
            **{"dispute_id": name, "invoice_number": number, "line_number": line},
            **{"opened_on": FIRST, "resolved_on": resolved},
            **{"resolution": "rejected" if resolved else "", "reason": "CANARY"},
        )
    for begins, ends in (("2026-02-01", "2026-03-31"), ("2026-03-01", "2026-06-30")):
        receives(book, "holds", customer_id="held", from_date=begins, through_date=ends)
    for name, number, pay_by in (
        ("past", CLINIC, "2026-02-01"),
        ("nobody", "INV-2026-000099", "2026-03-01"),
    ):
        receives(
            book,
            "promises",
            **{"promise_id": name, "invoice_number": number},
            **{"made_on": "2026-02-08", "pay_by": pay_by},
        )
    return book
