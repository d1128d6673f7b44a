"""Contracts, line versions and coverage as known by the as-of day (C2, T1, T2)."""

from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from reference.commitment_terms import Commitment, read_commitments
from reference.records import Landing
from reference.values import day, days, number, text

ZERO = Fraction(0)


@dataclass(frozen=True)
class Amendment:
    """A known amendment."""

    amendment_id: str
    signed_on: date
    effective_on: date
    new_ends_on: date | None
    is_immediate: bool


@dataclass(frozen=True)
class Tier:
    """A row of a rate card; `up_to` None is open."""

    tier: int
    up_to: Fraction | None
    unit_price: Fraction | None
    discount_percent: Fraction | None
    flat_fee: Fraction


@dataclass(frozen=True)
class Version:
    """What a line is from `effective_on` on."""

    effective_on: date
    signed_on: date
    amendment_id: str
    product_id: str
    is_active: bool
    quantity: Fraction
    unit_price: Fraction
    discount_percent: Fraction
    included_quantity: Fraction
    package_size: Fraction
    percentage: Fraction
    tiers: tuple[Tier, ...]
    revenue_rule: str


@dataclass(frozen=True)
class Coverage:
    """Whether a facility is covered from `effective_on` on."""

    effective_on: date
    signed_on: date
    amendment_id: str
    covered: bool


@dataclass
class Line:
    """A contract line. What it is never changes (T3); what it costs has versions."""

    line_id: str
    charge_type: str
    pricing_model: str
    meter: str
    frequency: str
    is_arrears: bool
    tier_scope: str
    by_covered_facilities: bool
    base_line_id: str
    versions: list[Version]
    active: dict[date, Version]
    """Every day the line is due, in order, with the version in force (T2)."""


@dataclass
class Contract:
    """A known contract with all that is known of it."""

    contract_id: str
    customer_id: str
    starts_on: date
    ends_on: date
    own_ends_on: date
    currency: str
    decimals: int
    invoice_group: str
    anchor_day: int
    payment_terms_days: int
    po_number: str | None
    amendments: list[Amendment]
    lines: list[Line]
    commitments: list[Commitment]
    coverage: dict[str, list[Coverage]]

    @property
    def group(self) -> tuple[str, str, str]:
        """Whose lines of one date share an invoice (C4)."""
        return self.customer_id, self.invoice_group, self.currency

    def runs_on(self, when: date) -> bool:
        """Whether the contract is in force that day."""
        return self.starts_on <= when <= self.ends_on

    def covers(self, facility_id: str, when: date) -> bool:
        """Whether the facility is covered that day."""
        row = in_force(self.coverage.get(facility_id, []), when)
        return row is not None and row.covered

    def covered_facilities(self, when: date) -> tuple[str, ...]:
        """The facilities covered that day, in order of their id."""
        return tuple(f for f in sorted(self.coverage) if self.covers(f, when))


def in_force(rows: list, when: date):
    """The row that holds that day: the latest effective, then signed last (T1)."""
    begun = [row for row in rows if row.effective_on <= when]
    return max(
        begun,
        key=lambda row: (row.effective_on, row.signed_on, row.amendment_id),
        default=None,
    )


def known_contracts(
    landing: Landing, as_of: date, decimals: dict[str, int]
) -> dict[str, Contract]:
    """Contracts signed by the as-of day, with what is known of each by then."""
    contracts = {}
    for row in landing.rows("contracts"):
        signed_on = day(row["signed_on"])
        if signed_on <= as_of:
            contract_id = row["contract_id"]
            contracts[contract_id] = _contract(landing, row, signed_on, as_of, decimals)
    return contracts


