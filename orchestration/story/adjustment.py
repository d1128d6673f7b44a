"""Why something was adjusted: what was booked, what is due, and which input changed."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal

from orchestration.changed_inputs import changed_inputs
from orchestration.story.book import Line, Row
from orchestration.wording import ends, plain, wrapped


def adjustment(line: Line) -> Iterator[str]:
    """Due less booked (A2), the lines beside it, the days and inputs that changed."""
    booked, before = line.booked, line.before
    yield from ("", "Adjustment")
    for row in before:
        yield ends(
            f"  booked in {row['invoice_number']}, line {row['line_number']}: "
            f"quantity {plain(row['quantity'])}",
            f"{row['amount']:,}",
        )
    sum_booked = sum(row["amount"] for row in before)
    if not before:
        yield "  nothing was booked under these terms and days before"
    yield ends("  due then", f"{sum_booked + booked['amount']:,}")
    yield ends("  this line, due less booked", f"{booked['amount']:,}")
    yield ends("  due as last built", f"{line.due_now:,}")
    yield from _counterparts(line)
    yield from _changed_days(line)
    yield from _changed_inputs(line)


def _counterparts(line: Line) -> Iterator[str]:
    """Other lines of the document for the same thing on some of the same days."""
    booked = line.booked
    subject = ("line_id", "commitment_id", "milestone_id", "contract_id")
    others = [
        f"line {other['line_number']} ({other['amount']:,})"
        for other in line.lines
        if other["line_number"] != booked["line_number"]
        and all(other[name] == booked[name] for name in subject)
        and other["is_adjustment"]
        and other["service_start"] <= booked["service_end"]
        and booked["service_start"] <= other["service_end"]
    ]
    if others:
        words = "charged again as" if booked["reverses"] else "stands beside"
        yield from wrapped("  ", f"{words} {', '.join(others)}")


def _changed_days(line: Line) -> Iterator[str]:
    if line.booked["line_type"] != "usage":
        return
    issue = line.header["issue_no"]
    # Units before it move its tiers.
    days = line.counted_from, line.days[1]
    was, now = (
        {_key(row): row["units"] for row in line.units_booked(*days, through)}
        for through in (issue - 1, issue)
    )
    for key in sorted(was | now):
        if was.get(key, 0) != now.get(key, 0):
            facility_id, day = key
            yield (
                f"  {facility_id} on {day}: {_or_none(was.get(key))} booked, "
                f"{_or_none(now.get(key))} due"
            )


def _changed_inputs(line: Line) -> Iterator[str]:
    """Changes since the charge was booked last, else since the issue before it."""
    issue = line.header["issue_no"]
    found = changed_inputs(
        line.book.connection,
        line.booked["contract_id"],
        (line.counted_from, line.days[1]),
        max((row["issue_no"] for row in line.before), default=issue - 1),
        issue,
    )
    yield (
        "  what changed since that was booked:"
        if found
        else "  none of its inputs changed since that was booked"
    )
    for change in found:
        yield from wrapped("    ", str(change))


def _or_none(units: Decimal | None) -> str:
    return "none" if units is None else plain(units)


def _key(row: Row) -> tuple[str, date]:
    return row["facility_id"], row["service_date"]
