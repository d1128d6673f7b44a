"""Bytes of a usage file are counted once, and again whenever it may be another."""

import os
from pathlib import Path

import pytest
from usage_landing import HEADER, land, load, rows

from orchestration import counted_files, landed_files

FIRST = f"{HEADER}\ne1,encounter,north,p,2026-05-01\n"
OTHER = f"{HEADER}\ne2,encounter,north,p,2026-05-01\n"  # of the same length


@pytest.fixture(name="counted")
def counted_names(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files whose bytes are counted, as they are; all are long settled."""
    names: list[str] = []
    count = landed_files._hash_of

    def note(path: Path) -> str:
        names.append(path.name)
        return count(path)

    monkeypatch.setattr(landed_files, "_hash_of", note)
    monkeypatch.setattr(counted_files, "_SETTLED_NS", -3_600_000_000_000)
    return names


def test_only_what_is_new_is_counted(warehouse, landing, counted) -> None:
    land(landing, "clinic/a.csv", FIRST)
    load(warehouse, landing)
    land(landing, "clinic/b.csv", OTHER)
    load(warehouse, landing)
    intake = load(warehouse, landing)
    assert counted == ["a.csv", "b.csv"]
    assert (intake.files_known, intake.files_read) == (2, 0)


def test_a_file_is_counted_again_whatever_its_times_are_set_to(
    warehouse, landing, counted
) -> None:
    path = land(landing, "clinic/a.csv", FIRST)
    before = path.stat()
    load(warehouse, landing)
    # Same name, same size, same inode; the time of writing is put back.
    path.write_text(OTHER, encoding="utf-8")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = path.stat()
    assert (after.st_size, after.st_ino, after.st_mtime_ns) == (
        before.st_size,
        before.st_ino,
        before.st_mtime_ns,
    )
    load(warehouse, landing)
    assert counted == ["a.csv", "a.csv"]
    assert rows(warehouse, "event_id") == [("e2",)]


def test_two_files_that_change_names_are_counted(warehouse, landing, counted) -> None:
    one = land(landing, "clinic/a.csv", FIRST)
    other = land(landing, "clinic/b.csv", OTHER)
    load(warehouse, landing)
    one.rename(one.with_name("c.csv"))
    other.rename(one)
    load(warehouse, landing)
    assert sorted(counted) == ["a.csv", "a.csv", "b.csv", "c.csv"]
    assert warehouse.execute(
        "select source_file, event_id from raw.usage_files "
        "join restricted.usage_rows using (feed, file_id) order by all"
    ).fetchall() == [("usage/clinic/a.csv", "e2"), ("usage/clinic/c.csv", "e1")]


def test_what_was_written_just_now_is_counted_again(
    warehouse, landing, counted, monkeypatch
) -> None:
    # It may be written to once more before the clock of its file system moves on.
    monkeypatch.setattr(counted_files, "_SETTLED_NS", 3_600_000_000_000)
    land(landing, "clinic/a.csv", FIRST)
    load(warehouse, landing)
    load(warehouse, landing)
    assert counted == ["a.csv", "a.csv"]


def test_names_of_files_that_are_gone_are_forgotten(
    warehouse, landing, counted
) -> None:
    path = land(landing, "clinic/a.csv", FIRST)
    land(landing, "clinic/b.csv", OTHER)
    load(warehouse, landing)
    path.unlink()
    load(warehouse, landing)
    assert warehouse.execute(
        "select source_file from raw.counted_files"
    ).fetchall() == [("usage/clinic/b.csv",)]
