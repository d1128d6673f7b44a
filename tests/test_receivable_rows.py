"""Rows of receivables/: what is rejected, what is told, and when a row is known."""

import re
from datetime import date
from pathlib import Path

import duckdb
import pytest
from contract_landing import AS_OF, write

from orchestration.contract_tables import (
    ContractIntake,
    load_contract_tables,
    load_receivables,
)

PAYMENT = {
    "payment_id": "p1",
    "customer_id": "north",
    "received_on": "2026-05-04",
    "amount": "10.00",
}
CREDIT = {
    "credit_id": "c1",
    "customer_id": "north",
    "issued_on": "2026-05-04",
    "amount": "10.00",
}
DISPUTE = {
    "dispute_id": "d1",
    "invoice_number": "INV-2026-000001",
    "opened_on": "2026-05-04",
}
HOLD = {"customer_id": "north", "from_date": "2026-05-04"}
PROMISE = {
    "promise_id": "m1",
    "invoice_number": "INV-2026-000001",
    "made_on": "2026-05-04",
    "pay_by": "2026-05-20",
}


def land(landing: Path, table: str, *rows: dict[str, str]) -> None:
    columns = list(dict.fromkeys(name for row in rows for name in row))
    lines = [",".join(columns)]
    lines += [",".join(row.get(name, "") for name in columns) for row in rows]
    file = landing / "receivables" / f"{table}.csv"
    file.parent.mkdir(exist_ok=True)
    file.write_text("\n".join(lines) + "\n")


def load(
    landing: Path, table: str, *rows: dict[str, str]
) -> tuple[ContractIntake, duckdb.DuckDBPyConnection]:
    write(landing, [])
    land(landing, table, *rows)
    connection = duckdb.connect()
    return load_contract_tables(connection, landing, AS_OF), connection


