"""Scenarios of what changes after it was billed: late units, tiers, terms, milestones.

Part of the shared book of `scenarios.py`; worked by hand in test_later_changes.py.
"""

from book import Book, Scenario
from price_book import card, commit, priced, procedures, yearly

YEAR = {"effective_on": "2025-02-01"}
NEXT = {"effective_on": "2026-01-01"}


def add_later_changes(book: Book) -> None:
    """Add all of them to a book."""
    for add in (
        crossing,
        jump,
        spent,
        pace,
        undone,
        backdated,
        share,
        pledged,
        quarter,
        left,
        rerun,
        floor,
        tiered,
    ):
        add(book)


def counted(book: Book, name: str, facilities: str = "a") -> Scenario:
    """A customer whose contract of 2026 covers its facilities."""
    it = Scenario(book, name, facilities)
    it.contract(covers=facilities)
    return it


def crossing(book: Book) -> None:
    """Tiers of a year, other prices from February, late units of January."""
    it = counted(book, "crossing")
    year = {"pricing_model": "graduated", "meter": "procedure"}
    year |= {"tier_scope": "contract_year"}
    first = card(it, "first", ("10", priced("10")), ("", priced("8")))
    second = card(it, "second", ("10", priced("9")), ("", priced("7")))
    it.line("scans", rate_card_id=first, **year)
    on = {"effective_on": "2026-02-01"}
    by = it.amend("cheaper", signed_on="2025-12-15", kind="price_changed", **on)
    it.line("scans", rate_card_id=second, amendment_id=by, **year, **on)
    procedures(it, "2026-01-10", "8")
    procedures(it, "2026-02-10", "6", step=2)
    procedures(it, "2026-01-20", "3", step=3)


def jump(book: Book) -> None:
    """Late units by which a month's volume reaches the next tier."""
    it = counted(book, "jump")
    prices = card(it, "prices", ("10", priced("5")), ("", priced("4")))
    volume = {"pricing_model": "volume", "meter": "procedure"}
    it.line("scans", rate_card_id=prices, **volume)
    procedures(it, "2026-01-10", "10")
    procedures(it, "2026-01-15", "2", step=2)


def spent(book: Book) -> None:
    """A year's minimum spend that a termination cuts."""
    it = yearly(book, "spent", "2025-07-01", "2026-06-30")
    since = {"effective_on": "2025-07-01"}
    it.line("scans", meter="procedure", unit_price="4", **since)
    commit(it, kind="spend", committed="3650", **since)
    procedures(it, "2025-09-09", "200")
    ends = {"kind": "terminated", "new_ends_on": "2026-02-10"}
    it.amend("end", since=2, signed_on="2026-02-10", effective_on="2026-02-11", **ends)


def pace(book: Book) -> None:
    """A commitment that is on track, and met a month later."""
    it = counted(book, "pace")
    it.line("scans", meter="procedure", unit_price="2")
    commit(it, line_id="pace-scans", committed="120", **NEXT)
    procedures(it, "2026-01-10", "12")
    procedures(it, "2026-02-10", "110", step=2)


def undone(book: Book) -> None:
    """A milestone whose amount is corrected, and whose completion is withdrawn."""
    it = Scenario(book, "undone")
    it.contract()
    it.line("platform", pricing_model="flat", unit_price="10")
    live = {"contract_id": "undone", "milestone": "go_live", "milestone_id": "live"}
    done = {"completed_on": "2026-01-10"}
    it.land("milestones", until=1, amount="100", **live, **done)
    it.land("milestones", since=2, until=2, amount="150", **live, **done)
    it.land("milestones", since=3, amount="150", **live)


def backdated(book: Book) -> None:
    """A lower price agreed for months that were billed, invoiced at once."""
    it = Scenario(book, "backdated")
    it.contract()
    it.line("portal", pricing_model="flat", unit_price="100")
    on = {"signed_on": "2026-02-20", "effective_on": "2026-01-15"}
    by = it.amend("less", since=2, kind="price_changed", invoicing="immediate", **on)
    less = {"effective_on": "2026-01-15", "amendment_id": by}
    it.line("portal", since=2, pricing_model="flat", unit_price="90", **less)


