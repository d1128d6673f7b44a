"""Usage landed for tests of the intake, and a warehouse with the tables it needs."""

import hashlib
import hmac
from datetime import date
from pathlib import Path

import duckdb
import pytest

from orchestration import usage_feeds, usage_intake

AS_OF = date(2026, 6, 30)
KEY = "a key for tests"
HEADER = "event_id,event_type,facility,patient_id,occurred_at"
FULL = f"{HEADER},received_at,quantity,status,class,code"


@pytest.fixture(name="landing")
def usage_landing_directory(tmp_path, monkeypatch):
    monkeypatch.setattr(usage_feeds, "read_seed", lambda name: [])
    (tmp_path / "landing" / "usage").mkdir(parents=True)
    return tmp_path / "landing"


@pytest.fixture(name="warehouse")
def usage_warehouse():
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
    monkeypatch.setattr(usage_feeds, "read_seed", lambda name: [sent])


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
    """A patient's token, made without the project."""
    own = hmac.new(key.encode(), customer.encode(), hashlib.sha256).digest()
    return hmac.new(own, patient.encode(), hashlib.sha256).hexdigest()
