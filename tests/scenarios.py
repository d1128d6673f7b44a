"""The scenarios of the shared book: what lands, at which of three closes.

What each must bring is worked by hand in test_scenarios.py. The closes are as of, and
through, 1 February, 1 March and 1 April 2026.
"""

from datetime import date

from book import Book, Scenario
from feed_book import add_feeds
from later_changes import add_later_changes
from mended_usage import add_mended_usage
from price_book import add_price_book
from published_examples import add_published_examples
from revenue_book import add_revenue_book

# Part of every identifier that tells of a patient; nothing written may hold it.
CANARY = "CANARY"

CLOSES = {1: date(2026, 2, 1), 2: date(2026, 3, 1), 3: date(2026, 4, 1)}


def book() -> Book:
    """All scenarios in one book."""
    scenarios = Book()
    for add in (
        joins,
        late,
        seats,
        rhythms,
        terminated,
        yen,
        grouped,
        held,
        refused,
        two_contracts,
        dirt,
        agreement,
        parting,
        tiers,
    ):
        add(scenarios)
    add_price_book(scenarios)
    add_feeds(scenarios)
    add_mended_usage(scenarios)
    add_later_changes(scenarios)
    add_published_examples(scenarios)
    add_revenue_book(scenarios)
    return scenarios


def joins(book: Book) -> None:
    """A facility joins in mid-month by an amendment signed after the invoice."""
    it = Scenario(book, "joins", "a b c")
    it.contract(covers="a b")
    it.line("platform", quantity_basis="covered_facilities", unit_price="90")
    joined = it.amend(
        "join",
        since=2,
        signed_on="2026-02-10",
        effective_on="2026-02-15",
        kind="facility_added",
    )
    it.cover("c", "2026-02-15", amendment_id=joined, since=2)


def late(book: Book) -> None:
    """Encounters that come late, are cancelled and happen elsewhere after issue."""
    it = Scenario(book, "late", "a b")
    it.contract(covers="a b")
    it.line("visits", meter="encounter", unit_price="2.5")
    it.event("E1", "a", "2026-01-10")
    it.event("E2", "a", "2026-01-11")
    it.event("E3", "b", "2026-01-12")
    it.event("E4", "b", "2026-01-20", step=2)
    cancelled = {"status": "cancelled", "received_at": "2026-02-15T08:00:00Z"}
    it.event("E2", "a", "2026-01-11", step=2, **cancelled)
    it.event("E5", "a", "2026-02-05", step=2)
    it.event("E6", "a", "2026-01-30", step=3)
    it.event("E7", "a", "2026-02-27", step=3)


def seats(book: Book) -> None:
    """Seats change in mid-cycle, and the customer is invoiced at once."""
    it = Scenario(book, "seats")
    it.contract()
    it.line("seats", quantity="10", unit_price="20")
    more = it.amend(
        "more",
        since=2,
        signed_on="2026-02-20",
        effective_on="2026-02-15",
        kind="quantity_changed",
        invoicing="immediate",
    )
    it.line(
        "seats",
        since=2,
        quantity="14",
        unit_price="20",
        effective_on="2026-02-15",
        amendment_id=more,
    )


def rhythms(book: Book) -> None:
    """Quarters in arrears and years in advance, anchored on the 15th, with a stub."""
    it = Scenario(book, "rhythms")
    it.contract(starts_on="2026-01-10", billing_anchor_day="15")
    flat = {"pricing_model": "flat", "effective_on": "2026-01-10"}
    it.line(
        "support",
        unit_price="300",
        billing_frequency="quarterly",
        billing_timing="arrears",
        **flat,
    )
    it.line("licence", unit_price="1200", billing_frequency="annual", **flat)


def terminated(book: Book) -> None:
    """A contract ends in the middle of a month that was billed."""
    it = Scenario(book, "terminated")
    it.contract()
    it.line("hosting", pricing_model="flat", unit_price="310")
    it.amend(
        "end",
        since=2,
        signed_on="2026-02-10",
        effective_on="2026-02-11",
        kind="terminated",
        new_ends_on="2026-02-10",
    )


def yen(book: Book) -> None:
    """A currency without cents, and a contract that begins in mid-month."""
    it = Scenario(book, "yen")
    it.contract(starts_on="2026-01-16", currency="JPY")
    it.line("seats", unit_price="1001", effective_on="2026-01-16")


def grouped(book: Book) -> None:
    """Two contracts on one invoice."""
    it = Scenario(book, "grouped")
    it.contract("grouped-1", invoice_group="all", payment_terms_days="30")
    it.contract(
        "grouped-2", invoice_group="all", payment_terms_days="45", po_number="PO-9"
    )
    it.line("one", contract_id="grouped-1", pricing_model="flat", unit_price="100")
    it.line("two", contract_id="grouped-2", pricing_model="flat", unit_price="50")


def held(book: Book) -> None:
    """A row breaks after its contract was billed, and is mended a month later."""
    it = Scenario(book, "held")
    it.contract()
    flat = {"pricing_model": "flat"}
    it.line("portal", until=1, unit_price="100", **flat)
    it.line("portal", since=2, until=2, unit_price="1oo", **flat)
    it.line("portal", since=3, unit_price="100", **flat)


