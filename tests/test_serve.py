"""Serving from PostgreSQL: who reads what, over which link, never a half (HP-12)."""

import hashlib
import threading
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import duckdb
import postgres
import psycopg
import pytest
from conftest import BilledBook
from postgres import OWNER, Server, wait_until

from orchestration import access_list, serve
from orchestration.access_report import access_report
from orchestration.access_roles import CUSTOMER_READER, CUSTOMER_ROWS, ROLES
from orchestration.audit import AuditLog
from orchestration.cli import app
from orchestration.errors import BillingError, UsageError
from orchestration.home import Home
from orchestration.postgres_link import Address
from orchestration.postgres_tables import held_grants, wanted_grants

pytestmark = pytest.mark.skipif(
    postgres.why_not() is not None, reason=postgres.why_not() or ""
)
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


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with postgres.running() as started:
        yield started


@pytest.fixture(autouse=True)
def fresh(server: Server) -> None:
    """Each test begins with an empty database and without people."""
    with server.connect("postgres") as connection:
        connection.execute(
            "select pg_terminate_backend(pid, 1000) from pg_stat_activity "
            "where pid <> pg_backend_pid() and backend_type = 'client backend'"
        )
    with server.connect("postgres") as connection:
        for schema in ("finance", "quality", "compliance", "access", "bi"):
            connection.execute(f"drop schema if exists {schema} cascade")
        roles = connection.execute(
            "select quote_ident(rolname) from pg_roles "
            "where oid >= 16384 and rolname <> %s",
            [OWNER],
        ).fetchall()
        for (role,) in roles:
            connection.execute(f"drop owned by {role}; drop role {role}")


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


# Who reads what.


def test_the_grants_are_the_declared_ones_and_no_others(
    home: Home, server: Server
) -> None:
    publish(home, server)
    tables = {
        *("finance.invoices", "finance.invoice_lines", "finance.commitment_progress"),
        *("finance.dunning_queue", "finance.journal_entries"),
        *("quality.rejected_rows", "compliance.audit_log"),
    }
    # By hand, from the declared list: who reads which of the tables there are.
    expected = {
        "finance_reader": tables - {"finance.dunning_queue", "compliance.audit_log"},
        "collections": {
            *("finance.invoices", "finance.invoice_lines", "finance.dunning_queue")
        },
        "revenue_accountant": tables
        - {"finance.dunning_queue", "compliance.audit_log"},
        "auditor": tables,
        "customer_reader": {
            *("finance.invoices", "finance.invoice_lines"),
            "finance.commitment_progress",
        },
    }
    have = server.rows(
        "postgres",
        "select distinct grantee, table_schema || '.' || table_name, privilege_type "
        "from information_schema.role_table_grants where table_schema in "
        "('finance', 'quality', 'compliance') and grantee <> %s",
        OWNER,
    )
    assert set(have) == {
        (role, table, "SELECT") for role, of in expected.items() for table in of
    }
    with server.connect("postgres") as connection:
        assert held_grants(connection) == wanted_grants(tables)


def test_grants_of_others_are_taken_back(home: Home, server: Server) -> None:
    publish(home, server)
    with server.connect(OWNER) as connection:
        connection.execute(
            "grant select on finance.journal_entries to public; "
            "grant update on finance.invoices to cole; "
            "grant select (entry_id) on finance.journal_entries to lake; "
            "grant usage on schema compliance to collections; "
            "grant auditor to fay"
        )
    assert not denied(server, "cole", "select * from finance.journal_entries")  # door
    changes = publish(home, server).people
    assert changes.revoked == [("fay", "auditor")]
    for person in ("cole", "lake"):
        assert denied(server, person, "select entry_id from finance.journal_entries")
    with server.connect("postgres") as connection:
        roles = {role for _, _, role, _ in held_grants(connection)}
    assert roles == set(ROLES)


def test_a_customers_reader_sees_its_own_issued_rows_alone(
    home: Home, server: Server
) -> None:
    publish(home, server)
    assert server.rows("lake", "select invoice_id from finance.invoices") == [("I1",)]
    lines = "select contract_id, description from finance.invoice_lines"
    assert server.rows("lake", lines) == [("lake-1", "")]
    progress = "select contract_id from finance.commitment_progress"
    assert server.rows("lake", progress) == [("lake-1",)]
    assert denied(server, "lake", "select * from quality.rejected_rows")
    assert denied(server, "lake", "select * from finance.journal_entries")
    # The door: the same query as others see it.
    count = "select count(*) from finance.invoices"
    assert server.rows("fay", count) == [(3,)]
    # Nor as the role, which is nobody's customer.
    with server.connect("lake") as connection:
        connection.execute(f"set role {CUSTOMER_READER}")
        assert connection.execute(count).fetchone() == (0,)


