"""Scenarios of what negotiated contracts say: models, commitments, milestones, changes.

Part of the shared book of `scenarios.py`; worked by hand in test_price_book.py.
"""

from book import Book, Scenario


def add_price_book(book: Book) -> None:
    """Add all of them to a book."""
    for add in (
        shelf,
        meters,
        repriced,
        shortfall,
        halved,
        minimum,
        cut,
        rerate,
        milestones,
        module,
        renewed,
        ahead,
        corrected,
    ):
        add(book)


def card(it: Scenario, name: str, *tiers: tuple[str, dict[str, str]]) -> str:
    """A rate card of (up_to, prices) in order; returns its id."""
    rate_card_id = f"{it.name}-{name}"
    for number, (up_to, prices) in enumerate(tiers, 1):
        it.land(
            "rate_cards",
            rate_card_id=rate_card_id,
            tier=str(number),
            up_to=up_to,
            **prices,
        )
    return rate_card_id


def priced(text: str, fee: str = "") -> dict[str, str]:
    """A tier's unit price, and its flat fee."""
    return {"unit_price": text, "flat_fee": fee}


def commit(it: Scenario, since: int = 1, **terms: str) -> None:
    """A commitment of the scenario's contract, by default of units a year."""
    terms = {"kind": "quantity", "contract_id": it.name} | terms
    it.land("commitments", since, commitment_id=f"{it.name}-pledge", **terms)


def yearly(book: Book, name: str, starts_on: str, ends_on: str) -> Scenario:
    """A customer whose contract began last year and covers one facility."""
    it = Scenario(book, name, "a")
    signed_on = "2025-01-15"
    it.contract(covers="a", signed_on=signed_on, starts_on=starts_on, ends_on=ends_on)
    return it


def procedures(
    it: Scenario, day: str, quantity: str, step: int = 1, **more: str
) -> None:
    """One row of a feed that counts so many procedures on a day."""
    row = {"event_type": "procedure", "quantity": quantity} | more
    it.event(f"P{day}", "a", day, step=step, **row)


def shelf(book: Book) -> None:
    """Every pricing model of a recurring line, and support as a share of one."""
    it = Scenario(book, "shelf")
    it.contract()
    seats = {"quantity": "8"}
    prices = card(it, "prices", ("5", priced("20")), ("", priced("15")))
    fees = card(it, "fees", ("5", {"flat_fee": "100"}), ("", {"flat_fee": "140"}))
    it.line("grad", pricing_model="graduated", rate_card_id=prices, **seats)
    it.line("vol", pricing_model="volume", rate_card_id=prices, **seats)
    it.line("stair", pricing_model="stairstep", rate_card_id=fees, **seats)
    it.line("pack", pricing_model="package", package_size="3", unit_price="30", **seats)
    flat = {"pricing_model": "flat", "unit_price": "1000", "discount_percent": "10"}
    it.line("platform", **flat)
    base = {"percentage": "18", "base_line_id": "shelf-platform"}
    it.line("support", pricing_model="percentage", **base)


def meters(book: Book) -> None:
    """Every pricing model of a usage line; several lines on one meter; patients."""
    it = Scenario(book, "meters", "a b")
    it.contract(covers="a b")
    counted = {"meter": "procedure"}
    off = {"discount_percent": "0"}, {"discount_percent": "25"}
    discounts = card(it, "off", ("10", off[0]), ("", off[1]))
    volume = card(
        it, "vol", ("10", priced("5")), ("20", priced("4", "10")), ("", priced("3"))
    )
    fees = card(
        it,
        "fees",
        ("5", {"flat_fee": "100"}),
        ("15", {"flat_fee": "180"}),
        ("", {"flat_fee": "300"}),
    )
    less = {"unit_price": "2", "discount_percent": "10"}
    it.line(
        "disc", pricing_model="graduated", rate_card_id=discounts, **less, **counted
    )
    it.line("emergency", meter="emergency", unit_price="9")
    it.line("flat", pricing_model="flat", unit_price="50", **counted)
    it.line("free", unit_price="1.5", included_quantity="2", **counted)
    it.line(
        "pack", pricing_model="package", package_size="5", unit_price="7", **counted
    )
    it.line("patients", meter="patient", unit_price="3")
    it.line("stair", pricing_model="stairstep", rate_card_id=fees, **counted)
    it.line("vol", pricing_model="volume", rate_card_id=volume, **counted)
    procedures(it, "2026-01-10", "12")
    same = {"patient_id": "PATIENT-CANARY-meters"}
    it.event("E1", "b", "2026-01-12", **{"class": "EMER"}, **same)
    it.event("E2", "a", "2026-01-13", **{"class": "AMB"}, **same)
    it.event("E3", "a", "2026-01-14", **{"class": "AMB"})
    it.event("E4", "a", "2026-01-15", **{"class": "EMER"}, patient_id="")


def repriced(book: Book) -> None:
    """Prices that change in the middle of a period, agreed on that day."""
    it = Scenario(book, "repriced", "a")
    it.contract(covers="a")
    by = it.amend(
        "up", signed_on="2026-01-16", effective_on="2026-01-16", kind="price_changed"
    )
    later = {"effective_on": "2026-01-16", "amendment_id": by}
    it.line("platform", pricing_model="flat", unit_price="310")
    it.line("platform", pricing_model="flat", unit_price="620", **later)
    it.line("visits", meter="encounter", unit_price="2")
    it.line("visits", meter="encounter", unit_price="3", **later)
    it.event("E1", "a", "2026-01-15")
    it.event("E2", "a", "2026-01-16")


