"""Usage files: which are read, which again, and which are left."""

import errno
import gzip
import hashlib
import json
import os
from datetime import date

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from usage_landing import (
    HEADER,
    contract_tables,
    land,
    load,
    rows,
    seed,
    token,
    unreadable,
)

from orchestration import counted_files, landed_files, usage_store, usage_terms
from orchestration.errors import BillingError
from orchestration.readers import csv_lines, sent_rows

SHORT_LINES = "x\n" * 600_000
BROKEN = {
    "no header": (b"", "is empty"),
    "no table": (b"x" * 200_000 + b",\n", "no readable header"),
    "wrong columns": (b"event_id,event_type,facility\n", "no column occurred_at"),
    "other table": (b"customer_id,name\nc,n\n", "no column event_id"),
    "column twice": (f"{HEADER},facility\n".encode(), "facility more than once"),
    "utf-16": (HEADER.encode("utf-16"), "UTF-16"),
    "open quote": (
        f'{HEADER}\ne1,encounter,"north,p,2026-05-01\ne2,encounter,north,p,x\n'.encode(),
        "cannot be told apart",
    ),
    "swallowed": (
        f'{HEADER}\ne1,encounter,"north,p,x\ne2,a,b,c,d\ne3,e,"s",p,x\n'.encode(),
        "cannot be told apart",
    ),
    "mixed line ends": (f"{HEADER}\r\na,b,c,d,e\na,b,c,d,e\r\n".encode(), "line end"),
    "gigantic": (f"{HEADER}\na,b,c,d,{'x' * 50_000_000}\n".encode(), "2 MB"),
    "gigantic, of short lines": (
        f'{HEADER}\na,b,6" tall,d,e\na,b,c, "{SHORT_LINES * 5}",e\n'.encode(),
        "a record of more than 2 MB",
    ),
    "gigantic, of short fields": (
        f'{HEADER}\na,b,c,"d","{SHORT_LINES}","{SHORT_LINES}"\n'.encode(),
        "a record of more than 2 MB",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_fails_by_name_and_the_others_go_on(warehouse, landing, name):
    content, reason = BROKEN[name]
    land(landing, "clinic/a.csv", content)
    land(landing, "clinic/b.csv", f"{HEADER}\ne1,encounter,north,,2026-05-01\n")
    intake = load(warehouse, landing)
    assert [failed for failed, _ in intake.failed] == ["usage/clinic/a.csv"]
    assert reason in intake.failed[0][1]
    # Whoever tells of it goes on after a full stop.
    assert intake.failed[0][1][-1] not in ".?"
    assert rows(warehouse, "event_id") == [("e1",)]
    assert len(warehouse.execute("from raw.usage_files").fetchall()) == 1


@pytest.mark.parametrize("chunk", [7, 64, 8 << 20])
def test_how_long_a_record_is_whatever_quotes_stand_in_it(tmp_path, monkeypatch, chunk):
    # The longest is of five lines: commas and line ends stand within its quotes.
    longest = 'c,"a, ""b""\n,\n""6", "x\ny\n",z\n'
    path = tmp_path / "a.csv"
    path.write_text(f'a,6" tall,b\n"",""""\n{longest}d,"e",6" f\n,"","g\n"\n')
    monkeypatch.setattr(csv_lines.chunks, "__defaults__", (chunk,))
    monkeypatch.setattr(csv_lines, "LONGEST", len(longest))
    assert csv_lines.layout(path).lines == 10
    monkeypatch.setattr(csv_lines, "LONGEST", len(longest) - 1)
    with pytest.raises(csv_lines.UnreadableFile, match="record of more than"):
        csv_lines.layout(path)


def test_an_error_of_the_engine_is_told_without_its_text():
    told = sent_rows.told(duckdb.InvalidInputException("Could not read 'Ada'"))
    assert isinstance(told, csv_lines.UnreadableFile)
    assert str(told).endswith("quoted as CSV asks")
    assert "Ada" not in str(told)


def test_a_file_cut_off_or_of_another_kind_fails(warehouse, landing):
    whole = f"{HEADER}\ne1,encounter,north,,2026-05-01\n"
    land(landing, "clinic/ok.csv", whole)
    land(landing, "clinic/cut.csv.gz", gzip.compress(whole.encode() * 99)[:-9])
    land(landing, "clinic/plain.csv.gz", whole.replace("e1", "e2"))
    land(landing, "clinic/text.parquet", whole.replace("e1", "e3"))
    land(landing, "clinic/notes.txt", "hello")
    intake = load(warehouse, landing)
    assert [name for name, _ in intake.failed] == [
        f"usage/clinic/{name}"
        for name in ("cut.csv.gz", "plain.csv.gz", "text.parquet")
    ]
    assert intake.warnings == [
        "usage/clinic/notes.txt is not read: usage files end in "
        ".csv, .csv.gz, .parquet."
    ]
    assert rows(warehouse, "event_id") == [("e1",)]


def test_a_file_too_large_or_packed_too_tightly_fails(warehouse, landing, monkeypatch):
    whole = f"{HEADER}\n" + "e1,encounter,north,,2026-05-01\n" * 400_000
    land(landing, "clinic/a.csv.gz", gzip.compress(whole.encode()))
    sent = f"{HEADER}\ne1,encounter,north,,2026-05-01\n"
    land(landing, "clinic/b.csv", sent)
    ((name, reason),) = load(warehouse, landing).failed
    assert (name, "200 to 1" in reason) == ("usage/clinic/a.csv.gz", True)
    monkeypatch.setattr(csv_lines, "LARGEST", 150)
    table = landing / "usage" / "lab" / "b.parquet"
    table.parent.mkdir()
    duckdb.sql(f"""copy (
        select 'e' || n as event_id, 'encounter' as event_type, 'north' as facility,
            date '2026-05-01' as occurred_at
        from range(9) as t (n)) to '{table}'""")
    land(landing, "lab/c.csv", sent.replace("e1", "e" * 200))
    failed = dict(load(warehouse, landing).failed)
    assert "larger than" in failed["usage/lab/b.parquet"]
    assert "larger than" in failed["usage/lab/c.csv"]
    assert rows(warehouse, "event_id") == [("e1",)]


@pytest.mark.parametrize("name", ["a\nb.csv", "\x1b[2J.csv", "\udcff.parquet"])
def test_a_file_whose_name_cannot_be_shown_is_left_alone(warehouse, landing, name):
    land(landing, f"clinic/{name}", f"{HEADER}\ne1,encounter,north,,2026-05-01\n")
    land(landing, "clinic/z.csv", f"{HEADER}\ne2,encounter,north,,2026-05-01\n")
    land(landing, f"{name}/c.csv", f"{HEADER}\ne3,encounter,north,,2026-05-01\n")
    intake = load(warehouse, landing)
    shown = repr(name)[1:-1]
    why = "has a name that is not UTF-8 or can't be printed; rename it"
    failed = [(f"usage/{shown}/c.csv", why), (f"usage/clinic/{shown}", why)]
    assert intake.failed == sorted(failed)
    assert rows(warehouse, "event_id") == [("e2",)]


def test_a_file_that_cannot_be_opened_is_left_and_tried_again(
    warehouse, landing, monkeypatch
):
    for name in ("a", "b", "c"):
        text = f"{HEADER}\n{name},encounter,north,,2026-05-01\n"
        os.utime(land(landing, f"clinic/{name}.csv", text), (0, 0))
    monkeypatch.setattr(counted_files, "_SETTLED_NS", -3_600_000_000_000)

    def opened(path):
        if path.name != "b.csv":
            raise PermissionError(errno.EACCES, "Permission denied")
        return hash_of(path)

    hash_of = landed_files._hash_of
    monkeypatch.setattr(landed_files, "_hash_of", opened)
    intake = load(warehouse, landing)
    why = "cannot be read (Permission denied); make it readable"
    assert intake.failed == [(f"usage/clinic/{name}.csv", why) for name in "ac"]
    assert intake.discreet["usage/clinic/a.csv"] == "usage/clinic/unreadable"
    assert rows(warehouse, "event_id") == [("b",)]
    monkeypatch.setattr(landed_files, "_hash_of", hash_of)
    assert load(warehouse, landing).failed == []
    assert warehouse.execute("select count(*) from raw.usage_files").fetchone() == (3,)


def test_header_only_is_fine(warehouse, landing):
    land(landing, "clinic/a.csv", HEADER)
    assert load(warehouse, landing).failed == []
    assert warehouse.execute("select rows_read from raw.usage_files").fetchall() == [
        (0,)
    ]


def test_a_known_file_is_not_read_again_and_may_be_renamed(warehouse, landing):
    path = land(landing, "clinic/m.csv", f"{HEADER}\ne1,encounter,north,p,2026-05-01\n")
    land(landing, "clinic/a.csv", path.read_bytes())
    intake = load(warehouse, landing)
    assert (intake.files_read, intake.rows_read) == (1, 1)  # the same content is one
    intake = load(warehouse, landing)
    assert (intake.files_read, intake.files_known, intake.rows_read) == (0, 1, 0)
    path.rename(path.with_name("n.csv"))
    load(warehouse, landing)
    assert warehouse.execute("select source_file from raw.usage_files").fetchall() == [
        ("usage/clinic/n.csv",)
    ]
    assert rows(warehouse, "event_id") == [("e1",)]


def test_files_that_another_feed_sent_as_well_are_told_of_once(warehouse, landing):
    """An event by two feeds is two events, and a feed that is renamed is another."""
    text = f"{HEADER}\ne1,encounter,north,p,2026-05-01\n"
    land(landing, "old/a.csv", text)
    land(landing, "old/b.csv", text.replace("e1", "e2"))
    land(landing, "old/none.csv", f"{HEADER}\n")
    assert load(warehouse, landing).warnings == []
    (landing / "usage" / "old").rename(landing / "usage" / "new")
    (warning,) = load(warehouse, landing).warnings
    assert warning.startswith(
        "usage/new: 2 of the files read now came byte for byte in feed old too;"
    )
    assert len(rows(warehouse, "event_id")) == 4
    assert load(warehouse, landing).warnings == []
    # Of two feeds that come with one file at once, one is named.
    text = text.replace("e1", "e3")
    for feed in ("north", "south"):
        land(landing, f"{feed}/c.csv", text)
    (warning,) = load(warehouse, landing).warnings
    assert warning.startswith(
        "usage/south: 1 of the files read now came byte for byte in feed north too;"
    )


def test_changed_content_replaces_what_its_name_said(warehouse, landing):
    land(landing, "clinic/a.csv", f"{HEADER}\ne1,encounter,north,p,2026-05-01\n,,,,\n")
    load(warehouse, landing)
    path = land(landing, "clinic/a.csv", f"{HEADER}\ne2,encounter,north,p,2026-05-01\n")
    load(warehouse, landing)
    assert rows(warehouse, "event_id") == [("e2",)]
    assert unreadable(warehouse) == []
    # A file that moves on while a new one takes its name replaces nothing.
    path.rename(path.with_name("a.1.csv"))
    land(landing, "clinic/a.csv", f"{HEADER}\ne3,encounter,north,p,2026-05-01\n")
    load(warehouse, landing)
    assert sorted(rows(warehouse, "event_id")) == [("e2",), ("e3",)]
    # Gone from the landing directory, a file keeps its rows.
    path.unlink()
    load(warehouse, landing)
    assert sorted(rows(warehouse, "event_id")) == [("e2",), ("e3",)]


def test_plain_text_that_is_no_message_is_named_with_what_would_be_read(
    warehouse, landing
):
    land(landing, "adt/a.txt", "hello")
    intake = load(warehouse, landing)
    assert intake.failed == []
    assert len(intake.warnings) == 1
    assert "adt/a.txt is not read" in intake.warnings[0]
    assert (
        ".hl7, .hl7.gz, .txt (if a file of the feed begins with MSH)"
        in (intake.warnings[0])
    )


@pytest.mark.parametrize("content", ["", "b,encounter,north,p,2026-05-01\n"])
def test_a_name_whose_new_content_another_file_has_is_replaced(
    warehouse, landing, content
):
    for name in "ab":
        row = f"{name},encounter,north,p,2026-05-01\n"
        land(landing, f"clinic/{name}.csv", f"{HEADER}\n{row}")
    land(landing, "clinic/c.csv", f"{HEADER}\n{content}")
    load(warehouse, landing)
    # Both were emptied, or say what another says: what they said holds no more.
    land(landing, "clinic/a.csv", f"{HEADER}\n{content}")
    load(warehouse, landing)
    assert rows(warehouse, "event_id") == [("b",)]
    land(landing, "clinic/b.csv", f"{HEADER}\n")
    land(landing, "clinic/c.csv", f"{HEADER}\n")
    land(landing, "clinic/d.csv", f"{HEADER}\n")
    load(warehouse, landing)
    assert rows(warehouse, "event_id") == [("b",)] * bool(content)
    names = "select source_file from raw.{} order by source_file"
    known = warehouse.execute(names.format("usage_files")).fetchall()
    others = warehouse.execute(names.format("usage_file_names")).fetchall()
    assert sorted(known + others) == [(f"usage/clinic/{n}.csv",) for n in "abcd"]


def test_files_new_with_one_content_replace_what_each_of_their_names_said(
    warehouse, landing
):
    for name in "ab":
        row = f"{name},encounter,north,p,2026-05-01\n"
        land(landing, f"clinic/{name}.csv", f"{HEADER}\n{row}")
    load(warehouse, landing)
    for name in "ab":
        land(landing, f"clinic/{name}.csv", f"{HEADER}\n")
    load(warehouse, landing)
    assert rows(warehouse, "event_id") == []


def test_a_known_file_that_takes_the_name_of_an_archived_one_replaces_nothing(
    warehouse, landing
):
    for name in "ab":
        row = f"{name},encounter,north,p,2026-05-01\n"
        path = land(landing, f"clinic/{name}.csv", f"{HEADER}\n{row}")
    load(warehouse, landing)
    path.rename(path.with_name("a.csv"))
    load(warehouse, landing)
    assert sorted(rows(warehouse, "event_id")) == [("a",), ("b",)]


def test_what_replaces_a_file_but_cannot_be_read_leaves_the_old_rows(
    warehouse, landing
):
    land(landing, "clinic/a.csv", f"{HEADER}\ne1,encounter,north,p,2026-05-01\n")
    load(warehouse, landing)
    land(landing, "clinic/a.csv", f'{HEADER}\ne2,"\ne3,x\n')
    assert len(load(warehouse, landing).failed) == 1
    assert rows(warehouse, "event_id") == [("e1",)]


def test_a_feed_that_proves_free_of_phi_is_read_again(warehouse, landing, monkeypatch):
    land(landing, "clinic/a.csv", f"{HEADER}\ne1,encounter,hilltop,p,2026-05-01\n")
    load(warehouse, landing)
    seed(monkeypatch, has_phi="false")
    assert load(warehouse, landing).files_read == 1
    assert rows(warehouse, "patient_token") == [(token("hill", "p"),)]
    assert load(warehouse, landing).files_read == 0


def test_a_feed_that_is_given_a_time_zone_is_read_again(
    warehouse, landing, monkeypatch
):
    row = "e1,encounter,north,p,2026-06-01T03:30:00Z\n"
    land(landing, "clinic/a.csv", f"{HEADER}\n{row}")
    load(warehouse, landing)
    assert rows(warehouse, "service_date") == [(date(2026, 6, 1),)]
    seed(monkeypatch, time_zone="America/Chicago")
    assert load(warehouse, landing).files_read == 1
    assert rows(warehouse, "service_date") == [(date(2026, 5, 31),)]  # 22:30 there
    assert load(warehouse, landing).files_read == 0


def test_a_file_stopped_half_way_leaves_nothing(warehouse, landing, monkeypatch):
    land(landing, "clinic/a.csv", f"{HEADER}\ne1,encounter,north,p,2026-05-01\n")

    def out_of_room(*arguments):
        raise duckdb.IOException("No space left on device: e1,encounter,north,p")

    with monkeypatch.context() as patch:
        patch.setattr(usage_store, "_insert_unreadable", out_of_room)
        with pytest.raises(BillingError, match="disk space") as stopped:
            load(warehouse, landing)
    assert "north" not in str(stopped.value)
    assert rows(warehouse, "event_id") == []
    assert warehouse.execute("from raw.usage_files").fetchall() == []
    assert load(warehouse, landing).rows_read == 1


def test_patients_of_earlier_files_take_no_room(warehouse, landing, monkeypatch):
    """Rows that are deleted keep theirs: a hundred million events ran out of memory."""
    monkeypatch.setattr(usage_terms, "_ENOUGH_PATIENTS", 1)
    place, kept = usage_terms.place_rows, []

    def placed(connection, feed, as_of):
        place(connection, feed, as_of)
        kept.extend(
            connection.execute(
                f"select count(*), max(rowid) + 1 from {usage_terms.PATIENTS}"
            ).fetchall()
        )

    monkeypatch.setattr(usage_terms, "place_rows", placed)
    for feed in ("clinic", "lab", "ward"):
        lines = [f"{feed}{n},encounter,north,p{n},2026-05-01" for n in range(3)]
        land(landing, f"{feed}/a.csv", "\n".join([HEADER, *lines, ""]))
    load(warehouse, landing)
    assert kept == [(3, 3), (3, 3), (3, 3)]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"format": "xml"}, "line 2: format 'xml'"),
        ({"has_phi": "maybe"}, "line 2: has_phi 'maybe'"),
        ({"time_zone": "Chicago"}, "line 2: time_zone 'Chicago'"),
    ],
)
def test_a_mistake_in_the_seed_is_named(warehouse, landing, monkeypatch, row, message):
    seed(monkeypatch, **row)
    with pytest.raises(BillingError, match=message):
        load(warehouse, landing)


