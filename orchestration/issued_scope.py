"""What issued invoices are about, for the rows of the audit log (HP-13)."""

from collections.abc import Sequence

import duckdb


def scope(
    connection: duckdb.DuckDBPyConnection, numbers: Sequence[str]
) -> dict[str, object]:
    """What invoices are about, for the audit log: customers, facilities, period.

    Facilities are counted where there are more than twenty.
    """
    customers = connection.execute(
        "select distinct customer_id from ledger.book.invoices "
        "where invoice_number in (select unnest($1)) order by 1",
        [numbers],
    ).fetchall()
    first, last = connection.execute(
        "select min(service_start), max(service_end) from ledger.book.invoice_lines "
        "where invoice_number in (select unnest($1))",
        [numbers],
    ).fetchone()
    facilities = connection.execute(
        "select distinct facility_id from ledger.book.invoice_line_facilities "
        "where invoice_number in (select unnest($1)) order by 1",
        [numbers],
    ).fetchall()
    return {
        "customers": [customer for (customer,) in customers],
        "facilities": (
            [facility for (facility,) in facilities]
            if len(facilities) <= 20
            else len(facilities)
        ),
        "period": [first.isoformat(), last.isoformat()] if first else None,
    }
