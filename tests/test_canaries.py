"""What a patient could be told by is planted, and looked for in all that is written.

The scan is the one of `billing phi-scan`; each test shows first that it finds what it
looks for.
"""

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import dagster as dg
import duckdb
import planted
import pytest
from conftest import BilledBook, billing
from planted import BROKEN, JANE, PLANTED
from scenarios import CANARY

from orchestration import usage_store
from orchestration.audit import AuditLog
from orchestration.errors import BillingError
from orchestration.home import Home
from orchestration.keys import Keys
from orchestration.phi import identifiers as kinds
from orchestration.phi.scan import Scan, scan
from orchestration.usage_intake import load_usage
from orchestration.warehouse import open_files

AS_OF = ("--as-of", "2026-02-01")


@dataclass
class Planted:
    """A home that lived through every trouble, and what each trouble said."""

    home: Home
    landing: Path
    refusals: list[BillingError] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    def run(self, *options: str) -> None:
        billing(
            *("run", "--home", self.home.path, "--landing", self.landing),
            *(*AS_OF, *options),
        )

    def refused(self, *options: str) -> None:
        with pytest.raises(BillingError) as stopped:
            self.run(*options)
        self.refusals.append(stopped.value)


@pytest.fixture(scope="module")
def planted_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Planted]:
    """Files of every format billed; between, whatever can go wrong goes wrong."""
    place = tmp_path_factory.mktemp("planted")
    it = Planted(Home(place / "home"), place / "landing")
    with pytest.MonkeyPatch.context() as patch:
        planted.write(it.landing)
        planted.spoil(it.landing)
        it.refused("--issue-through", "2026-02-01")  # files that can't be read
        it.run()  # without them
        it.left_out = _left_out(it.home)
        for name in BROKEN:
            (it.landing / name).unlink()
        # From here on Dagster keeps its events, as it does under its own pages.
        patch.setattr(
            dg.DagsterInstance,
            "ephemeral",
            lambda: dg.DagsterInstance.local_temp(str(it.home.dagster)),
        )
        it.run("--issue-through", "2026-02-01")
        _fail_in_the_database(it, patch)
        _fail_in_a_model(it)
        _lose_a_file(it)
        yield it


def _left_out(home: Home) -> list[str]:
    with duckdb.connect(str(home.publication), read_only=True) as connection:
        rows = connection.execute(
            "select rejected::varchar from quality.rejected_rows as rejected "
            "where reason like 'the file %'"
        ).fetchall()
    return [text for (text,) in rows]


def _fail_in_the_database(it: Planted, patch: pytest.MonkeyPatch) -> None:
    """A statement fails and quotes a value."""

    def quoting(*arguments: object) -> int:
        raise duckdb.ConversionException(f"Could not convert string '{JANE}'")

    late = it.landing / "usage" / "clinic" / f"{JANE} 2.csv"
    late.write_text(f"event_id,event_type,facility,occurred_at\ne,encounter,x,{JANE}\n")
    with patch.context() as inner:
        inner.setattr(usage_store, "_insert_rows", quoting)
        it.refused("--issue-through", "2026-02-01")
    late.unlink()


def _fail_in_a_model(it: Planted) -> None:
    """A model of the restricted schema fails on a row, and DuckDB quotes it."""
    rows = "restricted.usage_rows"
    with _changed_warehouse(it.home) as connection:
        connection.execute(f"alter table {rows} alter quantity type varchar")
        connection.execute(f"update {rows} set quantity = $1", [JANE])
        with pytest.raises(duckdb.Error, match=JANE):
            connection.execute(f"select quantity::integer from {rows}").fetchall()
        connection.close()
        it.refused()


def _lose_a_file(it: Planted) -> None:
    """What an issue rests on is gone, and it is named for a patient (C8)."""
    path = it.landing / "usage" / "clinic" / f"{JANE} 1.csv"
    away = it.landing.parent / "away"
    path.rename(away)
    with _changed_warehouse(it.home) as connection:
        connection.execute("delete from raw.usage_files where feed = 'clinic'")
        connection.close()
        it.refused()
    away.rename(path)


