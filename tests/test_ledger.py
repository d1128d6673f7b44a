"""The ledger: appended in one transaction, chained, and asking for what it rests on.

The warehouse is a stand-in here: the drafts are written by the test.
"""

import hashlib
import re
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from orchestration import ledger
from orchestration.errors import BillingError
from orchestration.home import Home
from orchestration.keys import Keys
from orchestration.ledger_chain import FIRST_HASH, canonical_row
from orchestration.ledger_inputs import check_inputs
from orchestration.warehouse import open_files

FEBRUARY, MARCH = date(2026, 2, 1), date(2026, 3, 1)
TABLES = ("invoices", "invoice_lines", "invoice_line_facilities", "issue_inputs")


@pytest.fixture
def book(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A new ledger beside a warehouse in which one contract file was landed."""
    home = Home(tmp_path)
    home.create()
    with open_files(home, Keys.of(home)) as connection:
        ledger.open_ledger(connection)
        connection.execute("""
            create schema billing;
            create table billing.draft_invoices as
                select '' as draft_id, invoice_number as next_number,
                    tax_exempt as is_tax_exempt, columns(* exclude (
                        issue_no, invoice_number, tax_exempt, issued_at,
                        previous_hash, content_hash))
                from ledger.book.invoices;
            create table billing.draft_lines as
                select '' as draft_id, reverses as is_reversal,
                    columns(* exclude (invoice_number, reverses))
                from ledger.book.invoice_lines;
            create table billing.draft_line_facilities as
                select '' as draft_id, columns(* exclude (invoice_number))
                from ledger.book.invoice_line_facilities;
            create table billing.unbooked_usage as
                select columns(* exclude (issue_no)) from ledger.book.billed_usage;
            create table billing.unposted_entries as
                select false as is_booked_by_close, columns(* exclude (posting_no))
                from ledger.book.journal_lines;
            create schema raw;
            create table raw.contract_files (source_file varchar, content_hash varchar);
            create table raw.usage_files (
                feed varchar, file_id varchar, source_file varchar);
            create table raw.usage_file_names (
                feed varchar, file_id varchar, source_file varchar);
            create table raw.contract_rows (
                table_name varchar, row_key varchar, contract_id varchar,
                digest varchar, is_known boolean, source_file varchar, line integer);
            create table raw.held_contracts (contract_id varchar);
            create table raw.rejected_rows (source_file varchar, line integer);
            insert into raw.contract_files values ('contracts/customers.csv', 'c1');
            insert into raw.usage_files values ('ehr', 'u1', 'usage/ehr/january.csv');
            insert into raw.contract_rows values
                ('contract_lines', 'fee|2026-01-01', 'K1', 'r1', true,
                    'contracts/contract_lines.csv', 2),
                ('amendments', 'later', 'K1', 'r2', false,
                    'contracts/amendments.csv', 2);
        """)
        yield connection


def draft(
    book: duckdb.DuckDBPyConnection, *numbers: str | None, name: str = "North"
) -> None:
    """Drafts in place of those before, each of a line of 10.00 shared by two."""
    for table in ("invoices", "lines", "line_facilities"):
        book.execute(f"delete from billing.draft_{table}")
    for place, number in enumerate(numbers):
        values = {
            "draft_id": f"draft {place}",
            "next_number": number,
            "is_tax_exempt": True,
            "document_type": "invoice",
            "customer_id": "north",
            "customer_name": name,
            "bill_to_address": "1 Main Street\nOmaha",
            "seller_name": "Seller",
            "invoice_group": "K1",
            "currency": "USD",
            "invoice_date": FEBRUARY,
            "due_date": MARCH,
            "payment_terms_days": 28,
            "total": Decimal("10"),
        }
        insert(book, "draft_invoices", values)
        line = {
            "draft_id": f"draft {place}",
            "is_reversal": False,
            "line_number": 1,
            "charge_key": "fee|2026-01",
            "contract_id": "K1",
            "line_type": "recurring",
            "is_adjustment": False,
            "description": "Platform",
            "service_start": date(2026, 1, 1),
            "service_end": date(2026, 1, 31),
            "quantity": Decimal(2),
            "unit_price": Decimal("5"),
            "amount": Decimal("10"),
        }
        insert(book, "draft_lines", line)
        for facility in ("f2", "f1"):
            share = {
                "draft_id": f"draft {place}",
                "line_number": 1,
                "facility_id": facility,
                "quantity": Decimal(1),
                "amount": Decimal(5),
            }
            insert(book, "draft_line_facilities", share)


def insert(book: duckdb.DuckDBPyConnection, table: str, values: dict) -> None:
    marks = ", ".join("?" * len(values))
    book.execute(
        f"insert into billing.{table} ({', '.join(values)}) values ({marks})",
        list(values.values()),
    )


def counts(book: duckdb.DuckDBPyConnection) -> dict[str, int]:
    return {
        table: book.execute(f"select count(*) from ledger.book.{table}").fetchone()[0]
        for table in (*TABLES, "issues")
    }


def issue(
    book: duckdb.DuckDBPyConnection, through: date = FEBRUARY, accepted: tuple = ()
) -> ledger.Issue | None:
    return ledger.append_issue(book, through, through, accepted)


def test_an_issue_books_header_lines_shares_and_usage(
    book: duckdb.DuckDBPyConnection,
) -> None:
    draft(book, "INV-2026-000001", "INV-2026-000002", None)
    book.execute(
        "insert into billing.unbooked_usage values ('enc', 'f1', '2026-01-05', 3)"
    )
    made = issue(book)
    assert made is not None
    assert made.invoices == ["INV-2026-000001", "INV-2026-000002"]
    assert ledger.last_issue(book) == made
    assert ledger.closed_through(book) == FEBRUARY
    after = counts(book)
    assert (after["invoices"], after["invoice_lines"]) == (2, 2)
    assert after["invoice_line_facilities"] == 4
    assert book.execute("from ledger.book.billed_usage").fetchall() == [
        (1, "enc", "f1", date(2026, 1, 5), Decimal("3.0000"))
    ]
    assert book.execute(
        "select distinct issued_at from ledger.book.invoices"
    ).fetchall() == [(FEBRUARY,)]


def test_issuing_again_appends_nothing(book: duckdb.DuckDBPyConnection) -> None:
    draft(book, "INV-2026-000001")
    issue(book)
    draft(book, None)
    before = counts(book)
    assert issue(book) is None
    assert counts(book) == before


def test_a_later_day_without_documents_is_closed_too(
    book: duckdb.DuckDBPyConnection,
) -> None:
    draft(book, "INV-2026-000001")
    first = issue(book)
    draft(book)
    second = issue(book, MARCH)
    assert first is not None and second is not None
    assert second.invoices == []
    assert second.head != first.head
    assert ledger.closed_through(book) == MARCH
    assert counts(book)["invoices"] == 1


def test_an_auditor_can_recompute_a_content_hash_A5(
    book: duckdb.DuckDBPyConnection,
) -> None:
    draft(book, "INV-2026-000001", "INV-2026-000002")
    issue(book)
    first, second = book.execute(
        "select content_hash from ledger.book.invoices order by invoice_number"
    ).fetchall()
    rows = [
        "{number}\tinvoice\tnorth\tNorth\t\t\t1 Main Street\\nOmaha\ttrue\tSeller\t\t\t"
        "\tK1\tUSD\t2026-02-01\t2026-03-01\t28\t\t10.00\t2026-02-01\n",
        "{number}\t1\tfee|2026-01\tK1\t\t\t\t\trecurring\tfalse\tfalse\tPlatform\t"
        "2026-01-01\t2026-01-31\t\t\t\t2.0000\t\t\t5.00000000\t\t10.00\t\n",
        "{number}\t1\tf1\t\t1.0000\t5.00\n",
        "{number}\t1\tf2\t\t1.0000\t5.00\n",
    ]
    text = "".join(rows)
    own = hashlib.sha256(
        (text.format(number="INV-2026-000001") + "0" * 64).encode()
    ).hexdigest()
    assert first == (own,)
    following = text.format(number="INV-2026-000002") + own
    assert second == (hashlib.sha256(following.encode()).hexdigest(),)


def test_each_issue_is_chained_to_the_one_before(
    book: duckdb.DuckDBPyConnection,
) -> None:
    draft(book, "INV-2026-000001")
    issue(book)
    draft(book, "INV-2026-000002")
    issue(book, MARCH)
    issues = book.execute(
        "select previous_hash, hash from ledger.book.issues order by issue_no"
    ).fetchall()
    assert issues[0][0] == FIRST_HASH
    assert issues[1][0] == issues[0][1]
    invoices = book.execute(
        "select previous_hash, content_hash from ledger.book.invoices "
        "order by invoice_number"
    ).fetchall()
    assert invoices[1][0] == invoices[0][1]


@pytest.mark.parametrize(
    "numbers", [("INV-2026-000002",), ("INV-2026-000001", "INV-2026-000003")]
)
def test_a_gap_in_numbers_issues_nothing_A4(
    book: duckdb.DuckDBPyConnection, numbers: tuple[str, ...]
) -> None:
    draft(book, *numbers)
    with pytest.raises(BillingError, match="nothing was issued"):
        issue(book)
    assert set(counts(book).values()) == {0}


def test_what_fails_half_way_leaves_nothing(book: duckdb.DuckDBPyConnection) -> None:
    draft(book, "INV-2026-000001")
    book.execute("drop table billing.unbooked_usage")
    with pytest.raises(duckdb.CatalogException):
        issue(book)
    assert set(counts(book).values()) == {0}


def test_rows_that_look_alike_have_different_text() -> None:
    rows = [("a\tb", None), ("a", "b"), ("a\\tb", None), ("a\nb", None), ("a b", None)]
    assert len({canonical_row(row) for row in rows}) == len(rows)


def test_a_ledger_of_a_newer_program_is_refused(
    book: duckdb.DuckDBPyConnection,
) -> None:
    book.execute("insert into ledger.book.schema_version values (99)")
    with pytest.raises(BillingError, match="schema version 99"):
        ledger.open_ledger(book)


def test_nothing_is_missing_before_the_first_issue_C8(
    book: duckdb.DuckDBPyConnection,
) -> None:
    book.execute("delete from raw.contract_files; delete from raw.usage_files")
    check_inputs(book, [])


@pytest.mark.parametrize(
    ("gone", "name"),
    [
        ("delete from raw.contract_files", "contracts/customers.csv"),
        ("delete from raw.usage_files", "usage/ehr/january.csv"),
        (
            "delete from raw.contract_rows where table_name = 'contract_lines'",
            "contract_lines fee|2026-01-01",
        ),
    ],
)
def test_what_an_issue_rests_on_must_be_there_or_accepted_C8(
    book: duckdb.DuckDBPyConnection, gone: str, name: str
) -> None:
    draft(book, "INV-2026-000001")
    issue(book)
    check_inputs(book, [])
    book.execute(gone)
    with pytest.raises(BillingError) as stopped:
        check_inputs(book, [])
    assert f'--accept-missing "{name}"' in stopped.value.told()
    # Logs call a usage file by its feed and hash: its name may tell of a patient.
    is_usage = name.startswith("usage/")
    assert ("january" in str(stopped.value)) is False
    accepted = re.search('--accept-missing "(.*)"', str(stopped.value))[1]
    assert (accepted == name) is not is_usage
    # Accepted by either name it is booked as gone, and not asked for again.
    check_inputs(book, [name])
    check_inputs(book, [accepted])
    draft(book, "INV-2026-000002")
    issue(book, MARCH, (accepted,))
    check_inputs(book, [])


def test_what_was_renamed_or_changed_is_not_gone_C8(
    book: duckdb.DuckDBPyConnection,
) -> None:
    draft(book, "INV-2026-000001")
    issue(book)
    book.execute("""
        update raw.contract_files set source_file = 'contracts/customers/a.csv';
        update raw.usage_files set source_file = 'usage/ehr/2026-01.csv';
        update raw.contract_rows set digest = 'other', is_known = false;
    """)
    check_inputs(book, [])
    book.execute(
        "update raw.contract_files set source_file = 'contracts/customers.csv'"
    )
    book.execute("update raw.contract_files set content_hash = 'c2'")
    check_inputs(book, [])
    # Another file was known by the content that its name has now.
    book.execute("""
        insert into raw.usage_files values ('ehr', 'u2', 'usage/ehr/empty.csv');
        insert into raw.usage_file_names values ('ehr', 'u2', 'usage/ehr/january.csv');
        delete from raw.usage_files where file_id = 'u1';
    """)
    check_inputs(book, [])


def test_a_row_not_known_yet_is_no_input_C8(book: duckdb.DuckDBPyConnection) -> None:
    draft(book, "INV-2026-000001")
    issue(book)
    book.execute("delete from raw.contract_rows where table_name = 'amendments'")
    check_inputs(book, [])


def test_the_rows_of_a_held_contract_are_not_gone_C8(
    book: duckdb.DuckDBPyConnection,
) -> None:
    draft(book, "INV-2026-000001")
    issue(book)
    book.execute("delete from raw.contract_rows where contract_id = 'K1'")
    book.execute("insert into raw.held_contracts values ('K1')")
    check_inputs(book, [])


def test_no_issue_rests_on_a_rejected_row_C8(book: duckdb.DuckDBPyConnection) -> None:
    """A facility that was rejected for its id is mended by another one."""
    book.execute("""
        insert into raw.contract_rows values
            ('facilities', 'n!', null, 'r3', true, 'contracts/facilities.csv', 2),
            ('facilities', 'n2', null, 'r4', true, 'contracts/facilities.csv', 3);
        insert into raw.rejected_rows values ('contracts/facilities.csv', 2);
    """)
    draft(book, "INV-2026-000001")
    issue(book)
    book.execute("delete from raw.rejected_rows")
    book.execute("update raw.contract_rows set row_key = 'n1' where row_key = 'n!'")
    check_inputs(book, [])
    book.execute("delete from raw.contract_rows where row_key = 'n2'")
    with pytest.raises(BillingError, match="gone: facilities n2"):
        check_inputs(book, [])


def test_inputs_are_booked_only_when_new_or_changed(
    book: duckdb.DuckDBPyConnection,
) -> None:
    draft(book, "INV-2026-000001")
    issue(book)
    kinds = dict(
        book.execute(
            "select kind, count(*) from ledger.book.issue_inputs group by kind"
        ).fetchall()
    )
    assert kinds["contract_file"] == kinds["usage_file"] == kinds["contract_row"] == 1
    assert kinds["seed"] > 1 and kinds["model"] > 10
    before = counts(book)["issue_inputs"]
    # The file was sent again, longer; both contents are in the warehouse.
    book.execute(
        "insert into raw.usage_files values ('ehr', 'u2', 'usage/ehr/january.csv')"
    )
    for number, through in (("2", MARCH), ("3", date(2026, 4, 1))):
        draft(book, f"INV-2026-00000{number}")
        issue(book, through)
    assert counts(book)["issue_inputs"] == before + 1


def test_code_that_was_changed_back_is_booked_again(
    book: duckdb.DuckDBPyConnection,
) -> None:
    for number, digest in enumerate(("c1", "c2", "c1"), start=1):
        book.execute("update raw.contract_files set content_hash = $1", [digest])
        draft(book, f"INV-2026-00000{number}")
        issue(book, date(2026, number, 1))
    assert book.execute(
        "select digest from ledger.book.issue_inputs where kind = 'contract_file' "
        "order by issue_no"
    ).fetchall() == [("c1",), ("c2",), ("c1",)]
