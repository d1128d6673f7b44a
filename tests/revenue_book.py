"""Scenarios of revenue and of the journal: when it is earned, what is paid.

Part of the shared book of `scenarios.py`; worked by hand in test_revenue.py.
"""

from book import Book, Row, Scenario
from price_book import card, commit, priced, procedures


def add_revenue_book(book: Book) -> None:
    """Add all of them to a book."""
    for add in (
        deferred,
        golive,
        quarterly,
        payer,
        misposted,
        incentive,
        prepaid,
        obliged,
        fifteenth,
    ):
        add(book)


def receive(it: Scenario, table: str, since: int = 1, **row: str) -> None:
    """A payment or credit of the scenario's customer, landed from a step on."""
    landed: Row = {"customer_id": it.name} | row
    it.book.land(f"receivables/{table}/{it.name}", landed, since=since)


def deferred(book: Book) -> None:
    """A year's subscription billed on its first day, in the middle of a month."""
    it = Scenario(book, "deferred")
    it.contract(starts_on="2026-01-16", ends_on="2027-01-15", billing_anchor_day="16")
    it.line(
        "licence",
        pricing_model="flat",
        unit_price="1200",
        billing_frequency="annual",
        effective_on="2026-01-16",
    )


def golive(book: Book) -> None:
    """Paid at signature, earned at go-live or by day from then to the end."""
    it = Scenario(book, "golive")
    it.contract()
    at = {"contract_id": "golive"}
    live = {"completed_on": "2026-02-10", **at}
    it.land(
        "milestones",
        milestone_id="golive-signed",
        milestone="signature",
        amount="1000",
        completed_on="2026-01-05",
        recognize_on="go_live",
        **at,
    )
    it.land(
        "milestones",
        milestone_id="golive-live",
        milestone="go_live",
        amount="600",
        **live,
    )
    it.land(
        "milestones",
        milestone_id="golive-setup",
        milestone="other",
        amount="3250",
        recognize_on="go_live",
        recognition="ratable_to_contract_end",
        **live,
    )


def quarterly(book: Book) -> None:
    """Usage billed by the quarter and earned as used, to half cents."""
    it = Scenario(book, "quarterly", "a")
    it.contract(covers="a")
    it.line(
        "visits", meter="encounter", unit_price="0.335", billing_frequency="quarterly"
    )
    for step, day in enumerate(("2026-01-10", "2026-02-10", "2026-03-10"), 1):
        it.event(f"Q{step}", "a", day, step=step)


def payer(book: Book) -> None:
    """Paid ahead, credited, in part returned, and a payment that is known late."""
    it = Scenario(book, "payer")
    it.contract()
    it.line("portal", pricing_model="flat", unit_price="100")
    receive(it, "payments", payment_id="P1", received_on="2026-01-20", amount="150")
    receive(
        it,
        "payments",
        since=2,
        payment_id="P2",
        received_on="2026-02-15",
        amount="-30",
        reference="P1",
    )
    receive(
        it,
        "payments",
        since=3,
        payment_id="P3",
        received_on="2026-01-25",
        amount="40",
    )
    receive(
        it,
        "credits",
        since=2,
        credit_id="C1",
        issued_on="2026-02-10",
        amount="20",
        reason="service",
    )
    receive(
        it,
        "credits",
        since=2,
        credit_id="C2",
        issued_on="2026-02-12",
        amount="5",
        reason="write_off",
    )


def misposted(book: Book) -> None:
    """A payment booked for the wrong customer, and one in the wrong currency."""
    wrong, right = Scenario(book, "misposted"), Scenario(book, "reposted")
    moved = {"payment_id": "PM", "received_on": "2026-01-10", "amount": "60"}
    euros = {"payment_id": "PE", "received_on": "2026-01-11", "amount": "40"}
    payments = "receivables/payments/misposted"
    book.land(payments, moved | {"customer_id": wrong.name}, until=1)
    book.land(payments, moved | {"customer_id": right.name}, since=2)
    book.land(payments, euros | {"customer_id": right.name}, until=1)
    mended = {"customer_id": right.name, "amount": "37", "currency": "EUR"}
    book.land(payments, euros | mended, since=2)


def incentive(book: Book) -> None:
    """IFRS 15 and ASC 606, illustrative Example 24: a volume discount incentive.

    Units at 100, or all of a year at 90 above 1,000. At 75 units the entity expects to
    stay below; after 500 more in the next period it expects to go beyond.
    """
    it = Scenario(book, "incentive", "a")
    it.contract(covers="a")
    prices = card(it, "prices", ("1000", priced("100")), ("", priced("90")))
    it.line(
        "units",
        meter="procedure",
        pricing_model="volume",
        rate_card_id=prices,
        tier_scope="contract_year",
    )
    estimate = {
        "line_id": "incentive-units",
        "true_up": "rerate",
        "effective_on": "2026-01-01",
    }
    commit(it, committed="500", **estimate)
    more = it.amend(
        "more",
        since=2,
        signed_on="2026-02-10",
        effective_on="2026-01-01",
        kind="commitment_changed",
    )
    commit(it, since=2, committed="1001", amendment_id=more, **estimate)
    procedures(it, "2026-01-10", "75")
    procedures(it, "2026-02-10", "500", step=2)


def prepaid(book: Book) -> None:
    """IFRS 15 and ASC 606, illustrative Example 38, Case B.

    1,000 are due on 31 January under a contract that can't be cancelled, paid on
    1 March, and earned on 31 March.
    """
    it = Scenario(book, "prepaid")
    it.contract()
    at = {"contract_id": "prepaid"}
    it.land(
        "milestones",
        milestone_id="prepaid-due",
        milestone="signature",
        amount="1000",
        completed_on="2026-01-31",
        recognize_on="acceptance",
        **at,
    )
    it.land(
        "milestones",
        milestone_id="prepaid-earned",
        milestone="acceptance",
        amount="0",
        completed_on="2026-03-31",
        **at,
    )
    receive(it, "payments", payment_id="P38", received_on="2026-03-01", amount="1000")


def obliged(book: Book) -> None:
    """IFRS 15 and ASC 606, illustrative Example 42, contract B, three months later.

    Two years at a fixed 400 a month, of which half a year is over.
    """
    it = Scenario(book, "obliged")
    it.contract(signed_on="2025-09-01", starts_on="2025-10-01", ends_on="2027-09-30")
    it.line(
        "service",
        pricing_model="flat",
        unit_price="400",
        effective_on="2025-10-01",
    )


def fifteenth(book: Book) -> None:
    """Stripe, "Revenue recognition methodology": 31 a month from 15 January."""
    it = Scenario(book, "fifteenth")
    it.contract(starts_on="2026-01-15", billing_anchor_day="15")
    it.line("plan", pricing_model="flat", unit_price="31", effective_on="2026-01-15")
