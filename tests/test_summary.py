"""What a person is told at the end of a run."""

from datetime import date
from pathlib import Path

import duckdb
import pytest

from orchestration import summary
from orchestration.home import Home
from orchestration.summary import print_summary

PUBLISHED = """
    create schema finance;
    create schema quality;
    create table finance.invoices as select 'draft' as status;
    create table quality.usage_outcomes as
        select 'rejected' as outcome, 'no_baa' as reason, 3 as rows;
    create table quality.rejected_rows as select * from (values
        ('contracts/contract_lines.csv', 6, 'contract_id',
            'refers to a rejected row, contracts/contracts.csv line 5; mend it', 'K4'),
        ('contracts/contracts.csv', 5, 'currency', 'is no currency', 'K4'),
        ('contracts/contract_facilities.csv', 2, 'contract_id',
            'refers to a rejected row, contracts/contracts.csv line 4; mend it', 'K3'),
        ('contracts/contracts.csv', 4, 'customer_id',
            'refers to a rejected row, contracts/customers.csv line 3; mend it', 'K3'),
        ('contracts/customers.csv', 3, 'dunning_tier', 'is no tier', null)
    ) as rejected(source_file, line, column_name, reason, contract_id);
"""

# A credit memo that an invoice took whole: nothing is left of it, but it was issued.
ISSUED = """
    create schema finance;
    create schema quality;
    create table finance.invoices as select
        'INV-1' as invoice_id, 'INV-1' as invoice_number, 'paid' as status,
        date '2026-02-01' as invoice_date, 'K' as customer_id, 'Clinic' as
        customer_name, 'K' as invoice_group, 'USD' as currency,
        -490.00 as subtotal, -490.00 as credits, 0.00 as total
        union all select
        'INV-2', 'INV-2', 'open', date '2026-02-01', 'O', 'Osaka', 'O', 'JPY',
        4240.00, 0.00, 4240.00;
    create table finance.invoice_lines as select 'INV-1' as invoice_id;
    create table quality.usage_outcomes as
        select '' as outcome, '' as reason, 0 as rows limit 0;
    create table quality.rejected_rows as select * from (values
        ('', 1, '', '', '')) as rejected(
        source_file, line, column_name, reason, contract_id) limit 0;
"""


def publish(path: Path, tables: str) -> None:
    home = Home(path)
    home.publication.parent.mkdir(parents=True)
    with duckdb.connect(str(home.publication)) as connection:
        connection.execute(tables)


def test_the_command_to_look_at_an_invoice_works_when_pasted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "a long name of a place [bold] with blanks" / ("deep " * 20)
    publish(home, ISSUED)
    print_summary(home, date(2026, 2, 1), ["INV-1"])
    said = capsys.readouterr().out.splitlines()
    assert f"Look at one: billing invoice INV-1 --home '{home}'" in said
    monkeypatch.setattr(summary, "DEFAULT_HOME", home)
    print_summary(home, date(2026, 2, 1), ["INV-1"])
    said = capsys.readouterr().out.splitlines()
    assert "Look at one: billing invoice INV-1" in said


def test_a_credit_memo_is_told_with_its_own_total(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(tmp_path, ISSUED)
    print_summary(tmp_path, date(2026, 2, 1), ["INV-1"])
    said = " ".join(capsys.readouterr().out.split())
    assert "INV-1 2026-02-01 Clinic 1 -490.00 USD" in said


def test_yen_have_no_decimals(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(tmp_path, ISSUED)
    print_summary(tmp_path, date(2026, 2, 1), ["INV-2"])
    said = " ".join(capsys.readouterr().out.split())
    assert "INV-2 2026-02-01 Osaka 0 4,240 JPY" in said


def test_of_a_held_contract_what_must_be_mended_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # What only follows from another row is told if there is nothing else, and then of
    # the contract's own row.
    publish(tmp_path, PUBLISHED)
    print_summary(tmp_path, date(2026, 2, 1), [])
    said = " ".join(capsys.readouterr().out.split())
    assert "No invoice issued as of 2026-02-01. Drafts: 1" in said
    assert (
        "Held: contract K3: contracts/contracts.csv, line 4, customer_id refers to a "
        "rejected row, contracts/customers.csv line 3; mend it "
        "Held: contract K4: contracts/contracts.csv, line 5, currency is no currency "
        "Usage rejected: 3 no_baa "
        "Rows rejected: 5 (quality.rejected_rows says why)"
    ) in said
