"""Whose patient a usage row is about, and when it may be kept (HP-6)."""

import gzip
from datetime import date

import duckdb
import pytest
from usage_landing import (
    FULL,
    HEADER,
    contract_tables,
    land,
    load,
    rows,
    seed,
    token,
    unreadable,
)

from orchestration.errors import BillingError

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


def test_patients_of_a_facility_that_becomes_another_customers_go_with_it_HP_3(
    warehouse, landing
):
    hill = "insert into raw.baas values ('hill', '2026-01-01', null)"
    warehouse.execute(hill)
    land(landing, "clinic/a.csv", f"{HEADER}\ne1,encounter,0042,p,2026-05-01\n")
    land(landing, "clinic/b.csv", f"{HEADER}\ne2,encounter,hilltop,p,2026-05-01\n")
    encounters = "Id,START,PATIENT,ORGANIZATION,ENCOUNTERCLASS,CODE\n"
    land(landing, "lab/encounters.csv", f"{encounters}v,2026-05-01,p,south,amb,1\n")
    procedures = "START,PATIENT,ENCOUNTER,CODE\n"
    land(landing, "lab/procedures.csv", f"{procedures}2026-05-01,p,v,7\n")
    load(warehouse, landing)
    assert set(rows(warehouse, "patient_token", "event_id <> 'e2'")) == {
        (token("lakeside", "p"),)
    }
    # South and 0042, which is its name in one feed, are sold to Hill.
    warehouse.execute(
        "update raw.facilities set customer_id = 'hill' where facility_id = 'south'"
    )
    assert load(warehouse, landing).files_read == 3
    assert set(rows(warehouse, "patient_token")) == {(token("hill", "p"),)}
    assert load(warehouse, landing).files_read == 0
    # Who owns it now has no agreement: nothing of the patient is kept.
    warehouse.execute("delete from raw.baas where customer_id = 'lakeside'")
    warehouse.execute(
        "update raw.facilities set customer_id = 'lakeside' where facility_id = 'south'"
    )
    load(warehouse, landing)
    assert set(rows(warehouse, "patient_token", "event_id <> 'e2'")) == {(None,)}


def test_another_token_key_is_refused(warehouse, landing):
    land(landing, "clinic/a.csv", f"{HEADER}\ne1,encounter,north,p,2026-05-01\n")
    load(warehouse, landing)
    with pytest.raises(BillingError, match="token key"):
        load(warehouse, landing, key="another")


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
