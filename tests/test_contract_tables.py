"""How contract files are read, and what intake leaves of them."""

import gzip
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow
import pyarrow.parquet
import pytest
from contract_landing import (
    AS_OF,
    LINES,
    add,
    edit,
    load,
    rejections,
    write,
)

from orchestration.contract_tables import load_contract_tables
from orchestration.errors import BillingError
from orchestration.receivable_specs import LANDED_TABLES


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
    assert intake.rows == dict.fromkeys(LANDED_TABLES, 0) | dict.fromkeys(MINIMAL, 1)
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
    for table, spec in LANDED_TABLES.items():
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
    with pytest.raises(BillingError, match="again, complete|Land the file again"):
        load(tmp_path)


def test_a_file_packed_too_tightly_stops_the_run(tmp_path):
    land_text(tmp_path)
    bomb = gzip.compress(b"customer_id\n" + b"x" * 20_000_000)
    (tmp_path / "contracts/baas.csv.gz").write_bytes(bomb)
    with pytest.raises(BillingError, match="baas.csv.gz is packed more than 200 to 1"):
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
    day, midnight = date(2026, 3, 1), datetime(2026, 3, 1)
    table = pyarrow.table(
        {
            "line_id": ["p1", "p2"],
            "contract_id": ["nc", "nc"],
            "effective_on": pyarrow.array([midnight] * 2, pyarrow.timestamp("us")),
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


def test_an_ending_in_capitals_is_read_as_what_it_says(tmp_path):
    land_text(tmp_path)
    contracts = tmp_path / "contracts"
    (contracts / "customers.csv").rename(contracts / "customers.CSV")
    packed = gzip.compress((contracts / "contracts.csv").read_bytes())
    (contracts / "contracts.csv").unlink()
    (contracts / "contracts.CSV.GZ").write_bytes(packed)
    pyarrow.parquet.write_table(
        pyarrow.table({"customer_id": ["north"], "effective_on": ["2026-01-01"]}),
        contracts / "baas.PARQUET",
    )
    intake, _ = load(tmp_path)
    tables = ("customers", "contracts", "baas")
    assert [intake.rows[table] for table in tables] == [1, 1, 1]


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


def test_a_row_without_its_whole_key_is_not_logged_by_it(tmp_path):
    write(tmp_path, [add(LINES, effective_on="")])
    _, connection = load(tmp_path)
    assert connection.execute(
        "select line from raw.contract_rows where table_name = 'contract_lines' "
        "order by line"
    ).fetchall() == [(2,), (3,), (4,)]


def test_the_tables_land_in_the_database_in_use(tmp_path):
    write(tmp_path)
    connection = duckdb.connect()
    connection.execute("attach ':memory:' as warehouse")
    connection.execute("use warehouse")
    load_contract_tables(connection, tmp_path, AS_OF)
    assert connection.execute(
        "select count(*) from warehouse.raw.customers"
    ).fetchone() == (2,)
