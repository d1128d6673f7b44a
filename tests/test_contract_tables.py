"""Every rejection of a contract row: its place, its reason, whom it holds."""

import csv
import gzip
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow
import pyarrow.parquet
import pytest

from orchestration import contract_rules
from orchestration.contract_specs import TABLES
from orchestration.contract_tables import load_contract_tables
from orchestration.errors import BillingError

AS_OF = date(2026, 7, 1)
# Two customers with a contract each; rows are on lines 2, 3, … of their files.
BASE = {
    "customers": [
        {"customer_id": "north", "customer_name": "North", "dunning_tier": "standard"},
        {"customer_id": "south", "customer_name": "South", "dunning_tier": "clinic"},
    ],
    "facilities": [
        {"facility_id": "n1", "customer_id": "north", "facility_name": "North One"},
        {"facility_id": "s1", "customer_id": "south", "facility_name": "South One"},
    ],
    "facility_identifiers": [
        {"feed": "vendor", "identifier": "001", "facility_id": "n1"},
    ],
    "contracts": [
        {
            "contract_id": contract,
            "customer_id": customer,
            "signed_on": "2025-12-01",
            "starts_on": "2026-01-01",
            "ends_on": "2026-12-31",
        }
        for contract, customer in (("nc", "north"), ("sc", "south"))
    ],
    "amendments": [
        {
            "amendment_id": amendment,
            "contract_id": contract,
            "signed_on": signed_on,
            "effective_on": "2026-04-01",
            "kind": "other",
        }
        for amendment, contract, signed_on in (
            ("na", "nc", "2026-03-01"),
            ("sa", "sc", "2026-03-01"),
            ("later", "nc", "2026-07-02"),
        )
    ],
    "contract_facilities": [
        {
            "contract_id": contract,
            "facility_id": facility,
            "effective_on": "2026-01-01",
            "covered": "true",
        }
        for contract, facility in (("nc", "n1"), ("sc", "s1"))
    ],
    "contract_lines": [
        {
            "line_id": line,
            "contract_id": contract,
            "effective_on": "2026-01-01",
            "charge_type": "recurring",
            "product_id": "suite",
            "pricing_model": "per_unit",
            "unit_price": "10.50",
        }
        for line, contract in (("ns", "nc"), ("ss", "sc"))
    ]
    + [
        {
            "line_id": "ne",
            "contract_id": "nc",
            "effective_on": "2026-01-01",
            "charge_type": "usage",
            "product_id": "encounters",
            "pricing_model": "volume",
            "meter": "encounter",
            "rate_card_id": "card",
            "tier_scope": "contract_year",
        }
    ],
    "rate_cards": [
        {"rate_card_id": "card", "tier": "1", "up_to": "100", "unit_price": "1.5"},
        {"rate_card_id": "card", "tier": "2", "unit_price": "1.25"},
    ],
    "commitments": [],
    "milestones": [],
    "baas": [{"customer_id": "north", "effective_on": "2026-01-01"}],
}
NEW = {
    "customers": {"customer_id": "x", "customer_name": "X", "dunning_tier": "clinic"},
    "contract_lines": BASE["contract_lines"][0] | {"line_id": "new"},
    "amendments": BASE["amendments"][0] | {"amendment_id": "new"},
    "commitments": {
        "commitment_id": "quantity",
        "contract_id": "nc",
        "effective_on": "2026-01-01",
        "kind": "quantity",
        "line_id": "ne",
        "committed": "1000",
    },
    "milestones": {
        "milestone_id": "live",
        "contract_id": "nc",
        "milestone": "go_live",
        "amount": "5000.00",
    },
    "contract_facilities": BASE["contract_facilities"][0]
    | {"effective_on": "2026-02-01"},
    "baas": {"customer_id": "south", "effective_on": "2026-01-01"},
    "rate_cards": {"rate_card_id": "own", "tier": "1", "unit_price": "1"},
}
USAGE = {"charge_type": "usage", "meter": "encounter"}
RERATE = {"true_up": "rerate"}


def add(table, **values):
    """A row more, at the end of its file."""
    return lambda tables: tables[table].append(NEW[table] | values)


