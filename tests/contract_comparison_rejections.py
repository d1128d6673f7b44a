"""Contract rows that are bad beside others, each with what must be said of it."""

from contract_landing import (
    BASE,
    CARDS,
    COMMITMENTS,
    LINES,
    NC,
    NOBODY,
    RERATE,
    USAGE,
    add,
    edit,
)

# As in `contract_rejections`.
COMPARISONS = [
    (
        [add(LINES, rate_card_id="none")],
        LINES,
        5,
        "rate_card_id",
        "not in rate_cards",
        NC,
    ),
    (
        [add(LINES, contract_id="gone")],
        LINES,
        5,
        "contract_id",
        "not in contracts",
        {"gone"},
    ),
    (
        [add(LINES, amendment_id="gone")],
        LINES,
        5,
        "amendment_id",
        "not in amendments",
        NC,
    ),
    ([add(LINES, amendment_id="sa")], LINES, 5, "amendment_id", "of contract sc", NC),
    (
        [add("contract_facilities", facility_id="gone")],
        "contract_facilities",
        4,
        "facility_id",
        "not in facilities",
        NC,
    ),
    (
        [add("contract_facilities", facility_id="s1")],
        "contract_facilities",
        4,
        "facility_id",
        "of customer south, the contract is one of north (U1)",
        NC,
    ),
    (
        [edit("facility_identifiers", 2, facility_id="gone")],
        "facility_identifiers",
        2,
        "facility_id",
        "add it there",
        NOBODY,
    ),
    ([add("baas", customer_id="gone")], "baas", 3, "customer_id", "not in", NOBODY),
    ([add(LINES, base_line_id="gone")], LINES, 5, "base_line_id", "not in", NC),
    ([add(LINES, base_line_id="ss")], LINES, 5, "base_line_id", "of contract sc", NC),
    (
        [add(LINES, pricing_model="percentage", percentage="9", base_line_id="new")],
        LINES,
        5,
        "base_line_id",
        "percentage line itself (R4)",
        NC,
    ),
    # 1,000,000,000 × 100.00 is no longer below 100,000,000,000.
    (
        [add(LINES, quantity="1000000000", unit_price="100")],
        LINES,
        5,
        "quantity",
        "makes a charge of up to 100,000,000,000.00; one is to stay below",
        NC,
    ),
    (
        [add(LINES, unit_price="-99999999999.99", discount_percent="9")]
        + [edit(LINES, 5, quantity="2", included_quantity="0.5")],
        LINES,
        5,
        "quantity",
        "makes a charge of up to 149,999,999,999.98",
        NC,
    ),
    # 10 in packages of 0.0003 are 33,334.
    (
        [add(LINES, pricing_model="package", package_size="0.0003", quantity="10")]
        + [edit(LINES, 5, unit_price="3000000")],
        LINES,
        5,
        "quantity",
        "makes a charge of up to 100,002,000,000.00",
        NC,
    ),
    (
        [
            add(CARDS, up_to="5", flat_fee="60000000000"),
            add(CARDS, tier="2", flat_fee="39999999990"),
            add(LINES, pricing_model="graduated", rate_card_id="own", unit_price=""),
            edit(LINES, 5, quantity="10"),
        ],
        LINES,
        5,
        "quantity",
        "makes a charge of up to 100,000,000,000.00",
        NC,
    ),
    # 10,000,000,000 short at 10 each.
    (
        [add(COMMITMENTS, committed="10000000000", shortfall_price="10")],
        COMMITMENTS,
        2,
        "committed",
        "makes a shortfall of up to 100,000,000,000.00",
        NC,
    ),
    # At the price of the dearest tier, 1.5.
    (
        [add(COMMITMENTS, committed="66666666667")],
        COMMITMENTS,
        2,
        "committed",
        "makes a shortfall of up to 100,000,000,000.50",
        NC,
    ),
    ([add(COMMITMENTS, line_id="ss")], COMMITMENTS, 2, "line_id", "of contract sc", NC),
    ([add(COMMITMENTS, line_id="ns")], COMMITMENTS, 2, "line_id", "no units (M2)", NC),
    (
        [add(COMMITMENTS, line_id="ns", true_up="rerate")],
        COMMITMENTS,
        2,
        "line_id",
        "volume line with tier_scope contract_year",
        NC,
    ),
    (
        [add(COMMITMENTS, effective_on="2026-02-01", **RERATE)],
        COMMITMENTS,
        2,
        "effective_on",
        "anniversary (M3)",
        NC,
    ),
    (
        [add(COMMITMENTS, **RERATE), add(COMMITMENTS, commitment_id="two", **RERATE)],
        COMMITMENTS,
        3,
        "line_id",
        "already, quantity in",
        NC,
    ),
    (
        [
            add(LINES, pricing_model="package", package_size="9", **USAGE),
            add(COMMITMENTS, line_id="new"),
        ],
        COMMITMENTS,
        2,
        "shortfall_price",
        "(M2)",
        NC,
    ),
    (
        [add(COMMITMENTS, kind="spend", line_id="", committed="10.005")],
        COMMITMENTS,
        2,
        "committed",
        "minor unit of USD",
        NC,
    ),
    (
        [edit("contracts", 2, currency="JPY"), add("milestones", amount="10.5")],
        "milestones",
        2,
        "amount",
        "minor unit of JPY, which has 0",
        NC,
    ),
    (
        [
            add(CARDS, unit_price=""),
            add(LINES, pricing_model="graduated", unit_price="", rate_card_id="own"),
        ],
        LINES,
        5,
        "rate_card_id",
        "unit_price in tier 1 (U6)",
        NC,
    ),
    (
        [add(CARDS), add(LINES, pricing_model="stairstep", rate_card_id="own")],
        LINES,
        5,
        "rate_card_id",
        "flat_fee in tier 1 (U6)",
        NC,
    ),
    *[
        (
            [add(LINES, line_id="ns", effective_on="2026-04-01", **change)],
            LINES,
            5,
            column,
            "contract_lines.csv line 2 and never changes (T3)",
            NC,
        )
        for column, change in {
            "pricing_model": {"pricing_model": "flat"},
            "billing_frequency": {"billing_frequency": "annual"},
            "billing_timing": {"billing_timing": "arrears"},
            "quantity_basis": {"quantity_basis": "covered_facilities"},
            "base_line_id": {"base_line_id": "ne"},
        }.items()
    ],
    *[
        (
            [add(LINES, **(BASE[LINES][2] | {"effective_on": "2026-04-01"} | change))],
            LINES,
            5,
            column,
            "(T3)",
            NC,
        )
        for column, change in {
            "meter": {"meter": "procedure"},
            "tier_scope": {"tier_scope": ""},
        }.items()
    ],
    *[
        (
            [add(COMMITMENTS), add(COMMITMENTS, effective_on="2026-05-01", **change)],
            COMMITMENTS,
            3,
            column,
            "end the commitment",
            NC,
        )
        for column, change in {
            "period": {"period": "billing_period"},
            "kind": {"kind": "spend"},
        }.items()
    ],
]
