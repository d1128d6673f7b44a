"""What a row must mean by itself: one small function for each rule.

A rule yields the column and the reason, which says what is wrong, what to do, and the
rule's number. `contract_comparisons.py` judges rows by other rows.
"""

from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from functools import cache

from orchestration.contract_reading import Problem, Row
from orchestration.currencies import currency_decimals
from orchestration.project import read_seed

Reasons = Iterator[tuple[str, str]]
Rules = dict[str, tuple[Callable[[Row], Reasons], ...]]

TIERED_MODELS = ("graduated", "volume", "stairstep")
# What a charge stays below, so that sums of many fit, and the price of one unit.
LARGEST_CHARGE, LARGEST_PRICE = 10**11, 10**8
# The days of contracts; `calendar_months` reaches farther on both sides.
FIRST_DAY, LAST_DAY = date(1990, 1, 1), date(2100, 12, 31)


@cache
def meters() -> dict[str, str]:
    """Names of `seeds/meters.csv`, each with how it aggregates."""
    return {row["meter"]: row["aggregation"] for row in read_seed("meters")}


@cache
def dunning_tiers() -> tuple[str, ...]:
    """Names of the tiers of `seeds/dunning_policies.csv`, in its order."""
    return tuple(
        dict.fromkeys(r["dunning_tier"] for r in read_seed("dunning_policies"))
    )


def judge_row(row: Row, rules: Rules) -> list[Problem]:
    """Problems of a row's own meaning, by the rules of its table."""
    return [
        row.problem(column, reason)
        for rule in rules.get(row.table, ())
        for column, reason in rule(row)
    ]


def tier_is_known(row: Row) -> Reasons:
    tier = row["dunning_tier"]
    if tier is not None and tier not in dunning_tiers():
        known = ", ".join(dunning_tiers())
        yield (
            "dunning_tier",
            f"is no tier of seeds/dunning_policies.csv, which has {known} (N3); "
            "use one of them or add the tier there",
        )


def currency_is_known(row: Row) -> Reasons:
    currency = row["currency"]
    if currency is not None and currency not in currency_decimals():
        yield (
            "currency",
            "is no currency of seeds/currencies.csv, which has those of ISO 4217 with "
            "0 or 2 decimals (A1); write its three capitals",
        )


def anchor_is_a_day_of_a_month(row: Row) -> Reasons:
    day = row["billing_anchor_day"]
    if day is not None and not 1 <= day <= 31:
        yield (
            "billing_anchor_day",
            "is no day of a month; write 1 to 31, the last day of shorter months is "
            "meant (C3)",
        )


def payment_terms_are_not_negative(row: Row) -> Reasons:
    days = row["payment_terms_days"]
    if days is not None and days < 0:
        yield "payment_terms_days", "is below 0; write the days until payment (C5)"


def contract_ends_after_it_starts(row: Row) -> Reasons:
    if row["starts_on"] and row["ends_on"] and row["ends_on"] < row["starts_on"]:
        yield (
            "ends_on",
            f"is before starts_on {row['starts_on']} (C1); mend one of them",
        )


def agreement_ends_after_it_begins(row: Row) -> Reasons:
    if row["effective_on"] and row["ends_on"] and row["ends_on"] < row["effective_on"]:
        yield (
            "ends_on",
            f"is before effective_on {row['effective_on']} (C1); mend one of them",
        )


def new_end_is_named(row: Row) -> Reasons:
    if row["kind"] in ("renewed", "terminated") and row.lacks("new_ends_on"):
        yield (
            "new_ends_on",
            f"is empty; an amendment of kind {row['kind']} says the contract's new "
            "last day (C2)",
        )


def new_end_is_plausible(row: Row) -> Reasons:
    yield from _within_calendar(row, "new_ends_on", "C2")


def completion_is_plausible(row: Row) -> Reasons:
    yield from _within_calendar(row, "completed_on", "S1")


def _within_calendar(row: Row, column: str, rule: str) -> Reasons:
    day = row[column]
    if day is not None and not FIRST_DAY <= day <= LAST_DAY:
        yield (
            column,
            f"is not within {FIRST_DAY} to {LAST_DAY}, all that is billed ({rule}); "
            "is its year right?",
        )


def percents_are_within_100(row: Row) -> Reasons:
    for column in ("discount_percent", "percentage"):
        percent = row.values.get(column)
        if percent is not None and not 0 <= percent <= 100:
            yield column, "is not within 0 to 100 (U6); write 12.5 for 12.5 %"


def quantities_are_not_negative(row: Row) -> Reasons:
    for column in ("quantity", "included_quantity", "committed"):
        quantity = row.values.get(column)
        if quantity is not None and quantity < 0:
            rule = "M1" if column == "committed" else "R2, U6"
            yield column, f"is below 0 ({rule}); a credit is a price below 0"


def tier_price_is_within_bounds(row: Row) -> Reasons:
    price = row["unit_price"]
    if price is not None and abs(price) >= LARGEST_PRICE:
        yield (
            "unit_price",
            f"is not within {LARGEST_PRICE:,}, as a price of one unit is to be (U6); "
            "is its decimal point missing?",
        )