def test_row_level_security_is_on_and_forced_everywhere(
    home: Home, server: Server
) -> None:
    publish(home, server)
    rows = server.rows(
        "postgres",
        "select relname, relrowsecurity, relforcerowsecurity from pg_class "
        "where relkind = 'r' and relnamespace::regnamespace::text in "
        "('finance', 'quality', 'compliance', 'access')",
    )
    assert len(rows) == 8
    assert all(enabled and forced for _, enabled, forced in rows)
    # The owner, too, sees rows by its own policy only.
    with server.connect("postgres") as connection:
        (policy,) = connection.execute(
            "select polname from pg_policy where polname like 'publisher%' "
            "and polrelid = 'finance.invoices'::regclass"
        ).fetchone()
        connection.execute(f"drop policy {policy} on finance.invoices")
    assert server.rows(OWNER, "select * from finance.invoices") == []


def test_every_role_with_customer_rows_has_a_rule() -> None:
    assert set(CUSTOMER_ROWS) == set(ROLES[CUSTOMER_READER].tables)


def test_views_run_as_their_caller_or_stop_the_publication(
    home: Home, server: Server
) -> None:
    publish(home, server)
    (options,) = server.rows(
        "postgres",
        "select reloptions from pg_class where oid = 'access.mine'::regclass",
    )[0]
    assert options == ["security_invoker=true"]
    mine = "select role, customer from access.mine"
    assert server.rows("lake", mine) == [("customer_reader", "lakeside")]
    with server.connect(OWNER) as connection:
        connection.execute(
            "create schema bi; grant usage on schema bi to customer_reader; "
            "create view bi.totals as select * from finance.invoices; "
            "grant select on bi.totals to customer_reader"
        )
    assert len(server.rows("lake", "select * from bi.totals")) == 3  # the door
    with pytest.raises(BillingError, match="bi.totals: a view .* runs as its owner"):
        publish(home, server)
    with server.connect(OWNER) as connection:
        connection.execute("alter view bi.totals set (security_invoker = true)")
    publish(home, server)
    assert len(server.rows("lake", "select * from bi.totals")) == 1


# Who comes and goes.


def test_people_come_when_and_while_the_list_says(home: Home, server: Server) -> None:
    served = publish(home, server)
    assert ("late", "finance_reader") not in served.people.granted
    for person in ("late", "gone"):
        with pytest.raises(psycopg.OperationalError, match="does not exist"):
            server.connect(person)
    # From 1 May on: the day itself is in it.
    publish(home, server, date(2026, 5, 1))
    assert server.rows("late", "select 1") == [(1,)]
    # rae's access ends with 31 December: on it yes, the day after no more.
    publish(home, server, date(2026, 12, 31))
    assert server.rows("rae", "select 1") == [(1,)]
    assert publish(home, server, date(2027, 1, 1)).people.left == ["rae"]
    with pytest.raises(psycopg.OperationalError, match="not permitted to log in"):
        server.connect("rae")


def test_a_leavers_open_session_ends(home: Home, server: Server, people: Path) -> None:
    publish(home, server)
    with server.connect("fay") as session, server.connect("cole") as other:
        assert session.execute("select count(*) from finance.invoices").fetchone()
        people.write_text(PEOPLE.replace("fay,", "rae2,"))
        served = publish(home, server)
        assert served.people.left == ["fay"]
        assert served.people.sessions_ended == 1
        with pytest.raises(psycopg.OperationalError):
            session.execute("select 1")
        other.execute("select 1")
    assert ("revoked", [["fay", "finance_reader"]]) in [
        ("revoked", row["detail"]["revoked"])
        for row in AuditLog(home.audit).rows()
        if row["action"] == "access"
    ]