def edit(table, line, **values):
    return lambda tables: tables[table][line - 2].update(values)


def write(landing: Path, changes=()) -> None:
    tables = {name: [dict(row) for row in rows] for name, rows in BASE.items()}
    for change in changes:
        change(tables)
    (landing / "contracts").mkdir(parents=True, exist_ok=True)
    for name, rows in tables.items():
        path = landing / f"contracts/{name}.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(TABLES[name].by_name))
            writer.writeheader()
            writer.writerows(rows)


def load(landing: Path, changes=None):
    if changes is not None:
        write(landing, changes)
    connection = duckdb.connect()
    return load_contract_tables(connection, landing, AS_OF), connection


def rejections(connection):
    return [
        (file.removeprefix("contracts/").removesuffix(".csv"), line, column, reason)
        for file, line, column, reason in connection.execute(
            "select source_file, line, column_name, reason from raw.rejected_rows"
        ).fetchall()
    ]


@pytest.fixture
def everything_is_billed(monkeypatch):
    monkeypatch.setattr(contract_rules, "NOT_YET_BILLED", {})


LINES, CARDS, COMMITMENTS = "contract_lines", "rate_cards", "commitments"
NC, SC, NOBODY = {"nc"}, {"sc"}, set()

# What is landed; where it is rejected; a piece of the reason that says what to do or
# which rule it is; whom it holds. A new line stands on line 5 of its file.
CELLS = [
    (
        [edit("contracts", 2, starts_on="01/02/2026")],
        "contracts",
        2,
        "starts_on",
        "YYYY-MM-DD",
        NC,
    ),
    (
        [edit("contracts", 2, ends_on="2026-02-30")],
        "contracts",
        2,
        "ends_on",
        "YYYY-MM-DD",
        NC,
    ),
    (
        [edit("contracts", 2, payment_terms_days="30.5")],
        "contracts",
        2,
        "payment_terms_days",
        "without decimals",
        NC,
    ),
    (
        [edit("contracts", 2, payment_terms_days="9999999999")],
        "contracts",
        2,
        "payment_terms_days",
        "too large",
        NC,
    ),
    ([add(LINES, unit_price="1,000.00")], LINES, 5, "unit_price", "thousands", NC),
    ([add(LINES, unit_price="1e3")], LINES, 5, "unit_price", "exponents", NC),
    ([add(LINES, unit_price="$10")], LINES, 5, "unit_price", "currency signs", NC),
    ([add(LINES, unit_price="NaN")], LINES, 5, "unit_price", "plain digits", NC),
    ([add(LINES, unit_price="٣")], LINES, 5, "unit_price", "plain digits", NC),
    (
        [add(LINES, unit_price="0.123456789")],
        LINES,
        5,
        "unit_price",
        "9 decimals, a price has at most 8 (U6)",
        NC,
    ),
    ([add(LINES, unit_price="123456789012")], LINES, 5, "unit_price", "11 digits", NC),
    ([add(LINES, quantity="1.00001")], LINES, 5, "quantity", "at most 4", NC),
    (
        [add(LINES, discount_percent="1.00001")],
        LINES,
        5,
        "discount_percent",
        "at most 4",
        NC,
    ),
    ([add(LINES, status="Active")], LINES, 5, "status", "did you mean active?", NC),
    ([add(LINES, product_id="")], LINES, 5, "product_id", "fill it in", NC),
    ([add(LINES, product_id="  ")], LINES, 5, "product_id", "fill it in", NC),
    (
        [add("contract_facilities", covered="yes")],
        "contract_facilities",
        4,
        "covered",
        "true or false",
        NC,
    ),
    ([add("milestones", amount="1.005")], "milestones", 2, "amount", "at most 2", NC),
]
MEANINGS = [
    (
        [add("customers", dunning_tier="gold")],
        "customers",
        4,
        "dunning_tier",
        "enterprise, standard, clinic (N3)",
        NOBODY,
    ),
    ([edit("contracts", 2, currency="KWD")], "contracts", 2, "currency", "(A1)", NC),
    (
        [edit("contracts", 2, billing_anchor_day="32")],
        "contracts",
        2,
        "billing_anchor_day",
        "1 to 31",
        NC,
    ),
    (
        [edit("contracts", 2, billing_anchor_day="0")],
        "contracts",
        2,
        "billing_anchor_day",
        "1 to 31",
        NC,
    ),
    (
        [edit("contracts", 2, payment_terms_days="-1")],
        "contracts",
        2,
        "payment_terms_days",
        "below 0",
        NC,
    ),
    (
        [edit("contracts", 2, ends_on="2025-12-31")],
        "contracts",
        2,
        "ends_on",
        "before starts_on 2026-01-01",
        NC,
    ),
    ([add("baas", ends_on="2025-12-31")], "baas", 3, "ends_on", "before", NOBODY),
    ([add("amendments", kind="renewed")], "amendments", 5, "new_ends_on", "(C2)", NC),
    (
        [add("amendments", kind="terminated")],
        "amendments",
        5,
        "new_ends_on",
        "(C2)",
        NC,
    ),
    ([add(LINES, discount_percent="100.01")], LINES, 5, "discount_percent", "12.5", NC),
    ([add(LINES, discount_percent="-1")], LINES, 5, "discount_percent", "0 to 100", NC),
    (
        [add(CARDS, discount_percent="101")],
        CARDS,
        4,
        "discount_percent",
        "(U6)",
        NOBODY,
    ),
    ([add(LINES, quantity="-1")], LINES, 5, "quantity", "below 0", NC),
    (
        [add(LINES, included_quantity="-1")],
        LINES,
        5,
        "included_quantity",
        "below 0",
        NC,
    ),
    (
        [add(LINES, pricing_model="package", package_size="0")],
        LINES,
        5,
        "package_size",
        "above 0",
        NC,
    ),
    ([add(LINES, unit_price="")], LINES, 5, "unit_price", "needs it (U6)", NC),
    (
        [add(LINES, pricing_model="flat", unit_price="")],
        LINES,
        5,
        "unit_price",
        "needs it (U6)",
        NC,
    ),
    ([add(LINES, pricing_model="package")], LINES, 5, "package_size", "(U6)", NC),
    ([add(LINES, pricing_model="graduated")], LINES, 5, "rate_card_id", "(U6)", NC),
    ([add(LINES, pricing_model="stairstep")], LINES, 5, "rate_card_id", "(U6)", NC),
    ([add(LINES, pricing_model="percentage")], LINES, 5, "percentage", "(R4)", NC),
    (
        [add(LINES, pricing_model="percentage", percentage="18", **USAGE)],
        LINES,
        5,
        "charge_type",
        "(R4)",
        NC,
    ),
    ([add(LINES, charge_type="usage")], LINES, 5, "meter", "encounter, procedure", NC),
    ([add(LINES, meter="encounter")], LINES, 5, "meter", "recurring line", NC),
    (
        [add(LINES, charge_type="usage", meter="scan")],
        LINES,
        5,
        "meter",
        "seeds/meters.csv",
        NC,
    ),
    (
        [add(LINES, pricing_model="flat", quantity_basis="covered_facilities")],
        LINES,
        5,
        "quantity_basis",
        "(R2)",
        NC,
    ),
    (
        [add(LINES, billing_timing="advance", **USAGE)],
        LINES,
        5,
        "billing_timing",
        "(C4)",
        NC,
    ),
    ([add(LINES, revenue_rule="as_used")], LINES, 5, "revenue_rule", "(V2)", NC),
    ([add(LINES, tier_scope="contract_year")], LINES, 5, "tier_scope", "(U5)", NC),
    (
        [add(LINES, pricing_model="flat", tier_scope="contract_year", **USAGE)],
        LINES,
        5,
        "tier_scope",
        "flat line",
        NC,
    ),
    (
        [
            add(
                LINES,
                pricing_model="package",
                package_size="10",
                tier_scope="contract_year",
                **USAGE,
            )
        ],
        LINES,
        5,
        "tier_scope",
        "(U5)",
        NC,
    ),
    ([add(COMMITMENTS, line_id="")], COMMITMENTS, 2, "line_id", "(M2)", NC),
    ([add(COMMITMENTS, counts="usage")], COMMITMENTS, 2, "counts", "(M4)", NC),
    ([add(COMMITMENTS, committed="-1")], COMMITMENTS, 2, "committed", "(M1)", NC),
    ([add(COMMITMENTS, kind="spend", **RERATE)], COMMITMENTS, 2, "true_up", "(M3)", NC),
    (
        [add(COMMITMENTS, period="billing_period", **RERATE)],
        COMMITMENTS,
        2,
        "period",
        "(M3)",
        NC,
    ),
]
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
    ([add(COMMITMENTS, line_id="ss")], COMMITMENTS, 2, "line_id", "of contract sc", NC),
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
        for column, change in {"period": {"period": "billing_period"}}.items()
    ],
]


