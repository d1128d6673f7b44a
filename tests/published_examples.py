"""Worked examples that other billing systems publish, as scenarios of the shared book.

What each must bring is in test_published_examples.py, the sources and what differs in
docs/published-examples.md. Their units are procedures here, their dates those of 2026.
"""

from book import Book, Scenario
from price_book import card, commit, priced, procedures

Tiers = tuple[tuple[str, str], ...]


def add_published_examples(book: Book) -> None:
    """Add all of them to a book."""
    for add in (
        fonts,
        upgrade,
        tracked,
        committed,
        packs,
        slabs,
        requests,
        calls,
        ondemand,
        minutes,
        overage,
        partial,
        seven,
        pool,
        seats_in_steps,
        storage,
        year,
        stub,
        plan,
    ):
        add(book)


def used(book: Book, name: str, **terms: str) -> Scenario:
    """A customer whose contract covers one facility, whose procedures are counted."""
    it = Scenario(book, name, "a")
    it.contract(covers="a", **terms)
    return it


def tiered(it: Scenario, model: str, rates: Tiers, **terms: str) -> None:
    """A line of (up_to, unit price) in order, named for its model."""
    prices = card(it, model, *((up_to, priced(rate)) for up_to, rate in rates))
    counted = {"meter": "procedure"} | terms
    it.line(model, pricing_model=model, rate_card_id=prices, **counted)


def stepped(it: Scenario, model: str, fees: Tiers, unit_price: str = "") -> None:
    """A line of (up_to, flat fee) in order, named for its model."""
    tiers = ((up_to, priced(unit_price, fee)) for up_to, fee in fees)
    steps = card(it, f"{model}-steps", *tiers)
    counted = {"meter": "procedure"}
    it.line(f"{model}-fees", pricing_model=model, rate_card_id=steps, **counted)


def fonts(book: Book) -> None:
    """Stripe: 6 and 20 units of 1–5 at 7, 6–10 at 6.50, more at 6."""
    it = used(book, "fonts")
    rates = (("5", "7"), ("10", "6.5"), ("", "6"))
    for model in ("graduated", "volume"):
        tiered(it, model, rates)
    procedures(it, "2026-01-10", "6")
    procedures(it, "2026-02-10", "20", step=2)


def upgrade(book: Book) -> None:
    """Stripe: from a plan of 10 to one of 20 halfway through the month."""
    it = Scenario(book, "upgrade")
    it.contract()
    it.line("plan", pricing_model="flat", unit_price="10")
    on = {"signed_on": "2026-02-15", "effective_on": "2026-02-15"}
    by = it.amend("more", since=2, kind="price_changed", invoicing="immediate", **on)
    later = {"effective_on": "2026-02-15", "amendment_id": by}
    it.line("plan", since=2, pricing_model="flat", unit_price="20", **later)


def tracked(book: Book) -> None:
    """Lago: 0.01 a user, at least 100."""
    it = used(book, "tracked")
    it.line("users", meter="procedure", unit_price="0.01")
    spend = {"kind": "spend", "period": "billing_period", "effective_on": "2026-01-01"}
    commit(it, line_id="tracked-users", committed="100", **spend)
    procedures(it, "2026-01-10", "5000")


def committed(book: Book) -> None:
    """Lago: at least 1,000 of usage a month; 800, then 1,300."""
    it = used(book, "committed")
    it.line("usage", meter="procedure", unit_price="1")
    spend = {"kind": "spend", "period": "billing_period", "effective_on": "2026-01-01"}
    commit(it, committed="1000", counts="usage", **spend)
    procedures(it, "2026-01-10", "800")
    procedures(it, "2026-02-10", "1300", step=2)


def packs(book: Book) -> None:
    """Lago: 5 for a hundred units, the first hundred free; 201 units."""
    it = used(book, "packs")
    package = {"package_size": "100", "included_quantity": "100", "unit_price": "5"}
    it.line("units", pricing_model="package", meter="procedure", **package)
    procedures(it, "2026-01-10", "201")


def slabs(book: Book) -> None:
    """Oracle: 1,000 in slabs to 250, to 500 and above, priced in its four ways."""
    it = used(book, "slabs")
    rates = (("250", "1"), ("500", "2"), ("", "3"))
    fees = (("250", "10"), ("500", "20"), ("", "30"))
    for model in ("graduated", "volume"):
        tiered(it, model, rates)
    stepped(it, "graduated", fees, unit_price="0")
    stepped(it, "stairstep", fees)
    procedures(it, "2026-01-10", "1000")


def requests(book: Book) -> None:
    """Autumn: 15,000 at 0.01 to 1,000, 0.008 to 10,000, then 0.005."""
    it = used(book, "requests")
    tiered(it, "graduated", (("1000", "0.01"), ("10000", "0.008"), ("", "0.005")))
    procedures(it, "2026-01-10", "15000")