@contextlib.contextmanager
def _changed_warehouse(home: Home) -> Iterator[duckdb.DuckDBPyConnection]:
    """The warehouse to tamper with; afterwards it is as it was."""
    kept = home.warehouse.read_bytes()
    with open_files(home, Keys.of(home)) as connection:
        yield connection
    home.warehouse.write_bytes(kept)


def test_each_trouble_was_one(planted_home: Planted) -> None:
    unread, quoted, model, lost = (error.told() for error in planted_home.refusals)
    assert all(name in unread for name in BROKEN if "clinic" in name)
    assert f"{JANE} 2.csv" in quoted
    assert "model usage_events fails" in model
    assert "issued invoices rest on" in lost and f"{JANE} 1.csv" in lost


def test_a_file_left_out_is_published_without_its_name(planted_home: Planted) -> None:
    assert len(planted_home.left_out) == len(BROKEN) - 1
    assert all("clinic/" in row for row in planted_home.left_out)
    assert not any("canar" in row.lower() for row in planted_home.left_out)


def test_no_refusal_names_a_patient_in_a_log(planted_home: Planted) -> None:
    for error in planted_home.refusals:
        assert "canar" not in str(error).lower()
    log = planted_home.home.audit.read_text().lower()
    assert log.count('"refusal"') == len(planted_home.refusals)
    assert "canar" not in log and "512-44" not in log
    # A file is called by its feed and hash, by which whoever lands it finds it.
    assert "usage/clinic/" in log


def test_a_scan_finds_none_of_it_in_what_was_written_HP_1(
    planted_home: Planted,
) -> None:
    found = scan(planted_home.home, planted_home.landing)
    assert found.found == {}, found.in_words()
    assert found.unread == []
    assert found.looked_for > 60
    stores = {path.name for path in planted_home.home.dagster.rglob("*.db")}
    assert stores, "Dagster's event log must be among what was looked into"


def test_the_same_scan_finds_all_of_it_where_it_was_leaked_HP_1(
    planted_home: Planted, tmp_path: Path
) -> None:
    for name, told in PLANTED.items():
        for kind, value in told.items():
            (tmp_path / f"{name} {kind}.log").write_text(f"a row: {value}, refused")
    (tmp_path / "file.log").write_text(f"usage/clinic/{JANE} 1.csv is read")
    (tmp_path / "turned.log").write_text("FINCHWORTH, CANARINA")
    found = scan(planted_home.home, planted_home.landing, [tmp_path])
    leaked = {Path(place).name: kind for place, kind in found.found}
    for name, told in PLANTED.items():
        for kind in told:
            assert f"{name} {kind}.log" in leaked, (name, kind)
    assert "file.log" in leaked
    assert JANE not in "\n".join(found.in_words())


def test_tokens_and_event_ids_are_looked_for_when_the_files_are_gone(
    planted_home: Planted, tmp_path: Path
) -> None:
    home = planted_home.home
    with open_files(home, Keys.of(home), read_only=True) as connection:
        token, event = connection.execute(
            "select patient_token, event_id from restricted.usage_rows "
            "where patient_token is not null limit 1"
        ).fetchone()
    (tmp_path / "token.txt").write_text(f"{token}\n")
    (tmp_path / "event.txt").write_text(f"{event}\n")
    found = scan(home, None, [tmp_path])
    assert {(Path(place).name, kind) for place, kind in found.found} == {
        ("token.txt", kinds.TOKEN),
        ("event.txt", kinds.EVENT),
    }


