"""What a row of a usage file says; expectations worked by hand."""

import gzip
import hashlib
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest
from usage_landing import (
    FULL,
    HEADER,
    KEY,
    land,
    load,
    rows,
    seed,
    token,
    unreadable,
)

from orchestration.tokens import token_key_id


def test_an_event_is_kept_with_its_types_and_a_token(warehouse, landing):
    path = land(
        landing,
        "clinic/may.csv",
        f"{FULL},patient_name\n"
        "e1,procedure,0042,p-7,2026-05-31T23:30:00-05:00,2026-06-01T08:00:00+02:00,"
        "2.5,cancelled,AMB,99284,Ada\n"
        "e2,encounter,north,,2026-05-30,,,,,,Bob\n",
    )
    intake = load(warehouse, landing)
    file_id = hashlib.sha256(path.read_bytes()).hexdigest()
    assert rows(warehouse, "* exclude (event_hash, encounter_hash, is_repeated)") == [
        ("clinic", file_id, 2, "e1", "procedure", "0042", None)
        + (token("lakeside", "p-7"), token_key_id(KEY), False, date(2026, 5, 31))
        + (datetime(2026, 6, 1, 6), Decimal("2.5"), "cancelled", "AMB", "99284")
        + (date(2026, 5, 1),),
        ("clinic", file_id, 3, "e2", "encounter", "north", None, None, None, False)
        + (date(2026, 5, 30), None, Decimal(1), "final", None, None)
        + (date(2026, 5, 1),),
    ]
    assert warehouse.execute("from raw.usage_files").fetchall() == [
        ("clinic", file_id, "usage/clinic/may.csv", "events", True, 2, 0, None)
    ]
    assert (intake.files_read, intake.rows_read, intake.unreadable) == (1, 2, 0)
    assert intake.failed == intake.warnings == []


@pytest.mark.parametrize("how", ["csv", "csv.gz", "parquet"])
def test_the_same_rows_from_every_kind_of_file(warehouse, landing, how):
    text = f"{FULL}\ne1,encounter,north,p,2026-05-01T10:00:00Z,2026-05-02,3,,AMB,1\n"
    path = land(landing, f"clinic/a.{how}", gzip.compress(text.encode()))
    if how == "csv":
        path.write_text(text)
    if how == "parquet":
        values = [line.split(",") for line in text.splitlines()]
        columns = dict(zip(values[0], [[value] for value in values[1]], strict=True))
        pyarrow.parquet.write_table(pyarrow.table(columns), path)
    load(warehouse, landing)
    kept = "line, event_id, patient_token, service_date, received_at, quantity, status"
    assert rows(warehouse, kept) == [
        (1 if how == "parquet" else 2, "e1", token("lakeside", "p"), date(2026, 5, 1))
        + (datetime(2026, 5, 2), Decimal(3), "final")
    ]


@pytest.mark.parametrize("column", ["event_id", "event_type", "facility", "patient_id"])
def test_a_value_of_more_than_a_thousand_bytes_is_unreadable(
    warehouse, landing, column
):
    names = HEADER.split(",")
    row = dict(
        zip(names, ("e1", "encounter", "north", "p-7", "2026-05-01"), strict=True)
    )
    longest = row | {column: "é" * 500}
    longer = row | {"event_id": "e2", column: "é" * 500 + "x"}
    lines = [HEADER, *(",".join(one.values()) for one in (longest, longer))]
    land(landing, "clinic/a.csv", "\n".join(lines) + "\n")
    assert load(warehouse, landing).unreadable == 1
    assert rows(warehouse, "line") == [(2,)]
    assert unreadable(warehouse) == [(3, column, "has more than 1,000 bytes")]


def test_parquet_of_own_types(warehouse, landing):
    path = land(landing, "clinic/a.parquet", b"")
    warehouse.execute(f"""
        copy (
            select 7 as event_id, 'encounter' as event_type, 'north' as facility,
                12 as patient_id, timestamptz '2026-06-01 02:00:00+00' as occurred_at,
                timestamp '2026-06-02 05:00:00' as received_at,
                2.5::decimal(38, 9) as quantity
            union all
            select null, 'encounter', 'north', 13, null, null, 0
        ) to '{path}'""")
    assert load(warehouse, landing).unreadable == 1
    kept = "line, event_id, patient_token, service_date, received_at, quantity"
    assert rows(warehouse, kept) == [
        (1, "7", token("lakeside", "12"), date(2026, 6, 1))
        + (datetime(2026, 6, 2, 5), Decimal("2.5"))
    ]
    assert unreadable(warehouse) == [(2, "event_id", "is empty")]