@pytest.mark.usefixtures("everything_is_billed")
@pytest.mark.parametrize(
    ("changes", "table", "line", "column", "said", "held"),
    CELLS + MEANINGS + COMPARISONS,
)
def test_a_bad_row_is_rejected_alone_and_holds_its_contract(
    tmp_path, changes, table, line, column, said, held
):
    intake, connection = load(tmp_path, changes)
    told = rejections(connection)
    first = told[0]
    if table != "contracts":
        assert len(told) == 1
    assert first[:3] == (table, line, column)
    assert said in first[3]
    assert set(intake.held) == held
    reasons = connection.execute("select reason from raw.held_contracts").fetchall()
    for (reason,) in reasons:
        assert f"contracts/{table}.csv line {line}, {column}" in reason
    lines_left = connection.execute("select line_id from raw.contract_lines").fetchall()
    assert ("ss",) in lines_left


@pytest.mark.usefixtures("everything_is_billed")
@pytest.mark.parametrize(
    "changes",
    [
        [],
        [add(LINES, unit_price="-5.12345678", discount_percent="12.5000")],
        [add(LINES, unit_price="10.5000000000000")],
        [add(LINES, status="ended", unit_price="")],
        [add(LINES)] * 2,
        [add(LINES, amendment_id="na", effective_on="2026-01-01", line_id="ns")],
        [add(COMMITMENTS, effective_on="2025-06-01", **RERATE)],
        [add(COMMITMENTS, effective_on="2027-01-01", **RERATE)],
        [add(COMMITMENTS, kind="spend", line_id="", counts="usage", committed="1.25")],
        [add("amendments", kind="renewed", new_ends_on="2027-12-31")],
        [
            add(CARDS, unit_price="", discount_percent="5"),
            add(LINES, pricing_model="graduated", rate_card_id="own"),
        ],
        [
            add(CARDS, unit_price="", flat_fee="500"),
            add(LINES, pricing_model="stairstep", unit_price="", rate_card_id="own"),
        ],
    ],
)
def test_what_is_allowed_is_not_rejected(tmp_path, changes):
    intake, connection = load(tmp_path, changes)
    assert rejections(connection) == []
    assert (intake.rejected, intake.held) == (0, {})


