"""What the pipeline published beside what the model says, row by row."""

from collections import Counter
from collections.abc import Callable
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import duckdb

from reference.model import Close, bill
from reference.progress import Progress
from reference.receivables_comparison import (
    model_receivables,
    published_receivables,
)
from reference.records import Document, DocumentLine, Ledger
from reference.revenue_comparison import model_revenue, published_revenue
from reference.scenarios import Scenario, Step, merged_landing, write_landing

RunBilling = Callable[[Path, Path, Step], object]
"""Run the pipeline: home, landing directory, what it is asked to do."""

DOCUMENT_COLUMNS = (
    "customer_id, invoice_group, currency, invoice_date, invoice_number, document_type,"
    " due_date, po_number, subtotal"
)
LINE_COLUMNS = (
    "contract_id, line_id, milestone_id, commitment_id, line_type, product_id,"
    " is_adjustment, reverses, service_start, service_end, meter, tier, quantity,"
    " unit_price, amount"
)
PROGRESS_COLUMNS = ", ".join(field.name for field in fields(Progress))


@dataclass(frozen=True)
class Book:
    """Rows of one side as multisets; a line or share begins with its document.

    The first column of each row says whose it is: a customer, a contract, a commitment
    or a feed. `money` has the tables of revenue and of receivables by name.
    """

    documents: Counter
    lines: Counter
    progress: Counter
    outcomes: Counter
    money: dict[str, Counter]

    @property
    def tables(self) -> dict[str, Counter]:
        """All tables by name, those first that the others rest on."""
        return {
            "documents": self.documents,
            "lines": self.lines,
            "progress": self.progress,
            "outcomes": self.outcomes,
            **self.money,
        }


@dataclass(frozen=True)
class Difference:
    """Rows of a step that only one side has; `prefix` says of which scenario."""

    prefix: str
    step: int
    table: str
    only_model: list[tuple]
    only_pipeline: list[tuple]

    def __str__(self) -> str:
        written = [f"step {self.step}, {self.table}:"]
        written += [f"  model only:    {_written(row)}" for row in self.only_model]
        written += [f"  pipeline only: {_written(row)}" for row in self.only_pipeline]
        return "\n".join(written)


def _written(row: tuple) -> str:
    return " | ".join("" if value is None else str(value) for value in row)


def model_book(close: Close) -> Book:
    """The model's documents, lines with their shares, progress, outcome counts."""
    return Book(
        documents=Counter(document_row(document) for document in close.documents),
        lines=Counter(
            (*document_row(document)[:5], *line_row(line), _shares(line))
            for document in close.documents
            for line in document.lines
        ),
        progress=Counter(astuple(row) for row in close.progress),
        outcomes=Counter(
            (
                outcome.feed,
                str(outcome.service_date or "")[:7],
                outcome.outcome,
                outcome.reason or "",
            )
            for outcome in close.outcomes
        ),
        money=model_revenue(close.revenue)
        | model_receivables(close.account, close.cash, close.as_of),
    )


def document_row(document: Document) -> tuple:
    """The values of DOCUMENT_COLUMNS."""
    return (
        document.customer_id,
        document.invoice_group,
        document.currency,
        document.invoice_date,
        document.number,
        document.document_type,
        document.due_date,
        document.po_number,
        document.total,
    )


def line_row(line: DocumentLine) -> tuple:
    """The values of LINE_COLUMNS."""
    charge = line.charge
    return (
        charge.contract_id,
        charge.line_id,
        charge.milestone_id,
        charge.commitment_id,
        charge.line_type,
        charge.product_id,
        line.is_adjustment,
        line.reverses,
        charge.service_start,
        charge.service_end,
        charge.meter,
        charge.tier,
        line.quantity,
        charge.unit_price,
        line.amount,
    )


def _shares(line: DocumentLine) -> tuple:
    return tuple((f, *share) for f, share in sorted(line.shares.items()))


def published_book(home: Path) -> Book:
    """The same of what the pipeline published."""
    path = home / "published" / "billing.duckdb"
    with duckdb.connect(str(path), read_only=True) as published:
        documents = published.execute(
            f"select invoice_id, {DOCUMENT_COLUMNS} from finance.invoices"
        ).fetchall()
        lines = published.execute(
            f"select invoice_id, line_number, {LINE_COLUMNS} from finance.invoice_lines"
        ).fetchall()
        shared = published.execute(
            "select invoice_id, line_number, facility_id, quantity, amount"
            " from finance.invoice_line_facilities order by facility_id"
        ).fetchall()
        progress = published.execute(
            f"select {PROGRESS_COLUMNS} from finance.commitment_progress"
        ).fetchall()
        outcomes = published.execute(
            "select feed, service_month, outcome, reason, rows"
            " from quality.usage_outcomes"
        ).fetchall()
        money = published_revenue(published) | published_receivables(published)
    document_of = {row[0]: row[1:] for row in documents}
    shares: dict[tuple, list[tuple]] = {}
    for invoice_id, line_number, *share in shared:
        shares.setdefault((invoice_id, line_number), []).append(tuple(share))
    counts: Counter = Counter()
    for feed, month, outcome, reason, rows in outcomes:
        counts[feed, str(month or "")[:7], outcome, reason or ""] += rows
    return Book(
        documents=Counter(document_of.values()),
        lines=Counter(
            (*document_of[row[0]][:5], *row[2:], tuple(shares.get(row[:2], ())))
            for row in lines
        ),
        progress=Counter(progress),
        outcomes=counts,
        money=money,
    )


def differences(
    scenarios: list[Scenario], step: int, model: Book, published: Book
) -> list[Difference]:
    """What differs, by scenario and table; a row of no scenario is named `?`."""
    found = []
    for table, left in model.tables.items():
        right = published.tables[table]
        by_scenario: dict[str, tuple[list, list]] = {}
        for side, rows in enumerate((left - right, right - left)):
            for row in sorted(rows.elements(), key=str):
                prefix = next(
                    (s.prefix for s in scenarios if str(row[0]).startswith(s.prefix)),
                    "?",
                )
                by_scenario.setdefault(prefix, ([], []))[side].append(row)
        for prefix, (only_model, only_pipeline) in by_scenario.items():
            found.append(Difference(prefix, step, table, only_model, only_pipeline))
    return found


def compare(
    run_billing: RunBilling, directory: Path, scenarios: list[Scenario]
) -> list[Difference]:
    """Run scenarios of one schedule side by side, to the first step that differs.

    `directory` is made, with a landing directory and a billing home in it.
    """
    landing, home = directory / "landing", directory / "home"
    landing.mkdir(parents=True)
    ledger = Ledger()
    for number, step in enumerate(scenarios[0].schedule):
        write_landing(scenarios, number, landing)
        run_billing(home, landing, step)
        rows = merged_landing(scenarios, number)
        close = bill(rows, ledger, step.as_of, step.issue_through, step.closes)
        found = differences(scenarios, number, model_book(close), published_book(home))
        if found:
            return found
    return []
