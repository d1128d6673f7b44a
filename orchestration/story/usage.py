"""What a line counted, by facility and day, and how it is shared between facilities."""

from collections.abc import Iterator

from orchestration.ledger_chain import SHARE
from orchestration.story.book import MODELS, Line, Row, day_before
from orchestration.wording import ends, plain, wrapped


def usage(line: Line) -> Iterator[str]:
    """Units by facility and day, and what became of the events of these days."""
    yield from ("", "Units booked, by facility and day")
    yield from _counted_before(line)
    booked = line.units_booked(*line.days, line.header["issue_no"])
    if not booked:
        yield "  none"
    by_facility: dict[str, list[Row]] = {}
    for row in booked:
        by_facility.setdefault(row["facility_id"], []).append(row)
    for facility_id, rows in by_facility.items():
        total = sum(row["units"] for row in rows)
        yield ends(f"  {facility_id}", plain(total))
        counts = (
            f"{row['service_date']:%b}\u00a0{row['service_date'].day}:\u00a0"
            f"{plain(row['units'])}"
            for row in rows
        )
        for text in wrapped("      ", ", ".join(counts)):
            yield text.replace("\u00a0", " ")
    yield from _events(line)


def _counted_before(line: Line) -> Iterator[str]:
    """Where its counters stand as its days begin, and how many units are free (U6)."""
    version = line.version
    if version is None:
        return
    free = version["included_quantity"]
    if not free and not version["rate_card_id"]:
        return
    scope = line.book.row(
        f"select * from {MODELS}.billing_periods where contract_id = $contract "
        "and frequency = $frequency and period_start <= $day and period_end > $day",
        contract=line.booked["contract_id"],
        frequency=version["scope_frequency"],
        day=line.booked["service_start"],
    )
    if scope is None:
        return
    yearly = version["scope_frequency"] == "contract_year"
    name = "contract year" if yearly else "billing period"
    begins = scope["period_start"]
    if begins < line.booked["service_start"]:
        rows = line.units_booked(
            begins,
            day_before(line.booked["service_start"]),
            line.header["issue_no"],
        )
        yield ends(
            f"  counted in the {name} from {begins} before these days",
            plain(sum(row["units"] for row in rows)) if rows else "0",
        )
    if free:
        yield from wrapped(
            "  ", f"the first {plain(free)} of the {name} are free: on no line, no tier"
        )


def _events(line: Line) -> Iterator[str]:
    yield from (
        "",
        "Events of these days at the contract's facilities, as last built",
    )
    settled = line.book.row(
        "select max(settled_before) as before from ledger.book.settled_usage "
        "join ledger.book.invoices using (customer_id) "
        "where invoice_number = $number",
        number=line.booked["invoice_number"],
    )
    if settled and settled["before"] and line.days[0] < settled["before"]:
        yield (
            f"  before {settled['before']}: purged under retention; the units booked "
            "stand"
        )
    for row in line.book.rows(
        """
        select outcome, sum(events) as events
        from warehouse.restricted.attributed_usage as usage
        join warehouse.seeds.meters on meters.event_type = usage.event_type
            and (meters.classes is null
                or contains('|' || meters.classes || '|', '|' || usage.class || '|'))
            and (meters.codes is null
                or contains('|' || meters.codes || '|', '|' || usage.code || '|'))
        where meters.meter = $meter and service_date between $first and $last
            and (contract_id = $contract or facility_id in (
                select facility_id from warehouse.billing.facility_coverage
                where contract_id = $contract))
        group by outcome order by outcome
        """,
        meter=line.booked["meter"],
        contract=line.booked["contract_id"],
        first=line.days[0],
        last=line.days[1],
    ):
        yield ends(f"  {row['outcome'].replace('_', ' ')}", f"{row['events']:,}")


def facilities(line: Line) -> Iterator[str]:
    """The shares of a line that is shared between facilities (A7)."""
    shares = line.book.rows(
        f"select {SHARE} from ledger.book.invoice_line_facilities "
        "where invoice_number = $number and line_number = $line "
        "order by facility_id",
        number=line.booked["invoice_number"],
        line=line.booked["line_number"],
    )
    if shares:
        yield from ("", f"{'Facilities':52}{'quantity':>22}{'amount':>26}")
    for share in shares:
        name = f"{share['facility_id']} {share['facility_name'] or ''}".strip()
        yield f"  {name[:50]:50}{plain(share['quantity']):>22}{share['amount']:>26,}"
