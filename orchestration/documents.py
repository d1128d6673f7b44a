"""An issued invoice as text, from the ledger: what was booked, nothing else."""

from pathlib import Path
from typing import Any

import duckdb

from orchestration.audit import AuditLog
from orchestration.database import named_rows
from orchestration.errors import BillingError
from orchestration.home import Home
from orchestration.issued_scope import scope
from orchestration.keys import Keys
from orchestration.ledger_chain import HEADER, LINE, SHARE
from orchestration.warehouse import open_files
from orchestration.wording import WIDTH, ends, plain, price, wrapped


def invoice_text(home_path: Path, number: str) -> str:
    """The document of an issued invoice, 100 columns wide.

    Raises BillingError if there is no such invoice, or while a run writes.
    """
    home = Home(home_path)
    if not home.ledger.exists():
        raise BillingError(f"{home.path}: nothing was issued here yet")
    with (
        home.lock("billing invoice"),
        open_files(home, Keys.of(home), read_only=True) as connection,
    ):
        AuditLog(home.audit).append(
            "invoice",
            number,
            detail={"keys": ["ledger"], **scope(connection, [number])},
        )
        return document(connection, number)


def document(connection: duckdb.DuckDBPyConnection, number: str) -> str:
    """The document of an invoice of the ledger; BillingError if it has none."""
    header = _rows(connection, f"{HEADER}, content_hash", "invoices", number)
    if not header:
        raise BillingError(
            f"there is no invoice {number}; "
            "finance.invoices of the publication lists them"
        )
    lines = _rows(connection, LINE, "invoice_lines", number)
    shares = _rows(connection, SHARE, "invoice_line_facilities", number)
    return "\n".join(_document(header[0], lines, shares)) + "\n"


def _rows(connection, columns: str, table: str, number: str) -> list[dict[str, Any]]:
    order = "all" if table != "invoice_lines" else "line_number"
    return named_rows(
        connection,
        f"select {columns} from ledger.book.{table} where invoice_number = $1 "
        f"order by {order}",
        [number],
    )


def _document(header, lines, shares) -> list[str]:
    is_credit = header["document_type"] == "credit_memo"
    title = "CREDIT MEMO" if is_credit else "INVOICE"
    due = f"Due {header['due_date']} ({header['payment_terms_days']} days)"
    text = [
        ends(header["seller_name"], f"{title} {header['invoice_number']}"),
        ends(header["seller_address"], f"Invoice date {header['invoice_date']}"),
        ends(
            header["seller_contact"],
            "" if is_credit else due,
        ),
        ends(
            f"Tax id {header['seller_tax_id']}",
            f"Purchase order {header['po_number']}" if header["po_number"] else "",
        ),
        "",
        f"Bill to: {header['bill_to_name']}",
        *(
            f"         {header[name]}"
            for name in ("bill_to_address", "bill_to_email")
            if header[name]
        ),
        "",
        "=" * WIDTH,
        f"{'':4}{'Service':25}{'Quantity':>22}{'Unit price':>22}{'Amount':>27}",
        "-" * WIDTH,
    ]
    for line in lines:
        text += _line(line)
        text += _facilities(
            [s for s in shares if s["line_number"] == line["line_number"]]
        )
    text += [
        "=" * WIDTH,
        ends("", f"Total {header['currency']} {header['total']:>16,}"),
        "",
    ]
    if header["tax_exempt"]:
        text.append("Tax: exempt, certificate on file.")
    text += [
        "Nothing is to be paid: this credit is applied to open invoices."
        if is_credit
        else f"Please quote {header['invoice_number']} with your payment.",
        f"Questions or a dispute: {header['seller_contact']}.",
        f"Content hash: {header['content_hash']}",
    ]
    return text


def _line(line) -> list[str]:
    notes = [f"contract {line['contract_id']}"]
    if line["line_id"] is not None:
        notes.append(f"line {line['line_id']}")
    if line["discount_percent"]:
        notes.append(
            f"list price {price(line['list_price'])} "
            f"less {plain(line['discount_percent'])} %"
        )
    if line["proration"] is not None and line["proration"] != 1:
        notes.append(f"prorated {plain(line['proration'])}")
    if line["amendment_id"]:
        notes.append(f"amendment {line['amendment_id']}")
    unit_price = "" if line["unit_price"] is None else price(line["unit_price"])
    service = f"{line['service_start']} – {line['service_end']}"
    return [
        *wrapped(f"{line['line_number']:>3} ", line["description"]),
        f"{'':4}{service:25}{plain(line['quantity']):>22}{unit_price:>22}"
        f"{line['amount']:>27,}",
        *wrapped(f"{'':4}", ", ".join(notes)),
    ]


def _facilities(shares) -> list[str]:
    return [
        f"{'':8}{(share['facility_name'] or share['facility_id'])[:38]:38}"
        f"{plain(share['quantity']):>5}{'':22}{share['amount']:>27,}"
        for share in shares
    ]