LINES = st.one_of(
    st.builds(
        "{},encounter,north,{},2026-05-01".format,
        st.text("ab1", min_size=1, max_size=3),
        st.text('x"é ,', max_size=5),
    ),
    st.text('a",\r\n\t\x00é', max_size=12),
    st.just("e,encounter,north,p,2026-05-01"),
)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    lines=st.lists(LINES, max_size=8),
    newline=st.sampled_from(["\n", "\r\n", "\r"]),
    cut=st.integers(0, 30),
    encoding=st.sampled_from(["utf-8", "latin-1", "utf-8-sig"]),
)
def test_whatever_is_sent_no_row_is_lost(landing, lines, newline, cut, encoding):
    """Each file fails by name, or its rows are all stored or counted unreadable."""
    text = newline.join([HEADER, *lines]).encode(encoding)
    for old in (landing / "usage").rglob("*.csv"):
        old.unlink()
    land(landing, "clinic/a.csv", text[: len(text) - cut])
    warehouse = contract_tables(duckdb.connect())
    intake = load(warehouse, landing)
    kept = warehouse.execute("select count(*) from restricted.usage_rows").fetchone()[0]
    refused = len(unreadable(warehouse))
    if intake.failed:
        assert (kept, refused) == (0, 0)
    else:
        assert kept + refused == intake.rows_read
    warehouse.close()


