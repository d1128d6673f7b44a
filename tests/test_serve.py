"""What is served from PostgreSQL: one publication, never a half, and what is noted."""

import hashlib
import threading
from pathlib import Path

import duckdb
import psycopg
import pytest
from conftest import BilledBook
from postgres import Server, wait_until
from served import denied, home, people, publication, publish, server

from orchestration import postgres_tables, serve
from orchestration.audit import AuditLog
from orchestration.errors import BillingError
from orchestration.home import Home

__all__ = ["home", "people", "server"]  # fixtures


def test_readers_see_all_of_one_publication(home: Home, server: Server) -> None:
    """Two tables agree to the cent in every statement, and in a whole transaction."""
    publish(home, server)
    seen, stop, failed = set(), threading.Event(), []

    def read(isolation: psycopg.IsolationLevel) -> None:
        try:
            with server.connect("fay") as connection:
                connection.isolation_level = isolation
                while not stop.is_set():
                    with connection.transaction():
                        (both,) = connection.execute(
                            "select (select string_agg(distinct total::text, ' ') "
                            "from finance.invoices where status = 'open') || '|' || "
                            "(select string_agg(distinct amount::text, ' ') "
                            "from finance.invoice_lines where invoice_id <> 'D3')"
                        ).fetchone()
                        seen.add(both)
                        if isolation is psycopg.IsolationLevel.REPEATABLE_READ:
                            (again,) = connection.execute(
                                "select string_agg(distinct amount::text, ' ') "
                                "from finance.invoice_lines where invoice_id <> 'D3'"
                            ).fetchone()
                            assert both.endswith(f"|{again}")
        except (psycopg.Error, AssertionError, TypeError) as error:
            failed.append(error)

    levels = psycopg.IsolationLevel
    threads = [
        threading.Thread(target=read, args=(level,))
        for level in (levels.READ_COMMITTED, levels.REPEATABLE_READ)
    ]
    for thread in threads:
        thread.start()
    for total in range(2, 8):
        publication(home, total)
        publish(home, server)
    wait_until(lambda: "7.01|7.01" in seen)
    stop.set()
    for thread in threads:
        thread.join()
    assert failed == []
    assert seen <= {f"{total}.01|{total}.01" for total in range(1, 8)}
    assert len(seen) > 1


def test_a_publication_that_fails_leaves_the_one_before(
    home: Home, server: Server
) -> None:
    publish(home, server)
    publication(home, 2, "create table finance.zeros as select chr(0) as name")
    with pytest.raises(BillingError, match="what was served before is still there"):
        publish(home, server)
    total = "select distinct total::text from finance.invoices where status = 'open'"
    assert server.rows("fay", total) == [("1.01",)]


def test_columns_and_tables_come_and_go(home: Home, server: Server) -> None:
    publish(home, server)
    publication(
        home,
        2,
        "alter table finance.invoices add column currency varchar default 'USD'; "
        "drop table finance.dunning_queue",
    )
    publish(home, server)
    assert server.rows("lake", "select currency from finance.invoices") == [("USD",)]
    with pytest.raises(psycopg.errors.UndefinedTable):
        server.rows("cole", "select * from finance.dunning_queue")


def test_the_audit_log_is_there_for_the_auditor(home: Home, server: Server) -> None:
    publish(home, server)
    log = "select seq, action, object, hash from compliance.audit_log order by seq"
    # Whom the publication let in is noted before the tables are served.
    assert server.rows("audrey", log) == [
        (row["seq"], row["action"], row["object"], row["hash"])
        for row in AuditLog(home.audit).rows()
        if row["action"] in ("run", "access")
    ]
    assert denied(server, "fay", log)


def test_it_is_noted_where_to_and_how_much(home: Home, server: Server) -> None:
    """HP-17: to whom, what for, and the hash of what was handed over."""
    served = publish(home, server)
    row = list(AuditLog(home.audit).rows())[-1]
    handed_over = hashlib.sha256(home.publication.read_bytes()).hexdigest()
    assert row["detail"]["sha256"] == handed_over
    assert row["detail"]["purpose"] == "billing"
    assert (row["action"], row["object"]) == ("publish_to", served.address)
    assert row["detail"]["tables"]["finance.invoices"] == 3
    # 3 invoices, 3 lines, 2 of progress, 3 single rows, and the log's 2 by then.
    assert row["rows"] == 13


def test_what_is_served_is_noted_even_if_the_server_is_not_tidied(
    home: Home,
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """HP-17: vacuum comes after the swap, so it can't undo what was handed over."""
    publish(home, server)
    monkeypatch.setattr(serve, "_WAIT", "100ms")
    publication(home, 2)
    with server.connect("postgres") as connection, connection.transaction():
        connection.execute("lock table finance.invoices in share update exclusive mode")
        publish(home, server)
    total = "select distinct total::text from finance.invoices where status = 'open'"
    assert server.rows("fay", total) == [("2.01",)]
    row = list(AuditLog(home.audit).rows())[-1]
    handed_over = hashlib.sha256(home.publication.read_bytes()).hexdigest()
    assert row["detail"]["sha256"] == handed_over
    assert "all is served" in capsys.readouterr().err


def test_the_digest_noted_is_that_of_the_file_served(
    home: Home, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """HP-17: a run may publish meanwhile."""
    handed_over = hashlib.sha256(home.publication.read_bytes()).hexdigest()
    before = home.path / "before.duckdb"
    tables = postgres_tables.make_access_tables

    def another_run_publishes(*arguments: object) -> None:
        home.publication.rename(before)
        home.publication.write_bytes(b"another")
        tables(*arguments)

    monkeypatch.setattr(postgres_tables, "make_access_tables", another_run_publishes)
    publish(home, server)
    row = list(AuditLog(home.audit).rows())[-1]
    assert row["detail"]["sha256"] == handed_over


def test_statements_are_logged(home: Home, server: Server) -> None:
    publish(home, server)
    query = "select invoice_number from finance.invoices where total > 0"
    server.rows("lake", query)
    assert wait_until(
        lambda: any(
            "user=lake" in line and "AUDIT: SESSION" in line and query in line
            for line in server.log().splitlines()
        )
    )


def test_the_real_publication_arrives_to_the_cent(
    billed_book: BilledBook, server: Server, people: Path
) -> None:
    """Every row of every table of the shared book, compared as text."""
    home = Home(billed_book.home)
    served = publish(home, server)
    with (
        duckdb.connect(str(home.publication), read_only=True) as connection,
        server.connect("audrey") as reader,
    ):
        tables = [name for name in served.rows if not name.startswith("compliance.")]
        assert "finance.invoices" in tables
        for table in tables:
            sent = connection.execute(f"from {table}").fetchall()
            have = reader.execute(f"select * from {table}").fetchall()
            assert sorted(map(repr, have)) == sorted(map(repr, sent)), table
