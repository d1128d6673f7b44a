"""Money received and owed as the pipeline published it, beside the model (N1, N2)."""

from collections import Counter
from datetime import date

import duckdb

from reference.receivables import Account
from reference.records import CashLine
from reference.revenue_comparison import added_up, roles

OWED_COLUMNS = (
    "customer_id, invoice_number, status, credits, total, paid, balance, days_past_due"
)
AGING_COLUMNS = (
    "customer_id, invoice_number, balance, days_past_due, bucket, disputed_amount,"
    " accepted_amount"
)
APPLIED_COLUMNS = (
    "customer_id, receipt_id, kind, currency, invoice_number, amount, applied_on,"
    " unapplied_because"
)
CASH_COLUMNS = (
    "customer_id, accounting_month, entry_date, account, currency, invoice_number"
)
KINDS = {"0 memo": "credit_memo", "1 credit": "credit", "2 payment": "payment"}


def applied_rows(account: Account) -> list[tuple]:
    """Rows of finance.applications."""
    return [
        (
            applied.receipt.customer,
            applied.receipt.name,
            KINDS[applied.receipt.kind],
            applied.receipt.currency,
            applied.number,
            applied.amount,
            applied.day,
            applied.why,
        )
        for applied in account.applied()
    ]


def model_receivables(
    account: Account, cash: list[CashLine], as_of: date
) -> dict[str, Counter]:
    """The model's rows by table; the journal's are its sums."""
    owed: Counter = Counter()
    aging: Counter = Counter()
    for number, row in account.standing(as_of).items():
        own = (account.invoices[number].customer, number)
        amounts = (row.status, row.credits, row.total, row.paid, row.balance)
        owed[*own, *amounts, row.days_past_due] += 1
        if row.balance:
            aging[
                *own,
                row.balance,
                row.days_past_due,
                row.bucket,
                row.disputed,
                row.accepted,
            ] += 1
    return {
        "owed": owed,
        "aging": aging,
        "applications": Counter(applied_rows(account)),
        "cash": added_up(cash_row(line) for line in cash),
    }


def cash_row(line: CashLine) -> tuple:
    """A line of the journal as it is compared."""
    entry = line.entry
    return (
        entry.customer_id,
        line.accounting_month,
        entry.entry_date,
        line.account,
        entry.currency,
        entry.invoice_number,
        line.amount,
    )


def published_receivables(published: duckdb.DuckDBPyConnection) -> dict[str, Counter]:
    """The same of what the pipeline published."""

    def rows(columns: str, table: str, where: str = "true") -> list[tuple]:
        sql = f"select {columns} from finance.{table} where {where}"
        return published.execute(sql).fetchall()

    role_of = roles()
    journal = rows(
        f"{CASH_COLUMNS}, debit - credit", "journal_entries", "contract_id is null"
    )
    return {
        "owed": Counter(rows(OWED_COLUMNS, "invoices", "invoice_number is not null")),
        "aging": Counter(rows(AGING_COLUMNS, "receivables_aging")),
        "applications": Counter(rows(APPLIED_COLUMNS, "applications")),
        "cash": added_up((*r[:3], role_of.get(r[3]), *r[4:]) for r in journal),
    }
