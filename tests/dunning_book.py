"""Customers that owe an invoice each, for the tests of dunning.

Every contract is billed for a year in advance on 1 January 2026 with 30 days to pay, so
that every invoice is due on Saturday, 31 January. What comes in is landed by each test.
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
