"""Revenue as the pipeline published it, beside what the model says."""

import csv
from collections import Counter
from collections.abc import Iterable
from dataclasses import astuple, fields
from datetime import date
from decimal import Decimal
from pathlib import Path

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

ACCOUNTS = Path(__file__).resolve().parents[2] / "seeds" / "ledger_accounts.csv"

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
    found["journal"] = added_up(
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
    role_of = roles()
    found["journal"] = added_up(
        _by_role(*row, role_of)
        for row in published.execute(
            f"select {JOURNAL_COLUMNS}, debit - credit from finance.journal_entries"
            " where contract_id is not null"
        ).fetchall()
    )
    return found


def roles() -> dict[str, str]:
    """The part in V4 of each account."""
    with ACCOUNTS.open(encoding="utf-8", newline="") as file:
        return {row["account"]: row["role"] for row in csv.DictReader(file)}


def _by_role(
    contract_id: str,
    month: date,
    account: str,
    product_id: str | None,
    currency: str,
    invoice_number: str | None,
    amount: Decimal,
    role_of: dict[str, str],
) -> tuple:
    """The line of an account by its role; only revenue is kept by product (V4)."""
    role = role_of.get(account)
    product = product_id if role == "revenue" else None
    return contract_id, month, role, product, currency, invoice_number, amount


def _not_zero(obligations: Counter) -> Counter:
    """Whether a contract with nothing left has a row is left open by V6."""
    return Counter({row: n for row, n in obligations.items() if any(row[2:])})


def added_up(lines: Iterable[tuple]) -> Counter:
    """Journal lines added up by all but their amount, which comes last."""
    sums: dict[tuple, Decimal] = {}
    for *key, amount in lines:
        sums[tuple(key)] = sums.get(tuple(key), Decimal(0)) + amount
    return Counter((*key, amount) for key, amount in sums.items() if amount)