def calls(book: Book) -> None:
    """Zuplo: 15,000 at 0.10 to 1,000, 0.05 to 10,000, then 0.01."""
    it = used(book, "calls")
    for model in ("graduated", "volume"):
        tiered(it, model, (("1000", "0.1"), ("10000", "0.05"), ("", "0.01")))
    procedures(it, "2026-01-10", "15000")


def ondemand(book: Book) -> None:
    """Zuora: 15 units are billed, then 6 of the same period come in."""
    it = used(book, "ondemand")
    tiered(it, "graduated", (("10", "2"), ("20", "3"), ("", "5")))
    for day, quantity in (("01", "3"), ("02", "5"), ("03", "7")):
        procedures(it, f"2026-01-{day}", quantity)
    it.event("M", "a", "2026-01-01", step=2, event_type="procedure", quantity="1")
    procedures(it, "2026-01-04", "5", step=2)


def minutes(book: Book) -> None:
    """Zuora: minutes by volume, those of a month together."""
    it = used(book, "minutes")
    tiered(it, "volume", (("50", "11"), ("100", "10"), ("", "9")))
    for day, quantity in (("01-01", "70"), ("01-16", "90")):
        procedures(it, f"2026-{day}", quantity)
    for day, quantity in (("02-01", "80"), ("02-16", "115")):
        procedures(it, f"2026-{day}", quantity, step=2)


def overage(book: Book) -> None:
    """Zuora: 130 units, 100 of them free, then 2 each."""
    it = used(book, "overage")
    it.line("units", meter="procedure", unit_price="2", included_quantity="100")
    procedures(it, "2026-01-10", "130")


def partial(book: Book) -> None:
    """Zuora: 31 units at 1 in a month of which the charge runs from the 15th."""
    it = used(book, "partial", starts_on="2026-01-15")
    it.line("units", meter="procedure", unit_price="1", effective_on="2026-01-15")
    procedures(it, "2026-01-20", "31")


def seven(book: Book) -> None:
    """Zuora: 7 units at 5 from the 18th of a month of 31 days."""
    it = Scenario(book, "seven")
    it.contract()
    it.line("units", quantity="7", unit_price="5", effective_on="2026-01-18")


def pool(book: Book) -> None:
    """A question to NetSuite users: 12,000 a year included, 0.50 above."""
    it = used(book, "pool")
    rates = {"rate_card_id": card(it, "rates", ("", priced("0.5")))}
    year = {"tier_scope": "contract_year", "included_quantity": "12000"}
    it.line("units", pricing_model="graduated", meter="procedure", **rates, **year)
    for step, quantity in ((1, "6000"), (2, "5000"), (3, "2000")):
        procedures(it, f"2026-0{step}-10", quantity, step=step)


def seats_in_steps(book: Book) -> None:
    """Recurly: 25 seats in steps of 50, 100 and 150; 21 seats at 9 from 20 on."""
    it = Scenario(book, "recurring")
    it.contract()
    fees = (("10", priced("", "50")), ("20", priced("", "100")))
    steps = card(it, "steps", *fees, ("", priced("", "150")))
    it.line("steps", quantity="25", pricing_model="stairstep", rate_card_id=steps)
    prices = card(it, "prices", ("19", priced("10")), ("", priced("9")))
    it.line("volume", quantity="21", pricing_model="volume", rate_card_id=prices)


def storage(book: Book) -> None:
    """Zenskar: 1,500 in steps of 100 to 500, 300 to 2,000 and 600 above."""
    it = used(book, "storage")
    stepped(it, "stairstep", (("500", "100"), ("2000", "300"), ("", "600")))
    procedures(it, "2026-01-10", "1500")


def year(book: Book) -> None:
    """A question to NetSuite users: a year's tiers of 100, invoiced by month."""
    it = used(book, "year")
    rates = (("100", "1"), ("200", "0.8"), ("", "0.7"))
    tiered(it, "graduated", rates, tier_scope="contract_year")
    procedures(it, "2026-01-10", "50")
    procedures(it, "2026-02-10", "175", step=2)


def stub(book: Book) -> None:
    """Zuora: 10 units at 5 for two months billed from the 16th; 13 on the last one."""
    it = Scenario(book, "stub")
    it.contract(ends_on="2026-02-28", billing_anchor_day="16")
    it.line("units", quantity="10", unit_price="5")
    on = {"signed_on": "2026-02-16", "effective_on": "2026-02-16"}
    by = it.amend("more", since=2, kind="quantity_changed", **on)
    more = {"effective_on": "2026-02-16", "amendment_id": by}
    it.line("units", since=2, quantity="13", unit_price="5", **more)


def plan(book: Book) -> None:
    """Inomial: a plan of 50 becomes one of 100 on 15 March."""
    it = Scenario(book, "plan")
    it.contract()
    it.line("plan", pricing_model="flat", unit_price="50")
    on = {"signed_on": "2026-03-15", "effective_on": "2026-03-15"}
    by = it.amend("deluxe", since=3, kind="price_changed", invoicing="immediate", **on)
    deluxe = {"effective_on": "2026-03-15", "amendment_id": by}
    it.line("plan", since=3, pricing_model="flat", unit_price="100", **deluxe)