def card(*tiers):
    return [
        add(CARDS, tier=str(tier), up_to=up_to, unit_price="1") for tier, up_to in tiers
    ]


@pytest.mark.parametrize(
    ("tiers", "line", "column", "said"),
    [
        ([(1, "100"), (3, "")], 5, "tier", "stands where tier 2 is due"),
        ([(2, "")], 4, "tier", "number from 1 on"),
        ([(1, "100"), (2, "100"), (3, "")], 5, "up_to", "does not rise above 100"),
        ([(1, "100"), (2, "50"), (3, "")], 5, "up_to", "overlap"),
        ([(1, "0"), (2, "")], 4, "up_to", "does not rise above 0"),
        ([(1, "100"), (2, "200")], 5, "up_to", "leave it empty there"),
        ([(1, ""), (2, "")], 4, "up_to", "empty before the last"),
        ([(1, "many"), (2, "")], 4, "up_to", "plain digits"),
    ],
)
def test_a_wrong_tier_rejects_its_card_and_the_lines_on_it(
    tmp_path, tiers, line, column, said
):
    on_card = {"pricing_model": "graduated", "rate_card_id": "own"}
    intake, connection = load(
        tmp_path,
        [
            *card(*tiers),
            add(LINES, **on_card),
            edit(LINES, 4, pricing_model="graduated"),
        ],
    )
    told = rejections(connection)
    of_card = {row[1]: row for row in told if row[0] == CARDS}
    assert of_card[line][2] == column
    assert said in of_card[line][3]
    assert set(of_card) == set(range(4, 4 + len(tiers)))
    (on_line,) = [row for row in told if row[0] == LINES]
    assert on_line[:3] == (LINES, 5, "rate_card_id")
    assert "refers to a rejected row, contracts/rate_cards.csv line 4" in on_line[3]
    assert set(intake.held) == {"nc"}
    assert intake.rows[CARDS] == 2


