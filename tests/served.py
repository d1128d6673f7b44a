"""A small publication served from PostgreSQL, for tests of `billing publish --to`.

Fixtures are imported by the modules of tests that want them.
"""

from datetime import date
from pathlib import Path

import duckdb
import psycopg
import pytest
from postgres import OWNER, Server

from orchestration import access_list, serve
from orchestration.audit import AuditLog
from orchestration.home import Home

TODAY = date(2026, 4, 1)
PEOPLE = """\
person,role,customer,from,through,approved_by
fay,finance_reader,,2026-01-01,,cfo
cole,collections,,2026-01-01,,cfo
rae,revenue_accountant,,2026-01-01,2026-12-31,cfo
audrey,auditor,,2026-01-01,,cfo
lake,customer_reader,lakeside,2026-01-01,,cfo
"o'hara ""x""; drop table finance.invoices",finance_reader,,2026-01-01,,cfo
late,finance_reader,,2026-05-01,,cfo
gone,finance_reader,,2025-01-01,2026-03-31,cfo
"""
ODD = 'o\'hara "x"; drop table finance.invoices'


@pytest.fixture
def server(postgres_server: Server) -> Server:
    """With an empty database, and without people."""
    with postgres_server.connect("postgres") as connection:
        connection.execute(
            "select pg_terminate_backend(pid, 1000) from pg_stat_activity "
            "where pid <> pg_backend_pid() and backend_type = 'client backend'"
        )
    with postgres_server.connect("postgres") as connection:
        for schema in ("finance", "quality", "compliance", "access", "bi"):
            connection.execute(f"drop schema if exists {schema} cascade")
        roles = connection.execute(
            "select quote_ident(rolname) from pg_roles "
            "where oid >= 16384 and rolname <> %s",
            [OWNER],
        ).fetchall()
        for (role,) in roles:
            connection.execute(f"drop owned by {role}; drop role {role}")
    return postgres_server


@pytest.fixture
def people(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The list in force; tests write it anew."""
    seeds = tmp_path / "seeds"
    seeds.mkdir()
    monkeypatch.setattr(access_list, "SEEDS_DIR", seeds)
    path = seeds / "access.csv"
    path.write_text(PEOPLE)
    return path


@pytest.fixture
def home(tmp_path: Path, people: Path) -> Home:
    made = Home(tmp_path / "home")
    made.create()
    publication(made, 1)
    AuditLog(made.audit).append("run", "landing")
    return made


def publication(home: Home, total: int, more: str = "") -> None:
    """A small publication; `total` is the amount of each of two issued invoices."""
    home.publication.unlink(missing_ok=True)
    with duckdb.connect(str(home.publication)) as connection:
        connection.execute(f"""
            create schema finance;
            create schema quality;
            create table finance.invoices as select * from (values
                ('I1', 'I1', 'open', 'lakeside', {total}.01::decimal(18, 2)),
                ('I2', 'I2', 'open', 'hillside', {total}.01::decimal(18, 2)),
                ('D3', null, 'draft', 'lakeside', 5.00::decimal(18, 2))
            ) as rows (invoice_id, invoice_number, status, customer_id, total);
            create table finance.invoice_lines as select * from (values
                ('I1', 'lake-1', '', {total}.01::decimal(18, 2)),
                ('I2', 'hill-1', null, {total}.01::decimal(18, 2)),
                ('D3', 'lake-2', 'x', 5.00::decimal(18, 2))
            ) as rows (invoice_id, contract_id, description, amount);
            create table finance.commitment_progress as select * from (values
                ('lake-1', date '2026-01-01'), ('hill-1', date '2026-01-01')
            ) as rows (contract_id, month);
            create table finance.dunning_queue as select 'n1' as notice_id;
            create table finance.journal_entries as select 'e1' as entry_id;
            create table quality.rejected_rows as select 7::integer as line;
            {more}
        """)


def publish(home: Home, server: Server, day: date = TODAY) -> serve.Served:
    return serve.serve(home, server.url, day)


def denied(server: Server, person: str, query: str) -> bool:
    try:
        server.rows(person, query)
    except psycopg.errors.InsufficientPrivilege:
        return True
    return False
