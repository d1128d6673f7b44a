"""The publication: whole or not at all, and no reader is disturbed."""

import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from orchestration.errors import BillingError
from orchestration.home import Home
from orchestration.keys import Keys
from orchestration.publish import publish
from orchestration.warehouse import open_files

# Publishes in a process of its own that may write files of so many bytes only.
PUBLISH_IN_LITTLE_ROOM = """
import resource, sys
from orchestration.errors import BillingError
from orchestration.home import Home
from orchestration.keys import Keys
from orchestration.publish import publish
from orchestration.warehouse import open_files
home = Home(sys.argv[1])
with open_files(home, Keys.of(home)) as connection:
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
    try:
        publish(connection, home)
    except BillingError as error:
        print(error)
"""


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path / "home")
    made.create()
    return made


@pytest.fixture
def warehouse(home: Home) -> Iterator[duckdb.DuckDBPyConnection]:
    with open_files(home, Keys.of(home)) as connection:
        connection.execute("""
            create schema finance;
            create schema quality;
            create schema restricted;
            create table finance.invoices as
                select i as invoice_id, cast(i as decimal(18, 2)) as total
                from range(1000) as rows (i) order by i desc;
            create view quality.rejected_rows as select 1 as line, 'why' as reason;
            create table restricted.usage_rows as select 'token' as patient_token;
        """)
        yield connection


def published(home: Home, sql: str) -> list[tuple]:
    with duckdb.connect(str(home.publication), read_only=True) as connection:
        return connection.execute(sql).fetchall()


def test_every_public_table_and_view_and_nothing_else(
    home: Home, warehouse: duckdb.DuckDBPyConnection
) -> None:
    rows = publish(warehouse, home)
    assert rows == {"finance.invoices": 1000, "quality.rejected_rows": 1}
    assert published(
        home,
        "select table_schema, table_name, table_type from information_schema.tables "
        "order by all",
    ) == [
        ("finance", "invoices", "BASE TABLE"),
        ("quality", "rejected_rows", "BASE TABLE"),
    ]
    assert published(home, "select sum(total) from finance.invoices") == [(499500,)]
    # Whoever opens a table sees it in order.
    first = "select invoice_id from finance.invoices limit 2"
    assert published(home, first) == [(0,), (1,)]
    # As docs/interfaces.md says to those who read it with a client of their own.
    assert published(
        home,
        "select tags['storage_version'] from duckdb_databases() "
        "where database_name = 'billing'",
    ) == [("v1.3.0+",)]
    assert stat.S_IMODE(home.publication.stat().st_mode) == 0o600
    assert [path.name for path in home.published.iterdir()] == ["billing.duckdb"]


def test_a_reader_keeps_the_old_file_and_the_next_sees_the_new(
    home: Home, warehouse: duckdb.DuckDBPyConnection
) -> None:
    publish(warehouse, home)
    reader = (
        "import duckdb, sys\n"
        "connection = duckdb.connect(sys.argv[1], read_only=True)\n"
        "for _ in sys.stdin:\n"
        "    sql = 'select count(*) from finance.invoices'\n"
        "    print(connection.execute(sql).fetchone()[0], flush=True)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", reader, str(home.publication)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:

        def asked() -> str:
            process.stdin.write("\n")
            process.stdin.flush()
            return process.stdout.readline().strip()

        assert asked() == "1000"
        warehouse.execute("delete from finance.invoices where invoice_id >= 10")
        publish(warehouse, home)
        assert asked() == "1000"
        process.stdin.close()
    assert published(home, "select count(*) from finance.invoices") == [(10,)]


@pytest.mark.parametrize("size", [10_000, 300_000])
def test_without_room_the_old_publication_stays(
    home: Home, warehouse: duckdb.DuckDBPyConnection, size: int
) -> None:
    publish(warehouse, home)
    before = home.publication.read_bytes()
    warehouse.execute("""
        create or replace table finance.invoices as
        select i as invoice_id, md5(cast(i as varchar)) as content_hash
        from range(100000) as rows (i);
        checkpoint warehouse
    """)
    warehouse.close()
    told = subprocess.run(
        [sys.executable, "-c", PUBLISH_IN_LITTLE_ROOM, str(home.path), str(size)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "what was published before is still there" in told.stdout
    assert home.publication.read_bytes() == before
    assert [path.name for path in home.published.iterdir()] == ["billing.duckdb"]


def test_what_a_crash_left_is_cleared_away(
    home: Home, warehouse: duckdb.DuckDBPyConnection
) -> None:
    (home.published / ".billing.duckdb.new").write_bytes(b"half")
    (home.published / ".billing.duckdb.new.wal").write_bytes(b"half")
    publish(warehouse, home)
    assert [path.name for path in home.published.iterdir()] == ["billing.duckdb"]


def test_a_view_that_breaks_stops_the_publication(
    home: Home, warehouse: duckdb.DuckDBPyConnection
) -> None:
    publish(warehouse, home)
    before = home.publication.read_bytes()
    warehouse.execute(
        "create view finance.lines as select cast(line as date) as day "
        "from quality.rejected_rows"
    )
    with pytest.raises(BillingError, match=r"finance\.lines"):
        publish(warehouse, home)
    assert home.publication.read_bytes() == before
    # The connection goes on: nothing is left attached.
    warehouse.execute("drop view finance.lines")
    publish(warehouse, home)