def test_parquet_files_are_told_apart_though_they_are_read_together(
    warehouse, landing, monkeypatch
):
    # Two are alike and read by one statement, one has another column. Of names that
    # would be patterns, each is itself; a landing directory may be named from here.
    names = ("a1.parquet", "a[1].parquet", "b*.parquet")
    for name in names:
        path = land(landing, f"clinic/{name}", b"")
        more = ", 'EMER' as class" if name.startswith("b") else ""
        warehouse.execute(f"""
            copy (
                select '{name}' || number as event_id, 'encounter' as event_type,
                    'north' as facility, 'p' as patient_id,
                    date '2026-05-01' as occurred_at,
                    quantities[number]::decimal(18, 4) as quantity {more}
                from range(1, 6) as numbers(number),
                    (select [2.5, 0, -1, null, 1000000000] as quantities)
            ) to '{path}'""")
    monkeypatch.chdir(landing.parent)
    assert load(warehouse, Path(landing.name)).failed == []
    # Empty is one; nothing, less and a billion are no quantity.
    quantities = (Decimal("2.5"), None, None, Decimal(1), None)
    stored = warehouse.execute(
        "select source_file, line, event_id, quantity, class "
        "from restricted.usage_rows join raw.usage_files using (feed, file_id) "
        "order by all"
    ).fetchall()
    assert stored == [
        (f"usage/clinic/{name}", line, f"{name}{line}", quantity, kind)
        for name, kind in zip(names, (None, None, "EMER"), strict=True)
        for line, quantity in enumerate(quantities, start=1)
    ]


def test_names_of_columns_of_parquet(warehouse, landing):
    sent = {
        "event_id": ["e1"],
        "event_type": ["encounter"],
        "facility": ["north"],
        "occurred_at": ["2026-05-01"],
    }
    others = {"event_id": "other", "Facility": "south", "status": "final"}
    for name, more in {
        "fine": {"landed_path": ["x"], "s": [others], "x": ["x"], "X": ["x"]},
        "repeated": {"s": [others], "Event_ID ": ["e2"]},
        "ordinal": {"File_Row_Number": [1]},
    }.items():
        path = land(landing, f"clinic/{name}.parquet", b"")
        pyarrow.parquet.write_table(pyarrow.table(sent | more), path)
    assert dict(load(warehouse, landing).failed) == {
        "usage/clinic/ordinal.parquet": "has a column file_row_number, a name that the "
        "database keeps for itself; leave it out or rename it",
        "usage/clinic/repeated.parquet": "has the column event_id more than once; "
        "keep the right one",
    }
    assert rows(warehouse, "event_id, facility") == [("e1", "north")]


DAYS = [
    ("2026-03-31", date(2026, 3, 31)),
    (" 2026-03-31 ", date(2026, 3, 31)),
    ("2026-03-31T23:30:00-05:00", date(2026, 3, 31)),
    ("2026-03-31T23:30-05:00", date(2026, 3, 31)),
    ("2026-03-31 23:30:00.123456+0530", date(2026, 3, 31)),
    ("2026-03-31T23:59:59Z", date(2026, 3, 31)),
    ("2026-02-30", None),
    ("2026-02-30T10:00:00Z", None),
    ("2026-03-31Tnoon", None),
    ("31.03.2026", None),
    ("infinity", None),
    ("0000-01-01", None),
    ("-001-01-01", None),
    ("\t-01-01-01", None),
    ("-001-01-01T10:00:00Z", None),
    ("0002-01-01 10:00:00 (BC)", None),
    ("0001-01-01", date(1, 1, 1)),
    ("9999-12-31T23:00:00Z", date(9999, 12, 31)),
    ("", None),
]


def each(warehouse, landing, column, cases, header=HEADER, row="{}"):
    """Load one event per case and compare a column of it, by the case's text."""
    sent = [
        f"{n},encounter,north,,{row.format(text)}" for n, (text, _) in enumerate(cases)
    ]
    land(landing, "clinic/a.csv", "\n".join([header, *sent]))
    load(warehouse, landing)
    found = dict(rows(warehouse, f"cast(event_id as integer), {column}"))
    assert {text: found[n] for n, (text, _) in enumerate(cases)} == dict(cases)


def test_date_of_service_is_the_date_written(warehouse, landing):
    each(warehouse, landing, "service_date", DAYS)


DAYS_IN_CHICAGO = [
    ("2026-04-01T03:00:00Z", date(2026, 3, 31)),  # 22:00 in Chicago
    ("2026-04-01T03:00+00:00", date(2026, 3, 31)),
    ("2026-04-01T05:00:00Z", date(2026, 4, 1)),
    ("2026-04-01T03:00:00+09:00", date(2026, 4, 1)),  # an offset of its own
    ("2026-04-01T03:00:00", date(2026, 4, 1)),
    ("2026-04-01", date(2026, 4, 1)),
    ("0001-01-01T03:00:00Z", None),  # the year before the first
    ("-001-01-01T03:00:00Z", None),
]