def test_a_file_is_read_when_it_is_what_its_announcement_says(warehouse, landing):
    """Item "load once": a file that is still being written is rejected whole."""
    whole = (
        f"{HEADER}\ne1,encounter,north,,2026-05-01\ne2,encounter,north,,2026-05-02\n"
    )
    said = hashlib.sha256(whole.encode()).hexdigest()
    land(landing, "clinic/a.csv", whole[:60])
    land(landing, "clinic/a.csv.sha256", f"{said.upper()}  a.csv\n")
    land(landing, "clinic/b.csv", f"{HEADER}\nb,encounter,north,,2026-05-01\n")
    intake = load(warehouse, landing)
    ((name, reason),) = intake.failed
    assert (name, ".sha256 file beside it promises" in reason) == (
        "usage/clinic/a.csv",
        True,
    )
    assert intake.warnings == []
    assert rows(warehouse, "event_id") == [("b",)]
    assert _unread(warehouse) == ["usage/clinic/a.csv"]
    # All of it is there now.
    land(landing, "clinic/a.csv", whole)
    assert load(warehouse, landing).failed == []
    assert sorted(rows(warehouse, "event_id")) == [("b",), ("e1",), ("e2",)]
    assert _unread(warehouse) == []


def test_an_ending_in_capitals_is_read_as_what_it_says(warehouse, landing):
    def line(number):
        return f"{HEADER}\ne{number},encounter,north,,2026-05-0{number}\n"

    land(landing, "clinic/OLD.CSV", line(1))
    land(landing, "clinic/OLD.CSV.GZ", gzip.compress(line(2).encode()))
    duckdb.sql(f"""copy (
        select 'e3' as event_id, 'encounter' as event_type, 'north' as facility,
            '2026-05-03' as occurred_at
    ) to '{landing}/usage/clinic/X.Parquet' (format parquet)""")
    message = (
        "MSH|^~\\&|ADT|north|||20260504||ADT^A01|1|P|2.5\rPV1|1|I|"
        f"{'|' * 16}V4{'|' * 25}20260504\r"
    )
    land(landing, "adt/A.TXT", message)
    land(landing, "adt/README.TXT", "what this is")
    resource = {
        **{"resourceType": "Encounter", "id": "V5", "status": "finished"},
        "serviceProvider": {"reference": "Organization/north"},
        "period": {"start": "2026-05-05"},
    }
    packed = gzip.compress(json.dumps(resource).encode() + b"\n")
    land(landing, "ehr/ENCOUNTER.NDJSON.GZ", packed)
    intake = load(warehouse, landing)
    assert (intake.failed, intake.warnings) == ([], [])
    assert {(day.day, feed) for day, feed in rows(warehouse, "service_date, feed")} == {
        *((1, "clinic"), (2, "clinic"), (3, "clinic")),
        *((4, "adt"), (5, "ehr")),
    }


