"""What may be purged: usage files all of whose rows are settled, old and held by none.

Usage of a customer is settled before a day if every invoice with usage before it is
paid, its last payment (or credit) is older than the term, and what was counted before
is exactly what was booked; no billing period of its usage lines is cut by that day. So
the booked counts can stand in for the events (C8).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date

import duckdb

from orchestration.retention import Hold


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
    cutoff: date,
    holds: Sequence[Hold],
) -> Plan:
    """The plan, from the warehouse as the last run left it; `holds` are in force."""
    found = Plan(cutoff)
    settled = _settled(connection, cutoff)
    customers: dict[tuple[str, str], list[tuple]] = {}
    for feed, file_id, source, rows, customer, last in _rows(connection, cutoff):
        customers.setdefault((feed, file_id), []).append((source, rows, customer, last))
    for (feed, file_id), parts in sorted(customers.items()):
        because = _why_kept(parts, settled, cutoff, holds)
        rows = sum(part[1] for part in parts)
        found.files.append(OldFile(feed, file_id, parts[0][0], rows, because))
    owners = {
        key: [customer for _, _, customer, _ in parts if customer is not None]
        for key, parts in customers.items()
    }
    keep_needed(connection, found, settled, owners)
    found.settled = _days(found, settled, owners)
    found.individuals = _individuals(connection, found.purged)
    return found


def _why_kept(
    parts: Sequence[tuple],
    settled: dict[str, date],
    cutoff: date,
    holds: Sequence[Hold],
) -> str:
    for _, _, customer, last in parts:
        hold = next((hold for hold in holds if hold.keeps(customer)), None)
        if hold is not None:
            return f"legal hold {hold.name}"
        if last is None:
            return "rows without any day"
        if last >= cutoff:
            return f"service or receipt until {last}"
        if last >= settled.get(customer, cutoff):
            return f"{customer} is not settled for that long before {last}"
    return ""


def _days(
    found: Plan, settled: dict[str, date], owners: dict[tuple[str, str], list[str]]
) -> dict[str, date]:
    """Of each customer with rows that go, the day before which it is settled."""
    return {
        customer: settled.get(customer, found.cutoff)
        for file in found.purged
        for customer in owners[file.feed, file.file_id]
    }


def keep_needed(
    connection: duckdb.DuckDBPyConnection,
    found: Plan,
    settled: dict[str, date],
    owners: dict[tuple[str, str], list[str]],
) -> None:
    """Keep files without which rows that stay would say something else.

    Only rows that are not settled matter, as nothing is counted by the others.
    `owners` has the customers with rows in a file.
    """
    while True:
        purged = found.purged
        days = _days(found, settled, owners)
        settled_before = min(days.values(), default=found.cutoff)
        connection.execute(
            "create or replace temp table purge_files as "
            "select unnest(cast($1 as varchar[])) as feed, "
            "unnest(cast($2 as varchar[])) as file_id",
            [[file.feed for file in purged], [file.file_id for file in purged]],
        )
        needed = {
            (feed, file_id): because
            for because, query in _NEEDED.items()
            for feed, file_id in connection.execute(
                _STAYING + query, [settled_before]
            ).fetchall()
        }
        if not needed:
            return
        found.files = [
            replace(file, because=needed.get((file.feed, file.file_id), file.because))
            for file in found.files
        ]


# Rows that stay and are not settled; the day from which none is, is the parameter.
_STAYING = """
    with staying as (
        select * from restricted.usage_rows
        where (feed, file_id) not in (select feed, file_id from purge_files)
            and coalesce(service_date >= $1, true)
    ),
    going as (
        select * from restricted.usage_rows
        where (feed, file_id) in (select feed, file_id from purge_files)
    )"""
_NEEDED = {
    "procedures that stay are at its encounters": """
        select distinct going.feed, going.file_id
        from going
        inner join staying
            on going.feed = staying.feed and going.event_id = staying.encounter_id
        where going.event_type = 'encounter' and staying.facility is null""",
    "it changes events that stay": """
        select distinct going.feed, going.file_id
        from going
        inner join staying
            on going.feed = staying.feed and going.event_id = staying.event_id""",
    "it says where places are": """
        select distinct feed, file_id from raw.usage_places
        where (feed, file_id) in (select feed, file_id from purge_files)""",
    "it merges patients that stay": """
        select distinct merges.feed, merges.file_id
        from restricted.patient_merges as merges
        inner join staying
            on staying.patient_token in (merges.from_token, merges.to_token)
        where (merges.feed, merges.file_id) in (
            select feed, file_id from purge_files)""",
}


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
        "where (feed, file_id) in "
        "(select unnest(cast($1 as varchar[])), unnest(cast($2 as varchar[])))",
        [[file.feed for file in purged], [file.file_id for file in purged]],
    ).fetchone()[0]
