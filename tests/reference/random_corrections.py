"""Rows landed again with other content: mended, withdrawn, of another customer."""

from datetime import date, timedelta

from reference.builder import Builder
from reference.scenarios import KEYS

Row = dict[str, str]


def add_corrections(builder: Builder) -> None:
    """Some rows of a scenario once more at a later run, under the same key."""
    rng, scenario = builder.rng, builder.scenario
    owners = {
        row["customer_id"] for _, table, row in scenario.rows if table == "customers"
    }
    corrected = [entry for entry in scenario.rows if entry[1] in KEYS]
    share = rng.choice((0, 0, 0.05, 0.15))
    for step, table, row in corrected:
        if step + 1 == len(scenario.schedule) or rng.random() >= share:
            continue
        change = CHANGES[table](builder, row, sorted(owners))
        step = rng.randrange(step + 1, len(scenario.schedule))
        builder.add(step, table, **(row | change))


def _contract(builder: Builder, row: Row, owners: list[str]) -> Row:
    rng = builder.rng
    starts = date.fromisoformat(row["starts_on"])
    ends = date.fromisoformat(row["ends_on"])
    changes: list[Row] = [
        {"invoice_group": "other"},
        {"payment_terms_days": "20", "po_number": "PO-new"},
        {"billing_anchor_day": str(rng.randrange(1, 32))},
        {"ends_on": str(ends + timedelta(days=rng.randrange(1, 200)))},
        {"ends_on": str(builder.some_day(starts, ends))},
    ]
    # Facilities do not pass to another customer with it: it would be held.
    covers = {
        other["contract_id"]
        for _, table, other in builder.scenario.rows
        if table == "contract_facilities"
    }
    if row["contract_id"] not in covers:
        changes += [{"customer_id": rng.choice(owners)}] * 3
    return rng.choice(changes)


def _amendment(builder: Builder, row: Row, owners: list[str]) -> Row:
    rng = builder.rng
    day = str(builder.some_day(builder.first_day, builder.last_day))
    changes = [{"effective_on": day}, {"invoicing": "immediate"}, {"signed_on": day}]
    return rng.choice(changes + [{"new_ends_on": day}] * bool(row["new_ends_on"]))


def _line(builder: Builder, row: Row, owners: list[str]) -> Row:
    rng = builder.rng
    changes: list[Row] = [{"discount_percent": "7.5"}, {"product_id": "mended"}]
    if row.get("unit_price"):
        changes.append({"unit_price": "3.335"})
    if row.get("quantity"):
        changes.append({"quantity": "2"})
    if row.get("percentage"):
        changes.append({"percentage": "12.5"})
    return rng.choice(changes)


def _tier(builder: Builder, row: Row, owners: list[str]) -> Row:
    names = [n for n in ("unit_price", "flat_fee", "discount_percent") if row.get(n)]
    return {builder.rng.choice(names): "4.4444"}


def _milestone(builder: Builder, row: Row, owners: list[str]) -> Row:
    rng = builder.rng
    day = str(builder.some_day(builder.first_day, builder.last_day))
    return rng.choice(
        (
            {"amount": "1234"},
            {"completed_on": ""},
            {"completed_on": day},
            {"recognize_on": rng.choice(("", "go_live"))},
            {"recognition": rng.choice(("point_in_time", "ratable_to_contract_end"))},
            {"invoicing": rng.choice(("on_completion", "next_invoice"))},
        )
    )


def _payment(builder: Builder, row: Row, owners: list[str]) -> Row:
    rng = builder.rng
    day = str(builder.some_day(builder.first_day, builder.last_day))
    sign = "-" if row["amount"].startswith("-") else ""
    return rng.choice(({"amount": f"{sign}77"}, {"received_on": day}))


CHANGES = {
    "contracts": _contract,
    "amendments": _amendment,
    "contract_lines": _line,
    "rate_cards": _tier,
    "milestones": _milestone,
    "payments": _payment,
}
