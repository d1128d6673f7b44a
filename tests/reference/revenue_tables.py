"""Revenue as published: schedule, balances, obligations, usage (V1, V5 to V7)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction

from reference.closing import NOTHING, due_and_posted, movements
from reference.pricing import share_out
from reference.records import Charge, JournalLine, Ledger
from reference.revenue import (
    Known,
    Month,
    following,
    month_of,
    months,
    spread,
    units_by_month,
)
from reference.values import as_quantity

YEAR = 12


@dataclass(frozen=True)
class ScheduleRow:
    """A row of finance.revenue_schedule; on hold it has no month."""

    contract_id: str
    line_id: str | None
    milestone_id: str | None
    commitment_id: str | None
    line_type: str
    revenue_month: Month | None
    amount: Decimal
    status: str


@dataclass(frozen=True)
class BalanceRow:
    """A row of finance.contract_balances."""

    contract_id: str
    month: Month
    deferred_opening: Decimal
    billed: Decimal
    recognized: Decimal
    deferred_closing: Decimal
    unbilled_closing: Decimal


@dataclass(frozen=True)
class ObligationRow:
    """A row of finance.remaining_obligations."""

    contract_id: str
    as_of_month: Month
    within_12_months: Decimal
    beyond_12_months: Decimal


@dataclass(frozen=True)
class FacilityUsageRow:
    """A row of finance.usage_by_facility."""

    contract_id: str
    facility_id: str
    meter: str
    month: Month
    quantity: Decimal
    amount: Decimal


@dataclass(frozen=True)
class RevenueTables:
    """What a run publishes of revenue."""

    schedule: list[ScheduleRow]
    balances: list[BalanceRow]
    obligations: list[ObligationRow]
    usage: list[FacilityUsageRow]
    journal: list[JournalLine]


def revenue_tables(
    charges: list[Charge], ledger: Ledger, known: Known
) -> RevenueTables:
    """All tables of revenue under the terms known now and what was booked."""
    schedule = list(_schedule(charges, ledger, known))
    return RevenueTables(
        schedule=[row for _, row in schedule],
        balances=list(_balances(ledger, known.as_of)),
        obligations=list(_obligations(schedule, month_of(known.as_of))),
        usage=list(_usage_by_facility(charges, known)),
        journal=list(ledger.journal),
    )


def _schedule(
    charges: Iterable[Charge], ledger: Ledger, known: Known
) -> Iterator[tuple[Charge, ScheduleRow]]:
    """Posted rows, and due less posted as scheduled or on hold (V1)."""
    for (_, month), row in due_and_posted(charges, ledger, known).items():
        charge, due, posted = row
        open_status = "on_hold" if month is None else "scheduled"
        for status, amount in (("posted", posted), (open_status, due - posted)):
            if amount:
                yield (
                    charge,
                    ScheduleRow(
                        charge.contract_id,
                        charge.line_id,
                        charge.milestone_id,
                        charge.commitment_id,
                        charge.line_type,
                        month,
                        amount,
                        status,
                    ),
                )


def _balances(ledger: Ledger, as_of: date) -> Iterator[BalanceRow]:
    """The roll-forward of each contract with a line issued or revenue posted (V5)."""
    billed, recognised = movements(ledger)
    for contract_id in sorted(billed.keys() | recognised.keys()):
        of_billed = billed.get(contract_id, {})
        of_recognised = recognised.get(contract_id, {})
        opening = NOTHING
        first = min(of_billed.keys() | of_recognised.keys())
        for month in months(first, month_of(as_of)):
            moved = of_billed.get(month, NOTHING)
            earned = of_recognised.get(month, NOTHING)
            closing = opening + moved - earned
            yield BalanceRow(
                contract_id,
                month,
                deferred_opening=opening,
                billed=moved,
                recognized=earned,
                deferred_closing=max(closing, NOTHING),
                unbilled_closing=max(-closing, NOTHING),
            )
            opening = closing


def _obligations(
    schedule: list[tuple[Charge, ScheduleRow]], as_of_month: Month
) -> Iterator[ObligationRow]:
    """What fixed charges still have from the as-of day's month on (V6)."""
    within: dict[str, Decimal] = {}
    beyond: dict[str, Decimal] = {}
    for charge, row in schedule:
        if row.status == "posted" or not _is_fixed(charge):
            continue
        month = row.revenue_month or as_of_month
        if month < as_of_month:
            continue
        part = within if month < following(as_of_month, YEAR) else beyond
        part[row.contract_id] = part.get(row.contract_id, NOTHING) + row.amount
    for contract_id in sorted(within.keys() | beyond.keys()):
        yield ObligationRow(
            contract_id,
            as_of_month,
            within.get(contract_id, NOTHING),
            beyond.get(contract_id, NOTHING),
        )


def _is_fixed(charge: Charge) -> bool:
    """A recurring line, a percentage line on one, or a milestone (V6)."""
    if charge.base is not None:
        _, _, line_type_of_base, *_ = charge.base
        return line_type_of_base == "recurring"
    return charge.line_type in ("recurring", "milestone")


def _usage_by_facility(
    charges: Iterable[Charge], known: Known
) -> Iterator[FacilityUsageRow]:
    """Usage charges due by month of service as used, then by quantity (V7)."""
    sums: dict[tuple, tuple[Decimal, Decimal]] = {}
    for charge in charges:
        if charge.line_type != "usage":
            continue
        places = known.contracts[charge.contract_id].decimals
        of_month = spread(charge.amount, units_by_month(charge), places)
        for month in units_by_month(charge):
            weights: dict[str, Fraction] = {}
            for (when, facility_id), units in charge.dated.items():
                if month_of(when) == month:
                    weights[facility_id] = weights.get(facility_id, 0) + units
            shares = share_out(of_month.get(month, NOTHING), weights, places)
            for facility_id, (quantity, amount) in shares.items():
                key = (charge.contract_id, facility_id, charge.meter, month)
                before = sums.get(key, (NOTHING, NOTHING))
                sums[key] = (before[0] + quantity, before[1] + amount)
    for key, (quantity, amount) in sums.items():
        yield FacilityUsageRow(*key, as_quantity(Fraction(quantity)), amount)
