"""`billing sample`: the same bytes for the same arguments, plainly invented."""

import csv
from hashlib import sha256
from pathlib import Path

import duckdb
import pytest

from orchestration.errors import UsageError
from orchestration.sample import write_sample
from orchestration.sample_enterprise import HOSPITALS

FACILITIES, ENCOUNTERS = 20, 20_000


@pytest.fixture(scope="module")
def landing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("health") / "demo"
    write_sample(out, FACILITIES, ENCOUNTERS)
    return out


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def rows(landing: Path, table: str) -> list[dict[str, str]]:
    with (landing / f"contracts/{table}.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def sent(landing: Path, sql: str) -> list[tuple]:
    """Rows of a query over the feed's rows, named `sent`."""
    files = str(landing / "usage/charting/*.parquet")
    with duckdb.connect() as connection:
        connection.execute(f"create view sent as from '{files}'")
        return connection.execute(sql).fetchall()


def test_the_same_arguments_write_the_same_bytes(landing, tmp_path) -> None:
    write_sample(tmp_path / "again", FACILITIES, ENCOUNTERS)
    assert digests(tmp_path / "again") == digests(landing)
    write_sample(tmp_path / "other", FACILITIES, ENCOUNTERS, seed=7)
    changed = digests(tmp_path / "other")
    for file in ("contracts/facilities.csv", "usage/charting/2025-03.parquet"):
        assert changed[file] != digests(landing)[file]


def test_every_encounter_is_sent_and_one_in_a_hundred_is_wrong(landing) -> None:
    # 20 of 10,000 name a wrong facility and 15 none, 50 are sent again (cancelled,
    # twice or corrected), 15 have a wrong date or count: 100, of 20,000 some 200.
    [(encounters, years, wrong)] = sent(
        landing,
        "select count(distinct event_id), "
        "count(distinct event_id) filter (where year(occurred_at) <> 2025), "
        "count(distinct event_id) filter (where facility is null "
        "  or facility in ('999901', '999902') or occurred_at is null "
        "  or year(occurred_at) <> 2025 or quantity <> 1 "
        "  or event_id in (select event_id from sent group by all having count(*) > 1))"
        " from sent",
    )
    assert encounters == ENCOUNTERS
    assert years > 0
    # Three standard deviations of 200 drawn in 20,000 are 42.
    assert 158 < wrong < 242
    late = sent(
        landing,
        "select count(*) from sent where received_at > occurred_at + interval 5 day "
        "and year(occurred_at) = 2025",
    )[0][0]
    assert late > ENCOUNTERS // 100


def test_facilities_are_of_the_list_or_say_that_they_are_none(landing) -> None:
    with HOSPITALS.open(encoding="utf-8") as file:
        listed = {row["ccn"]: row for row in csv.DictReader(file)}
    facilities = rows(landing, "facilities")
    assert len(facilities) == FACILITIES
    for facility in facilities:
        if facility["ccn"]:
            hospital = listed[facility["ccn"]]
            assert facility["facility_name"] == hospital["name"]
            assert facility["state"] == hospital["state"]
        else:
            assert "EXAMPLE CLINIC" in facility["facility_name"]
    readme = (landing / "README.md").read_text(encoding="utf-8")
    assert "**Everything here is invented**" in readme
    assert "none is a customer" in readme


def test_one_opens_and_one_closes_and_the_commitment_follows(landing) -> None:
    # 20,000 and 1 % more; from there 2 % of 20,000 less.
    assert [
        (row["effective_on"], row["committed"]) for row in rows(landing, "commitments")
    ] == [
        ("2025-01-01", "20000"),
        ("2025-04-16", "20200"),
        ("2025-09-01", "19800"),
    ]
    coverage = rows(landing, "contract_facilities")
    assert [row["facility_id"] for row in coverage if row["covered"] == "false"]
    [opening] = [row for row in coverage if row["effective_on"] == "2025-04-16"]
    assert sent(
        landing,
        "select min(occurred_at) >= timestamp '2025-04-16' from sent "
        f"where facility = '{opening['facility_id']}' "
        "and year(occurred_at) = 2025",
    ) == [(True,)]


def test_what_is_there_is_not_written_over(landing, tmp_path) -> None:
    before = digests(landing)
    with pytest.raises(UsageError, match="not an empty directory"):
        write_sample(landing, FACILITIES, ENCOUNTERS)
    assert digests(landing) == before
    with pytest.raises(UsageError, match="--facilities 4: give at least 5"):
        write_sample(tmp_path / "few", 4, ENCOUNTERS)
    with pytest.raises(UsageError, match="--encounters 99: give at least 100"):
        write_sample(tmp_path / "few", FACILITIES, 99)
    assert not (tmp_path / "few").exists()
