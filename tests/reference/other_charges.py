"""Charges on other charges and on completions (R4, S1)."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from fractions import Fraction

from reference.records import Charge, Landing
from reference.terms import Contract, Line, in_force
from reference.values import as_price, day, number, rounded, text

HUNDRED = Fraction(100)


def percentage_charges(
    contract: Contract, line: Line, charges: list[Charge]
) -> Iterator[Charge]:
    """`percentage` % of each charge of the base (R4); of nothing there is no charge."""
    percentage_lines = {
        ln.line_id for ln in contract.lines if ln.pricing_model == "percentage"
    }
    for base in charges:
        if line.base_line_id:
            is_base = base.line_id == line.base_line_id
        else:
            is_base = (
                base.line_type == "recurring" and base.line_id not in percentage_lines
            )
        version = in_force(line.versions, base.service_start)
        if not is_base or base.amount == 0 or not version or not version.is_active:
            continue
        unit_price = as_price(
            version.percentage / 100 * (HUNDRED - version.discount_percent) / 100
        )
        yield Charge(
            contract_id=contract.contract_id,
            line_id=line.line_id,
            line_type="recurring",
            service_start=base.service_start,
            service_end=base.service_end,
            version_start=version.effective_on,
            unit_price=unit_price,
            base=base.identity,
            quantity=base.amount,
            amount=rounded(
                Fraction(base.amount) * Fraction(unit_price), contract.decimals
            ),
            product_id=version.product_id,
            list_price=as_price(version.percentage / 100),
            discount_percent=as_price(version.discount_percent),
            amendment_id=version.amendment_id or None,
            own_date=base.own_date,
        )


def milestone_charges(
    landing: Landing, contract: Contract, regular_dates: list[date], as_of: date
) -> Iterator[Charge]:
    """A charge for each milestone completed by the as-of day (S1)."""
    for row in landing.rows("milestones"):
        completed_on = day(text(row, "completed_on"))
        if row["contract_id"] != contract.contract_id or not completed_on:
            continue
        if completed_on > as_of:
            continue
        own_date = completed_on
        if text(row, "invoicing") == "next_invoice":
            following = [d for d in regular_dates if d >= completed_on]
            own_date = min(following, default=completed_on)
        amount = number(row["amount"])
        yield Charge(
            contract_id=contract.contract_id,
            milestone_id=row["milestone_id"],
            line_type="milestone",
            service_start=completed_on,
            service_end=completed_on,
            unit_price=as_price(amount),
            quantity=Decimal(1),
            amount=rounded(amount, contract.decimals),
            list_price=as_price(amount),
            discount_percent=Decimal(0),
            own_date=own_date,
        )
