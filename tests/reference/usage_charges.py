"""Usage charges (U2 to U7): every unit walks through its scope, oldest first."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction

from reference.commitment_terms import Commitment
from reference.periods import (
    Period,
    billing_periods,
    contract_year,
    invoice_date,
    period_of_each_day,
)
from reference.pricing import (
    Price,
    line_price,
    share_out,
    split_by_tier,
    tier_fee,
    tier_price,
    tier_that_holds,
)
from reference.records import Charge, Dated
from reference.recurring import packages
from reference.terms import Contract, Line, Tier, Version, in_force
from reference.usage import Units
from reference.values import as_price, as_quantity, rounded

WHOLE_PERIOD_MODELS = {"flat", "package", "stairstep"}
ZERO = Fraction(0)


@dataclass
class Bucket:
    """What one invoice line collects (U7)."""

    period: Period
    version: Version
    tier: Tier | None
    dated: Dated = field(default_factory=dict)
    fees: list[Price] = field(default_factory=list)

    def add(self, unit: Units, quantity: Fraction) -> None:
        """Take in so much of what a facility used on a day."""
        key = (unit.when, unit.facility_id)
        self.dated[key] = self.dated.get(key, ZERO) + quantity

    @property
    def by_facility(self) -> dict[str, Fraction]:
        """Its units by facility."""
        sums: dict[str, Fraction] = {}
        for (_, facility_id), quantity in self.dated.items():
            sums[facility_id] = sums.get(facility_id, ZERO) + quantity
        return sums

    @property
    def quantity(self) -> Fraction:
        """All its units."""
        return sum(self.dated.values(), ZERO)


def usage_charges(
    contract: Contract, line: Line, units: list[Units]
) -> Iterator[Charge]:
    """The charges of one usage line for the units it counts, given in order."""
    period_of = period_of_each_day(contract, line)
    for scope, scope_units in _scopes(contract, line, units).items():
        if line.pricing_model in WHOLE_PERIOD_MODELS:
            yield from _whole_period(contract, line, period_of, scope_units)
        else:
            yield from _by_unit(contract, line, scope, period_of, scope_units)


def charged_units(contract: Contract, line: Line, units: list[Units]) -> list[Units]:
    """The units of a line that are not free, which are those that commitments count."""
    period_of = period_of_each_day(contract, line)
    charged: list[Units] = []
    for scope_units in _scopes(contract, line, units).values():
        version_of = _pricing_version(line, period_of, scope_units)
        charged += _charged_units(version_of, scope_units)
    return charged


def _scopes(
    contract: Contract, line: Line, units: list[Units]
) -> dict[object, list[Units]]:
    """The units by the billing period or contract year over which they count (U5)."""
    period_of = period_of_each_day(contract, line)
    scopes: dict[object, list[Units]] = {}
    for unit in units:
        if line.tier_scope == "contract_year":
            scope = contract_year(contract, unit.when)
        else:
            scope = period_of[unit.when]
        scopes.setdefault(scope, []).append(unit)
    return scopes


def _pricing_version(
    line: Line, period_of: dict[date, Period], units: list[Units]
) -> Callable[[Units], Version]:
    """The version that a unit of one scope is priced under (U4)."""
    if line.pricing_model not in WHOLE_PERIOD_MODELS:
        return lambda unit: line.active[unit.when]
    period = period_of[units[0].when]
    last_day = max(when for when in line.active if period_of[when] == period)
    return lambda unit: line.active[last_day]


def _by_unit(
    contract: Contract,
    line: Line,
    scope: object,
    period_of: dict[date, Period],
    units: list[Units],
) -> Iterator[Charge]:
    """per_unit, graduated and volume: by period, version and tier."""
    version_of = _pricing_version(line, period_of, units)
    charged = list(_charged_units(version_of, units))
    rerate = _rerate_commitment(contract, line, units[0].when)
    if line.pricing_model == "volume" and not rerate:
        buckets = _volume(line, period_of, charged)
    else:
        buckets = _walk(line, period_of, charged, rerate)
    for bucket in buckets:
        service_days = [
            when
            for when, version in line.active.items()
            if version == bucket.version
            and period_of[when] == bucket.period
            and (
                line.tier_scope != "contract_year"
                or contract_year(contract, when) == scope
            )
        ]
        if bucket.tier is None:
            price = line_price(bucket.version)
        else:
            price = tier_price(bucket.version, bucket.tier)
        amount = bucket.quantity * Fraction(price.net)
        amount += sum((Fraction(fee.net) for fee in bucket.fees), ZERO)
        yield _charge(contract, line, bucket, service_days, price, amount)


def _rerate_commitment(contract: Contract, line: Line, when: date) -> Commitment | None:
    """The commitment whose tier prices a line's units; it begins with a year (M3)."""
    return next(
        (
            commitment
            for commitment in contract.commitments
            if commitment.is_rerate
            and commitment.line_id == line.line_id
            and commitment.begins <= when
        ),
        None,
    )