def shortfall(book: Book) -> None:
    """A year's commitment missed, and units of it that come after its true-up."""
    it = yearly(book, "shortfall", "2025-02-01", "2027-01-31")
    since = {"effective_on": "2025-02-01"}
    it.line("scans", meter="procedure", unit_price="2", **since)
    commit(it, line_id="shortfall-scans", committed="100", **since)
    procedures(it, "2025-03-10", "60")
    procedures(it, "2026-01-20", "15", step=2)


def halved(book: Book) -> None:
    """A commitment halved in mid-year; a missing unit has a price of its own."""
    it = yearly(book, "halved", "2025-02-01", "2027-01-31")
    since = {"effective_on": "2025-02-01"}
    it.line("scans", meter="procedure", unit_price="1", **since)
    terms = {"line_id": "halved-scans", "shortfall_price": "1.5"}
    commit(it, committed="730", **terms, **since)
    by = it.amend(
        "half",
        signed_on="2025-08-01",
        effective_on="2025-08-01",
        kind="commitment_changed",
    )
    commit(it, committed="365", effective_on="2025-08-01", amendment_id=by, **terms)
    procedures(it, "2025-05-05", "500")


def minimum(book: Book) -> None:
    """A minimum spend each month over subscription and usage."""
    it = Scenario(book, "minimum", "a")
    it.contract(covers="a")
    it.line("platform", pricing_model="flat", unit_price="600")
    it.line("scans", meter="procedure", unit_price="5")
    spend = {"kind": "spend", "period": "billing_period", "effective_on": "2026-01-01"}
    commit(it, committed="1000", **spend)
    procedures(it, "2026-01-10", "12")


def cut(book: Book) -> None:
    """A committed year that a termination cuts short."""
    it = yearly(book, "cut", "2025-07-01", "2026-06-30")
    since = {"effective_on": "2025-07-01"}
    it.line("scans", meter="procedure", unit_price="4", **since)
    commit(it, line_id="cut-scans", committed="365", **since)
    procedures(it, "2025-09-09", "200")
    it.amend(
        "end",
        since=2,
        signed_on="2026-02-10",
        effective_on="2026-02-11",
        kind="terminated",
        new_ends_on="2026-02-10",
    )


def rerate(book: Book) -> None:
    """A year's volume charged at the committed tier, and at its end as reached."""
    it = yearly(book, "rerate", "2025-02-01", "2027-01-31")
    since = {"effective_on": "2025-02-01"}
    prices = card(it, "prices", ("100", priced("10")), ("", priced("8")))
    it.line(
        "scans",
        meter="procedure",
        pricing_model="volume",
        rate_card_id=prices,
        tier_scope="contract_year",
        **since,
    )
    commit(it, line_id="rerate-scans", committed="50", true_up="rerate", **since)
    procedures(it, "2025-06-10", "120")


def milestones(book: Book) -> None:
    """Milestones on their own day, with the next invoice, and completed later."""
    it = Scenario(book, "milestones")
    it.contract()
    it.line("platform", pricing_model="flat", unit_price="10")
    at = {"contract_id": "milestones"}
    signed = {"milestone": "signature", "amount": "5000", "completed_on": "2025-12-01"}
    it.land("milestones", milestone_id="M1", **at, **signed)
    live = {"milestone": "go_live", "amount": "2500", "completed_on": "2026-01-15"}
    it.land("milestones", milestone_id="M2", invoicing="next_invoice", **at, **live)
    accepted = {"milestone": "acceptance", "amount": "750"}
    it.land("milestones", 1, 2, milestone_id="M3", **at, **accepted)
    done = {"completed_on": "2026-03-20"}
    it.land("milestones", 3, milestone_id="M3", **at, **accepted, **done)


def module(book: Book) -> None:
    """A module ends in a month that was invoiced in advance."""
    it = Scenario(book, "module")
    it.contract()
    it.line("portal", pricing_model="flat", unit_price="280")
    by = it.amend("drop", since=2, signed_on="2026-02-10", effective_on="2026-02-15")
    ended = {"status": "ended", "effective_on": "2026-02-15", "amendment_id": by}
    # What has ended needs no price.
    it.line("portal", since=2, pricing_model="flat", **ended)


def renewed(book: Book) -> None:
    """A contract that is renewed before it runs out."""
    it = Scenario(book, "renewed")
    it.contract(ends_on="2026-02-28")
    it.line("portal", pricing_model="flat", unit_price="100")
    it.amend(
        "again",
        since=2,
        signed_on="2026-02-20",
        effective_on="2026-03-01",
        kind="renewed",
        new_ends_on="2027-02-28",
    )


def ahead(book: Book) -> None:
    """A facility that leaves by an amendment signed before it does."""
    it = Scenario(book, "ahead", "a b")
    it.contract(covers="a b")
    it.line("platform", quantity_basis="covered_facilities", unit_price="10")
    by = it.amend(
        "leave",
        since=2,
        signed_on="2026-02-20",
        effective_on="2026-03-01",
        kind="facility_removed",
    )
    it.cover("b", "2026-03-01", covered="false", amendment_id=by, since=2)


def corrected(book: Book) -> None:
    """A count that its source corrects after the invoice."""
    it = Scenario(book, "corrected", "a")
    it.contract(covers="a")
    it.line("scans", meter="procedure", unit_price="2")
    procedures(it, "2026-01-10", "10", received_at="2026-01-11T09:00:00Z")
    later = {"received_at": "2026-02-10T09:00:00Z"}
    procedures(it, "2026-01-10", "7", step=2, **later)