def test_a_role_taken_away_does_not_live_on_in_an_open_session(
    home: Home, server: Server, people: Path
) -> None:
    people.write_text(PEOPLE + "fay,auditor,,2026-01-01,,cfo\n")
    publish(home, server)
    with server.connect("fay") as session:
        session.execute("set role auditor")
        people.write_text(PEOPLE)
        publish(home, server)
        with pytest.raises(psycopg.OperationalError):
            session.execute("select * from compliance.audit_log")
    assert server.rows("fay", "select count(*) from finance.invoices") == [(3,)]


def test_who_left_is_out_even_if_the_tables_cannot_be_served(
    home: Home, server: Server, people: Path
) -> None:
    publish(home, server)
    people.write_text(PEOPLE.replace("fay,", "rae2,"))
    publication(home, 2, "create table finance.prices as select 1.5::double as price")
    with pytest.raises(BillingError, match="finance.prices.price is DOUBLE"):
        publish(home, server)
    with pytest.raises(psycopg.OperationalError):
        server.connect("fay")
    total = "select distinct total::text from finance.invoices where status = 'open'"
    assert server.rows("cole", total) == [("1.01",)]


def test_who_comes_back_can_log_in(home: Home, server: Server, people: Path) -> None:
    publish(home, server)
    people.write_text(PEOPLE.replace("fay,", "rae2,"))
    publish(home, server)
    people.write_text(PEOPLE)
    publish(home, server)
    assert server.rows("fay", "select 1") == [(1,)]


def test_a_name_is_quoted_whatever_is_in_it(home: Home, server: Server) -> None:
    publish(home, server)
    assert server.rows(ODD, "select count(*) from finance.invoices") == [(3,)]


def test_sessions_have_limits(home: Home, server: Server) -> None:
    publish(home, server)
    shown = {
        name: server.rows("lake", f"show {name}")[0][0]
        for name in (
            "statement_timeout",
            "idle_in_transaction_session_timeout",
            "idle_session_timeout",
            "default_transaction_read_only",
        )
    }
    assert shown == {
        "statement_timeout": "1min",
        "idle_in_transaction_session_timeout": "1min",
        "idle_session_timeout": "15min",
        "default_transaction_read_only": "on",
    }
    with server.connect("postgres") as connection:
        connection.execute("alter role lake set statement_timeout = '50ms'")
    with pytest.raises(psycopg.errors.QueryCanceled):
        server.rows("lake", "select pg_sleep(5)")
    # What somebody set otherwise is set again.
    publish(home, server)
    assert server.rows("lake", "show statement_timeout") == [("1min",)]


def test_a_superuser_is_no_reader(home: Home, server: Server, people: Path) -> None:
    people.write_text(PEOPLE + "postgres,finance_reader,,2026-01-01,,cfo\n")
    with pytest.raises(BillingError, match="postgres has super"):
        publish(home, server)
    assert server.rows("postgres", "select 1 from pg_roles where rolname = 'fay'") == []


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("x,owner,,2026-01-01,,cfo", "line 2, role 'owner' is none of auditor"),
        ("x,auditor,,2026-13-01,,cfo", "line 2, from '2026-13-01' is no day"),
        ("x,auditor,,2026-02-01,2026-01-01,cfo", "line 2, through .* is before from"),
        ("x,auditor,,2026-01-01,,x", "line 2, approved_by 'x' approves its own"),
        ("x,auditor,,2026-01-01,,", "line 2, approved_by '' is required"),
        ("x,auditor,lakeside,2026-01-01,,cfo", "line 2, customer 'lakeside' belongs"),
        ("x,customer_reader,,2026-01-01,,cfo", "line 2, customer '' belongs"),
        ("auditor,auditor,,2026-01-01,,cfo", "line 2, person 'auditor' is the name"),
        ("pg_x,auditor,,2026-01-01,,cfo", "line 2, person 'pg_x' is the name"),
        ("x" * 64 + ",auditor,,2026-01-01,,cfo", "line 2, person .* is no name of"),
        ("x,auditor,,2026-01-01", "line 2, through '' is not there"),
    ],
)
def test_a_list_that_is_wrong_changes_nothing(
    home: Home, server: Server, people: Path, row: str, why: str
) -> None:
    people.write_text(PEOPLE.splitlines()[0] + f"\n{row}\n")
    with pytest.raises(BillingError, match=why):
        publish(home, server)
    assert server.rows("postgres", "select 1 from pg_roles where rolname = 'x'") == []


