"""Each expectation has a row that fails it and passes every row check."""

import os
import signal
import time
from datetime import date
from pathlib import Path

import duckdb
import pytest

from orchestration.contract_expectations import (
    CONTRACT_EXPECTATIONS,
    contract_frames,
    is_npi,
)
from orchestration.contract_tables import load_contract_tables
from orchestration.expectations import judge
from orchestration.expectations_process import ExpectationsProcess

HEADERS = {
    "customers": "customer_id,customer_name,dunning_tier,bill_to_email",
    "facilities": "facility_id,customer_id,facility_name,state,npi,ccn",
    "contracts": "contract_id,customer_id,signed_on,starts_on,ends_on,"
    "payment_terms_days",
    "contract_lines": "line_id,contract_id,effective_on,charge_type,product_id,"
    "pricing_model,quantity,unit_price",
}
SOUND = {
    "customers": "north,North Health,standard,ap@north.example",
    "facilities": "clinic,north,Clinic,NE,1234567893,281234",
    "contracts": "terms,north,2025-12-01,2026-01-01,2026-12-31,30",
    "contract_lines": "seats,terms,2026-01-01,recurring,suite,per_unit,5,19.99",
}
# The first row of each table is sound, the second (line 3) is not.
FAILING = {
    "customer_id_has_no_blanks_around": "south ,South,standard,",
    "bill_to_email_is_an_address": "south,South,standard,ap.south.example",
    "facility_id_has_no_blanks_around": " ward,north,Ward,,,",
    "npi_is_valid": "ward,north,Ward,,1234567890,",
    "ccn_is_six_characters": "ward,north,Ward,,,28123",
    "state_is_two_capitals": "ward,north,Ward,Nebraska,,",
    "contract_id_has_no_blanks_around": "more ,north,2025-12-01,2026-01-01,2026-12-31,",
    "contract_dates_are_plausible": "more,north,0202-12-01,2026-01-01,2026-12-31,",
    "contract_is_at_most_50_years": "more,north,2025-12-01,2026-01-01,2076-01-01,",
    "payment_terms_are_at_most_a_year": (
        "more,north,2025-12-01,2026-01-01,2026-12-31,366"
    ),
    "line_id_has_no_blanks_around": "fee ,terms,2026-01-01,recurring,suite,flat,,1",
    "unit_price_is_plausible": "fee,terms,2026-01-01,recurring,suite,flat,,-100000000",
    "quantity_is_plausible": (
        "fee,terms,2026-01-01,recurring,suite,per_unit,1000000000,1"
    ),
}
TABLE_OF = {one.name: one.table for one in CONTRACT_EXPECTATIONS}


def land(landing: Path, **more: str):
    """The sound rows of all tables, each with one row more where one is given."""
    (landing / "contracts").mkdir(parents=True)
    for table, header in HEADERS.items():
        rows = [header, SOUND[table], *([more[table]] if table in more else [])]
        (landing / f"contracts/{table}.csv").write_text("\n".join(rows) + "\n", "utf-8")
    return load_contract_tables(duckdb.connect(), landing, date(2026, 7, 1))


def validate(intake):
    return judge(CONTRACT_EXPECTATIONS, contract_frames(intake.tables))


def test_sound_tables_meet_every_expectation(tmp_path):
    outcomes = validate(land(tmp_path))
    assert [(one.table, one.name) for one in outcomes] == [
        (one.table, one.name) for one in CONTRACT_EXPECTATIONS
    ]
    assert all(one.success and not one.places for one in outcomes)
    started = time.process_time()
    validate(land(tmp_path / "again"))
    assert time.process_time() - started < 2


@pytest.mark.parametrize("name", FAILING)
def test_an_implausible_row_fails_its_expectation_alone(tmp_path, name):
    intake = land(tmp_path, **{TABLE_OF[name]: FAILING[name]})
    assert intake.rejected == 0
    failed = [one for one in validate(intake) if not one.success]
    assert [(one.name, one.unexpected_count, one.places) for one in failed] == [
        (name, 1, [f"contracts/{TABLE_OF[name]}.csv line 3"])
    ]
    for value in set(FAILING[name].split(",")) - {"", "1", "more", "fee"}:
        assert value not in repr(failed[0])


def test_no_customers_fail_an_expectation(tmp_path):
    intake = land(tmp_path)
    intake.tables["customers"] = intake.tables["customers"].iloc[:0]
    failed = [one for one in validate(intake) if not one.success]
    assert [one.name for one in failed] == ["customers_exist"]


def test_every_expectation_has_a_row_that_fails_it():
    assert set(FAILING) | {"customers_exist"} == set(TABLE_OF)


def test_what_stops_a_run_does_not_reach_the_process_that_judges(tmp_path):
    # The terminal sends Ctrl-C to all of them; the run alone says that it stopped.
    frames = contract_frames(land(tmp_path).tables)
    process = ExpectationsProcess()
    for stop in (signal.SIGINT, signal.SIGTERM):
        os.kill(process._process.pid, stop)
    assert all(one.success for one in process.judge(CONTRACT_EXPECTATIONS, frames))
    process._hang_up()
    assert process._process.exitcode == 0


@pytest.mark.parametrize(
    ("npi", "valid"),
    [
        ("1234567893", True),  # the example of the CMS standard
        ("1234567890", False),
        ("3234567893", False),
        ("123456789", False),
        ("12345678930", False),
        ("123456789a", False),
    ],
)
def test_an_npi_passes_its_check_digit(npi, valid):
    assert is_npi(npi) is valid
