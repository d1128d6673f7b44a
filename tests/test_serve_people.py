"""Who may log in to what is served, from when to when; the review of it (HP-12)."""

from datetime import date
from pathlib import Path

import psycopg
import pytest
from postgres import OWNER, Server
from served import (
    ODD,
    PEOPLE,
    TODAY,
    home,
    people,
    publication,
    publish,
    server,
)

from orchestration.access_report import access_report
from orchestration.audit import AuditLog
from orchestration.errors import BillingError
from orchestration.home import Home

__all__ = ["home", "people", "server"]  # fixtures


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


def test_who_has_the_rights_of_the_publisher_is_no_reader(
    home: Home, server: Server
) -> None:
    """HP-12: at whatever remove, it would read every customer's rows."""
    publish(home, server)
    count = "select count(*) from finance.invoices"
    with server.connect("postgres") as connection:
        connection.execute(
            f"create role bi_team nologin; grant {OWNER} to bi_team; "
            "grant bi_team to lake"
        )
    assert server.rows("lake", count) == [(3,)]  # the door
    with pytest.raises(BillingError, match=f"lake has the rights of {OWNER} and"):
        publish(home, server)
    with server.connect("postgres") as connection:
        connection.execute("revoke bi_team from lake")
    publish(home, server)
    assert server.rows("lake", count) == [(1,)]


def test_the_last_day_there_is_has_no_day_after(
    home: Home, server: Server, people: Path
) -> None:
    """Lists of people often write an open end as 9999-12-31."""
    people.write_text(PEOPLE.replace("2026-12-31", "9999-12-31"))
    publish(home, server, date(2999, 1, 1))
    assert server.rows("rae", "select 1") == [(1,)]
    valid = "select rolvaliduntil::text from pg_roles where rolname = 'rae'"
    assert server.rows("postgres", valid) == [("infinity",)]


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