def _contract(
    landing: Landing,
    row: dict[str, str],
    signed_on: date,
    as_of: date,
    decimals: dict[str, int],
) -> Contract:
    contract_id = row["contract_id"]
    amendments = _known_amendments(landing, contract_id, as_of)
    signed = {"": signed_on} | {a.amendment_id: a.signed_on for a in amendments}

    def known_rows(table: str) -> list[dict[str, str]]:
        """Rows of this contract; a row is known with the amendment it came with."""
        return [
            r
            for r in landing.rows(table)
            if r["contract_id"] == contract_id and text(r, "amendment_id") in signed
        ]

    coverage: dict[str, list[Coverage]] = {}
    for r in known_rows("contract_facilities"):
        amendment_id = text(r, "amendment_id")
        coverage.setdefault(r["facility_id"], []).append(
            Coverage(
                effective_on=day(r["effective_on"]),
                signed_on=signed[amendment_id],
                amendment_id=amendment_id,
                covered=r["covered"] == "true",
            )
        )
    currency = text(row, "currency", "USD")
    contract = Contract(
        contract_id=contract_id,
        customer_id=row["customer_id"],
        starts_on=day(row["starts_on"]),
        ends_on=_end(day(row["ends_on"]), amendments),
        own_ends_on=day(row["ends_on"]),
        currency=currency,
        decimals=decimals[currency],
        invoice_group=text(row, "invoice_group", contract_id),
        anchor_day=int(text(row, "billing_anchor_day", "1")),
        payment_terms_days=int(text(row, "payment_terms_days", "30")),
        po_number=text(row, "po_number") or None,
        amendments=amendments,
        lines=[],
        commitments=read_commitments(known_rows("commitments"), signed),
        coverage=coverage,
    )
    line_rows: dict[str, list[dict[str, str]]] = {}
    for r in known_rows("contract_lines"):
        line_rows.setdefault(r["line_id"], []).append(r)
    for line_id in sorted(line_rows):
        contract.lines.append(_line(landing, contract, line_rows[line_id], signed))
    return contract


def _known_amendments(
    landing: Landing, contract_id: str, as_of: date
) -> list[Amendment]:
    amendments = [
        Amendment(
            amendment_id=row["amendment_id"],
            signed_on=day(row["signed_on"]),
            effective_on=day(row["effective_on"]),
            new_ends_on=day(text(row, "new_ends_on")),
            is_immediate=text(row, "invoicing") == "immediate",
        )
        for row in landing.rows("amendments")
        if row["contract_id"] == contract_id
    ]
    return [amendment for amendment in amendments if amendment.signed_on <= as_of]


def _end(own_end: date, amendments: list[Amendment]) -> date:
    """The contract's end as known now (C2)."""
    moving = [amendment for amendment in amendments if amendment.new_ends_on]
    last = max(
        moving,
        key=lambda a: (a.signed_on, a.effective_on, a.amendment_id),
        default=None,
    )
    return last.new_ends_on if last else own_end


def _line(
    landing: Landing,
    contract: Contract,
    rows: list[dict[str, str]],
    signed: dict[str, date],
) -> Line:
    first = rows[0]
    is_usage = first["charge_type"] == "usage"
    versions = [
        _version(landing, row, signed[text(row, "amendment_id")]) for row in rows
    ]
    active = {}
    for when in days(contract.starts_on, contract.ends_on):
        version = in_force(versions, when)
        if version is not None and version.is_active:
            active[when] = version
    return Line(
        line_id=first["line_id"],
        charge_type=first["charge_type"],
        pricing_model=first["pricing_model"],
        meter=text(first, "meter"),
        frequency=text(first, "billing_frequency", "monthly"),
        is_arrears=is_usage or text(first, "billing_timing", "advance") == "arrears",
        tier_scope=text(first, "tier_scope", "billing_period"),
        by_covered_facilities=text(first, "quantity_basis") == "covered_facilities",
        base_line_id=text(first, "base_line_id"),
        versions=versions,
        active=active,
    )


def _version(landing: Landing, row: dict[str, str], signed_on: date) -> Version:
    card = text(row, "rate_card_id")
    return Version(
        effective_on=day(row["effective_on"]),
        signed_on=signed_on,
        amendment_id=text(row, "amendment_id"),
        product_id=row["product_id"],
        is_active=text(row, "status", "active") == "active",
        quantity=number(text(row, "quantity", "1")),
        unit_price=number(text(row, "unit_price", "0")),
        discount_percent=number(text(row, "discount_percent", "0")),
        included_quantity=number(text(row, "included_quantity", "0")),
        package_size=number(text(row, "package_size", "1")),
        percentage=number(text(row, "percentage", "0")),
        tiers=_tiers(landing, card) if card else (),
        revenue_rule=text(row, "revenue_rule"),
    )


def _tiers(landing: Landing, rate_card_id: str) -> tuple[Tier, ...]:
    tiers = [
        Tier(
            tier=int(row["tier"]),
            up_to=number(text(row, "up_to")),
            unit_price=number(text(row, "unit_price")),
            discount_percent=number(text(row, "discount_percent")),
            flat_fee=number(text(row, "flat_fee")) or ZERO,
        )
        for row in landing.rows("rate_cards")
        if row["rate_card_id"] == rate_card_id
    ]
    return tuple(sorted(tiers, key=lambda tier: tier.tier))
