"""Usage from landed files to the restricted schema; expectations worked by hand."""

import gzip
import hashlib
import hmac
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestration import usage_intake, usage_store
from orchestration.errors import BillingError
from orchestration.readers import csv_lines
from orchestration.tokens import token_key_id

AS_OF = date(2026, 6, 30)
KEY = "a key for tests"
HEADER = "event_id,event_type,facility,patient_id,occurred_at"
FULL = f"{HEADER},received_at,quantity,status,class,code"


@pytest.fixture
def landing(tmp_path, monkeypatch):
    monkeypatch.setattr(usage_intake, "read_seed", lambda name: [])
    (tmp_path / "landing" / "usage").mkdir(parents=True)
    return tmp_path / "landing"


@pytest.fixture
def warehouse():
    return contract_tables(duckdb.connect())


def contract_tables(connection):
    """Lakeside has two facilities and an agreement; Hill has none; Old's has ended."""
    connection.execute("""
        create schema raw;
        create table raw.customers (customer_id varchar);
        create table raw.facilities (facility_id varchar, customer_id varchar);
        create table raw.facility_identifiers (
            feed varchar, identifier varchar, facility_id varchar
        );
        create table raw.baas (customer_id varchar, effective_on date, ends_on date);
        insert into raw.customers values ('lakeside'), ('hill'), ('old');
        insert into raw.facilities values
            ('north', 'lakeside'), ('south', 'lakeside'), ('hilltop', 'hill'),
            ('old-town', 'old');
        insert into raw.facility_identifiers values ('clinic', '0042', 'south');
        insert into raw.baas values
            ('lakeside', '2025-01-01', null), ('old', '2025-01-01', '2026-03-31');
    """)
    return connection


def land(landing: Path, name: str, content: str | bytes) -> Path:
    path = landing / "usage" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def seed(monkeypatch, **row):
    sent = {"feed": "clinic", "format": "", "time_zone": "", "has_phi": ""} | row
    monkeypatch.setattr(usage_intake, "read_seed", lambda name: [sent])


def load(warehouse, landing, as_of=AS_OF, key=KEY):
    return usage_intake.load_usage(warehouse, landing, as_of, key)


def rows(warehouse, columns, where="true"):
    return warehouse.execute(
        f"select {columns} from restricted.usage_rows where {where} "
        "order by feed, file_id, line"
    ).fetchall()


def unreadable(warehouse):
    return warehouse.execute(
        "select line, column_name, reason from raw.unreadable_usage_rows "
        "order by source_file, line"
    ).fetchall()


def token(customer: str, patient: str, key: str = KEY) -> str:
    own = hmac.new(key.encode(), customer.encode(), hashlib.sha256).digest()
    return hmac.new(own, patient.encode(), hashlib.sha256).hexdigest()


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
    assert rows(warehouse, "* exclude (event_hash, encounter_hash)") == [
        ("clinic", file_id, 2, "e1", "procedure", "0042", None)
        + (token("lakeside", "p-7"), token_key_id(KEY), False, date(2026, 5, 31))
        + (datetime(2026, 6, 1, 6), Decimal("2.5"), "cancelled", "AMB", "99284")
        + (date(2026, 5, 1),),
        ("clinic", file_id, 3, "e2", "encounter", "north", None, None, None, False)
        + (date(2026, 5, 30), None, Decimal(1), "final", None, None)
        + (date(2026, 5, 1),),
    ]
    assert warehouse.execute("from raw.usage_files").fetchall() == [
        ("clinic", file_id, "usage/clinic/may.csv", "events", True, 2, 0)
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


def test_parquet_of_own_types(warehouse, landing):
    path = land(landing, "clinic/a.parquet", b"")
    warehouse.execute(f"""
        copy (
            select 7 as event_id, 'encounter' as event_type, 'north' as facility,
                12 as patient_id, timestamptz '2026-06-01 02:00:00+00' as occurred_at,
                timestamp '2026-06-02 05:00:00' as received_at, 2 as quantity
            union all
            select null, 'encounter', 'north', 13, null, null, 0
        ) to '{path}'""")
    assert load(warehouse, landing).unreadable == 1
    kept = "line, event_id, patient_token, service_date, received_at, quantity"
    assert rows(warehouse, kept) == [
        (1, "7", token("lakeside", "12"), date(2026, 6, 1))
        + (datetime(2026, 6, 2, 5), Decimal(2))
    ]
    assert unreadable(warehouse) == [(2, "event_id", "is empty")]


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
    ("0", None),
    ("-1", None),
    ("1.00001", None),
    ("1e3", None),
    ("two", None),
    ("999999999999999", None),
]


