"""The whole story of a line, subject by subject."""

from collections.abc import Iterator

from orchestration.story.adjustment import adjustment
from orchestration.story.amount import amount, milestone
from orchestration.story.book import Line
from orchestration.story.commitment import commitment
from orchestration.story.terms import contract, prices, terms
from orchestration.story.usage import facilities, usage
from orchestration.wording import ends, wrapped


def story(line: Line) -> Iterator[str]:
    """What the line is, then what it rests on."""
    booked, header = line.booked, line.header
    yield ends(
        f"{booked['invoice_number']}, line {booked['line_number']}, of "
        f"{header['invoice_date']}, issued as of {header['issued_at']}",
        f"{header['currency']} {booked['amount']:,}",
    )
    yield from wrapped("  ", booked["description"])
    yield from contract(line)
    yield from terms(line)
    yield from prices(line)
    yield from amount(line)
    if booked["milestone_id"]:
        yield from milestone(line)
    if booked["commitment_id"]:
        yield from commitment(line)
    if booked["line_type"] == "usage":
        yield from usage(line)
    yield from facilities(line)
    if booked["is_adjustment"]:
        yield from adjustment(line)
