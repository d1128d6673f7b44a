"""An extract has nothing of the 18 classes of identifiers (HP-5, HP-17, HP-23)."""

import hashlib
import re
import stat
from datetime import date
from pathlib import Path

import duckdb
import pytest
from conftest import BilledBook

from orchestration import deidentified
from orchestration.audit import AuditLog
from orchestration.cli import app
from orchestration.deidentified import agreements_of, write
from orchestration.errors import BillingError
from orchestration.home import Home
from orchestration.keys import Keys
from orchestration.warehouse import open_files

TODAY = date(2026, 7, 1)
RANDOM = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
)


@pytest.fixture
def warehouse() -> duckdb.DuckDBPyConnection:
    """Eleven patients of lakeside; one has a rare code, and one row a name for one.

    Patient t1 comes twice. One event is void, one has no patient, one is of another.
    """
    connection = duckdb.connect()
    connection.execute("""
        create schema raw; create schema restricted;
        create table raw.facilities (
            facility_id varchar, customer_id varchar, state varchar);
        create table raw.facility_identifiers (
            feed varchar, identifier varchar, facility_id varchar);
        create table raw.baas (
            customer_id varchar, effective_on date, ends_on date, reference varchar);
        create table restricted.usage_events (
            feed varchar, event_id varchar, facility varchar, patient_token varchar,
            event_type varchar, class varchar, code varchar, quantity decimal(18, 4),
            service_date date, obstacle varchar);
        insert into raw.facilities values
            ('north', 'lakeside', 'OH'), ('hill', 'hill', 'WA');
        insert into raw.facility_identifiers values ('ehr', '0042', 'north');
        insert into raw.baas values
            ('lakeside', '2025-01-01', null, 'BAA-7'),
            ('hill', '2025-01-01', '2026-06-30', 'BAA-8');
        insert into restricted.usage_events
            select 'ehr', 'E' || n, '0042', 't' || n, 'encounter', 'AMB', '99284', 1,
                date '2025-12-25' + n::integer, ''
            from range(1, 12) as days (n);
        insert into restricted.usage_events values
            ('ehr', 'R', 'north', 't1', 'encounter', 'AMB', 'rare', 1,
                '2026-02-03', ''),
            ('ehr', 'S', 'north', 't2', '1980-01-01', 'Jane Doe', '99284', 2,
                '2026-02-03', ''),
            ('ehr', 'V', 'north', 't3', 'encounter', 'AMB', '99284', 1,
                '2026-02-03', 'void'),
            ('ehr', 'N', 'north', null, 'encounter', 'AMB', '99284', 1,
                '2026-02-03', ''),
            ('ehr', 'H', 'hill', 't9', 'encounter', 'AMB', '99284', 1,
                '2026-02-03', '');
    """)
    return connection


def rows(path: Path, columns: str) -> list[tuple]:
    return duckdb.sql(
        f"select {columns} from read_parquet('{path}') order by all"
    ).fetchall()


def test_nothing_but_year_state_kind_and_quantity_is_taken(warehouse, tmp_path) -> None:
    path = tmp_path / "usage.parquet"
    made = write(warehouse, path, ["lakeside"])
    # Eleven encounters of as many patients, and two more of t1 and t2. 25 December and
    # 1 to 6 days are in 2025, 7 to 11 in 2026, and so are the two.
    assert (made.rows, made.patients, made.years) == (13, 11, [2025, 2026])
    described = duckdb.sql(f"describe from '{path}'").fetchall()
    assert [(name, kind) for name, kind, *_ in described] == [
        ("patient", "UUID"),
        ("service_year", "BIGINT"),
        ("state", "VARCHAR"),
        ("event_type", "VARCHAR"),
        ("class", "VARCHAR"),
        ("code", "VARCHAR"),
        ("quantity", "DECIMAL(18,4)"),
    ]
    years = duckdb.sql(
        f"select service_year, state, count(*) from '{path}' group by 1, 2 order by 1"
    ).fetchall()
    assert years == [(2025, "OH", 6), (2026, "OH", 7)]


