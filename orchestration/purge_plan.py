"""What may be purged: usage files all of whose rows are settled, old and held by none.

Usage of a customer is settled before a day if every invoice with usage before it is
paid, its last payment (or credit) is older than the term, and what was counted before
is exactly what was booked; no billing period of its usage lines is cut by that day. So
the booked counts can stand in for the events (C8).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

import duckdb

from orchestration.retention import Hold

_FAR = date(9999, 12, 31)


@dataclass(frozen=True)
class OldFile:
    """A usage file; `because` says why it is kept, empty if it may be purged."""

    feed: str
    file_id: str
    source_file: str
    rows: int
    because: str

    @property
    def discreet_name(self) -> str:
        """What logs call it."""
        return f"usage/{self.feed}/{self.file_id[:12]}"


@dataclass
class Plan:
    """`settled` has the day before which a customer's usage is settled."""

    cutoff: date
    files: list[OldFile] = field(default_factory=list)
    settled: dict[str, date] = field(default_factory=dict)
    individuals: int = 0

    @property
    def purged(self) -> list[OldFile]:
        """The files to purge."""
        return [file for file in self.files if not file.because]


def plan(
    connection: duckdb.DuckDBPyConnection,
    as_of: date,
    cutoff: date,
    holds: Sequence[Hold],
) -> Plan:
    """The plan, from the warehouse as the last run left it."""
    found = Plan(cutoff)
    settled = _settled(connection, cutoff)
    connection.execute(
        "create or replace temp table purge_days as select unnest($1) as customer_id, "
        "unnest($2) as settled_before",
        [list(settled), list(settled.values())],
    )
    customers: dict[tuple[str, str], list[tuple]] = {}
    for feed, file_id, source, rows, customer, last in _rows(connection, cutoff):
        customers.setdefault((feed, file_id), []).append((source, rows, customer, last))
    for (feed, file_id), parts in sorted(customers.items()):
        because = _why_kept(parts, settled, cutoff, holds, as_of)
        rows = sum(part[1] for part in parts)
        found.files.append(OldFile(feed, file_id, parts[0][0], rows, because))
        if not because:
            for _, _, customer, _ in parts:
                if customer is not None:
                    found.settled[customer] = settled.get(customer, cutoff)
    found.individuals = _individuals(connection, found.purged)
    return found


def _why_kept(
    parts: Sequence[tuple],
    settled: dict[str, date],
    cutoff: date,
    holds: Sequence[Hold],
    as_of: date,
) -> str:
    for _, _, customer, last in parts:
        hold = next((hold for hold in holds if hold.holds(customer, as_of)), None)
        if hold is not None:
            return f"legal hold {hold.name}"
        if last is None:
            return "rows without any day"
        if last >= cutoff:
            return f"service or receipt until {last}"
        if last >= settled.get(customer, cutoff):
            return f"{customer} is not settled for that long before {last}"
    return ""


def _rows(connection: duckdb.DuckDBPyConnection, cutoff: date) -> list[tuple]:
    """feed, file_id, source_file, rows, customer, last day: of files with PHI.

    A row's day is that of its service or, if it has none, of its receipt. What is of
    nobody's facility has no customer.
    """
    return connection.execute("""
        with identifiers as (
            select feed, identifier, min(facility_id) as facility_id
            from raw.facility_identifiers group by feed, identifier
        ),
        placed as (
            select
                rows.feed,
                rows.file_id,
                coalesce(rows.facility, events.facility) as facility,
                coalesce(rows.service_date, cast(rows.received_at as date)) as day
            from restricted.usage_rows as rows
            left join restricted.usage_events as events
                on rows.feed = events.feed and rows.event_id = events.event_id
        )
        select
            placed.feed,
            placed.file_id,
            any_value(files.source_file),
            count(*),
            facilities.customer_id,
            max(placed.day)
        from placed
        inner join raw.usage_files as files using (feed, file_id)
        left join identifiers
            on placed.feed = identifiers.feed
            and placed.facility = identifiers.identifier
        left join raw.facilities as facilities
            on coalesce(identifiers.facility_id, placed.facility)
            = facilities.facility_id
        where files.has_phi
        group by placed.feed, placed.file_id, facilities.customer_id
        order by all""").fetchall()


def _settled(connection: duckdb.DuckDBPyConnection, cutoff: date) -> dict[str, date]:
    """Of each customer the day before which its usage is settled."""
    customers = connection.execute("select customer_id from raw.customers").fetchall()
    settled = dict.fromkeys((customer for (customer,) in customers), cutoff)
    for query in (_UNPAID, _UNBOOKED):
        parameters = [cutoff] if "$1" in query else []
        for customer, first in connection.execute(query, parameters).fetchall():
            settled[customer] = min(settled.get(customer, cutoff), first)
    periods = connection.execute(_PERIODS).fetchall()
    for customer, day in settled.items():
        settled[customer] = _boundary(
            day, [(start, end) for one, start, end in periods if one == customer]
        )
    return settled


def _boundary(day: date, periods: Sequence[tuple[date, date]]) -> date:
    """The latest day not after `day` that lies within none of the periods."""
    while True:
        begun = [start for start, end in periods if start < day < end]
        if not begun:
            return day
        day = min(begun)


_UNPAID = """
    with settlements as (
        select invoice_number, max(applied_on) as applied_on
        from finance.applications
        where invoice_number is not null
        group by invoice_number
    )
    select invoices.customer_id, min(lines.service_start)
    from finance.invoice_lines as lines
    inner join finance.invoices as invoices using (invoice_id)
    left join settlements
        on invoices.invoice_number = settlements.invoice_number
    where lines.line_type = 'usage'
        and (
            invoices.status <> 'paid'
            or greatest(
                invoices.invoice_date,
                coalesce(settlements.applied_on, invoices.invoice_date)
            ) > $1
        )
    group by invoices.customer_id"""

# The first day on which what is counted now is not what was booked.
_UNBOOKED = """
    with both_sides as (
        select line_id, facility_id, service_date, units
        from restricted.billable_usage
        union all
        select line_id, facility_id, service_date, -units
        from ledger.book.billed_usage
    ),
    differences as (
        select line_id, service_date from both_sides
        group by line_id, facility_id, service_date
        having sum(units) <> 0
    )
    select contracts.customer_id, min(differences.service_date)
    from differences
    inner join raw.contract_lines as lines using (line_id)
    inner join raw.contracts as contracts on lines.contract_id = contracts.contract_id
    group by contracts.customer_id"""

_PERIODS = """
    select distinct contracts.customer_id, terms.period_start, terms.period_end
    from billing.int_usage_terms as terms
    inner join raw.contracts as contracts using (contract_id)"""


def _individuals(
    connection: duckdb.DuckDBPyConnection, purged: Sequence[OldFile]
) -> int:
    return connection.execute(
        "select count(distinct patient_token) from restricted.usage_rows "
        "where (feed, file_id) in (select unnest($1), unnest($2))",
        [[file.feed for file in purged], [file.file_id for file in purged]],
    ).fetchone()[0]
