"""Who reads which of the served tables, and which rows of them (HP-12)."""

import pytest
from postgres import OWNER, Server
from served import denied, home, people, publish, server

from orchestration.access_roles import CUSTOMER_READER, CUSTOMER_ROWS, ROLES
from orchestration.errors import BillingError
from orchestration.home import Home
from orchestration.postgres_tables import held_grants, wanted_grants

__all__ = ["home", "people", "server"]  # fixtures


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