def test_a_rejected_customer_takes_along_all_that_refers_to_it(tmp_path):
    model = edit(LINES, 4, pricing_model="graduated")
    tier = edit("customers", 2, dunning_tier="gold")
    intake, connection = load(tmp_path, [model, tier])
    assert {row[:3] for row in rejections(connection)} == {
        ("customers", 2, "dunning_tier"),
        ("facilities", 2, "customer_id"),
        ("facility_identifiers", 2, "facility_id"),
        ("contracts", 2, "customer_id"),
        ("amendments", 2, "contract_id"),
        ("contract_facilities", 2, "contract_id"),
        ("contract_facilities", 2, "facility_id"),
        ("contract_lines", 2, "contract_id"),
        ("contract_lines", 4, "contract_id"),
        ("baas", 2, "customer_id"),
    }
    assert set(intake.held) == {"nc"}
    assert intake.rows["contract_lines"] == 1
    (reason,) = connection.execute(
        "select reason from raw.rejected_rows where source_file like '%/contracts.csv'"
    ).fetchone()
    assert "refers to a rejected row, contracts/customers.csv line 2" in reason


def test_all_problems_of_a_row_are_told(tmp_path):
    wrong = {"status": "gone", "quantity": "x", "unit_price": "", "meter": "encounter"}
    _, connection = load(tmp_path, [add(LINES, contract_id="nix", **wrong)])
    columns = {row[2] for row in rejections(connection) if row[1] == 5}
    assert columns == {"status", "quantity", "unit_price", "meter", "contract_id"}


def test_two_contents_of_a_key_are_both_rejected(tmp_path):
    intake, connection = load(tmp_path, [add(LINES), add(LINES, unit_price="11")])
    told = [row for row in rejections(connection) if row[2] == "line_id"]
    assert [row[:3] for row in told] == [(LINES, 5, "line_id"), (LINES, 6, "line_id")]
    assert "contracts/contract_lines.csv line 6" in told[0][3]
    assert "keep the one that holds" in told[1][3]
    assert set(intake.held) == {"nc"}


def test_a_row_repeated_exactly_is_kept_once(tmp_path):
    again = add(LINES, unit_price="10.5", quantity="2")
    written_otherwise = add(LINES, unit_price="10.50", quantity="2.0", status="active")
    intake, connection = load(
        tmp_path, [edit(LINES, 4, pricing_model="graduated"), again, written_otherwise]
    )
    assert intake.rejected == 0
    found = connection.execute(
        "select line from raw.contract_lines where line_id = 'new'"
    ).fetchall()
    assert found == [(5,)]


@pytest.mark.parametrize(
    "change",
    [
        add(LINES, pricing_model="volume", rate_card_id="card"),
        add(LINES, pricing_model="stairstep", rate_card_id="card"),
        add(LINES, pricing_model="package", package_size="10"),
        add(LINES, pricing_model="percentage", percentage="18"),
        add(COMMITMENTS),
        add("milestones"),
    ],
)
def test_what_is_not_billed_yet_is_rejected_rather_than_forgotten(tmp_path, change):
    intake, connection = load(
        tmp_path, [edit(LINES, 4, pricing_model="graduated"), change]
    )
    assert any(
        "is not billed by" in row[3] or "are not billed by" in row[3]
        for row in rejections(connection)
    )
    assert set(intake.held) == {"nc"}


