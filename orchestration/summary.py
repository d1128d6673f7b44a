"""What a person is told at the end of a run, read from what was published."""

import shlex
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
from rich import box
from rich.console import Console
from rich.table import Table

from orchestration.close_report import report_path
from orchestration.contract_comparisons import FOLLOWS
from orchestration.database import connect
from orchestration.heads import heads_of
from orchestration.home import Home
from orchestration.options import DEFAULT_HOME
from orchestration.wording import figure, money

_console = Console(highlight=False)

# Of more invoices the first are shown, and how many there are.
_SHOWN = 30


def print_summary(home_path: Path, as_of: date, issued: list[str]) -> None:
    """Invoices issued by this run, drafts, what was held or rejected, where to look."""
    home = Home(home_path)
    with connect(home.publication, read_only=True) as connection:
        if issued:
            _print_invoices(connection, f"Issued as of {as_of}", issued)
        else:
            _console.print(f"No invoice issued as of {as_of}.")
        _print_problems(connection)
    _console.print(f"Published: {home.publication}")
    if issued:
        command = f"billing invoice {issued[0]}{_home_option(home)}"
        # To be pasted: in one line, and of a path no bracket is taken for a style.
        _console.print(f"Look at one: {command}", soft_wrap=True, markup=False)


def print_drafts(home_path: Path, through: date) -> None:
    """The drafts that closing would issue, in the order of their numbers."""
    home = Home(home_path)
    with connect(home.publication, read_only=True) as connection:
        drafts = [
            invoice_id
            for (invoice_id,) in connection.execute(
                "select invoice_id from finance.invoices "
                "where status = 'draft' and invoice_date <= $1 "
                "order by invoice_date, customer_id, invoice_group, currency",
                [through],
            ).fetchall()
        ]
        if drafts:
            _print_invoices(connection, f"Would be issued through {through}", drafts)
        else:
            _console.print(f"Nothing would be issued through {through}.")


def print_postings(home_path: Path, month: date) -> None:
    """What closing would post for a month and, as catch-up, for those before it."""
    _print_by_currency(
        home_path,
        f"Would be posted with the close of {month:%Y-%m}",
        ("Of the month", "Catch-up", "Contracts"),
        "select currency, "
        "coalesce(sum(amount) filter (revenue_month = $1), 0.00), "
        "coalesce(sum(amount) filter (revenue_month < $1), 0.00), "
        "count(distinct contract_id) from finance.revenue_schedule "
        "where status = 'scheduled' and revenue_month <= $1 "
        "group by currency order by currency",
        month,
    )


def print_close(home_path: Path, month: date) -> None:
    """A closed month in figures: what was billed and recognised, what is left."""
    _print_by_currency(
        home_path,
        f"Closed {month:%Y-%m}",
        ("Billed", "Recognized", "Deferred", "Unbilled"),
        "select currency, sum(billed), sum(recognized), sum(deferred_closing), "
        "sum(unbilled_closing) from finance.contract_balances where month = $1 "
        "group by currency order by currency",
        month,
    )
    home = Home(home_path)
    if (report := report_path(home, month)).exists():
        _console.print(f"Report: {report}", soft_wrap=True)
    heads = heads_of(home)
    _console.print(f"Head of the ledger:    {heads.ledger}", soft_wrap=True)
    _console.print(f"Head of the audit log: {heads.audit}", soft_wrap=True)
    _console.print("Keep both elsewhere: billing verify --expect HEAD compares")


def _home_option(home: Home) -> str:
    """What a command needs to find the home, as a shell takes it."""
    if home.path == Home(DEFAULT_HOME).path:
        return ""
    return f" --home {shlex.quote(str(home.path))}"


def _print_by_currency(
    home_path: Path, title: str, headings: tuple[str, ...], sql: str, month: date
) -> None:
    home = Home(home_path)
    with connect(home.publication, read_only=True) as connection:
        rows = connection.execute(sql, [month]).fetchall()
    table = Table(title=title, box=box.SIMPLE, title_justify="left")
    for heading in ("Currency", *headings):
        table.add_column(heading, justify="right" if heading != "Currency" else "left")
    for currency, *found in rows:
        cells = (
            figure(value, currency) if isinstance(value, Decimal) else f"{value:,}"
            for value in found
        )
        table.add_row(currency, *cells)
    _console.print(table if rows else f"{title}: nothing.")


def _print_invoices(
    connection: duckdb.DuckDBPyConnection, title: str, invoice_ids: list[str]
) -> None:
    table = Table(title=title, box=box.SIMPLE, title_justify="left")
    for heading in ("Invoice", "Date", "Customer", "Lines"):
        table.add_column(heading)
    table.add_column("Total", justify="right")
    rows = connection.execute(
        "select coalesce(invoice_number, '(draft)'), invoice_date, customer_name, "
        "(select count(*) from finance.invoice_lines "
        # As the document says, not what credits have left of it since.
        " where invoice_lines.invoice_id = invoices.invoice_id), subtotal, currency "
        "from finance.invoices where invoice_id in (select unnest($1)) "
        "order by invoice_number, invoice_date, customer_id, invoice_group, currency "
        "limit $2",
        [invoice_ids, _SHOWN],
    ).fetchall()
    for number, day, customer, lines, total, currency in rows:
        table.add_row(number, f"{day}", customer, f"{lines}", money(total, currency))
    _console.print(table)
    more = len(invoice_ids) - _SHOWN
    if more > 0:
        _console.print(f"… and {more:,} more: finance.invoices has them all")


def _print_problems(connection: duckdb.DuckDBPyConnection) -> None:
    (drafts,) = connection.execute(
        "select count(*) from finance.invoices where status = 'draft'"
    ).fetchone()
    _console.print(f"Drafts: {drafts}")
    for contract_id, source_file, line, column, reason in connection.execute(
        "select contract_id, source_file, line, column_name, reason from ("
        "select *, row_number() over (partition by contract_id "
        # First what must be mended, last what only follows from it.
        "order by starts_with(reason, $1), "
        "source_file like 'contracts/contracts%' desc, "
        "source_file, line, column_name) as place "
        "from quality.rejected_rows where contract_id is not null) where place = 1 "
        "order by contract_id",
        [FOLLOWS],
    ).fetchall():
        _console.print(
            f"[yellow]Held:[/yellow] contract {contract_id}: "
            f"{source_file}, line {line}{f', {column}' if column else ''} {reason}"
        )
    for reason, count in connection.execute(
        "select reason, sum(rows) from quality.usage_outcomes "
        "where outcome = 'rejected' group by reason order by reason"
    ).fetchall():
        _console.print(f"Usage rejected: {count} {reason}")
    (rejected,) = connection.execute(
        "select count(*) from quality.rejected_rows"
    ).fetchone()
    if rejected:
        _console.print(f"Rows rejected: {rejected} (quality.rejected_rows says why)")