def test_an_announcement_in_capitals_holds_back_what_is_not_whole(warehouse, landing):
    land(landing, "clinic/A.CSV", f"{HEADER}\ne1,encounter,north,,2026-05-01\n")
    said = land(landing, "clinic/A.CSV.SHA256", f"{'0' * 64}  A.CSV\n")
    intake = load(warehouse, landing)
    assert [name for name, _ in intake.failed] == ["usage/clinic/A.CSV"]
    assert intake.warnings == []
    said.unlink()
    assert load(warehouse, landing).failed == []
    assert rows(warehouse, "event_id") == [("e1",)]


@pytest.mark.parametrize("said", ["", "soon", "\0\xff"])
def test_an_announcement_that_says_nothing_lets_nothing_in(warehouse, landing, said):
    land(landing, "clinic/a.csv", f"{HEADER}\ne1,encounter,north,,2026-05-01\n")
    land(landing, "clinic/a.csv.sha256", said)
    assert [name for name, _ in load(warehouse, landing).failed] == [
        "usage/clinic/a.csv"
    ]


@pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
def test_a_file_that_is_written_to_while_it_is_read_is_left(
    warehouse, landing, monkeypatch, name
):
    table = landing / "usage" / "clinic" / name
    table.parent.mkdir()
    duckdb.sql(f"""copy (
        select 'e1' as event_id, 'encounter' as event_type, 'north' as facility,
            '2026-05-01' as occurred_at) to '{table}'""")
    # It was to be stored together with this one, which is then stored by itself.
    land(landing, "clinic/b.csv", f"{HEADER}\nb,encounter,north,,2026-05-01\n")
    insert = usage_store._insert_rows

    def insert_slowly(*arguments):
        stored = insert(*arguments)
        table.touch()
        return stored

    monkeypatch.setattr(usage_store, "_insert_rows", insert_slowly)
    ((failed, reason),) = load(warehouse, landing).failed
    assert failed == f"usage/clinic/{name}"
    assert "changed while it was read" in reason
    assert rows(warehouse, "event_id") == [("b",)]


def _unread(warehouse):
    return [
        name
        for (name,) in warehouse.execute(
            "select source_file from raw.failed_usage_files"
        ).fetchall()
    ]
