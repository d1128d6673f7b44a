"""Due − booked = to book: lines, their dates, documents and numbers (A2, C4 to C7)."""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal

from reference.records import Charge, Document, DocumentLine, Ledger, Shares
from reference.terms import Contract

ZERO = Decimal(0)
Group = tuple[str, str, str]


def open_lines(
    charges: Iterable[Charge],
    contracts: dict[str, Contract],
    regular_dates: dict[str, set[date]],
    ledger: Ledger,
    as_of: date,
) -> list[DocumentLine]:
    """Every unbooked line with its invoice date (A2, C6).

    `regular_dates` are those of C6 by contract id. What is due under an identity of
    which something is booked becomes an adjustment whatever its own date.
    """
    due: dict[tuple, Charge] = {}
    for charge in charges:
        assert charge.identity not in due, f"two charges are one: {charge.identity}"
        due[charge.identity] = charge
    booked = _booked(ledger)
    closed = ledger.closed_through
    lines = []
    for identity in due | booked:
        charge = due.get(identity)
        was = booked.get(identity)
        if was is None:
            is_adjustment = closed is not None and charge.own_date <= closed
            line = (charge, charge.quantity, charge.amount, charge.shares, False)
        else:
            is_adjustment = True
            line = _difference(charge, was)
        if line is None:
            continue
        content, quantity, amount, shares, reverses = line
        when = content.own_date
        if is_adjustment:
            contract = contracts[content.contract_id]
            when = _adjustment_date(contract, contracts, regular_dates, closed, as_of)
        lines.append(
            DocumentLine(
                content, quantity, amount, shares, is_adjustment, reverses, when
            )
        )
    return lines


class _Booked:
    """The sum of the booked lines of one identity."""

    def __init__(self, content: Charge):
        self.content = content
        self.quantity = ZERO
        self.amount = ZERO
        self.shares: Shares = {}

    def add(self, line: DocumentLine) -> None:
        self.quantity += line.quantity
        self.amount += line.amount
        self.shares = _plus(self.shares, line.shares, 1)

    def is_nothing(self) -> bool:
        return not self.quantity and not self.amount and not self.shares


def _booked(ledger: Ledger) -> dict[tuple, _Booked]:
    sums: dict[tuple, _Booked] = {}
    for document in ledger.documents:
        for line in document.lines:
            identity = line.charge.identity
            sums.setdefault(identity, _Booked(line.charge)).add(line)
    return {i: booked for i, booked in sums.items() if not booked.is_nothing()}


def _plus(left: Shares, right: Shares, sign: int) -> Shares:
    """The sum (or difference) of shares; a facility with neither is left out."""
    total = {}
    for facility in sorted(set(left) | set(right)):
        quantity = left.get(facility, (ZERO, ZERO))[0]
        quantity += sign * right.get(facility, (ZERO, ZERO))[0]
        amount = left.get(facility, (ZERO, ZERO))[1]
        amount += sign * right.get(facility, (ZERO, ZERO))[1]
        if quantity or amount:
            total[facility] = (quantity, amount)
    return total


def _difference(charge: Charge | None, was: _Booked) -> tuple | None:
    """What is to be booked where something is booked; None if nothing (A2)."""
    if charge is None:
        return (
            was.content,
            -was.quantity,
            -was.amount,
            _plus({}, was.shares, -1),
            True,
        )
    quantity = charge.quantity - was.quantity
    amount = charge.amount - was.amount
    shares = _plus(charge.shares, was.shares, -1)
    if not quantity and not amount and not shares:
        return None
    return charge, quantity, amount, shares, False


def _adjustment_date(
    contract: Contract,
    contracts: dict[str, Contract],
    regular_dates: dict[str, set[date]],
    closed: date,
    as_of: date,
) -> date:
    """The earliest regular date of the group or immediate amendment (C6)."""
    candidates = [
        when
        for other in contracts.values()
        if other.group == contract.group
        for when in regular_dates[other.contract_id]
    ]
    candidates += [
        max(amendment.signed_on, amendment.effective_on)
        for amendment in contract.amendments
        if amendment.is_immediate
    ]
    return min((when for when in candidates if when > closed), default=as_of)


def documents(
    lines: list[DocumentLine], contracts: dict[str, Contract], as_of: date
) -> list[Document]:
    """The drafts: all dates up to the as-of day, and of each group the next (C7)."""
    by_document: dict[tuple[Group, date], list[DocumentLine]] = {}
    for line in lines:
        group = contracts[line.charge.contract_id].group
        by_document.setdefault((group, line.invoice_date), []).append(line)
    next_date: dict[Group, date] = {}
    for group, when in by_document:
        if when > as_of:
            next_date[group] = min(when, next_date.get(group, when))
    return [
        _document(group, when, by_document[group, when], contracts)
        for group, when in sorted(by_document, key=lambda key: (key[1], key[0]))
        if when <= as_of or when == next_date[group]
    ]


def _document(
    group: Group,
    when: date,
    lines: list[DocumentLine],
    contracts: dict[str, Contract],
) -> Document:
    """A draft with the terms and purchase order of its contracts (C5)."""
    customer_id, invoice_group, currency = group
    ids = sorted({line.charge.contract_id for line in lines})
    terms = max(contracts[i].payment_terms_days for i in ids)
    orders = [contracts[i].po_number for i in ids if contracts[i].po_number]
    total = sum((line.amount for line in lines), ZERO)
    return Document(
        number=None,
        document_type="credit_memo" if total < 0 else "invoice",
        customer_id=customer_id,
        invoice_group=invoice_group,
        currency=currency,
        invoice_date=when,
        due_date=date.fromordinal(when.toordinal() + terms),
        po_number=orders[0] if orders else None,
        total=total,
        lines=tuple(lines),
    )