def package_holds_something(row: Row) -> Reasons:
    size = row["package_size"]
    if size is not None and size <= 0:
        yield "package_size", "is not above 0; write the units of one package (U6)"


def price_is_given(row: Row) -> Reasons:
    """An ended row charges nothing, so it needs no price."""
    if row["status"] == "ended":
        return
    needed = {
        "flat": ("unit_price",),
        "per_unit": ("unit_price",),
        "package": ("unit_price", "package_size"),
        "percentage": ("percentage",),
    }.get(row["pricing_model"], ())
    if row["pricing_model"] in TIERED_MODELS:
        needed = ("rate_card_id",)
    rule = "R4" if row["pricing_model"] == "percentage" else "U6"
    for column in needed:
        if row.lacks(column):
            yield (
                column,
                f"is empty; a line priced {row['pricing_model']} needs it ({rule})",
            )


def meter_is_for_usage(row: Row) -> Reasons:
    meter = row["meter"]
    if row["charge_type"] == "usage" and row.lacks("meter"):
        yield (
            "meter",
            f"is empty; a usage line counts one of {', '.join(meters())} (U1)",
        )
    elif row["charge_type"] == "recurring" and meter is not None:
        yield (
            "meter",
            "is on a recurring line, which counts nothing (U1); leave it empty or make "
            "the line usage",
        )
    elif meter is not None and meter not in meters():
        yield (
            "meter",
            f"is no meter of seeds/meters.csv, which has {', '.join(meters())} (U1); "
            "use one of them or add the meter there",
        )


def flat_has_no_facilities(row: Row) -> Reasons:
    basis = row["quantity_basis"]
    if row["pricing_model"] == "flat" and basis == "covered_facilities":
        yield (
            "quantity_basis",
            "is on a flat line, whose price is the same whatever the quantity (R2); "
            "price it per_unit or make the quantity fixed",
        )


def usage_is_in_arrears(row: Row) -> Reasons:
    if row["charge_type"] == "usage" and row["billing_timing"] == "advance":
        yield (
            "billing_timing",
            "is on a usage line, which is always in arrears (C4); leave it empty",
        )


def recurring_is_ratable(row: Row) -> Reasons:
    if row["charge_type"] == "recurring" and row["revenue_rule"] == "as_used":
        yield (
            "revenue_rule",
            "is on a recurring line, which has no units to use (V2); leave it empty",
        )


def year_scope_has_a_count(row: Row) -> Reasons:
    if row["tier_scope"] != "contract_year":
        return
    model = row["pricing_model"]
    if row["charge_type"] == "recurring" or model in ("package", "stairstep", "flat"):
        kind = "recurring" if row["charge_type"] == "recurring" else model
        yield (
            "tier_scope",
            f"is on a {kind} line, which counts each billing period by itself (U5); "
            "leave it empty",
        )


def percentage_is_recurring(row: Row) -> Reasons:
    if row["pricing_model"] == "percentage" and row["charge_type"] == "usage":
        yield (
            "charge_type",
            "is on a percentage line, which is recurring whatever its base is (R4)",
        )


def quantity_commitment_is_of_a_line(row: Row) -> Reasons:
    if row["kind"] != "quantity":
        return
    if row.lacks("line_id"):
        yield (
            "line_id",
            "is empty; a commitment to a quantity names its usage line (M2)",
        )
    if row.text.get("counts") is not None:
        yield (
            "counts",
            "is for commitments to spend (M4); leave it empty on a quantity",
        )


def rerate_is_of_a_year(row: Row) -> Reasons:
    if row["true_up"] != "rerate":
        return
    if row["kind"] == "spend":
        yield "true_up", "is rerate, which needs a commitment to a quantity (M3)"
    if row["period"] == "billing_period":
        yield "period", "is on a rerate commitment, which runs by contract year (M3)"


ROW_RULES: Rules = {
    "customers": (tier_is_known,),
    "contracts": (
        currency_is_known,
        anchor_is_a_day_of_a_month,
        payment_terms_are_not_negative,
        contract_ends_after_it_starts,
    ),
    "amendments": (new_end_is_named, new_end_is_plausible),
    "contract_lines": (
        percents_are_within_100,
        quantities_are_not_negative,
        package_holds_something,
        price_is_given,
        meter_is_for_usage,
        flat_has_no_facilities,
        usage_is_in_arrears,
        recurring_is_ratable,
        year_scope_has_a_count,
        percentage_is_recurring,
    ),
    "rate_cards": (percents_are_within_100, tier_price_is_within_bounds),
    "commitments": (
        quantities_are_not_negative,
        quantity_commitment_is_of_a_line,
        rerate_is_of_a_year,
    ),
    "milestones": (completion_is_plausible,),
    "baas": (agreement_ends_after_it_begins,),
}


def minor_unit(currency: str | None, amount: Decimal) -> str | None:
    """Why an amount is finer than the currency's minor unit, or None if it is not."""
    decimals = currency_decimals().get(currency)
    if decimals is None or -amount.as_tuple().exponent <= decimals:
        return None
    return (
        f"is finer than the minor unit of {currency}, which has {decimals} decimals "
        "(A1); round it where it is kept"
    )
