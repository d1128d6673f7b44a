"""What goes into the model and what comes out of it."""

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

Rows = list[dict[str, str]]

SHIPPED_METERS: Rows = [
    {"meter": "encounter", "event_type": "encounter", "aggregation": "count"},
    {"meter": "procedure", "event_type": "procedure", "aggregation": "sum"},
    {
        "meter": "patient",
        "event_type": "encounter",
        "aggregation": "distinct_patients",
    },
    {
        "meter": "emergency",
        "event_type": "encounter",
        "classes": "EMER",
        "aggregation": "count",
    },
]


@dataclass
class Landing:
    """Everything landed by a day, as text, the way the files hold it.

    `tables` are the contract tables by name. `usage` is feed → file name → rows, in the
    order of the lines. A feed has PHI unless it is in `feeds_without_phi`.
    """

    tables: dict[str, Rows]
    usage: dict[str, dict[str, Rows]] = field(default_factory=dict)
    meters: Rows = field(default_factory=lambda: SHIPPED_METERS)
    feeds_without_phi: frozenset[str] = frozenset()

    def rows(self, table: str) -> Rows:
        """The rows of a table; one that was not landed is empty."""
        return self.tables.get(table, [])


Shares = dict[str, tuple[Decimal, Decimal]]
"""Facility → its quantity and amount (A7)."""


Dated = dict[tuple[date, str], Fraction]
"""(Date of service, facility) → units charged."""


@dataclass(frozen=True, kw_only=True)
class Charge:
    """An amount owed under the terms known now."""

    contract_id: str
    line_id: str | None = None
    milestone_id: str | None = None
    commitment_id: str | None = None
    line_type: str
    service_start: date
    service_end: date
    version_start: date | None = None
    tier: int | None = None
    unit_price: Decimal | None = None
    base: tuple | None = None
    quantity: Decimal
    amount: Decimal
    product_id: str | None = None
    meter: str | None = None
    list_price: Decimal | None = None
    discount_percent: Decimal | None = None
    proration: Decimal | None = None
    amendment_id: str | None = None
    own_date: date
    shares: Shares = field(default_factory=dict)
    revenue_rule: str = ""
    dated: Dated = field(default_factory=dict)

    @property
    def identity(self) -> tuple:
        """What is compared with what is booked (A2)."""
        return (
            self.contract_id,
            self.commitment_id or self.milestone_id or self.line_id,
            self.line_type,
            self.service_start,
            self.service_end,
            self.version_start,
            self.tier,
            self.unit_price,
            self.base,
        )


@dataclass(frozen=True)
class DocumentLine:
    """A line of a document: a charge, a difference, or a reversal (A2)."""

    charge: Charge
    quantity: Decimal
    amount: Decimal
    shares: Shares
    is_adjustment: bool
    reverses: bool
    invoice_date: date


@dataclass(frozen=True)
class Document:
    """An invoice or credit memo; a draft has no number."""

    number: str | None
    document_type: str
    customer_id: str
    invoice_group: str
    currency: str
    invoice_date: date
    due_date: date
    po_number: str | None
    total: Decimal
    lines: tuple[DocumentLine, ...]


@dataclass(frozen=True)
class Posting:
    """Revenue posted by a close; both months are given as their first day."""

    charge: Charge
    revenue_month: date
    accounting_month: date
    amount: Decimal


@dataclass(frozen=True)
class JournalLine:
    """One account of a balanced entry; `amount` is its debit less its credit.

    `account` is the account's part in V4; revenue is kept by product beside it.
    """

    accounting_month: date
    entry_date: date
    account: str
    amount: Decimal
    currency: str
    contract_id: str
    invoice_number: str | None = None
    product_id: str | None = None


@dataclass(frozen=True)
class CashLine:
    """One account of an entry of a payment, a credit, or what was applied of it.

    `source` says what it is an entry of, `entry` what was due; `amount` is its debit
    less its credit, and `is_debit` is true of the account that the entry debits.
    """

    source: tuple
    entry: Any
    accounting_month: date
    account: str
    amount: Decimal
    is_debit: bool


@dataclass
class Ledger:
    """What was issued and posted; only ever appended."""

    documents: list[Document] = field(default_factory=list)
    issued_through: list[date] = field(default_factory=list)
    postings: list[Posting] = field(default_factory=list)
    closed_months: list[date] = field(default_factory=list)
    journal: list[JournalLine] = field(default_factory=list)
    cash: list[CashLine] = field(default_factory=list)

    @property
    def closed_through(self) -> date | None:
        """The latest issue-through booked (C6)."""
        return max(self.issued_through, default=None)


@dataclass(frozen=True)
class Outcome:
    """What became of one row of usage known by the as-of day."""

    feed: str
    file: str
    line: int
    service_date: date | None
    outcome: str
    reason: str | None = None
