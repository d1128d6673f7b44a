"""Closing a month: revenue due − posted, and its entries (V3, V4)."""

from collections.abc import Iterable, Iterator
from datetime import date
from decimal import Decimal

from reference.records import Charge, Document, JournalLine, Ledger, Posting
from reference.revenue import Known, Month, earned, following, month_of, months
from reference.values import ONE_DAY

NOTHING = Decimal(0)
Key = tuple[tuple, Month | None]
"""The identity of a charge (A2) and a month of it."""

Moved = dict[str, dict[Month, Decimal]]
"""Contract → month → amount."""


def due_and_posted(
    charges: Iterable[Charge], ledger: Ledger, known: Known
) -> dict[Key, tuple[Charge, Decimal, Decimal]]:
    """Of each charge and month the charge, what is due of it and what was posted."""
    found: dict[Key, tuple[Charge, Decimal, Decimal]] = {}
    for charge in charges:
        for month, amount in earned(charge, known).items():
            found[charge.identity, month] = (charge, amount, NOTHING)
    # A charge that is due gives the account; one that is no more, gave it when posted.
    due = {identity: charge for (identity, _), (charge, _, _) in found.items()}
    for posting in ledger.postings:
        key = (posting.charge.identity, posting.revenue_month)
        content = due.get(posting.charge.identity, posting.charge)
        _, amount, posted = found.get(key, (content, NOTHING, NOTHING))
        found[key] = (content, amount, posted + posting.amount)
    return found


def refuse_out_of_order(ledger: Ledger, month: Month) -> None:
    """Raises `ValueError` unless the month is closed already or the next to close."""
    if not ledger.closed_months or month in ledger.closed_months:
        return
    expected = following(max(ledger.closed_months))
    if month != expected:
        raise ValueError(f"close {expected:%Y-%m} before {month:%Y-%m}")


def close_month(
    charges: Iterable[Charge],
    ledger: Ledger,
    known: Known,
    month: Month,
    held: frozenset[str] = frozenset(),
) -> None:
    """Post what is due less what was posted up to the month (V3), and its entries.

    A month that is closed already is left as it is.
    """
    if month in ledger.closed_months:
        return
    for (_, earned_in), row in due_and_posted(charges, ledger, known).items():
        charge, due, posted = row
        if earned_in is None or earned_in > month or charge.contract_id in held:
            continue
        if due != posted:
            ledger.postings.append(Posting(charge, earned_in, month, due - posted))
    _recognise(ledger, known, month)
    _reclassify_unbilled(ledger, known, month)
    ledger.closed_months.append(month)


def _recognise(ledger: Ledger, known: Known, month: Month) -> None:
    """Dr deferred revenue, Cr revenue by product."""
    last_day = following(month) - ONE_DAY
    for posting in ledger.postings:
        if posting.accounting_month != month:
            continue
        contract_id = posting.charge.contract_id
        currency = known.contracts[contract_id].currency
        deferred = JournalLine(
            month, last_day, "deferred_revenue", posting.amount, currency, contract_id
        )
        revenue = JournalLine(
            month,
            last_day,
            "revenue",
            -posting.amount,
            currency,
            contract_id,
            product_id=posting.charge.product_id,
        )
        ledger.journal += [deferred, revenue]


def _reclassify_unbilled(ledger: Ledger, known: Known, month: Month) -> None:
    """Recognised above billed at a month's end, back on the first of the next.

    The first close does so of the months before it too: a contract that began with a
    credit memo has earned more than was billed, nothing being earned so far.
    """
    billed, recognised = movements(ledger)
    for contract_id in sorted(billed.keys() | recognised.keys()):
        of_billed = billed.get(contract_id, {})
        of_recognised = recognised.get(contract_id, {})
        currency = known.contracts[contract_id].currency
        since = min(month, *of_billed, *of_recognised)
        for ended in [month] if ledger.closed_months else months(since, month):
            above = _until(of_recognised, ended) - _until(of_billed, ended)
            if above > 0:
                ledger.journal += _turned(ended, above, currency, contract_id)


def _turned(
    month: Month, above: Decimal, currency: str, contract_id: str
) -> Iterator[JournalLine]:
    first_day = following(month)
    for when, sign in ((first_day - ONE_DAY, 1), (first_day, -1)):
        for account, side in (("unbilled_receivable", 1), ("deferred_revenue", -1)):
            amount = sign * side * above
            yield JournalLine(
                month_of(when), when, account, amount, currency, contract_id
            )


def _until(moved: dict[Month, Decimal], month: Month) -> Decimal:
    return sum((amount for when, amount in moved.items() if when <= month), NOTHING)


def movements(ledger: Ledger) -> tuple[Moved, Moved]:
    """Billed by month of invoice date, recognised by accounting month (V5)."""
    billed: Moved = {}
    recognised: Moved = {}
    for document in ledger.documents:
        for line in document.lines:
            of_contract = billed.setdefault(line.charge.contract_id, {})
            month = month_of(document.invoice_date)
            of_contract[month] = of_contract.get(month, NOTHING) + line.amount
    for posting in ledger.postings:
        of_contract = recognised.setdefault(posting.charge.contract_id, {})
        month = posting.accounting_month
        of_contract[month] = of_contract.get(month, NOTHING) + posting.amount
    return billed, recognised


def book_invoice(ledger: Ledger, document: Document) -> None:
    """Dr receivable, Cr deferred revenue, of each contract on the document (V4)."""
    when = document.invoice_date
    closed = max(ledger.closed_months, default=date.min)
    month = month_of(when)
    if month <= closed:
        month = following(closed)
    by_contract: dict[str, Decimal] = {}
    for line in document.lines:
        contract_id = line.charge.contract_id
        so_far = by_contract.get(contract_id, NOTHING)
        by_contract[contract_id] = so_far + line.amount
    for contract_id, amount in by_contract.items():
        for account, side in (("receivable", 1), ("deferred_revenue", -1)):
            ledger.journal.append(
                JournalLine(
                    month,
                    when,
                    account,
                    side * amount,
                    document.currency,
                    contract_id,
                    document.number,
                )
            )
