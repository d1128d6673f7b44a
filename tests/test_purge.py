"""What has outlived its term goes, and no invoice changes (HP-18, HP-19, C8).

As of 15 January 2026 with 24 months, usage before 15 January 2024 may go; whole months
only, so before 1 January 2024.
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb
import pytest
from book import Book, Scenario
from conftest import billing, finance_tables

from orchestration import retention
from orchestration.audit import AuditLog
from orchestration.errors import BillingError, UsageError
from orchestration.home import Home
from orchestration.keys import Keys
from orchestration.purge import Purge, purge, told
from orchestration.purge_plan import OldFile, Plan, keep_needed
from orchestration.verify import verify
from orchestration.warehouse import open_files

AS_OF = date(2026, 1, 15)


def _book() -> Book:
    """Each customer is charged 10, 10 and 5 for three visits, 3 for each patient.

    January 2023: visits of p1, p1, p2: 10 + 10 + 5 + 2 × 3 = 31. February: one visit of
    p1: 10 + 3 = 13. December 2025: one visit, 13, due and not paid.
    Lake has paid, Hill too but is held, Vale owes.
    """
    book = Book()
    for name in ("lake", "hill", "vale"):
        it = Scenario(book, name, "a b")
        it.contract(covers="a b", starts_on="2023-01-01", ends_on="2026-12-31")
        since = {"effective_on": "2023-01-01"}
        it.line(
            "visits",
            meter="encounter",
            pricing_model="graduated",
            rate_card_id=f"{name}-card",
            **since,
        )
        for tier, up_to, price in (("1", "2", "10"), ("2", "", "5")):
            it.land(
                "rate_cards",
                rate_card_id=f"{name}-card",
                tier=tier,
                up_to=up_to,
                unit_price=price,
            )
        it.line("people", meter="patient", unit_price="3", **since)
        for file, rows in {
            "2023-01": ["a,p1,2023-01-10", "a,p1,2023-01-20", "b,p2,2023-01-25"],
            "2023-02": ["a,p1,2023-02-05"],
            "2025": ["a,p1,2025-12-10"],
        }.items():
            for number, row in enumerate(rows):
                facility, patient, day = row.split(",")
                book.land(
                    f"usage/{name}/{file}",
                    {
                        "event_id": f"{file}-{number}",
                        "event_type": "encounter",
                        "facility": f"{name}-{facility}",
                        "patient_id": patient,
                        "occurred_at": day,
                    },
                )
        if name != "vale":
            for paid, amount in (("2023-02-20", "31.00"), ("2023-03-15", "13.00")):
                book.land(
                    "receivables/payments",
                    {
                        "payment_id": f"{name}-{paid}",
                        "customer_id": name,
                        "received_on": paid,
                        "amount": amount,
                    },
                )
    return book


@dataclass(frozen=True)
class Purged:
    """The home before, and what became of it."""

    home: Home
    landing: Path
    policy: Path
    before: dict[str, list[tuple]]
    preview: Purge
    done: Purge


@pytest.fixture(scope="module")
def purged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Purged]:
    place = tmp_path_factory.mktemp("purge")
    home, landing = Home(place / "home"), place / "landing"
    policy = place / "retention"
    shutil.copytree(retention.FOLDER, policy)
    with (policy / "legal_holds.csv").open("a") as file:
        file.write("Example v. Hill,hill,2025-06-01,,a suit,counsel\n")
    _book().write(landing, 1)
    _run(home, landing, "--issue-through", "2026-01-15")
    _run(home, landing)  # what is issued is paid now
    before = finance_tables(home.publication)
    preview = purge(home, AS_OF, folder=policy)
    rows = _count(home, "restricted.usage_rows")
    assert rows == 15, "a preview deletes nothing"
    done = purge(home, AS_OF, delete=True, folder=policy)
    yield Purged(home, landing, policy, before, preview, done)


def _run(home: Home, landing: Path, *options: str) -> None:
    billing(
        *("run", "--home", home.path, "--landing", landing),
        *("--as-of", AS_OF, *options),
    )


def _count(home: Home, table: str, where: str = "true") -> int:
    with open_files(home, Keys.of(home), read_only=True) as connection:
        return connection.execute(
            f"select count(*) from {table} where {where}"
        ).fetchone()[0]


def test_what_is_settled_and_old_goes_what_is_owed_held_or_young_stays(
    purged: Purged,
) -> None:
    reasons = {
        Path(file.source_file).parts[1:]: file.because
        for file in purged.preview.plan.files
    }
    assert reasons == {
        ("lake", "2023-01.csv"): "",
        ("lake", "2023-02.csv"): "",
        ("lake", "2025.csv"): "service or receipt until 2025-12-10",
        **{
            ("hill", f"{name}.csv"): "legal hold Example v. Hill"
            for name in ("2023-01", "2023-02", "2025")
        },
        ("vale", "2023-01.csv"): "vale is not settled for that long before 2023-01-25",
        ("vale", "2023-02.csv"): "vale is not settled for that long before 2023-02-05",
        ("vale", "2025.csv"): "service or receipt until 2025-12-10",
    }
    # No month is cut: 15 January 2024 is within one.
    assert purged.preview.plan.settled == {"lake": date(2024, 1, 1)}
    assert purged.preview.plan.individuals == 2
    assert "Nothing was deleted" in told(purged.preview)[-1]


def test_the_rows_are_gone_wherever_the_restricted_schema_had_them(
    purged: Purged,
) -> None:
    gone = "feed = 'lake' and file_id in (select file_id from ledger.book.purged_files)"
    for table in ("usage_rows", "usage_events", "daily_usage", "daily_patients"):
        assert _count(purged.home, f"restricted.{table}", gone) == 0, table
    assert _count(purged.home, "restricted.usage_rows", "feed = 'lake'") == 1
    assert _count(purged.home, "restricted.usage_rows") == 15 - 4
    # Nor is the name left, which may tell of a patient.
    assert _count(purged.home, "raw.counted_files") > 0
    named = "source_file in ('usage/lake/2023-01.csv', 'usage/lake/2023-02.csv')"
    assert _count(purged.home, "raw.counted_files", named) == 0


def test_the_certificate_is_in_ledger_and_log(purged: Purged) -> None:
    with open_files(purged.home, Keys.of(purged.home)) as connection:
        (row,) = connection.execute(
            "select purge_no, as_of, files, rows, individuals, hash "
            "from ledger.book.purges"
        ).fetchall()
    assert row == (1, AS_OF, 2, 4, 2, purged.done.head)
    (log,) = [
        row for row in AuditLog(purged.home.audit).rows() if row["action"] == "purge"
    ]
    assert (log["object"], log["rows"], log["ledger_head"]) == ("purge 1", 4, row[5])
    assert log["detail"]["purpose"] == "retention"
    assert log["detail"]["customers"] == ["lake"]
    # Named by hash: a file's name may tell of a patient.
    assert all(name.startswith("usage/lake/") for name in log["detail"]["files"])
    assert "2023-01" not in str(log["detail"]["files"])
    # Files that still lie there are named to whoever can delete them.
    assert {Path(name).name for name in purged.done.landed} == {
        "2023-01.csv",
        "2023-02.csv",
    }
    assert "  usage/lake/2023-01.csv" in told(purged.done)
    # What is no terminal may be kept.
    assert "2023-01.csv" not in "\n".join(told(purged.done, is_terminal=False))


def test_a_purge_and_a_full_rebuild_change_no_amount_C8(purged: Purged) -> None:
    """The warehouse is made anew; of the purged files one is deleted, one still lies
    there and is not read again."""
    home, landing = purged.home, purged.landing
    (landing / "usage" / "lake" / "2023-01.csv").unlink()
    home.warehouse.unlink()
    _run(home, landing)
    after = finance_tables(home.publication)
    with duckdb.connect(str(home.publication), read_only=True) as connection:
        adjustments = connection.execute(
            "select * from finance.invoice_lines where is_adjustment or reverses"
        ).fetchall()
    assert adjustments == []
    for table, rows in purged.before.items():
        assert after[table] == rows, table
    assert _count(home, "restricted.usage_rows", "feed = 'lake'") == 1
    found = verify(home)
    assert found.problems == []


def test_an_event_of_a_settled_day_charges_nothing_C8(
    purged: Purged, tmp_path: Path
) -> None:
    """One that comes after the purge, and one that was there and is settled later."""
    shutil.copytree(purged.home.path, tmp_path / "home")
    shutil.copytree(purged.landing, tmp_path / "landing")
    home = Home(tmp_path / "home")
    (tmp_path / "landing" / "usage" / "lake" / "late.csv").write_text(
        "event_id,event_type,facility,patient_id,occurred_at\n"
        "late,encounter,lake-a,p9,2023-01-12\n"
    )
    with open_files(home, Keys.of(home)) as connection:
        connection.execute(
            "insert into ledger.book.settled_usage values (1, 'hill', '2026-01-01')"
        )
    _run(home, tmp_path / "landing")
    assert _count(home, "restricted.usage_rows", "event_id = 'late'") == 1
    assert _count(home, "restricted.metered_usage", "facility_id like 'hill-%'") == 0
    after = finance_tables(home.publication)
    assert after["invoice_lines"] == purged.before["invoice_lines"]


def test_a_change_of_the_certificate_is_found(purged: Purged, tmp_path: Path) -> None:
    shutil.copytree(purged.home.path, tmp_path / "home")
    home = Home(tmp_path / "home")
    assert verify(home).problems == []
    with open_files(home, Keys.of(home)) as connection:
        connection.execute("update ledger.book.purged_files set file_id = 'x'")
    assert any("purge 1" in problem for problem in verify(home).problems)


def test_a_purge_that_was_cut_short_is_finished_by_the_next_load(
    purged: Purged,
) -> None:
    """The certificate stands before anything is deleted."""
    from orchestration import usage_store

    with open_files(purged.home, Keys.of(purged.home)) as connection:
        file_id = connection.execute(
            "select file_id from ledger.book.purged_files limit 1"
        ).fetchone()[0]
        connection.execute(
            "insert into raw.usage_files (feed, file_id) values ('lake', $1)", [file_id]
        )
        connection.execute(
            "insert into restricted.usage_rows (feed, file_id) values ('lake', $1)",
            [file_id],
        )
        usage_store.forget_purged(connection)
    assert _count(purged.home, "restricted.usage_rows", f"file_id = '{file_id}'") == 0
    assert _count(purged.home, "raw.usage_files", f"file_id = '{file_id}'") == 0


def test_a_home_whose_last_run_failed_is_not_purged(
    purged: Purged, tmp_path: Path
) -> None:
    shutil.copytree(purged.home.path, tmp_path / "home")
    home = Home(tmp_path / "home")
    AuditLog(home.audit).append("run", "x", detail={"as_of": "2026-01-15"})
    with pytest.raises(BillingError, match="run `billing run` first"):
        purge(home, AS_OF)


def test_a_file_that_rows_need_which_stay_is_kept() -> None:
    """Lake is settled before 2024; each old file but one is needed by a later row."""
    connection = duckdb.connect()
    connection.execute("""
        create schema raw; create schema restricted;
        create table restricted.usage_rows as
        select * from (values
            ('ehr', 'visit', 'e1', 'encounter', 'a', null, 't1', date '2023-01-10'),
            ('ehr', 'late', 'p1', 'procedure', null, 'e1', 't1', date '2025-12-11'),
            ('ehr', 'moved', 'e2', 'encounter', 'a', null, 't2', date '2023-01-10'),
            ('ehr', 'late', 'e2', 'encounter', 'a', null, 't2', date '2025-12-12'),
            ('ehr', 'merge', 'e3', 'encounter', 'a', null, 't3', date '2023-01-10'),
            ('ehr', 'late', 'e4', 'encounter', 'a', null, 't4', date '2025-12-13'),
            ('ehr', 'place', 'e5', 'encounter', 'a', null, 't5', date '2023-01-10'),
            ('ehr', 'free', 'e6', 'encounter', 'a', null, 't6', date '2023-01-10'),
            ('ehr', 'held', 'e6', 'encounter', 'a', null, 't6', date '2023-01-11')
        ) as t (feed, file_id, event_id, event_type, facility, encounter_id,
            patient_token, service_date);
        create table raw.usage_places as select 'ehr' as feed, 'place' as file_id;
        create table restricted.patient_merges as
            select 'ehr' as feed, 'merge' as file_id, 't3' as from_token,
                't4' as to_token;
    """)
    old = ("visit", "moved", "merge", "place", "free")
    files = [OldFile("ehr", name, name, 1, "") for name in old]
    found = Plan(date(2024, 1, 15), files)
    owners = {("ehr", name): ["lake"] for name in old}
    keep_needed(connection, found, {"lake": date(2024, 1, 1)}, owners)
    assert {file.file_id: file.because for file in found.files} == {
        "visit": "procedures that stay are at its encounters",
        "moved": "it changes events that stay",
        "merge": "it merges patients that stay",
        "place": "it says where places are",
        "free": "",
    }


def test_a_hold_of_today_keeps_whatever_day_is_asked_for(purged: Purged) -> None:
    """The hold on hill begins on 1 June 2025; two years before 1 March are over."""
    asked = purge(
        purged.home, date(2025, 3, 1), False, None, purged.policy, today=AS_OF
    )
    reasons = {file.source_file: file.because for file in asked.plan.files}
    assert reasons["usage/hill/2023-01.csv"] == "legal hold Example v. Hill"


def test_nothing_is_deleted_as_of_a_day_to_come(purged: Purged) -> None:
    with pytest.raises(UsageError, match="2026-01-15 is to come.*today, 2026-01-14"):
        purge(purged.home, AS_OF, delete=True, today=date(2026, 1, 14))


def test_while_it_is_not_known_whose_usage_is_whose_nothing_goes(
    purged: Purged, tmp_path: Path
) -> None:
    home, landing = Home(tmp_path / "home"), tmp_path / "landing"
    shutil.copytree(purged.home.path, home.path)
    shutil.copytree(purged.landing, landing)
    (row,) = (
        path
        for path in (landing / "contracts" / "customers").iterdir()
        if "hill," in path.read_text()
    )
    row.write_text(row.read_text().replace("standard", "gold"))
    _run(home, landing)
    before = _count(home, "restricted.usage_rows")
    with pytest.raises(BillingError, match=r"customers/.*, line \d+ is rejected"):
        purge(home, AS_OF, delete=True)
    assert _count(home, "restricted.usage_rows") == before
