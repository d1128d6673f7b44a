"""How the amount of a line comes about: days, quantity, price, base of a percentage."""

from collections.abc import Iterator

from orchestration.arithmetic import in_figures
from orchestration.story.book import MODELS, Line, Row, day_before, place
from orchestration.wording import price, wrapped


def amount(line: Line) -> Iterator[str]:
    """Service dates, billing period, and the amount in figures."""
    booked = line.booked
    yield from ("", "Amount")
    yield f"  service {booked['service_start']} – {booked['service_end']}"
    period = _billing_period(line)
    if period:
        yield (
            f"  billing period {period['period_start']} – "
            f"{day_before(period['period_end'])}; a full one has "
            f"{period['full_days']} days"
        )
    yield from _base(line)
    if booked["is_adjustment"] and line.before and not booked["reverses"]:
        yield "  the difference of what is due to what was booked: see Adjustment"
        return
    yield from wrapped("  ", _figures(line, period))


def _billing_period(line: Line) -> Row | None:
    """That of a contract line; commitments and milestones have days of their own."""
    if not line.version or line.booked["commitment_id"]:
        return None
    return line.book.row(
        f"select * from {MODELS}.billing_periods where contract_id = $contract "
        "and frequency = $frequency and period_start <= $day and period_end > $day",
        contract=line.booked["contract_id"],
        frequency=line.version["billing_frequency"],
        day=line.booked["service_start"],
    )


def _base(line: Line) -> Iterator[str]:
    """The charge that a percentage line is a share of (R4): its key ends the line's."""
    if not line.version or line.version["pricing_model"] != "percentage":
        return
    base = line.book.row(
        f"select * from {MODELS}.line_charges where contract_id = $contract "
        "and line_id <> $line and ends_with($key, '|' || charge_key)",
        contract=line.booked["contract_id"],
        line=line.booked["line_id"],
        key=line.booked["charge_key"],
    )
    if base is None:
        yield "  its base charge is not due any more"
        return
    yield from wrapped(
        "  ",
        f"its base, line {base['line_id']}: {base['description']}, due as last built "
        f"{price(base['amount'])}",
    )


def _figures(line: Line, period: Row | None) -> str:
    cents = line.book.row(
        f"select cents_step from {MODELS}.contracts where contract_id = $id",
        id=line.booked["contract_id"],
    )
    return in_figures(
        line.booked,
        model=line.version["pricing_model"] if line.version else None,
        package_size=line.version["package_size"] if line.version else None,
        tiers=line.tiers,
        full_days=period["full_days"] if period else None,
        cents_step=cents["cents_step"] if cents else 1,
    )


def milestone(line: Line) -> Iterator[str]:
    """The milestone as landed now."""
    landed = line.book.row(
        "select * from warehouse.raw.milestones where milestone_id = $id",
        id=line.booked["milestone_id"],
    )
    yield from ("", "Milestone")
    if landed is None:
        yield f"  {line.booked['milestone_id']} is not landed now"
        return
    yield (
        f"  {landed['milestone_id']}: {landed['milestone'].replace('_', '-')}, "
        f"completed {landed['completed_on'] or 'not yet'}, "
        f"worth {price(landed['amount'])}"
    )
    if landed["evidence"]:
        yield from wrapped("  ", f"evidence: {landed['evidence']}")
    yield f"  landed in {place(landed)}"