@pytest.mark.usefixtures("everything_is_billed")
class TestNotYetKnown:
    """Rows of an amendment signed after the as-of day hold and disturb nothing."""

    def test_a_broken_row_is_told_but_holds_nothing(self, tmp_path):
        intake, connection = load(
            tmp_path, [add(LINES, amendment_id="later", unit_price="x")]
        )
        assert [row[:3] for row in rejections(connection)] == [(LINES, 5, "unit_price")]
        assert intake.held == {}

    def test_it_is_not_compared_and_kept_for_later(self, tmp_path):
        version = {"line_id": "ns", "effective_on": "2026-09-01"}
        change = {"billing_frequency": "annual", "amendment_id": "later"}
        intake, connection = load(tmp_path, [add(LINES, **version, **change)])
        assert intake.rejected == 0
        known = connection.execute(
            "select row_key, is_known from raw.contract_rows "
            "where table_name = 'contract_lines' order by line"
        ).fetchall()
        assert known[0] == ("ns|2026-01-01|", True)
        assert known[-1] == ("ns|2026-09-01|later", False)

    def test_once_signed_it_is(self, tmp_path):
        version = {"line_id": "ns", "effective_on": "2026-09-01"}
        change = {"billing_frequency": "annual", "amendment_id": "later"}
        write(tmp_path, [add(LINES, **version, **change)])
        intake = load_contract_tables(duckdb.connect(), tmp_path, date(2026, 7, 2))
        assert set(intake.held) == {"nc"}


def contract_of_rejections(connection):
    return {
        owner
        for (owner,) in connection.execute(
            "select distinct contract_id from raw.rejected_rows"
        ).fetchall()
    }


def test_a_row_without_contract_belongs_to_that_of_its_line(tmp_path):
    version = add(LINES, line_id="ss", contract_id="", effective_on="2026-05-01")
    model = edit(LINES, 4, pricing_model="graduated")
    intake, connection = load(tmp_path, [model, version])
    assert contract_of_rejections(connection) == {"sc"}
    assert set(intake.held) == {"sc"}


def test_a_row_that_is_nobodys_is_warned_of(tmp_path):
    model = edit(LINES, 4, pricing_model="graduated")
    intake, connection = load(tmp_path, [model, add(LINES, contract_id="")])
    assert contract_of_rejections(connection) == {None}
    assert intake.held == {}
    (warning,) = intake.warnings
    assert "contracts/contract_lines.csv line 5" in warning


MINIMAL = {
    "customers": "customer_id,customer_name,dunning_tier\nnorth,North,clinic\n",
    "facilities": "facility_id,customer_id,facility_name\nn1,north,One\n",
    "contracts": "contract_id,customer_id,signed_on,starts_on,ends_on\n"
    "nc,north,2025-12-01,2026-01-01,2026-12-31\n",
    "contract_lines": "line_id,contract_id,effective_on,charge_type,product_id,"
    "pricing_model,unit_price,description\n"
    "ns,nc,2026-01-01,recurring,suite,flat,5,\n",
}


def land_text(landing: Path, **tables: str | bytes) -> None:
    (landing / "contracts").mkdir(parents=True, exist_ok=True)
    for name, text in (MINIMAL | tables).items():
        content = text if isinstance(text, bytes) else text.encode()
        (landing / f"contracts/{name}.csv").write_bytes(content)


def test_defaults_types_and_missing_tables(tmp_path):
    land_text(tmp_path)
    intake, connection = load(tmp_path)
    assert intake.rows == dict.fromkeys(TABLES, 0) | dict.fromkeys(MINIMAL, 1)
    contract = "currency, invoice_group, billing_anchor_day, payment_terms_days"
    assert connection.execute(f"select {contract} from raw.contracts").fetchone() == (
        "USD",
        "nc",
        1,
        30,
    )
    line = (
        "status, quantity, quantity_basis, unit_price, discount_percent, "
        "included_quantity, billing_frequency, billing_timing, tier_scope, "
        "revenue_rule, source_file, line"
    )
    assert connection.execute(f"select {line} from raw.contract_lines").fetchone() == (
        "active",
        None,
        "fixed",
        Decimal("5.00000000"),
        Decimal("0.0000"),
        Decimal("0.0000"),
        "monthly",
        "advance",
        "billing_period",
        "ratable",
        "contracts/contract_lines.csv",
        2,
    )
    types = dict(
        connection.execute(
            "select column_name, data_type from information_schema.columns "
            "where table_schema = 'raw' and table_name in "
            "('contract_lines', 'commitments', 'milestones')"
        ).fetchall()
    )
    assert types["unit_price"] == types["shortfall_price"] == "DECIMAL(19,8)"
    assert types["quantity"] == types["committed"] == "DECIMAL(18,4)"
    assert types["discount_percent"] == "DECIMAL(9,4)"
    assert types["amount"] == "DECIMAL(18,2)"
    assert (types["prorate"], types["effective_on"]) == ("BOOLEAN", "DATE")
    for table, spec in TABLES.items():
        found = [d[0] for d in connection.execute(f"from raw.{table}").description]
        assert found == [*spec.by_name, "source_file", "line"]