def test_the_review_names_people_roles_and_what_differs(
    home: Home, server: Server
) -> None:
    publish(home, server)
    text = access_report(home, TODAY, server.url)
    assert "people and grants are those of the lists" in text
    (gone,) = [line for line in text.splitlines() if line.startswith("gone ")]
    assert gone.split() == [
        *("gone", "finance_reader", "-", "2025-01-01", "2026-03-31", "cfo", "ended")
    ]
    (lake,) = [line for line in text.splitlines() if line.startswith("lake ")]
    assert lake.endswith("active, no end")
    assert f"outside the lists: {OWNER}, postgres" in text
    with server.connect(OWNER) as connection:
        connection.execute(
            "grant auditor to fay; grant select on finance.invoices to public"
        )
    text = access_report(home, TODAY, server.url)
    assert "differs: fay has auditor, not on the list" in text
    assert "differs: public has SELECT on finance.invoices, not declared" in text
    row = list(AuditLog(home.audit).rows())[-1]
    assert (row["action"], row["rows"]) == ("access_report", 8)


# What is served.


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


# Over which link.


@pytest.mark.parametrize("mode", ["disable", "allow", "prefer", "require", "verify-ca"])
def test_a_weaker_link_is_refused_outside_the_machine(
    server: Server, mode: str
) -> None:
    """HP-11. The door: the server itself would take it."""
    url = server.remote_url(f"&sslmode={mode}&sslrootcert={server.certificate}")
    with psycopg.connect(url):
        pass
    with pytest.raises(UsageError, match=f"sslmode={mode} does not verify"):
        Address(url)


def test_outside_the_machine_the_certificate_is_verified(
    home: Home, server: Server
) -> None:
    trusted = server.remote_url(f"&sslrootcert={server.certificate}")
    assert serve.serve(home, trusted, TODAY).rows["finance.invoices"] == 3
    with psycopg.connect(server.remote_url()):
        pass  # The door: not asked, libpq verifies nothing.
    with pytest.raises(BillingError, match="can't be reached: .*certificate"):
        serve.serve(home, server.remote_url("&sslrootcert=/etc/passwd"), TODAY)
    other_name = trusted.replace(postgres.HOST, "other.example")
    with pytest.raises(BillingError, match="can't be reached: .*does not match"):
        serve.serve(home, other_name, TODAY)


@pytest.mark.parametrize(
    ("url", "is_local"),
    [
        ("postgresql://u@localhost/x", True),
        ("postgresql://u@127.0.0.1/x", True),
        ("postgresql://u@[::1]/x", True),
        ("postgresql://u@%2Fvar%2Frun/x", True),
        ("postgresql:///x", True),
        ("postgresql://u@10.0.0.1/x", False),
        ("postgresql://u@localhost.evil.example/x", False),
        ("postgresql://u@localhost/x?hostaddr=10.0.0.1", False),
        ("postgresql://u@localhost,db.example/x", False),
    ],
)
def test_what_counts_as_this_machine(url: str, is_local: bool) -> None:
    assert Address(url).is_local is is_local


def test_the_environment_does_not_say_where_to(
    home: Home, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGHOSTADDR", "192.0.2.1")
    monkeypatch.setenv("PGSSLMODE", "disable")
    with Address(server.url).connect() as connection:
        assert connection.info.hostaddr == "127.0.0.1"


@pytest.mark.parametrize(
    "url",
    [
        "mysql://x",
        "host=x",
        "postgresql://u:secret@h/x?bad=secret",
        "postgresql:///?service=x",
    ],
)
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(UsageError) as refused:
        Address(url)
    assert "secret" not in str(refused.value)


def test_a_password_is_shown_nowhere(
    home: Home, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    url = server.url.replace(f"{OWNER}@", f"{OWNER}:hunter2@")
    app(["publish", "--to", url, "--home", str(home.path)], standalone_mode=False)
    told = capsys.readouterr()
    assert "can be read by everybody on this machine" in told.err
    with pytest.raises(BillingError) as refused:
        serve.serve(home, url.replace(str(server.port), "1"), TODAY)
    for text in (told.out, told.err, str(refused.value), home.audit.read_text()):
        assert "hunter2" not in text


def test_without_a_publication_there_is_nothing_to_serve(
    server: Server, tmp_path: Path, people: Path
) -> None:
    with pytest.raises(BillingError, match="`billing run` publishes it"):
        serve.serve(Home(tmp_path / "none"), server.url)