def share(book: Book) -> None:
    """Support as a share of usage that comes late."""
    it = counted(book, "share")
    it.line("scans", meter="procedure", unit_price="5")
    base = {"pricing_model": "percentage", "base_line_id": "share-scans"}
    it.line("support", percentage="20", **base)
    procedures(it, "2026-01-10", "10")
    procedures(it, "2026-01-20", "2", step=2)


def pledged(book: Book) -> None:
    """A commitment lowered for a year whose true-up was issued."""
    it = yearly(book, "pledged", "2025-02-01", "2027-01-31")
    it.line("scans", meter="procedure", unit_price="2", **YEAR)
    commit(it, line_id="pledged-scans", committed="100", **YEAR)
    procedures(it, "2025-03-10", "60")
    less = {"signed_on": "2026-02-15", "kind": "commitment_changed"}
    by = it.amend("less", since=2, **less, **YEAR)
    lower = {"committed": "70", "amendment_id": by}
    commit(it, since=2, line_id="pledged-scans", **lower, **YEAR)


def quarter(book: Book) -> None:
    """A commitment by the quarters in which its line is billed."""
    it = yearly(book, "quarter", "2025-10-01", "2026-09-30")
    since = {"effective_on": "2025-10-01"}
    quarterly = {"billing_frequency": "quarterly", "meter": "procedure"}
    it.line("scans", unit_price="3", **quarterly, **since)
    each = {"line_id": "quarter-scans", "period": "billing_period"}
    commit(it, committed="100", **each, **since)
    procedures(it, "2025-11-05", "40")


def left(book: Book) -> None:
    """A facility that had left when it counted, as an amendment says later."""
    it = counted(book, "left", "a b")
    it.line("scans", meter="procedure", unit_price="2")
    procedures(it, "2026-01-10", "3")
    it.event("B", "b", "2026-01-20", event_type="procedure", quantity="5")
    on = {"effective_on": "2026-01-16"}
    by = it.amend("go", since=2, signed_on="2026-02-10", kind="facility_removed", **on)
    it.cover("b", "2026-01-16", covered="false", amendment_id=by, since=2)


def rerun(book: Book) -> None:
    """Late units by which a rerated year reaches the next tier."""
    it = yearly(book, "rerun", "2025-02-01", "2027-01-31")
    prices = card(it, "prices", ("100", priced("10")), ("", priced("8")))
    volume = {"pricing_model": "volume", "meter": "procedure"}
    volume |= {"tier_scope": "contract_year", "rate_card_id": prices}
    it.line("scans", **volume, **YEAR)
    commit(it, line_id="rerun-scans", committed="50", true_up="rerate", **YEAR)
    procedures(it, "2025-06-10", "90")
    procedures(it, "2026-01-20", "20", step=2)


def floor(book: Book) -> None:
    """A month's minimum to which subscription, support and usage count."""
    it = counted(book, "floor")
    it.line("platform", pricing_model="flat", unit_price="100")
    it.line("scans", meter="procedure", unit_price="1")
    it.line("support", pricing_model="percentage", percentage="10")
    month = {"kind": "spend", "period": "billing_period"}
    commit(it, committed="200", **month, **NEXT)
    procedures(it, "2026-01-10", "20")


def tiered(book: Book) -> None:
    """Missing units at the price of the tier that holds what is committed."""
    it = yearly(book, "tiered", "2025-02-01", "2027-01-31")
    prices = card(it, "prices", ("50", priced("10")), ("", priced("8")))
    year = {"pricing_model": "graduated", "meter": "procedure"}
    year |= {"tier_scope": "contract_year", "rate_card_id": prices}
    it.line("scans", **year, **YEAR)
    commit(it, line_id="tiered-scans", committed="100", **YEAR)
    procedures(it, "2025-06-10", "60")
