"""Each check of the whole book (dbt's data tests) has a fault that it finds.

The faults are put into a copy of the shared book, one at a time, and taken back.
"""

import re
import shutil
from collections.abc import Iterator

import duckdb
import pytest
from conftest import BilledBook

from orchestration import dbt_project
from orchestration.home import Home
from orchestration.keys import Keys
from orchestration.warehouse import open_files

BILLING, FINANCE = "warehouse.billing", "warehouse.finance"
BOOK, QUALITY = "ledger.book", "warehouse.quality"
ONE_CENT = "amount = amount + 0.01"


def changed(table: str, what: str, where: str = "true") -> str:
    """SQL that changes the first row of a table."""
    return (
        f"update {table} set {what} "
        f"where rowid = (select min(rowid) from {table} where {where})"
    )


def of_late(table: str, what: str = ONE_CENT) -> str:
    """SQL that changes the first row of `late`, a contract that is not held."""
    return changed(table, what, "contract_id = 'late'")


# Of checks that compare, by name; what is found where rows are copied is below.
FAULTS = {
    "balances_tie_to_the_journal": (
        of_late(f"{FINANCE}.contract_balances", "deferred_closing = 1000000"),
        # Their difference stays what it is.
        of_late(
            f"{FINANCE}.contract_balances",
            "deferred_closing = deferred_closing + 1, "
            "unbilled_closing = unbilled_closing + 1",
        ),
        f"delete from {FINANCE}.contract_balances where contract_id = 'late'",
    ),
    "booked_and_drafted_make_what_is_due": (
        of_late(f"{BILLING}.charges"),
        of_late(f"{BILLING}.charges", "quantity = quantity + 1"),
    ),
    "entries_balance": (
        changed(f"{BOOK}.journal_lines", "debit = debit + 0.01"),
        changed(f"{BOOK}.journal_lines", "currency = 'CHF'"),
        changed(f"{BOOK}.journal_lines", "account = '9999'"),
    ),
    "invoice_numbers_have_no_gaps": (
        changed(f"{BOOK}.invoices", "invoice_number = 'INV-2026-000000'"),
        changed(f"{BOOK}.invoices", "invoice_number = 'INV-2026-999999'"),
        # One stands twice: as many documents as the last number says, and one is gone.
        changed(
            f"{BOOK}.invoices",
            "invoice_number = 'INV-2026-000003'",
            "invoice_number = 'INV-2026-000002'",
        ),
    ),
    "receipts_are_applied_or_left": (
        changed(f"{FINANCE}.applications", ONE_CENT, "kind = 'payment'"),
        changed(f"{FINANCE}.applications", "currency = 'CHF'", "kind = 'payment'"),
        changed(f"{FINANCE}.applications", ONE_CENT, "kind = 'credit_memo'"),
        changed(f"{FINANCE}.invoices", "balance = -0.01", "subtotal > 0"),
        changed(f"{FINANCE}.invoices", "balance = subtotal + 0.01", "subtotal > 0"),
        changed(f"{FINANCE}.invoices", "balance = 0.01", "subtotal < 0"),
        changed(f"{FINANCE}.invoices", "balance = subtotal - 0.01", "subtotal < 0"),
    ),
    "receivables_tie_to_the_journal": (
        changed(f"{FINANCE}.invoices", "balance = balance + 0.01", "status <> 'draft'"),
        changed(f"{BOOK}.journal_lines", "debit = debit + 0.01", "kind = 'payment'"),
        changed(
            f"{FINANCE}.applications",
            ONE_CENT,
            "kind <> 'credit_memo' and invoice_number is null",
        ),
    ),
    "reconciles_attributed_usage": (
        changed("warehouse.restricted.attributed_usage", "events = events + 1"),
    ),
    "reconciles_int_due_revenue": (changed(f"{BILLING}.int_due_revenue", ONE_CENT),),
    "reconciles_int_usage_tiers": (
        changed(f"{BILLING}.int_usage_tiers", "quantity = quantity + 0.0001"),
    ),
    "reconciles_int_usage_units": (
        changed(f"{BILLING}.int_usage_units", "units = units + 0.0001"),
    ),
    "reconciles_invoices": (
        changed(f"{FINANCE}.invoices", "subtotal = subtotal + 0.01"),
        changed(f"{BOOK}.invoice_lines", ONE_CENT),
    ),
    "reconciles_usage_charges": (
        changed(f"{BILLING}.usage_charges", "quantity = quantity + 0.0001"),
    ),
    "scheduled_and_posted_make_what_is_due": (
        of_late(f"{FINANCE}.revenue_schedule"),
        of_late(f"{BILLING}.charges"),
    ),
    "shares_make_the_line": (
        changed(f"{BOOK}.invoice_line_facilities", ONE_CENT),
        f"delete from {BOOK}.invoice_line_facilities",
    ),
    "usage_rows_are_accounted_for": (
        changed(f"{QUALITY}.intake_files", "unreadable = unreadable + 1"),
        changed(f"{QUALITY}.usage_outcomes", "rows = rows + 1"),
        f"delete from {QUALITY}.usage_outcomes",
    ),
}


@pytest.fixture(scope="module")
def connection(
    billed_book: BilledBook, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[duckdb.DuckDBPyConnection]:
    home = Home(tmp_path_factory.mktemp("checks") / "home")
    shutil.copytree(billed_book.home, home.path)
    with open_files(home, Keys.of(home)) as connection:
        yield connection


@pytest.fixture(scope="module")
def checks(billed_book: BilledBook) -> dict[str, str]:
    """The SQL of each check by its name; of those with arguments by its first words."""
    home = Home(billed_book.home)
    Keys.of(home).hand_to_dbt(home)
    from dbt.cli.main import dbtRunner

    arguments = ["compile", "--no-write-json", "--select", "test_type:data"]
    with home.lock("compile"):
        runner = dbtRunner(manifest=dbt_project.manifest())
        results = dbt_project._invoke(runner, arguments, None).result.results
    return {
        re.sub(
            r"_(file|line|invoice)_id__.*|_charge_key__.*", "", r.node.name
        ): r.node.compiled_code
        for r in results
    }


def found(connection: duckdb.DuckDBPyConnection, check: str) -> list[tuple]:
    return connection.execute(check).fetchall()


def test_every_check_has_a_fault_that_it_finds(checks: dict[str, str]) -> None:
    assert set(FAULTS) == {n for n in checks if not n.endswith("_keys_are_unique")}


def test_the_book_passes_every_check(connection, checks) -> None:
    assert {name for name, check in checks.items() if found(connection, check)} == set()


@pytest.mark.parametrize(
    ("name", "fault"), [(name, fault) for name, of in FAULTS.items() for fault in of]
)
def test_a_fault_is_found(connection, checks, name: str, fault: str) -> None:
    connection.execute("begin")
    try:
        ((rows,),) = found(connection, fault)
        assert rows > 0
        assert found(connection, checks[name]) != []
    finally:
        connection.execute("rollback")


def test_a_row_that_stands_twice_is_found(connection, checks) -> None:
    copied = set()
    for name, check in checks.items():
        if not name.endswith("_keys_are_unique"):
            continue
        for model, table in re.findall(r"'(\w+)' as model.*?from (\S+)", check, re.S):
            twice = f"(from {table} union all (from {table} limit 1))"
            with_copy = check.replace(f"from {table}\n", f"from {twice}\n")
            if found(connection, f"select count(*) from {table}") != [(0,)]:
                assert found(connection, with_copy) == [(model, 2)]
                copied.add(model)
    assert len(copied) > 40
