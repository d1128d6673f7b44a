"""Who may read what on a server with users: the one declared list (HP-12).

A role reads the tables named here and nothing else; a table that is not named is read
by the auditor alone. `billing publish --to` makes the grants equal to this list, and a
test compares them with the server's catalog.
"""

from dataclasses import dataclass

# Of the schemas that are published, all that is free of PHI.
SCHEMAS = ("finance", "quality", "compliance")
# People of the list are members of it: who is not listed any more is found by it.
PEOPLE = "billing_people"
CUSTOMER_READER = "customer_reader"
AUDITOR = "auditor"
EVERY_TABLE = "*"

_INVOICES = (
    "finance.invoices",
    "finance.invoice_lines",
    "finance.invoice_line_facilities",
)
_USAGE = ("finance.commitment_progress", "finance.usage_by_facility")
_CASH = (
    "finance.receivables_aging",
    "finance.cash_applications",
    "finance.applications",
)
_DUNNING = (
    "finance.dunning_queue",
    "finance.dunning_status",
    "finance.account_tasks",
    "finance.disputes",
)
_REVENUE = (
    "finance.revenue_schedule",
    "finance.journal_entries",
    "finance.contract_balances",
    "finance.remaining_obligations",
)
_QUALITY = (
    "quality.rejected_usage",
    "quality.rejected_rows",
    "quality.usage_outcomes",
    "quality.intake_files",
    "quality.feed_gaps",
)


@dataclass(frozen=True)
class Role:
    """What a role reads, and for how long it may.

    `statement` ends a statement, `in_transaction` a transaction that does nothing,
    `idle` a session that does nothing; seconds. `sessions` are those of one person.
    """

    tables: tuple[str, ...]
    statement: int = 300
    in_transaction: int = 60
    idle: int = 3600
    sessions: int = 10

    def reads(self, table: str) -> bool:
        """Whether it may read `schema.table`."""
        return table in self.tables or EVERY_TABLE in self.tables


ROLES = {
    "finance_reader": Role(_INVOICES + _USAGE + _CASH + _REVENUE + _QUALITY),
    "collections": Role(_INVOICES + _CASH + _DUNNING),
    "revenue_accountant": Role(_INVOICES + _USAGE + _REVENUE + _QUALITY),
    AUDITOR: Role((EVERY_TABLE,), statement=900),
    # Rows of its own customers, and of issued invoices alone: see CUSTOMER_ROWS.
    CUSTOMER_READER: Role(_INVOICES + _USAGE, statement=60, idle=900, sessions=5),
}

# Which rows a customer's reader sees, as SQL over the table; a subquery on a published
# table is itself limited to the rows that the reader sees.
_OWN_INVOICES = "invoice_id in (select invoice_id from finance.invoices)"
_OWN_CONTRACTS = "contract_id in (select contract_id from finance.invoice_lines)"
CUSTOMER_ROWS = {
    "finance.invoices": "status <> 'draft' and customer_id in "
    "(select customer from access.granted where person = current_user "
    f"and role = '{CUSTOMER_READER}')",
    "finance.invoice_lines": _OWN_INVOICES,
    "finance.invoice_line_facilities": _OWN_INVOICES,
    "finance.commitment_progress": _OWN_CONTRACTS,
    "finance.usage_by_facility": _OWN_CONTRACTS,
}


def readers(table: str) -> list[str]:
    """The roles that may read `schema.table`, by name."""
    return sorted(name for name, role in ROLES.items() if role.reads(table))