def test_the_command_names_file_and_kind_never_the_value(
    planted_home: Planted, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("phi-scan", "--home", planted_home.home.path)
    billing(*arguments)
    assert "Nothing of a patient was found" in capsys.readouterr().out
    leak = tmp_path / "export.csv"
    leak.write_text(f"patient\n{PLANTED['fhir'][kinds.NAME]}\n")
    with pytest.raises(BillingError, match="1 value of patients found") as stopped:
        billing(*arguments, "--also", tmp_path)
    told = capsys.readouterr().out + str(stopped.value)
    assert f"{leak}: 1 × name" in told
    assert "canary" not in told.lower().replace(str(tmp_path).lower(), "")
    (row,) = [
        row
        for row in AuditLog(planted_home.home.audit).rows()
        if row["action"] == "phi_scan" and row["rows"]
    ]
    assert row["rows"] == 1 and row["detail"]["found"] == {"name": 1}


def test_no_raw_identifier_spills_in_clear_while_a_load_spills(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.create()
    patients = _many_patients(tmp_path / "landing")
    looked = _Watch(home.spill)
    with open_files(home, Keys.of(home), memory_limit="60MB") as connection:
        connection.execute("set threads = 1")
        connection.execute("""
            create schema raw;
            create table raw.facilities as
                select 'north' as facility_id, 'lakeside' as customer_id;
            create table raw.facility_identifiers (
                feed varchar, identifier varchar, facility_id varchar
            );
            create table raw.baas as
                select 'lakeside' as customer_id, date '2025-01-01' as effective_on,
                    null::date as ends_on;
        """)
        with looked:
            load_usage(connection, tmp_path / "landing", date(2026, 6, 30), "a key")
        (rows,) = connection.execute(
            "select count(distinct patient_token) from restricted.usage_rows"
        ).fetchone()
    assert rows == patients
    assert looked.bytes > 1_000_000, "the load must have spilled"
    assert looked.hits == 0
    # The same look does find what is not encrypted.
    (landing,) = (tmp_path / "landing").rglob("*.csv")
    looked.look_at(landing)
    assert looked.hits > 0


def _many_patients(landing: Path, count: int = 300_000) -> int:
    folder = landing / "usage" / "clinic"
    folder.mkdir(parents=True)
    with (folder / "a.csv").open("w") as file:
        file.write("event_id,event_type,facility,patient_id,occurred_at\n")
        for n in range(count):
            file.write(f"e{n},encounter,north,{CANARY}{CANARY}-{n},2026-05-01\n")
    return count


class _Watch:
    """Looks into a folder's files as long as something else works."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bytes = 0
        self.hits = 0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *error: object) -> None:
        self._done.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._done.is_set():
            for path in list(self.folder.rglob("*")):
                if path.is_file():
                    self.look_at(path)
            time.sleep(0.05)

    def look_at(self, path: Path) -> None:
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return
        self.bytes += len(content)
        self.hits += content.count(CANARY.encode())


def test_the_shared_book_holds_no_planted_identifier(billed_book: BilledBook) -> None:
    files = [
        path
        for path in billed_book.landing.rglob("*.csv")
        if CANARY.encode() in path.read_bytes()
    ]
    assert files, "the canaries must be in what was landed"
    told = [
        path.relative_to(billed_book.home).as_posix()
        for path in billed_book.home.rglob("*")
        if path.is_file() and CANARY.encode() in path.read_bytes()
    ]
    assert told == []
    found: Scan = scan(Home(billed_book.home), billed_book.landing)
    assert found.found == {}, found.in_words()


def test_the_warehouse_keeps_tokens_not_patients(billed_book: BilledBook) -> None:
    home = Home(billed_book.home)
    with open_files(home, Keys.of(home), read_only=True) as connection:
        patients = connection.execute(
            "select count(*), count(patient_token), "
            "count(*) filter (patient_token similar to '[0-9a-f]{64}'), "
            "count(*) filter (usage_rows::varchar like '%PATIENT%') "
            "from restricted.usage_rows"
        ).fetchone()
    rows, with_token, well_formed, as_sent = patients
    assert 0 < with_token < rows
    assert well_formed == with_token
    assert as_sent == 0