def test_quantity_is_a_plain_decimal_above_0(warehouse, landing):
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


BROKEN = {
    "no header": (b"", "is empty"),
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
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_fails_by_name_and_the_others_go_on(warehouse, landing, name):
    content, reason = BROKEN[name]
    land(landing, "clinic/a.csv", content)
    land(landing, "clinic/b.csv", f"{HEADER}\ne1,encounter,north,,2026-05-01\n")
    intake = load(warehouse, landing)
    assert [failed for failed, _ in intake.failed] == ["usage/clinic/a.csv"]
    assert reason in intake.failed[0][1]
    assert rows(warehouse, "event_id") == [("e1",)]
    assert len(warehouse.execute("from raw.usage_files").fetchall()) == 1


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


def promise(landing, name, content):
    digest = hashlib.sha256(content.encode()).hexdigest()
    land(landing, f"{name}.sha256", f"{digest}  {name}\n")


def test_a_file_cut_off_is_read_when_it_is_what_was_promised(warehouse, landing):
    whole = (
        f"{HEADER}\ne1,encounter,north,,2026-05-01\ne2,encounter,north,,2026-05-02\n"
    )
    promise(landing, "clinic/a.csv", whole)
    # Cut off at the end of a line, it is a sound file by itself.
    land(landing, "clinic/a.csv", whole[: whole.index("e2")])
    land(landing, "clinic/b.csv", f"{HEADER}\ne3,encounter,north,,2026-05-01\n")
    intake = load(warehouse, landing)
    ((name, reason),) = intake.failed
    assert name == "usage/clinic/a.csv"
    assert ".sha256 file beside it promises" in reason
    assert intake.warnings == []
    assert rows(warehouse, "event_id") == [("e3",)]
    ((feed, file, kept),) = warehouse.execute(
        "select feed, source_file, reason from raw.failed_usage_files"
    ).fetchall()
    assert (feed, file, kept) == ("clinic", "usage/clinic/a.csv", reason)
    land(landing, "clinic/a.csv", whole)
    assert load(warehouse, landing).failed == []
    assert sorted(rows(warehouse, "event_id")) == [("e1",), ("e2",), ("e3",)]
    assert warehouse.execute("from raw.failed_usage_files").fetchall() == []


def test_a_promise_that_is_no_hash_lets_nothing_in(warehouse, landing):
    land(landing, "clinic/a.csv", f"{HEADER}\ne1,encounter,north,,2026-05-01\n")
    land(landing, "clinic/a.csv.sha256", "\n")
    ((name, _),) = load(warehouse, landing).failed
    assert name == "usage/clinic/a.csv"


def test_a_file_that_is_written_to_while_it_is_read_is_left_out(
    warehouse, landing, monkeypatch
):
    land(landing, "clinic/a.csv", f"{HEADER}\ne1,encounter,north,,2026-05-01\n")
    store = usage_store.store

    def write_then_store(*arguments):
        with (landing / "usage" / "clinic" / "a.csv").open("a") as file:
            file.write("e2,encounter,north,,2026-05-01\n")
        return store(*arguments)

    monkeypatch.setattr(usage_store, "store", write_then_store)
    ((name, reason),) = load(warehouse, landing).failed
    assert (name, "while it was read" in reason) == ("usage/clinic/a.csv", True)
    assert rows(warehouse, "event_id") == []
    monkeypatch.undo()
    monkeypatch.setattr(usage_intake, "read_seed", lambda name: [])
    assert load(warehouse, landing).failed == []
    assert rows(warehouse, "event_id") == [("e1",), ("e2",)]


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


def test_header_only_is_fine(warehouse, landing):
    land(landing, "clinic/a.csv", HEADER)
    assert load(warehouse, landing).failed == []
    assert warehouse.execute("select rows_read from raw.usage_files").fetchall() == [
        (0,)
    ]


ENCOUNTERS = "Id,START,STOP,PATIENT,ORGANIZATION,PROVIDER,ENCOUNTERCLASS,CODE"


def test_synthea_of_a_late_generation(warehouse, landing):
    land(
        landing,
        "clinic/encounters.csv",
        f"{ENCOUNTERS}\nv1,2026-05-01T09:00:00Z,,p,south,doc,wellness,410\n",
    )
    land(
        landing,
        "clinic/procedures.csv.gz",
        gzip.compress(
            b"START,STOP,PATIENT,ENCOUNTER,CODE,DESCRIPTION,BASE_COST\n"
            b"2026-05-02T09:00:00Z,,p,v1,430,Talk,1.00\n"
            b"2026-05-02T09:00:00Z,,p,v1,430,Talk,1.00\n"
            b"2026-05-02T09:00:00Z,,p,v9,430,Talk,1.00\n"
            b"2026-05-02T09:00:00Z,,p,v1,,Talk,1.00\n"
        ),
    )
    land(landing, "clinic/patients.csv", 'Id,SSN\np,"999')  # never opened: it is broken
    assert load(warehouse, landing).failed == []
    own = token("lakeside", "p")
    procedure = "v1|430|2026-05-02T09:00:00Z"
    kept = "event_type, event_id, facility, encounter_id, patient_token, class, code"
    assert sorted(rows(warehouse, f"{kept}, is_patient_withheld"), key=str) == [
        ("encounter", "v1", "south", None, own, "wellness", "410", False),
        ("procedure", procedure, None, "v1", own, None, "430", False),
        ("procedure", procedure, None, "v1", own, None, "430", False),
        (
            "procedure",
            procedure.replace("v1", "v9"),
            None,
            "v9",
            None,
            None,
            "430",
            True,
        ),
    ]
    assert unreadable(warehouse) == [(5, "CODE", "is empty")]


def test_synthea_of_an_early_generation(warehouse, landing):
    encounters = "Id,START,STOP,PATIENT,PROVIDER,ENCOUNTERCLASS,CODE\n"
    land(
        landing, "clinic/encounters.csv", f"{encounters}v1,2018-05-01,,p,south,amb,4\n"
    )
    land(
        landing,
        "clinic/procedures.csv",
        "DATE,PATIENT,ENCOUNTER,CODE,DESCRIPTION,BASE_COST\n2018-05-01,p,v1,430,Talk,1\n",
    )
    assert load(warehouse, landing).failed == []
    assert sorted(rows(warehouse, "event_id, facility, service_date")) == [
        ("v1", "south", date(2018, 5, 1)),
        ("v1|430|2018-05-01", None, date(2018, 5, 1)),
    ]


def test_procedures_that_come_before_their_encounters_get_their_patient(
    warehouse, landing
):
    land(
        landing,
        "clinic/procedures.csv",
        "START,PATIENT,ENCOUNTER,CODE\n2026-05-02,p,v1,430\n",
    )
    load(warehouse, landing)
    assert rows(warehouse, "patient_token, is_patient_withheld") == [(None, True)]
    land(
        landing,
        "clinic/encounters.csv",
        f"{ENCOUNTERS}\nv1,2026-05-01,,q,south,d,amb,4\n",
    )
    load(warehouse, landing)
    assert rows(warehouse, "patient_token", "event_type = 'procedure'") == [
        (token("lakeside", "p"),)
    ]


# Old's agreement ended on 2026-03-31; it counts if in force on any day from receipt on.
WITHHELD = {
    "unknown facility": ("nowhere", "2026-03-01", "", True),
    "no facility": ("", "2026-03-01", "", True),
    "no agreement": ("hilltop", "2026-03-01", "", True),
    "agreement": ("north", "2026-03-01", "", False),
    "identifier of the feed": ("0042", "2026-03-01", "", False),
    "received on its last day": (
        "old-town",
        "2026-03-01",
        "2026-03-31T23:59:59Z",
        False,
    ),
    "received after its end": ("old-town", "2026-03-01", "2026-04-01", True),
    "no mark, dated before its end": ("old-town", "2026-03-31", "", False),
    "no mark, dated after its end": ("old-town", "2026-04-01", "", True),
}


def test_no_patient_without_customer_and_agreement_HP_6(warehouse, landing):
    sent = [
        f'"{name}",encounter,{facility},p,{day},{mark}'
        for name, (facility, day, mark, _) in WITHHELD.items()
    ]
    land(landing, "clinic/a.csv", "\n".join([f"{HEADER},received_at", *sent]))
    load(warehouse, landing)
    kept = "event_id, is_patient_withheld, patient_token is null, token_key is null"
    assert {name: found for name, *found in rows(warehouse, kept)} == {
        name: [case[-1]] * 3 for name, case in WITHHELD.items()
    }


def test_received_after_the_as_of_day_is_judged_on_that_day(warehouse, landing):
    header = f"{HEADER},received_at"
    row = "e,encounter,old-town,p,2026-03-01,2026-05-01"
    land(landing, "clinic/a.csv", f"{header}\n{row}\n")
    load(warehouse, landing, as_of=date(2026, 3, 31))
    assert rows(warehouse, "is_patient_withheld") == [(False,)]


def test_a_feed_without_phi_needs_a_customer_but_no_agreement(
    warehouse, landing, monkeypatch
):
    seed(monkeypatch, has_phi="false")
    land(
        landing,
        "clinic/a.csv",
        f"{HEADER}\ne1,encounter,hilltop,p,2026-05-01\ne2,encounter,x,p,2026-05-01\n",
    )
    load(warehouse, landing)
    assert rows(warehouse, "patient_token, is_patient_withheld") == [
        (token("hill", "p"), False),
        (None, True),
    ]


def test_a_known_file_is_not_read_again_and_may_be_renamed(warehouse, landing):
    path = land(landing, "clinic/a.csv", f"{HEADER}\ne1,encounter,north,p,2026-05-01\n")
    land(landing, "clinic/z.csv", path.read_bytes())
    intake = load(warehouse, landing)
    assert (intake.files_read, intake.rows_read) == (1, 1)  # the same content is one
    intake = load(warehouse, landing)
    assert (intake.files_read, intake.files_known, intake.rows_read) == (0, 1, 0)
    path.rename(path.with_name("b.csv"))
    load(warehouse, landing)
    assert warehouse.execute("select source_file from raw.usage_files").fetchall() == [
        ("usage/clinic/b.csv",)
    ]
    assert rows(warehouse, "event_id") == [("e1",)]


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


def test_what_replaces_a_file_but_cannot_be_read_leaves_the_old_rows(
    warehouse, landing
):
    land(landing, "clinic/a.csv", f"{HEADER}\ne1,encounter,north,p,2026-05-01\n")
    load(warehouse, landing)
    land(landing, "clinic/a.csv", f'{HEADER}\ne2,"\ne3,x\n')
    assert len(load(warehouse, landing).failed) == 1
    assert rows(warehouse, "event_id") == [("e1",)]


def test_mended_files_are_read_again_and_others_are_not(warehouse, landing):
    land(landing, "clinic/a.csv", f"{HEADER}\ne1,encounter,hilltop,p,2026-05-01\n")
    land(landing, "clinic/b.csv", f"{HEADER}\ne2,encounter,nowhere,p,2026-05-01\n")
    load(warehouse, landing)
    assert load(warehouse, landing).files_read == 0
    warehouse.execute("insert into raw.baas values ('hill', '2026-06-01', null)")
    intake = load(warehouse, landing)
    assert (intake.files_read, intake.files_known) == (1, 1)
    warehouse.execute(
        "insert into raw.facility_identifiers values ('clinic', 'nowhere', 'north')"
    )
    assert load(warehouse, landing).files_read == 1
    assert sorted(rows(warehouse, "event_id, patient_token, is_patient_withheld")) == [
        ("e1", token("hill", "p"), False),
        ("e2", token("lakeside", "p"), False),
    ]
    fresh = contract_tables(duckdb.connect())
    fresh.execute("insert into raw.baas values ('hill', '2026-06-01', null)")
    fresh.execute(
        "insert into raw.facility_identifiers values ('clinic', 'nowhere', 'north')"
    )
    load(fresh, landing)
    assert rows(fresh, "*") == rows(warehouse, "*")


def test_a_feed_that_proves_free_of_phi_is_read_again(warehouse, landing, monkeypatch):
    land(landing, "clinic/a.csv", f"{HEADER}\ne1,encounter,hilltop,p,2026-05-01\n")
    load(warehouse, landing)
    seed(monkeypatch, has_phi="false")
    assert load(warehouse, landing).files_read == 1
    assert rows(warehouse, "patient_token") == [(token("hill", "p"),)]
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


def test_another_token_key_is_refused(warehouse, landing):
    land(landing, "clinic/a.csv", f"{HEADER}\ne1,encounter,north,p,2026-05-01\n")
    load(warehouse, landing)
    with pytest.raises(BillingError, match="token key"):
        load(warehouse, landing, key="another")


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


CANARY = "CANARY"


def test_no_patient_value_is_stored_HP_1_HP_2_HP_3(tmp_path, landing):
    """Patient identifiers planted in every column, broken line and broken file."""
    extra = f"{FULL},patient_name,mrn"
    filler = [
        f"e{n},encounter,north,{CANARY}{n},2026-05-01,,,,,,{CANARY},{CANARY}"
        for n in range(3000)
    ]
    land(
        landing,
        "clinic/a.csv",
        "\n".join(
            [
                extra,
                *filler,
                f"x1,encounter,hilltop,{CANARY},2026-05-01,,,,,,{CANARY},{CANARY}",
                f"x2,encounter,north,{CANARY},{CANARY},{CANARY},{CANARY},,,,,",
                f"x3,encounter,north,{CANARY},,,,{CANARY},,,,",
                f",encounter,north,{CANARY},2026-05-01,,,,,,,",
                f"x4,encounter,north,{CANARY}",
                f"x5,encounter,north,{CANARY},2026-05-01,,,,,,,,,{CANARY}",
                f'x6,encounter,north,"{CANARY}" {CANARY},2026-05-01,,,,,,,',
            ]
        ),
    )
    land(landing, "clinic/b.csv", f'{HEADER}\ne,x,y,"{CANARY}\n{CANARY},2026-05-01\n')
    land(landing, "clinic/c.csv", f"{CANARY},x\n{CANARY},y\n")
    land(
        landing,
        "clinic/d.csv",
        f"{HEADER}\ne,encounter,north,{CANARY}é,x\n".encode("latin-1"),
    )
    land(landing, "clinic/e.parquet", CANARY)
    file = tmp_path / "plain.duckdb"
    connection = contract_tables(duckdb.connect(file))
    intake = load(connection, landing)
    assert intake.rows_read == 3000 + 7 + 1
    assert CANARY not in repr(intake)
    # The test can see: event ids and facilities are kept as sent.
    connection.execute("checkpoint")
    tables = connection.execute(
        "select database_name, schema_name, table_name from duckdb_tables()"
    ).fetchall()
    assert {database for database, _, _ in tables} == {"plain"}
    for _, schema, table in tables:
        assert CANARY not in repr(
            connection.execute(f"from {schema}.{table}").fetchall()
        )
    connection.close()
    written = file.read_bytes()
    assert b"hilltop" in written
    assert CANARY.encode() not in written


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