@pytest.mark.parametrize(
    ("table", "row", "column", "said"),
    [
        ("payments", PAYMENT | {"amount": "0"}, "amount", "below 0 what was returned"),
        ("payments", PAYMENT | {"amount": "1.005"}, "amount", "an amount has at"),
        ("payments", PAYMENT | {"amount": "ten"}, "amount", "is not an amount"),
        (
            "payments",
            PAYMENT | {"amount": "5.50", "currency": "JPY"},
            "amount",
            "decimals",
        ),
        ("payments", PAYMENT | {"currency": "XXX"}, "currency", "ISO 4217"),
        ("payments", PAYMENT | {"customer_id": "west"}, "customer_id", "customers"),
        ("payments", PAYMENT | {"received_on": ""}, "received_on", ""),
        ("payments", PAYMENT | {"received_on": "5/4/2026"}, "received_on", "YYYY"),
        ("credits", CREDIT | {"amount": "-10"}, "amount", "without a sign"),
        ("disputes", DISPUTE | {"amount": "0"}, "amount", "not above 0"),
        ("disputes", DISPUTE | {"line_number": "0"}, "line_number", "count from 1"),
        (
            "disputes",
            DISPUTE | {"resolved_on": "2026-05-03", "resolution": "accepted"},
            "resolved_on",
            "is before opened_on 2026-05-04",
        ),
        ("disputes", DISPUTE | {"resolved_on": "2026-05-06"}, "resolution", "accepted"),
        ("disputes", DISPUTE | {"resolution": "accepted"}, "resolved_on", "the day"),
        ("disputes", DISPUTE | {"resolution": "maybe"}, "resolution", "accepted"),
        ("holds", HOLD | {"through_date": "2026-05-03"}, "through_date", "is before"),
        ("promises", PROMISE | {"pay_by": "2026-05-03"}, "pay_by", "was over when"),
        ("promises", PROMISE | {"pay_by": ""}, "pay_by", ""),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_row_that_cannot_be_right_is_rejected_and_holds_no_contract(
    tmp_path: Path, table: str, row: dict[str, str], column: str, said: str
) -> None:
    intake, connection = load(tmp_path, table, row)
    told = connection.execute(
        "select source_file, line, column_name, reason, contract_id "
        "from raw.rejected_rows"
    ).fetchall()
    assert [one[:3] for one in told] == [(f"receivables/{table}.csv", 2, column)]
    assert said in told[0][3]
    assert told[0][4] is None
    assert intake.held == {}
    assert connection.execute(f"select count(*) from raw.{table}").fetchone() == (0,)


@pytest.mark.parametrize(
    ("table", "row"),
    [
        (
            "disputes",
            DISPUTE
            | {"resolved_on": "2026-05-04", "resolution": "rejected"}
            | {"line_number": "1", "amount": "0.01"},
        ),
        ("holds", HOLD | {"through_date": "2026-05-04"}),
        ("promises", PROMISE | {"pay_by": "2026-05-04"}),
    ],
)
def test_what_ends_on_the_day_it_begins_is_right_C1(
    tmp_path: Path, table: str, row: dict[str, str]
) -> None:
    intake, _ = load(tmp_path, table, row)
    assert (intake.rows[table], intake.rejected) == (1, 0)


def test_a_payment_sent_again_with_another_amount_is_rejected_with_the_first(
    tmp_path: Path,
) -> None:
    intake, connection = load(tmp_path, "payments", PAYMENT, PAYMENT | {"amount": "11"})
    lines = connection.execute("select line from raw.rejected_rows order by 1")
    assert sorted(set(lines.fetchall())) == [(2,), (3,)]
    assert intake.rows["payments"] == 0


@pytest.mark.parametrize(
    ("table", "row"), [("payments", PAYMENT), ("credits", CREDIT), ("holds", HOLD)]
)
def test_what_came_in_counts_while_its_customers_row_is_rejected(
    tmp_path: Path, table: str, row: dict[str, str]
) -> None:
    write(tmp_path, [])
    (tmp_path / "contracts" / "customers.csv").write_text(
        "customer_id,customer_name,dunning_tier\nnorth,North Example,gold\n"
    )
    land(tmp_path, table, row)
    connection = duckdb.connect()
    intake = load_contract_tables(connection, tmp_path, AS_OF)
    assert intake.rows["customers"] == 0
    assert intake.rows[table] == 1
    load_receivables(connection, tmp_path, AS_OF)
    assert connection.execute(f"select customer_id from raw.{table}").fetchall() == [
        ("north",)
    ]


def test_a_payment_repeated_exactly_is_one(tmp_path: Path) -> None:
    intake, _ = load(tmp_path, "payments", PAYMENT, PAYMENT)
    assert (intake.rows["payments"], intake.rejected) == (1, 0)


@pytest.mark.parametrize(
    ("first", "second", "overlaps"),
    [
        ("2026-05-31", "2026-05-31", True),
        ("2026-05-31", "2026-06-01", False),
        ("", "2027-01-01", False),  # not known by the as-of day yet
        ("", "2026-06-30", True),
    ],
)
def test_overlapping_holds_are_kept_and_told(
    tmp_path: Path, first: str, second: str, overlaps: bool
) -> None:
    intake, _ = load(
        tmp_path,
        "holds",
        HOLD | {"through_date": first},
        HOLD | {"from_date": second, "reason": "again"},
    )
    assert intake.rows["holds"] == 2
    assert any("overlaps" in said for said in intake.warnings) == overlaps


def test_a_hold_is_told_to_overlap_the_one_that_lasts_longest(tmp_path: Path) -> None:
    days = (("04", "05-20"), ("10", "06-30"), ("15", "05-25"), ("28", ""))
    holds = [
        HOLD
        | {"from_date": f"2026-05-{first}", "through_date": last and f"2026-{last}"}
        for first, last in days
    ]
    intake, _ = load(tmp_path, "holds", *holds)
    told = [re.findall(r"line (\d)", said) for said in intake.warnings]
    assert [lines for lines in told if lines] == [["3", "2"], ["4", "3"], ["5", "3"]]


def test_receivables_are_loaded_alone_and_judged_by_the_contracts(
    tmp_path: Path,
) -> None:
    _, connection = load(tmp_path, "payments", PAYMENT | {"amount": "x"})
    customers = connection.execute("from raw.customers").fetchall()
    (tmp_path / "contracts" / "customers.csv").write_text(
        "customer_id,customer_name,dunning_tier\nnorth,Renamed,clinic\nbad,,\n"
    )
    land(tmp_path, "payments", PAYMENT, PAYMENT | {"payment_id": "p2", "amount": "?"})
    intake = load_receivables(connection, tmp_path, date(2026, 7, 1))
    assert intake.rows == {
        "payments": 1,
        **dict.fromkeys(("credits", "disputes", "holds", "promises"), 0),
    }
    # What was loaded of contracts/ stays as it was, its rejections too.
    assert connection.execute("from raw.customers").fetchall() == customers
    rejected = connection.execute(
        "select source_file, line from raw.rejected_rows"
    ).fetchall()
    assert rejected == [("receivables/payments.csv", 3)]
    files = connection.execute(
        "select rows_read, rejected from raw.contract_files "
        "where source_file = 'receivables/payments.csv'"
    ).fetchall()
    assert files == [(2, 1)]
