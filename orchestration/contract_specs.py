"""What each contract table holds: columns, types, defaults, keys and references.

Everything intake knows about a single table stands here as data; how a file is read
is in `contract_reading.py`, what a row must mean in `contract_rules.py`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow


@dataclass(frozen=True)
class ColumnType:
    """A type of column: what a value of it is called, how it is stored, its precision.

    `digits` is (all digits, decimals) taken of a decimal and None for any other type.
    """

    words: str
    stored: pyarrow.DataType
    digits: tuple[int, int] | None = None


def _decimal(words: str, precision: int, scale: int) -> ColumnType:
    return ColumnType(words, pyarrow.decimal128(precision, scale), (precision, scale))


TEXT = ColumnType("a text", pyarrow.string())
DATE = ColumnType("a date", pyarrow.date32())
BOOLEAN = ColumnType("true or false", pyarrow.bool_())
WHOLE = ColumnType("a whole number", pyarrow.int32())
PRICE = _decimal("a price", 19, 8)
PERCENT = _decimal("a percent", 9, 4)
# Fewer digits are taken than stored, so that sums of many fit, and what is charged is
# a price of its line as well (A6).
QUANTITY = ColumnType("a quantity", pyarrow.decimal128(18, 4), (15, 4))
MONEY = ColumnType("an amount", pyarrow.decimal128(18, 2), (15, 2))
CHARGE = ColumnType("a charge", pyarrow.decimal128(18, 2), (13, 2))

Default = Any | Callable[[Mapping[str, Any]], Any]


@dataclass(frozen=True)
class Column:
    """A column; `default` is a value or a function of the row's other values.

    `allowed` are the values of an enumeration, `refers_to` the table whose key column
    of the same meaning must hold the value.
    """

    name: str
    type: ColumnType = TEXT
    required: bool = False
    default: Default = None
    allowed: tuple[str, ...] = ()
    refers_to: tuple[str, str] | None = None


@dataclass(frozen=True)
class TableSpec:
    """A landed table: its columns in order, key, and how a row finds its contract.

    `owner_key` names the column by which a row whose contract_id cannot be read is
    given to the contract of the other rows with the same value; None where a row is
    not part of a contract. A row is not known before the day in its column
    `known_on`. `folder` is where the files land.
    """

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    required: bool = False
    owner_key: str | None = None
    known_on: str | None = None
    folder: str = "contracts"
    by_name: dict[str, Column] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_name", {one.name: one for one in self.columns})

    @property
    def rule(self) -> str:
        """The rule by which only one row of a key can hold."""
        return "T1" if self.folder == "contracts" else "N1"

    @property
    def of_contract(self) -> bool:
        """Whether a row is one of a contract's own, so that its rejection holds it."""
        return self.owner_key is not None


def needed(name: str, type: ColumnType = TEXT, **rest: Any) -> Column:
    return Column(name, type, required=True, **rest)


def _by_charge_type(recurring: str, usage: str) -> Default:
    return lambda row: recurring if row["charge_type"] == "recurring" else usage


CUSTOMER = needed("customer_id", refers_to=("customers", "customer_id"))
_CONTRACT = needed("contract_id", refers_to=("contracts", "contract_id"))
_FACILITY = needed("facility_id", refers_to=("facilities", "facility_id"))
_EFFECTIVE_ON = needed("effective_on", DATE)
_AMENDMENT = Column("amendment_id", refers_to=("amendments", "amendment_id"))
_INVOICING = ("next_invoice", "immediate")
_MILESTONES = ("signature", "go_live", "acceptance", "other")