def test_a_feed_in_utc_is_taken_to_its_time_zone(warehouse, landing, monkeypatch):
    seed(monkeypatch, time_zone="America/Chicago")
    each(warehouse, landing, "service_date", DAYS_IN_CHICAGO)


MARKS = [
    ("2026-05-01T10:00:00-05:00", datetime(2026, 5, 1, 15)),
    ("2026-05-01T10:00-05:00", datetime(2026, 5, 1, 15)),
    ("2026-05-01T10:00:00Z", datetime(2026, 5, 1, 10)),
    ("2026-05-01 10:00:00", datetime(2026, 5, 1, 10)),
    ("2026-05-01", datetime(2026, 5, 1)),
    ("yesterday", None),
    ("0000-01-01", None),
    ("-001-01-01", None),
    ("-001-01-01T10:00:00Z", None),
    ("-001-01-01T10:00:00+02:00", None),
    ("0002-01-01 10:00:00 (BC)", None),
    ("0001-01-01T00:00:00+02:00", None),  # 22:00 of the year before
    ("9999-12-31T23:00:00-05:00", None),
    ("0001-01-01T00:00:00Z", datetime(1, 1, 1)),
    ("", None),
]


def test_mark_of_receipt_is_utc(warehouse, landing):
    header = f"{HEADER},received_at"
    each(warehouse, landing, "received_at", MARKS, header, "2026-05-01,{}")


QUANTITIES = [
    ("", 1),
    ("3", 3),
    ("0.0001", Decimal("0.0001")),
    ("1.2500", Decimal("1.25")),
    ("2.000000000", 2),
    ("1.250000001", None),
    ("0", None),
    ("-1", None),
    ("1.00001", None),
    ("1e3", None),
    ("two", None),
    ("999999999.9999", Decimal("999999999.9999")),
    ("1000000000", None),
    ("99999999999999", None),
    ("999999999999999", None),
]


def test_quantity_is_a_plain_decimal_above_0_and_below_a_billion(warehouse, landing):
    header = f"{HEADER},quantity"
    each(warehouse, landing, "quantity", QUANTITIES, header, "2026-05-01,{}")


def test_rows_that_cannot_be_read_are_counted_with_their_place(warehouse, landing):
    land(
        landing,
        "clinic/a.csv",
        f"{HEADER},status\n".encode()
        + b"e2,encounter,north,,2026-05-01,final\n"
        + b",encounter,north,secret,2026-05-01,final\n"
        + b"e4,,north,secret,2026-05-01,final\n"
        + b"e5,encounter,north,secret,2026-05-01,planned\n"
        + b"e6,encounter,north,secret,2026-05-01\n"
        + b"e7,encounter,north,secret,sec,ret,2026-05-01\n"
        + b"e8,encounter,north,secr\xe9t,2026-05-01,final\n"
        + b"\n"
        + b'e10,encounter,"north" x,secret,2026-05-01,final\n'
        + b"e11,encounter,north,,2026-05-01,\n",
    )
    intake = load(warehouse, landing)
    assert rows(warehouse, "line, event_id") == [(2, "e2"), (11, "e11")]
    assert unreadable(warehouse) == [
        (3, "event_id", "is empty"),
        (4, "event_type", "is empty"),
        (5, "status", "is neither final nor cancelled"),
        (6, None, "the line has fewer fields than the header"),
        (7, None, "the line has more fields than the header"),
        (8, None, "the line is not UTF-8"),
        (10, None, "the line has a quote that is neither doubled nor closes its field"),
    ]
    assert (intake.rows_read, intake.unreadable) == (9, 7)


def test_lines_are_exact_with_quoted_line_ends_and_stray_quotes(warehouse, landing):
    header = f"{HEADER},note"
    tail = ",encounter,north,,2026-05-01,"
    land(
        landing,
        "clinic/a.csv",
        f'{header}\ne2{tail}"two\nlines, ""quoted"""\n'
        f"e4{tail}x\n\ne6,short\ne7{tail}\n",
    )
    land(landing, "clinic/b.csv", f'{header}\r\nf2{tail}6" tall\r\nf3{tail}\r\n')
    assert load(warehouse, landing).failed == []
    kept = "event_id, line"
    assert rows(warehouse, kept, "event_id like 'e%'") == [
        ("e2", 2),
        ("e4", 4),
        ("e7", 7),
    ]
    assert rows(warehouse, kept, "event_id like 'f%'") == [("f2", 2), ("f3", 3)]
    assert [line for line, _, _ in unreadable(warehouse)] == [6]