def test_usage_is_in_arrears_and_as_used_by_default(tmp_path):
    write(tmp_path, [edit(LINES, 4, pricing_model="graduated")])
    _, connection = load(tmp_path)
    assert connection.execute(
        "select billing_timing, revenue_rule from raw.contract_lines "
        "where line_id = 'ne'"
    ).fetchone() == ("arrears", "as_used")


def test_the_line_is_where_the_row_begins(tmp_path):
    """Blank lines and line breaks in quotes count, as an editor shows them."""
    head, row = MINIMAL["contract_lines"].splitlines()
    text = (
        f'\ufeff{head}\r\n\r\n{row}"two\r\nlines"\r\n\r\n{row.replace("ns", "b")}\r\n'
    )
    text += row.replace("ns", "c").replace(",5,", ",x,")
    land_text(tmp_path, contract_lines=text)
    _, connection = load(tmp_path)
    assert connection.execute(
        "select line_id, line, description from raw.contract_lines"
    ).fetchall() == [("ns", 3, "two\r\nlines"), ("b", 6, None)]
    assert [row[:3] for row in rejections(connection)] == [(LINES, 7, "unit_price")]


@pytest.mark.parametrize(("ending", "fields"), [(",one,more", 10), (None, 7)])
def test_a_ragged_row_is_rejected_and_holds_its_contract(tmp_path, ending, fields):
    row = MINIMAL["contract_lines"].splitlines()[1]
    ragged = row + ending if ending else row.removesuffix(",")
    land_text(
        tmp_path,
        contract_lines=MINIMAL["contract_lines"] + ragged.replace("ns", "b") + "\n",
    )
    intake, connection = load(tmp_path)
    ((table, line, column, reason),) = rejections(connection)
    assert (table, line, column) == (LINES, 3, None)
    assert f"has {fields} fields where the header has 8" in reason
    assert "put quotes around" in reason
    assert set(intake.held) == {"nc"}


@pytest.mark.parametrize(
    ("table", "content", "said"),
    [
        (
            "facilities",
            "facility_id,facility_nam,customer_id\n",
            ["contracts/facilities.csv has no column facility_name", "'facility_nam'"],
        ),
        ("facilities", "", ["contracts/facilities.csv is empty", "header row"]),
        (
            "facilities",
            b"facility_id\nZ\xfcrich\n",
            ["contracts/facilities.csv line 2 is not UTF-8", "as UTF-8"],
        ),
        (
            "facilities",
            'facility_id,customer_id,facility_name\n"n1,north,One\n',
            ["contracts/facilities.csv is not a readable CSV", "on line 2"],
        ),
        ("facilities", "facility_id,facility_id\n", ["more than once"]),
    ],
)
def test_a_file_that_cannot_be_read_stops_with_what_to_do(
    tmp_path, table, content, said
):
    land_text(tmp_path, **{table: content})
    with pytest.raises(BillingError) as stopped:
        load(tmp_path)
    assert all(words in str(stopped.value) for words in said)


@pytest.mark.parametrize("suffix", [".csv.gz", ".parquet"])
def test_a_packed_file_that_is_none_stops_the_run(tmp_path, suffix):
    land_text(tmp_path)
    (tmp_path / f"contracts/baas{suffix}").write_bytes(b"not packed at all")
    with pytest.raises(BillingError, match="Land the file again"):
        load(tmp_path)


