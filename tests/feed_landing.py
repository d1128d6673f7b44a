"""A landing directory with feeds, and a warehouse with the tables they need."""

import json
from datetime import date
from pathlib import Path

import duckdb
import pytest
from usage_landing import AS_OF, KEY, land, unreadable

from orchestration import usage_feeds, usage_intake

DATA = Path(__file__).parent / "data"


class Feeds:
    """Feeds landed under a directory and loaded into a database of their own.

    Lakeside owns north and south and has an agreement, Hill owns hilltop without one.
    """

    def __init__(self, landing: Path, database: str = ":memory:") -> None:
        self.landing = landing
        (landing / "usage").mkdir(parents=True, exist_ok=True)
        self.connection = duckdb.connect(database)
        self.connection.execute("""
            create schema raw;
            create table raw.facilities (facility_id varchar, customer_id varchar);
            create table raw.facility_identifiers (
                feed varchar, identifier varchar, facility_id varchar
            );
            create table raw.baas (
                customer_id varchar, effective_on date, ends_on date
            );
            insert into raw.facilities values
                ('north', 'lakeside'), ('south', 'lakeside'), ('hilltop', 'hill');
            insert into raw.baas values ('lakeside', '2025-01-01', null);
        """)

    def land(self, name: str, content: str | bytes) -> Path:
        """Write a file of a feed, e.g. `ehr/Encounter.ndjson`."""
        return land(self.landing, name, content)

    def resources(self, name: str, *resources: dict) -> Path:
        """Write resources as NDJSON."""
        lines = [json.dumps(resource) + "\n" for resource in resources]
        return self.land(name, "".join(lines))

    def load(self, as_of: date = AS_OF) -> usage_intake.UsageIntake:
        return usage_intake.load_usage(self.connection, self.landing, as_of, KEY)

    def rows(self, columns: str, where: str = "true", order: str = "all") -> list:
        return self.connection.execute(
            f"select {columns} from restricted.usage_rows where {where} "
            f"order by {order}"
        ).fetchall()

    def unreadable(self) -> list:
        return unreadable(self.connection)

    def merged(self) -> dict[str, str]:
        """Of each merged token the one it is counted as."""
        return dict(
            self.connection.execute("from restricted.merged_patients").fetchall()
        )

    def sql(self, statement: str) -> list:
        return self.connection.execute(statement).fetchall()


@pytest.fixture(name="feeds")
def feeds_of_no_seed(tmp_path, monkeypatch) -> Feeds:
    monkeypatch.setattr(usage_feeds, "read_seed", lambda name: [])
    return Feeds(tmp_path / "landing")
