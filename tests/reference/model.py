"""One run of the model: judge usage, charge, compare with the ledger, issue."""

import csv
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from reference.booking import documents, open_lines
from reference.cash_entries import account_of, book_cash
from reference.closing import book_invoice, close_month, refuse_out_of_order
from reference.commitments import commitment_charges, pledges
from reference.other_charges import milestone_charges, percentage_charges
from reference.progress import Progress, commitment_progress
from reference.receivables import Account
from reference.records import CashLine, Charge, Document, Landing, Ledger, Outcome
from reference.recurring import recurring_charges
from reference.revenue import Known, Month, following
from reference.revenue_tables import RevenueTables, revenue_tables
from reference.terms import Contract, known_contracts
from reference.usage import Units, judge
from reference.usage_charges import regular_usage_dates, usage_charges

CURRENCIES = Path(__file__).resolve().parents[2] / "seeds" / "currencies.csv"


@dataclass(frozen=True)
class Close:
    """What a run leaves behind: documents, outcomes, how commitments stand."""

    issued: list[Document]
    drafts: list[Document]
    outcomes: list[Outcome]
    charges: list[Charge]
    progress: list[Progress]
    revenue: RevenueTables
    as_of: date
    account: Account
    cash: list[CashLine]

    @property
    def documents(self) -> list[Document]:
        """Issued ones and drafts."""
        return self.issued + self.drafts


def close(
    landing: Landing,
    ledger: Ledger,
    month: Month,
    as_of: date | None = None,
    held: frozenset[str] = frozenset(),
) -> Close:
    """Issue through the first day after a month, and post the month's revenue (V3).

    `as_of` is by default, and at the earliest, that day. Raises `ValueError` as `bill`
    does, and for a month that is not the next to close.
    """
    through = following(month)
    return bill(landing, ledger, as_of or through, through, month, held)


def bill(
    landing: Landing,
    ledger: Ledger,
    as_of: date,
    issue_through: date | None,
    closes: Month | None = None,
    held: frozenset[str] = frozenset(),
) -> Close:
    """Run once, as of a day, and issue the drafts dated up to another into the ledger.

    `closes` is the month whose revenue is then posted, `held` whose contracts post
    none. Raises `ValueError` for an as-of day before what was closed (C6), or before
    the day issued through.
    """
    if closes is not None:
        refuse_out_of_order(ledger, closes)
    closed = ledger.closed_through
    if closed is not None and as_of < closed:
        raise ValueError(f"as of {as_of}, but issued through {closed} (C6)")
    if issue_through is not None and issue_through > as_of:
        raise ValueError(f"issue through {issue_through} is after as of {as_of}")
    contracts = known_contracts(landing, as_of, _decimals())
    outcomes, units = judge(landing, contracts, as_of)
    charges: list[Charge] = []
    regular_dates: dict[str, set[date]] = {}
    progress: list[Progress] = []
    for contract in contracts.values():
        of_lines, dates = _line_charges(contract, units)
        charges += of_lines
        charges += milestone_charges(landing, contract, sorted(dates), as_of)
        pledged = pledges(contract, of_lines, units)
        charges += commitment_charges(pledged, as_of)
        progress += commitment_progress(pledged, as_of)
        regular_dates[contract.contract_id] = dates

    def drafts() -> list[Document]:
        lines = open_lines(charges, contracts, regular_dates, ledger, as_of)
        return documents(lines, contracts, as_of)

    if issue_through is not None:
        before = len(ledger.documents)
        _issue(drafts(), ledger, issue_through)
        # One that issues nothing, through no later day, is no issue and books nothing.
        if len(ledger.documents) > before or closed is None or issue_through > closed:
            book_cash(landing, ledger, as_of)
    known = Known(landing, contracts, as_of)
    if closes is not None:
        close_month(charges, ledger, known, closes, held)
    return Close(
        issued=list(ledger.documents),
        drafts=drafts(),
        outcomes=outcomes,
        charges=charges,
        progress=progress,
        revenue=revenue_tables(charges, ledger, known),
        as_of=as_of,
        account=account_of(landing, ledger, as_of),
        cash=list(ledger.cash),
    )


def _decimals() -> dict[str, int]:
    with CURRENCIES.open(encoding="utf-8", newline="") as file:
        return {row["currency"]: int(row["decimals"]) for row in csv.DictReader(file)}


def _line_charges(
    contract: Contract, units: dict[str, list[Units]]
) -> tuple[list[Charge], set[date]]:
    """What a contract's lines owe under the terms known, and its regular dates (C6)."""
    charges: list[Charge] = []
    regular_dates: set[date] = set()
    for line in contract.lines:
        if line.charge_type == "usage":
            charges += usage_charges(contract, line, units.get(line.line_id, []))
            regular_dates |= regular_usage_dates(contract, line)
        elif line.pricing_model != "percentage":
            recurring = list(recurring_charges(contract, line))
            charges += recurring
            regular_dates |= {charge.own_date for charge in recurring}
    percentages: list[Charge] = []
    for line in contract.lines:
        if line.pricing_model == "percentage":
            percentages += percentage_charges(contract, line, charges)
    return charges + percentages, regular_dates


def _issue(drafts: list[Document], ledger: Ledger, through: date) -> None:
    """Number and book the drafts dated up to that day (A4)."""
    due = [draft for draft in drafts if draft.invoice_date <= through]
    for draft in sorted(
        due,
        key=lambda d: (d.invoice_date, d.customer_id, d.invoice_group, d.currency),
    ):
        year = draft.invoice_date.year
        issued = [d for d in ledger.documents if d.invoice_date.year == year]
        number = f"INV-{year}-{len(issued) + 1:06d}"
        ledger.documents.append(replace(draft, number=number))
        book_invoice(ledger, ledger.documents[-1])
    ledger.issued_through.append(through)
