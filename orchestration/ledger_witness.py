"""Which row of a changed invoice or record it is, by what was published of it.

A hash says that something was changed, not what. Publications say what stood there:
those that a close kept, whose digests the ledger holds, and else the current one.
"""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import duckdb

from orchestration.database import quoted

_SHOWN = 5

# Of a table of the ledger: the published one, and what tells a row of it from others.
_PUBLISHED = {
    "invoices": ("invoices", ("invoice_number",)),
    "invoice_lines": ("invoice_lines", ("invoice_number", "line_number")),
    "invoice_line_facilities": (
        "invoice_line_facilities",
        ("invoice_number", "line_number", "facility_id"),
    ),
    "journal_lines": ("journal_entries", ("entry_id", "account")),
    "posted_revenue": ("revenue_schedule", ("charge_key", "revenue_month")),
}
# What of a published table is the ledger's, where names or grain are others.
_AS_BOOKED = {
    "invoices": (
        "select * exclude (total), subtotal as total from witness.finance.invoices "
        "where invoice_number is not null"
    ),
    "invoice_line_facilities": (
        "select * exclude (invoice_id), invoice_id as invoice_number "
        "from witness.finance.invoice_line_facilities"
    ),
    "revenue_schedule": (
        "select * from witness.finance.revenue_schedule where status = 'posted'"
    ),
}
_BOOKED = {
    "posted_revenue": (
        "select charge_key, revenue_month, sum(amount) as amount "
        "from ledger.book.posted_revenue group by charge_key, revenue_month"
    ),
}


@contextlib.contextmanager
def opened(
    connection: duckdb.DuckDBPyConnection, publication: Path | None
) -> Iterator[bool]:
    """A publication as `witness`, if there is one that can be read."""
    try:
        connection.execute(f"attach {quoted(publication)} as witness (read_only)")
    except duckdb.Error:
        # A publication that is gone or damaged says nothing; it is named elsewhere.
        yield False
        return
    try:
        yield True
    finally:
        connection.execute("detach witness")


def changed_rows(
    connection: duckdb.DuckDBPyConnection, table: str, column: str, value: object
) -> list[str]:
    """Rows of a ledger table that are not as `witness` has them, the first few.

    Only those whose `column` has the value, such as the invoice's number. A column of
    the ledger alone limits the ledger's rows, and the witness's to the same keys.
    """
    if table not in _PUBLISHED:
        return []
    published, keys = _PUBLISHED[table]
    booked = _BOOKED.get(table, f"select * from ledger.book.{table}")
    witness = _AS_BOOKED.get(published, f"select * from witness.finance.{published}")
    columns = _common_columns(connection, booked, witness)
    where = f"where {_listed(keys)} in (select {_listed(keys)} from " + (
        f"ledger.book.{table} where {column} = $1)"
    )
    if column in columns:
        where = f"where {column} = $1"
    listed = ", ".join(columns)
    rows = [
        connection.execute(
            f"select {listed} from ({query}) {where} order by all", [value]
        ).fetchall()
        for query in (booked, witness)
    ]
    return _differences(columns, keys, *rows)[:_SHOWN]


def _listed(names: Sequence[str]) -> str:
    return f"({', '.join(names)})"


def _common_columns(
    connection: duckdb.DuckDBPyConnection, one: str, other: str
) -> list[str]:
    names = [
        [name for name, *_ in connection.execute(f"describe {query}").fetchall()]
        for query in (one, other)
    ]
    return [name for name in names[0] if name in names[1]]


def _differences(
    columns: Sequence[str],
    keys: Sequence[str],
    booked: list[tuple[Any, ...]],
    published: list[tuple[Any, ...]],
) -> list[str]:
    there, then = _by_key(columns, keys, booked), _by_key(columns, keys, published)
    found = []
    for key in sorted(there.keys() | then.keys(), key=str):
        place = ", ".join(
            f"{name} {value}" for name, value in zip(keys, key, strict=True)
        )
        for now, before in _pairs(there.get(key, []), then.get(key, [])):
            if before is None:
                found.append(f"{place}: was added")
            elif now is None:
                found.append(f"{place}: was removed")
            else:
                found += [
                    f"{place}: {name} is {now[name]}, was published as {before[name]}"
                    for name in columns
                    if now[name] != before[name]
                ]
    return found


def _by_key(columns, keys, rows) -> dict[tuple, list[dict[str, Any]]]:
    grouped: dict[tuple, list[dict[str, Any]]] = {}
    for row in rows:
        named = dict(zip(columns, row, strict=True))
        grouped.setdefault(tuple(named[key] for key in keys), []).append(named)
    return grouped


def _pairs(there: list[dict], then: list[dict]) -> Iterator[tuple]:
    """Rows of one key beside each other: equal ones left out, the rest in order."""
    now = [row for row in there if row not in then]
    before = [row for row in then if row not in there]
    for place in range(max(len(now), len(before))):
        yield (
            now[place] if place < len(now) else None,
            before[place] if place < len(before) else None,
        )
