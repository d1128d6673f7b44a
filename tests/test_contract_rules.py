"""Every rejection of a contract row: its place, its reason, whom it holds."""

from datetime import date

import duckdb
import pytest
from contract_comparison_rejections import COMPARISONS
from contract_landing import (
    CARDS,
    COMMITMENTS,
    LINES,
    RERATE,
    add,
    edit,
    load,
    rejections,
    write,
)
from contract_rejections import CELLS, MEANINGS

from orchestration.contract_tables import load_contract_tables


@pytest.mark.parametrize(
    ("changes", "table", "line", "column", "said", "held"),
    CELLS + MEANINGS + COMPARISONS,
    ids=lambda value: value if isinstance(value, str) else "",
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


@pytest.mark.parametrize(
    "changes",
    [
        [],
        [add(LINES, unit_price="-5.12345678", discount_percent="12.5000")],
        [add(LINES, unit_price="10.5000000000000")],
        [add(LINES, status="ended", unit_price="")],
        # 999,999,999 × 100 is below 100,000,000,000, and so are the others.
        [add(LINES, quantity="999999999", unit_price="100")],
        [add(LINES, status="ended", quantity="99999999999", unit_price="100")],
        [add("milestones", amount="99999999999.99", completed_on="1990-01-01")],
        [add("amendments", kind="renewed", new_ends_on="2100-12-31")],
        [add(COMMITMENTS, committed="99999999999", shortfall_price="1")],
        [add(LINES)] * 2,
        # Due on its day; a contract and an agreement of one day.
        [edit("contracts", 3, ends_on="2026-01-01")],
        [edit("contracts", 3, payment_terms_days="0")],
        [add("baas", effective_on="2026-01-01", ends_on="2026-01-01")],
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
        add(LINES, pricing_model="package", package_size="10"),
        add(LINES, pricing_model="percentage", percentage="18"),
        add(LINES, charge_type="usage", meter="patient"),
        add(COMMITMENTS),
        add("milestones"),
    ],
)
def test_every_kind_of_term_is_read(tmp_path, change):
    intake, connection = load(
        tmp_path, [edit(LINES, 4, pricing_model="graduated"), change]
    )
    assert rejections(connection) == []
    assert intake.held == {}


class TestNotYetKnown:
    """Rows of an amendment signed after the as-of day hold and disturb nothing."""

    def test_a_broken_row_is_told_but_holds_nothing(self, tmp_path):
        intake, connection = load(
            tmp_path, [add(LINES, amendment_id="later", unit_price="x")]
        )
        assert [row[:3] for row in rejections(connection)] == [(LINES, 5, "unit_price")]
        assert intake.held == {}
        # Who reads the rejected rows takes a contract named there for a held one.
        (named,) = connection.execute(
            "select contract_id from raw.rejected_rows"
        ).fetchone()
        assert named is None

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


@pytest.mark.parametrize(
    ("table", "changed"),
    [
        (LINES, {"contract_id": "sc"}),
        (LINES, {"charge_type": "usage", "meter": "encounter"}),
        (COMMITMENTS, {"contract_id": "sc"}),
        (COMMITMENTS, {"kind": "spend"}),
        (COMMITMENTS, {"line_id": "ns"}),
        (COMMITMENTS, {"true_up": "rerate"}),
        (COMMITMENTS, {"counts": "usage"}),
    ],
)
def test_a_version_never_changes_what_it_is(tmp_path, table, changed):
    later = {"effective_on": "2026-04-01"} | changed
    _, connection = load(tmp_path, [add(table), add(table, **later)])
    line = 6 if table == LINES else 3
    assert any(
        row[:3] == (table, line, next(iter(changed))) and "(T3)" in row[3]
        for row in rejections(connection)
    )


@pytest.mark.parametrize(("begins", "held"), [("2026-02-28", {}), ("2026-02-27", "nc")])
def test_29_february_returns_on_the_28th(tmp_path, begins, held):
    leap = edit("contracts", 2, starts_on="2024-02-29")
    rerate = add(COMMITMENTS, effective_on=begins, **RERATE)
    intake, _ = load(tmp_path, [leap, rerate])
    assert set(intake.held) == ({held} if held else set())


def test_a_held_contract_is_told_by_the_cause(tmp_path):
    # Lines that refer to a rejected contract are rejected too, but not to be mended.
    changes = [
        edit("customers", 3, dunning_tier="gold"),
        edit("contracts", 2, currency="KWD"),
    ]
    intake, _ = load(tmp_path, changes)
    assert intake.held["nc"].startswith(
        "contracts/contracts.csv line 2, currency 'KWD': is no currency"
    )
    assert intake.held["sc"] == (
        "contracts/contracts.csv line 3, customer_id 'south': refers to a rejected "
        "row, contracts/customers.csv line 3; mend that row"
    )
