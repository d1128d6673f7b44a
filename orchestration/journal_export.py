"""The journal of a month as a CSV file that an ERP imports, from the ledger (V4)."""

import csv
import io
from collections import defaultdict
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb

from orchestration.audit import AuditLog
from orchestration.closing import last_closing
from orchestration.errors import BillingError
from orchestration.files import file_digest, write_text
from orchestration.home import Home
from orchestration.keys import Keys
from orchestration.project import DBT_PROJECT_DIR
from orchestration.warehouse import open_files

COLUMNS = (
    "entry_id",
    "accounting_month",
    "entry_date",
    "account",
    "account_name",
    "debit",
    "credit",
    "currency",
    "customer_id",
    "contract_id",
    "invoice_number",
    "product_id",
    "memo",
)
# What a spreadsheet would take for a formula, where a text begins with it.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def export_journal(
    home_path: Path, month: date, out: Path, *, even_open: bool = False
) -> dict[str, tuple[int, Decimal]]:
    """Write the entries of an accounting month; lines and debits of each currency.

    Of a closed month the file is always the same. Raises BillingError if the month is
    not closed, unless `even_open`, if an entry doesn't balance or if the file can't be
    written; what was there before stays.
    """
    home = Home(home_path)
    if not home.ledger.exists():
        raise BillingError(f"{home.path}: nothing was booked here yet")
    with (
        home.lock("billing journal"),
        open_files(home, Keys.of(home), read_only=True) as connection,
    ):
        closing = last_closing(connection)
        is_closed = closing is not None and month <= closing.month
        if not (is_closed or even_open):
            raise BillingError(
                f"{month:%Y-%m} is not closed: more may be booked in it. Close it "
                f"first (billing close {month:%Y-%m}), or write what is booked so far "
                "with --open"
            )
        rows = _lines(connection, month)
        totals = _totals(rows)
        try:
            write_text(out, _as_csv(rows))
        except OSError as error:
            raise BillingError(
                f"{out} can't be written ({error.strerror}); name a file in a "
                "directory that is there and yours"
            ) from None
        AuditLog(home.audit).append(
            "export",
            f"journal {month:%Y-%m}",
            detail={
                "file": str(out.absolute()),
                "sha256": file_digest(out),
                "closed": is_closed,
                "keys": ["ledger"],
            },
            rows=len(rows),
        )
    return totals


def _lines(connection: duckdb.DuckDBPyConnection, month: date) -> list[dict]:
    """The month's lines in the order of its entries, debits before credits."""
    result = connection.execute(
        f"select {', '.join(COLUMNS)} from ledger.book.journal_lines "
        "left join (select account, account_name from "
        "read_csv($2, all_varchar = true)) using (account) "
        "where accounting_month = $1 "
        "order by entry_date, entry_id, debit = 0, account",
        [month, str(DBT_PROJECT_DIR / "seeds" / "ledger_accounts.csv")],
    )
    return [dict(zip(COLUMNS, row, strict=True)) for row in result.fetchall()]


def _totals(rows: list[dict]) -> dict[str, tuple[int, Decimal]]:
    """Lines and debits by currency. Raises BillingError if an entry is off balance."""
    balance: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    totals: dict[str, tuple[int, Decimal]] = {}
    for row in rows:
        currency = row["currency"]
        balance[row["entry_id"], currency] += row["debit"] - row["credit"]
        lines, debits = totals.get(currency, (0, Decimal(0)))
        totals[currency] = (lines + 1, debits + row["debit"])
    for (entry_id, currency), difference in balance.items():
        if difference:
            raise BillingError(
                f"entry {entry_id} is off balance by {difference} {currency}: the "
                "ledger was changed. Nothing was written; run billing verify"
            )
    return dict(sorted(totals.items()))


def _as_csv(rows: list[dict]) -> str:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    writer.writerows([_cell(row[name]) for name in COLUMNS] for row in rows)
    return text.getvalue()


def _cell(value: object) -> str:
    """A value as text: decimals with their two places, no text that is a formula."""
    if value is None:
        return ""
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return str(value)
