"""A customer whose every event is rejected at first, and mended a month later."""

from book import Book, Scenario


def add_mended_usage(book: Book) -> None:
    """One event for each reason; of no_baa the scenario `agreement` tells."""
    it = Scenario(book, "mended", "a b")
    it.contract(covers="a")
    it.line("visits", meter="encounter", unit_price="4")
    # The feed's name of the facility, and what it is, landed later.
    it.event("unknown_facility", "nowhere", "2026-01-05")
    it.land(
        "facility_identifiers",
        since=2,
        feed="mended",
        identifier="mended-nowhere",
        facility_id="mended-a",
    )
    it.event("facility_not_covered", "b", "2026-01-06")
    joined = it.amend(
        "join",
        since=2,
        signed_on="2026-02-10",
        effective_on="2026-01-01",
        kind="facility_added",
    )
    it.cover("b", "2026-01-01", amendment_id=joined, since=2)
    # Sent again, rightly, in a file that comes later.
    it.event("missing_facility", "", "2026-01-07")
    it.event("missing_facility", "a", "2026-01-07", step=2)
    it.event("invalid_date", "a", "2026-13-08")
    it.event("invalid_date", "a", "2026-01-08", step=2)
    it.event("invalid_quantity", "a", "2026-01-09", quantity="-1")
    it.event("invalid_quantity", "a", "2026-01-09", step=2, quantity="1")
    # The day comes.
    it.event("future_date", "a", "2026-02-20", received_at="2026-01-20")
    # A contract of December, signed in February.
    it.event("no_contract", "a", "2025-12-30")
    for table, row in (
        (
            "contracts",
            {
                "customer_id": "mended",
                "signed_on": "2026-02-10",
                "starts_on": "2025-12-01",
                "ends_on": "2025-12-31",
            },
        ),
        (
            "contract_facilities",
            {
                "facility_id": "mended-a",
                "effective_on": "2025-12-01",
                "covered": "true",
            },
        ),
        (
            "contract_lines",
            {
                "line_id": "mended-december",
                "effective_on": "2025-12-01",
                "charge_type": "usage",
                "product_id": "visits",
                "pricing_model": "per_unit",
                "meter": "encounter",
                "unit_price": "3",
            },
        ),
    ):
        it.land(table, since=2, contract_id="mended-december", **row)
