"""Revenue as the pipeline published it, beside what the model says."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import astuple, fields
from decimal import Decimal

import duckdb

from reference.revenue_tables import (
    BalanceRow,
    FacilityUsageRow,
    ObligationRow,
    RevenueTables,
    ScheduleRow,
)

TABLES = {
    "schedule": ("finance.revenue_schedule", ScheduleRow),
    "balances": ("finance.contract_balances", BalanceRow),
    "obligations": ("finance.remaining_obligations", ObligationRow),
    "usage": ("finance.usage_by_facility", FacilityUsageRow),
}
"""Of each table of revenue its published name and the columns that are compared."""

JOURNAL_COLUMNS = (
    "contract_id, accounting_month, account, product_id, currency, invoice_number"
)


def columns(row: type) -> str:
    """The columns of a row, as SQL selects them."""
    return ", ".join(field.name for field in fields(row))


def model_revenue(revenue: RevenueTables) -> dict[str, Counter]:
    """The model's rows by table; the journal's are its sums."""
    found = {
        table: Counter(astuple(row) for row in getattr(revenue, table))
        for table in TABLES
    }
    found["obligations"] = _not_zero(found["obligations"])
    found["journal"] = _sums(
        (
            line.contract_id,
            line.accounting_month,
            line.account,
            line.product_id,
            line.currency,
            line.invoice_number,
            line.amount,
        )
        for line in revenue.journal
    )
    return found


def published_revenue(published: duckdb.DuckDBPyConnection) -> dict[str, Counter]:
    """The same of what the pipeline published."""
    found = {
        table: Counter(
            published.execute(f"select {columns(row)} from {name}").fetchall()
        )
        for table, (name, row) in TABLES.items()
    }
    found["obligations"] = _not_zero(found["obligations"])
    found["journal"] = _sums(
        published.execute(
            f"select {JOURNAL_COLUMNS}, debit - credit from finance.journal_entries"
        ).fetchall()
    )
    return found


def _not_zero(obligations: Counter) -> Counter:
    """Whether a contract with nothing left has a row is left open by V6."""
    return Counter({row: n for row, n in obligations.items() if any(row[2:])})


def _sums(lines: Iterable[tuple]) -> Counter:
    """Journal lines added up by all but their amount, which comes last."""
    sums: dict[tuple, Decimal] = {}
    for *key, amount in lines:
        sums[tuple(key)] = sums.get(tuple(key), Decimal(0)) + amount
    return Counter((*key, amount) for key, amount in sums.items() if amount)