def test_a_missing_required_table_names_the_misspelt_file(tmp_path):
    land_text(tmp_path)
    old = tmp_path / "contracts/customers.csv"
    old.rename(old.with_name("custmers.csv"))
    with pytest.raises(BillingError, match="required table customers") as stopped:
        load(tmp_path)
    assert "Did you mean customers.csv?" in str(stopped.value)


def test_a_misspelt_optional_column_is_warned_of(tmp_path):
    text = MINIMAL["contracts"].replace("ends_on\n", "ends_on,po_numbr\n")
    land_text(tmp_path, contracts=text.replace("12-31\n", "12-31,7\n"))
    intake, _ = load(tmp_path)
    assert intake.warnings == [
        "contracts/contracts.csv: column 'po_numbr' is not read. "
        "Did you mean po_number?"
    ]


def test_parquet_and_gz_are_read_like_csv(tmp_path):
    land_text(tmp_path, customers="customer_id,customer_name,dunning_tier\n")
    (tmp_path / "contracts/customers").mkdir()
    (tmp_path / "contracts/customers/1.csv.gz").write_bytes(
        gzip.compress(MINIMAL["customers"].encode())
    )
    day = date(2026, 3, 1)
    table = pyarrow.table(
        {
            "line_id": ["p1", "p2"],
            "contract_id": ["nc", "nc"],
            "effective_on": pyarrow.array([day, day], pyarrow.timestamp("us")),
            "charge_type": ["recurring", "recurring"],
            "product_id": ["suite", "suite"],
            "pricing_model": pyarrow.array(["flat", "flat"]).dictionary_encode(),
            "unit_price": pyarrow.array([Decimal("1.25"), None]),
            "quantity": pyarrow.array([3, None]),
            "extra": [0.5, 1.5],
        }
    )
    (tmp_path / "contracts/contract_lines").mkdir()
    parquet = tmp_path / "contracts/contract_lines/p.parquet"
    pyarrow.parquet.write_table(table, parquet)
    intake, connection = load(tmp_path)
    assert intake.rows["customers"] == 1
    assert connection.execute(
        "select unit_price, quantity, effective_on, line from raw.contract_lines "
        "where line_id = 'p1'"
    ).fetchone() == (Decimal("1.25"), Decimal(3), day, 1)
    ((_, line, column, _),) = rejections(connection)
    assert (line, column) == (2, "unit_price")
    floats = table.set_column(6, "unit_price", pyarrow.array([1.25, 2.5]))
    pyarrow.parquet.write_table(floats, parquet)
    with pytest.raises(BillingError, match="column unit_price is stored as binary"):
        load(tmp_path)


def test_a_stopped_intake_leaves_the_tables_as_they_were(tmp_path):
    land_text(tmp_path)
    _, connection = load(tmp_path)
    land_text(tmp_path, contracts=b"\xff")
    with pytest.raises(BillingError):
        load_contract_tables(connection, tmp_path, AS_OF)
    assert connection.execute("select count(*) from raw.contracts").fetchone() == (1,)
    land_text(tmp_path, facilities=MINIMAL["facilities"] + "n2,north,Two\n")
    load_contract_tables(connection, tmp_path, AS_OF)
    assert connection.execute("select count(*) from raw.facilities").fetchone() == (2,)


def test_files_and_their_rows_are_logged(tmp_path):
    bad = MINIMAL["facilities"] + "n2,nobody,Two\n"
    land_text(tmp_path, facilities=bad)
    _, connection = load(tmp_path)
    assert connection.execute(
        "select table_name, rows_read, rejected, length(content_hash) "
        "from raw.contract_files where source_file = 'contracts/facilities.csv'"
    ).fetchone() == ("facilities", 2, 1, 64)
    assert connection.execute(
        "select row_key, is_known, line from raw.contract_rows "
        "where table_name = 'facilities' order by line"
    ).fetchall() == [("n1", True, 2), ("n2", True, 3)]
    assert connection.execute(
        "select value, contract_id from raw.rejected_rows"
    ).fetchall() == [("nobody", None)]