def refused(book: Book) -> None:
    """Lines that can't be priced hold their contract; the customer's other goes on."""
    it = Scenario(book, "refused", "a")
    it.contract("refused-good", covers="a")
    it.line("good", contract_id="refused-good", pricing_model="flat", unit_price="10")
    for name in ("noprice", "nocard", "overlap"):
        it.contract(f"refused-{name}", covers="a")
    it.line("noprice", contract_id="refused-noprice")
    graduated = {"pricing_model": "graduated", "meter": "encounter"}
    it.line("nocard", contract_id="refused-nocard", rate_card_id="lost", **graduated)
    it.line(
        "overlap", contract_id="refused-overlap", rate_card_id="overlap", **graduated
    )
    for tier, up_to in (("1", "100"), ("2", "90"), ("3", "")):
        it.land(
            "rate_cards", rate_card_id="overlap", tier=tier, up_to=up_to, unit_price="1"
        )


def two_contracts(book: Book) -> None:
    """A facility of two contracts: each encounter counts for one of them."""
    it = Scenario(book, "two", "a")
    it.contract("two-older", covers="a", ends_on="2026-02-14")
    it.contract("two-newer", covers="a", starts_on="2026-01-15")
    for which, price in (("older", "1"), ("newer", "3")):
        it.line(
            f"visits-{which}",
            contract_id=f"two-{which}",
            meter="encounter",
            unit_price=price,
        )
    for number, day in enumerate(("01-10", "01-20", "02-14", "02-15")):
        it.event(f"E{number}", "a", f"2026-{day}", step=1 if number < 2 else 2)


def dirt(book: Book) -> None:
    """Everything that is wrong with a feed, once."""
    it = Scenario(book, "dirt", "a b")
    it.contract(covers="a", starts_on="2026-01-05", ends_on="2026-01-31")
    it.line("visits", meter="encounter", unit_price="1", effective_on="2026-01-05")
    it.event("good", "a", "2026-01-10T23:30:00-06:00")
    it.event("twice", "a", "2026-01-11")
    it.event("twice", "a", "2026-01-11")
    it.event("changed", "b", "2026-01-12", received_at="2026-01-13T09:00:00Z")
    it.event("changed", "a", "2026-01-12", received_at="2026-01-14T09:00:00Z")
    it.event(
        "void",
        "a",
        "2026-01-12",
        received_at="2026-01-15T09:00:00Z",
        status="cancelled",
    )
    it.event("void", "a", "2026-01-12", received_at="2026-01-14T09:00:00Z")
    it.event("no facility", "", "2026-01-12")
    it.event(f"EVENT {CANARY}", f"Jane {CANARY}", "2026-01-12")
    it.event(
        "shifted", "a", "2026-01-12", event_type=f"1980-01-01 {CANARY}", quantity="x"
    )
    it.event("before", "a", "2026-01-04")
    it.event("after", "a", "2026-02-01")
    it.event("elsewhere", "b", "2026-01-12")
    it.event("future", "a", "2026-02-05", received_at="2026-01-20T09:00:00Z")
    it.event("broken", "a", "2026-02-30")
    it.event("count", "a", "2026-01-12", quantity="-1")
    it.event("unmetered", "a", "2026-01-12", event_type="procedure")


def agreement(book: Book) -> None:
    """Encounters of a customer whose agreement comes a month later."""
    it = Scenario(book, "agreement", "a", agreed_since="2026-02-10", agreement_lands=2)
    it.contract(covers="a")
    it.line("visits", meter="encounter", unit_price="4")
    it.event("E1", "a", "2026-01-10")
    it.event("E2", "a", "2026-01-11")


def parting(book: Book) -> None:
    """Encounters of a customer whose agreement ends with February."""
    it = Scenario(book, "parting", "a", agreed_until="2026-02-28")
    it.contract(covers="a")
    it.line("visits", meter="encounter", unit_price="4")
    it.event("E1", "a", "2026-01-10")
    it.event("E2", "a", "2026-02-10", step=2, received_at="2026-02-28T22:00:00Z")
    it.event("E3", "a", "2026-02-27", step=3, received_at="2026-03-01T08:00:00Z")


def tiers(book: Book) -> None:
    """Graduated tiers over the contract year, one unit free, a fee, half cents."""
    it = Scenario(book, "tiers", "a b")
    it.contract(covers="a b")
    it.line(
        "visits",
        meter="encounter",
        pricing_model="graduated",
        rate_card_id="tiers",
        tier_scope="contract_year",
        included_quantity="1",
    )
    for tier, up_to, price, fee in (
        ("1", "3", "10", ""),
        ("2", "5", "8", "1"),
        ("3", "", "0.125", ""),
    ):
        it.land(
            "rate_cards",
            rate_card_id="tiers",
            tier=tier,
            up_to=up_to,
            unit_price=price,
            flat_fee=fee,
        )
    for day, facility in zip((5, 6, 7, 8), "abab", strict=True):
        it.event(f"J{day}", facility, f"2026-01-0{day}")
    for day, facility in zip((3, 4, 5, 6, 7), "aaabb", strict=True):
        it.event(f"F{day}", facility, f"2026-02-0{day}", step=2)
