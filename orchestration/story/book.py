"""Ledger (what was booked) and warehouse (what is due now), open for reading."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any

import duckdb

from orchestration.database import named_rows
from orchestration.ledger_chain import LINE
from orchestration.wording import wrapped

Row = dict[str, Any]
MODELS = "warehouse.billing"


class Book:
    """Rows of queries over both, as dictionaries."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection

    def rows(self, sql: str, **parameters: object) -> list[Row]:
        return named_rows(self.connection, sql, parameters)

    def row(self, sql: str, **parameters: object) -> Row | None:
        found = self.rows(sql, **parameters)
        return found[0] if found else None


@dataclass(frozen=True)
class Line:
    """A booked line of a document (`header` and all its `lines`), and its terms."""

    book: Book
    header: Row
    lines: list[Row]
    booked: Row

    @property
    def days(self) -> tuple[date, date]:
        """Its first and last day of service."""
        return self.booked["service_start"], self.booked["service_end"]

    @cached_property
    def counted_from(self) -> date:
        """The first day whose units move its amount: where its tiers begin (U5).

        A percentage moves with its base, which counts on the same days.
        """
        counted = self.version and (
            self.version["base_line_id"] or self.version["line_id"]
        )
        terms = self.book.row(
            f"select min(scope_start) as first from {MODELS}.int_usage_terms "
            "where line_id = $line and service_from <= $last and service_to > $first",
            line=counted,
            first=self.days[0],
            last=self.days[1],
        )
        return min(filter(None, (terms["first"], self.days[0])))

    @cached_property
    def version(self) -> Row | None:
        """The terms of its contract line known now that priced it, if there are any.

        A commitment's charge rests on those of the line's last active day in or before
        the period (M2, M3); every other line has a version of its own.
        """
        if self.booked["line_id"] is None:
            return None
        if self.booked["commitment_id"] is None:
            return self.book.row(
                f"select * from {MODELS}.line_versions "
                "where line_id = $line and version_start = $start",
                line=self.booked["line_id"],
                start=self.booked["version_start"],
            )
        return self.book.row(
            f"select * from {MODELS}.line_versions where line_id = $line "
            "and is_active and valid_from <= $last order by valid_from desc limit 1",
            line=self.booked["line_id"],
            last=self.booked["service_end"],
        )

    @cached_property
    def tiers(self) -> list[Row]:
        """The price tiers of its version; one without a number if it has no card."""
        if self.version is None:
            return []
        return self.book.rows(
            f"select * from {MODELS}.price_tiers "
            "where line_id = $line and version_start = $start order by tier",
            line=self.version["line_id"],
            start=self.version["version_start"],
        )

    @cached_property
    def before(self) -> list[Row]:
        """The lines of the same charge that were booked before this one."""
        return self.book.rows(
            f"select {LINE}, issue_no from ledger.book.invoice_lines "
            "join (select invoice_number, issue_no from ledger.book.invoices) "
            "using (invoice_number) "
            "where charge_key = $key and issue_no < $issue "
            "order by issue_no, invoice_number, line_number",
            key=self.booked["charge_key"],
            issue=self.header["issue_no"],
        )

    @property
    def due_now(self) -> Any:
        """What the charge comes to as last built; 0.00 if it is not due any more."""
        due = self.book.row(
            f"select coalesce(sum(amount), 0.00) as amount from {MODELS}.charges "
            "where charge_key = $key",
            key=self.booked["charge_key"],
        )
        return due["amount"]

    def units_booked(self, first: date, last: date, through_issue: int) -> list[Row]:
        """Units of its contract line by facility and day, as issues up to one have it.

        Units that are free (`included_quantity`) are among them.
        """
        return self.book.rows(
            """
            select facility_id, service_date, sum(units) as units
            from ledger.book.billed_usage
            where line_id = $line and issue_no <= $through
                and service_date between $first and $last
            group by all having sum(units) <> 0
            order by facility_id, service_date
            """,
            line=self.booked["line_id"],
            through=through_issue,
            first=first,
            last=last,
        )


def place(landed: Row) -> str:
    """Where a row was landed."""
    return f"{landed['source_file']}, line {landed['line']}"


def day_before(day: date) -> date:
    """The last day of an interval whose end is not in it."""
    return date.fromordinal(day.toordinal() - 1)


def amendment(book: Book, amendment_id: str | None) -> Iterator[str]:
    """What an amendment is, and where it was landed; nothing without one."""
    if amendment_id is None:
        return
    landed = book.row(
        "select * from warehouse.raw.amendments where amendment_id = $id",
        id=amendment_id,
    )
    if landed is None:
        yield f"  amendment {amendment_id}, which is not landed now"
        return
    yield from wrapped(
        "  ",
        f"amendment {amendment_id}, {landed['kind'].replace('_', ' ')}: signed "
        f"{landed['signed_on']}, effective {landed['effective_on']}"
        + (f": {landed['description']}" if landed["description"] else ""),
    )
    yield f"  landed in {place(landed)}"