def _charged_units(
    version_of: Callable[[Units], Version], units: list[Units]
) -> Iterator[Units]:
    """The units of a scope that are not free, split where one is free in part (U6)."""
    ordinal = ZERO
    for unit in units:
        included = version_of(unit).included_quantity
        free = min(max(included - ordinal, ZERO), unit.quantity)
        ordinal += unit.quantity
        if free < unit.quantity:
            yield Units(unit.when, unit.facility_id, unit.quantity - free)


def _walk(
    line: Line,
    period_of: dict[date, Period],
    charged: list[Units],
    rerate: Commitment | None,
) -> list[Bucket]:
    """per_unit, graduated: each unit at the price of the tier that it falls in.

    With a rerate commitment: that of the tier of what is committed on its date (M3).
    """
    buckets: dict[tuple, Bucket] = {}
    entered: set[int] = set()
    count = ZERO
    for unit in charged:
        version, period = line.active[unit.when], period_of[unit.when]
        if line.pricing_model == "per_unit":
            parts = [(None, unit.quantity)]
        elif rerate:
            terms = in_force(list(rerate.versions), unit.when)
            parts = [(tier_that_holds(version, terms.committed), unit.quantity)]
        else:
            parts = split_by_tier(version, count, unit.quantity)
        count += unit.quantity
        for tier, quantity in parts:
            key = (period, version, tier)
            bucket = buckets.setdefault(key, Bucket(period, version, tier))
            bucket.add(unit, quantity)
            if tier is not None and tier.tier not in entered:
                entered.add(tier.tier)
                bucket.fees.append(tier_fee(version, tier))
    return list(buckets.values())


def _volume(
    line: Line, period_of: dict[date, Period], charged: list[Units]
) -> list[Bucket]:
    """volume: a period's units at the tier the count has reached by its end."""
    buckets: list[Bucket] = []
    entered: set[int] = set()
    count = ZERO
    periods = dict.fromkeys(period_of[unit.when] for unit in charged)
    for period in periods:
        in_period = [unit for unit in charged if period_of[unit.when] == period]
        count += sum((unit.quantity for unit in in_period), ZERO)
        for version in dict.fromkeys(line.active[unit.when] for unit in in_period):
            tier = tier_that_holds(version, count)
            bucket = Bucket(period, version, tier)
            for unit in in_period:
                if line.active[unit.when] == version:
                    bucket.add(unit, unit.quantity)
            if tier.tier not in entered:
                entered.add(tier.tier)
                bucket.fees.append(tier_fee(version, tier))
            buckets.append(bucket)
    return buckets


def _whole_period(
    contract: Contract, line: Line, period_of: dict[date, Period], units: list[Units]
) -> Iterator[Charge]:
    """flat, package, stairstep: one line, by the last active day's version (U4)."""
    period = period_of[units[0].when]
    service_days = [when for when in line.active if period_of[when] == period]
    version = line.active[service_days[-1]]
    bucket = Bucket(period, version, None)
    for unit in _charged_units(_pricing_version(line, period_of, units), units):
        bucket.add(unit, unit.quantity)
    if not bucket.dated:
        return
    if line.pricing_model == "stairstep":
        bucket.tier = tier_that_holds(version, bucket.quantity)
        price = tier_fee(version, bucket.tier)
        amount = Fraction(price.net)
    elif line.pricing_model == "package":
        price = line_price(version)
        amount = packages(version, bucket.quantity) * Fraction(price.net)
    else:
        price = line_price(version)
        amount = Fraction(price.net)
    yield _charge(contract, line, bucket, service_days, price, amount)


def _charge(
    contract: Contract,
    line: Line,
    bucket: Bucket,
    service_days: list[date],
    price: Price,
    exact_amount: Fraction,
) -> Charge:
    amount = rounded(exact_amount, contract.decimals)
    version = bucket.version
    return Charge(
        contract_id=contract.contract_id,
        line_id=line.line_id,
        line_type="usage",
        service_start=service_days[0],
        service_end=service_days[-1],
        version_start=version.effective_on,
        tier=bucket.tier.tier if bucket.tier else None,
        unit_price=price.net,
        quantity=as_quantity(bucket.quantity),
        amount=amount,
        product_id=version.product_id,
        meter=line.meter,
        list_price=as_price(price.list_price),
        discount_percent=as_price(price.discount_percent),
        amendment_id=version.amendment_id or None,
        own_date=invoice_date(line, bucket.period),
        shares=share_out(amount, bucket.by_facility, contract.decimals),
        revenue_rule=version.revenue_rule or "as_used",
        dated=bucket.dated,
    )


def regular_usage_dates(contract: Contract, line: Line) -> set[date]:
    """Dates of the billing periods with an active day, used or not (C6)."""
    period_of = period_of_each_day(contract, line)
    with_active_day = {period_of[when] for when in line.active}
    return {
        invoice_date(line, period)
        for period in billing_periods(contract, line.frequency)
        if period in with_active_day
    }