TABLES = {
    spec.name: spec
    for spec in (
        TableSpec(
            "customers",
            (
                needed("customer_id"),
                needed("customer_name"),
                needed("dunning_tier"),
                Column("bill_to_name"),
                Column("bill_to_email"),
                Column("bill_to_address"),
                Column("account_manager"),
                Column("tax_exempt", BOOLEAN, default=False),
            ),
            key=("customer_id",),
            required=True,
        ),
        TableSpec(
            "facilities",
            (
                needed("facility_id"),
                CUSTOMER,
                needed("facility_name"),
                Column("facility_type"),
                Column("state"),
                Column("npi"),
                Column("ccn"),
            ),
            key=("facility_id",),
            required=True,
        ),
        TableSpec(
            "facility_identifiers",
            (needed("feed"), needed("identifier"), _FACILITY),
            key=("feed", "identifier"),
        ),
        TableSpec(
            "contracts",
            (
                needed("contract_id"),
                CUSTOMER,
                needed("signed_on", DATE),
                needed("starts_on", DATE),
                needed("ends_on", DATE),
                Column("currency", default="USD"),
                Column("invoice_group", default=lambda row: row["contract_id"]),
                Column("billing_anchor_day", WHOLE, default=1),
                Column("payment_terms_days", WHOLE, default=30),
                Column("po_number"),
            ),
            key=("contract_id",),
            required=True,
            owner_key="contract_id",
            known_on="signed_on",
        ),
        TableSpec(
            "amendments",
            (
                needed("amendment_id"),
                _CONTRACT,
                needed("signed_on", DATE),
                _EFFECTIVE_ON,
                needed(
                    "kind",
                    allowed=(
                        "facility_added",
                        "facility_removed",
                        "module_added",
                        "quantity_changed",
                        "commitment_changed",
                        "price_changed",
                        "renewed",
                        "terminated",
                        "other",
                    ),
                ),
                Column("new_ends_on", DATE),
                Column("invoicing", default="next_invoice", allowed=_INVOICING),
                Column("description"),
            ),
            key=("amendment_id",),
            owner_key="amendment_id",
            known_on="signed_on",
        ),
        TableSpec(
            "contract_facilities",
            (
                _CONTRACT,
                _FACILITY,
                _EFFECTIVE_ON,
                needed("covered", BOOLEAN),
                _AMENDMENT,
            ),
            key=("contract_id", "facility_id", "effective_on", "amendment_id"),
            owner_key="amendment_id",
        ),
        TableSpec(
            "contract_lines",
            (
                needed("line_id"),
                _CONTRACT,
                _EFFECTIVE_ON,
                needed("charge_type", allowed=("recurring", "usage")),
                needed("product_id"),
                needed(
                    "pricing_model",
                    allowed=(
                        "flat",
                        "per_unit",
                        "graduated",
                        "volume",
                        "stairstep",
                        "package",
                        "percentage",
                    ),
                ),
                Column("status", default="active", allowed=("active", "ended")),
                Column("description"),
                Column("meter"),
                Column("quantity", QUANTITY),
                Column(
                    "quantity_basis",
                    default="fixed",
                    allowed=("fixed", "covered_facilities"),
                ),
                Column("unit_price", PRICE),
                Column("discount_percent", PERCENT, default=0),
                Column("included_quantity", QUANTITY, default=0),
                Column("rate_card_id", refers_to=("rate_cards", "rate_card_id")),
                Column("package_size", QUANTITY),
                Column("percentage", PERCENT),
                Column("base_line_id", refers_to=("contract_lines", "line_id")),
                Column(
                    "billing_frequency",
                    default="monthly",
                    allowed=("monthly", "quarterly", "annual"),
                ),
                Column(
                    "billing_timing",
                    default=_by_charge_type("advance", "arrears"),
                    allowed=("advance", "arrears"),
                ),
                Column(
                    "tier_scope",
                    default="billing_period",
                    allowed=("billing_period", "contract_year"),
                ),
                Column(
                    "revenue_rule",
                    default=_by_charge_type("ratable", "as_used"),
                    allowed=("ratable", "as_used"),
                ),
                _AMENDMENT,
            ),
            key=("line_id", "effective_on", "amendment_id"),
            required=True,
            owner_key="line_id",
        ),
        TableSpec(
            "rate_cards",
            (
                needed("rate_card_id"),
                needed("tier", WHOLE),
                Column("up_to", QUANTITY),
                Column("unit_price", PRICE),
                Column("discount_percent", PERCENT),
                Column("flat_fee", PRICE),
            ),
            key=("rate_card_id", "tier"),
        ),
        TableSpec(
            "commitments",
            (
                needed("commitment_id"),
                _CONTRACT,
                _EFFECTIVE_ON,
                needed("kind", allowed=("quantity", "spend")),
                Column("line_id", refers_to=("contract_lines", "line_id")),
                needed("committed", QUANTITY),
                Column(
                    "period",
                    default="contract_year",
                    allowed=("contract_year", "billing_period"),
                ),
                Column("true_up", default="shortfall", allowed=("shortfall", "rerate")),
                Column("shortfall_price", PRICE),
                Column("counts", default="all", allowed=("usage", "all")),
                Column("prorate", BOOLEAN, default=True),
                _AMENDMENT,
            ),
            key=("commitment_id", "effective_on", "amendment_id"),
            owner_key="commitment_id",
        ),
        TableSpec(
            "milestones",
            (
                needed("milestone_id"),
                _CONTRACT,
                needed("milestone", allowed=_MILESTONES),
                needed("amount", CHARGE),
                Column("completed_on", DATE),
                Column("evidence"),
                Column(
                    "recognize_on",
                    default=lambda row: row["milestone"],
                    allowed=_MILESTONES,
                ),
                Column(
                    "recognition",
                    default="point_in_time",
                    allowed=("point_in_time", "ratable_to_contract_end"),
                ),
                Column(
                    "invoicing",
                    default="on_completion",
                    allowed=("on_completion", "next_invoice"),
                ),
                Column("description"),
            ),
            key=("milestone_id",),
            owner_key="milestone_id",
        ),
        TableSpec(
            "baas",
            (CUSTOMER, _EFFECTIVE_ON, Column("ends_on", DATE), Column("reference")),
            key=("customer_id", "effective_on", "reference"),
        ),
    )
}