def test_a_word_that_few_patients_share_is_not_shown_HP_23(warehouse, tmp_path) -> None:
    write(warehouse, tmp_path / "a", ["lakeside"])
    kinds = "event_type, class, code, count(*) as events, sum(quantity)"
    found = duckdb.sql(
        f"select {kinds} from read_parquet('{tmp_path / 'a'}') "
        "group by 1, 2, 3 order by 4, 1"
    ).fetchall()
    assert found == [
        ("(other)", "(other)", "99284", 1, 2),
        ("encounter", "AMB", "(other)", 1, 1),
        ("encounter", "AMB", "99284", 11, 11),
    ]
    # Ten patients are too few: then nothing a sender wrote is shown.
    warehouse.execute("delete from restricted.usage_events where patient_token = 't11'")
    write(warehouse, tmp_path / "b", ["lakeside"])
    assert set(rows(tmp_path / "b", "event_type, class, code")) == {("(other)",) * 3}


@pytest.mark.parametrize(
    "day", ["2026-02-03", "2026-02-03T10:00:00", "20260203", "02032026", "2/3/2026"]
)
def test_a_day_is_not_shown_however_many_share_it(warehouse, tmp_path, day) -> None:
    warehouse.execute("update restricted.usage_events set class = $1", [day])
    write(warehouse, tmp_path / "a", ["lakeside"])
    assert set(rows(tmp_path / "a", "class")) == {("(other)",)}


def test_numbers_of_patients_are_random_and_new_each_time(warehouse, tmp_path) -> None:
    seen = []
    for name in ("a", "b"):
        write(warehouse, tmp_path / name, ["lakeside"])
        numbers = [f"{number}" for (number,) in rows(tmp_path / name, "patient")]
        assert len(numbers) == 13
        assert len(set(numbers)) == 11  # t1 and t2 keep theirs within the file
        assert all(RANDOM.fullmatch(number) for number in numbers)
        seen.append(set(numbers))
    assert not seen[0] & seen[1]
    # And nothing remembers whose they were.
    left = warehouse.execute(
        "select table_name from duckdb_tables() where table_name like 'extracted%'"
    ).fetchall()
    assert left == []


def test_without_an_agreement_in_force_nothing_is_taken_HP_6(warehouse) -> None:
    assert agreements_of(warehouse, ["lakeside"], TODAY) == {"lakeside": "BAA-7"}
    last = date(2026, 6, 30)
    assert agreements_of(warehouse, ["hill"], last) == {"hill": "BAA-8"}
    with pytest.raises(BillingError, match="in force today with hill, nobody: nothing"):
        agreements_of(warehouse, ["lakeside", "nobody", "hill"], TODAY)


def test_it_is_on_record_who_got_what_and_why_HP_17(
    billed_book: BilledBook, tmp_path: Path
) -> None:
    home, out = Home(billed_book.home), tmp_path / "usage.parquet"
    log_before = home.audit.read_bytes()
    command = [
        *("extract", "--customer", "late", "--customer", "joins", "--home"),
        *(str(home.path), "--out", str(out)),
        *("--recipient", "Analysts of Example", "--purpose", "counts by year"),
    ]
    try:
        app(command, standalone_mode=False)
        begun, done = list(AuditLog(home.audit).rows())[-2:]
        with pytest.raises(BillingError, match="is there already"):
            app(command, standalone_mode=False)
    finally:
        home.audit.write_bytes(log_before)
    assert (begun["action"], done["action"]) == ("extract_begun", "extract")
    assert done["object"] == str(out)
    detail = done["detail"]
    assert detail["recipient"] == "Analysts of Example"
    assert detail["purpose"] == "counts by year"
    assert detail["sha256"] == hashlib.sha256(out.read_bytes()).hexdigest()
    assert detail["customers"] == ["joins", "late"]
    assert done["rows"] == len(rows(out, "patient")) > 0
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    with open_files(home, Keys.of(home), read_only=True) as connection:
        kept = connection.execute(
            "select event_id from restricted.usage_events union all "
            "select patient_token from restricted.usage_events "
            "where patient_token is not null"
        ).fetchall()
    written = out.read_bytes()
    assert [
        value for (value,) in kept if len(value) > 8 and value.encode() in written
    ] == []


def test_what_can_not_be_written_leaves_no_file(
    warehouse, tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path) -> str:
        raise OSError("no space left")

    monkeypatch.setattr(deidentified, "file_digest", full)
    with pytest.raises(BillingError, match="could not be written"):
        write(warehouse, tmp_path / "a", ["lakeside"])
    assert list(tmp_path.iterdir()) == []
