"""From an invoice line back to what it rests on: terms, price, counts, causes.

Read from the ledger (what was booked) and the warehouse as it was last built (what is
due now). Nothing here names an event or a patient: usage is counts by facility and day.
"""

from pathlib import Path

from orchestration.audit import AuditLog
from orchestration.errors import BillingError
from orchestration.home import Home
from orchestration.issued_scope import scope
from orchestration.keys import Keys
from orchestration.ledger import open_ledger
from orchestration.ledger_chain import LINE
from orchestration.story.book import Book, Line, Row
from orchestration.story.line import story
from orchestration.warehouse import open_files
from orchestration.wording import WIDTH, ends, wrapped


def explain(home_path: Path, number: str, line_number: int | None = None) -> str:
    """The story of an invoice, or of one of its lines, as text 100 columns wide.

    Raises BillingError if there is no such invoice or line, if the warehouse was not
    built yet, or while a run writes.
    """
    home = Home(home_path)
    if not home.ledger.exists():
        raise BillingError(f"{home.path}: nothing was issued here yet")
    if not home.warehouse.exists():
        raise BillingError(
            f"{home.warehouse} is missing: run `billing run`, which makes it again"
        )
    with home.lock("billing explain"):
        keys = Keys.of(home)
        with open_files(home, keys) as connection:
            open_ledger(connection)
        with open_files(home, keys, read_only=True) as connection:
            AuditLog(home.audit).append(
                "explain",
                number,
                detail={
                    "line": line_number,
                    "keys": ["warehouse", "ledger"],
                    **scope(connection, [number]),
                },
            )
            text = _text(Book(connection), number, line_number)
    return "\n".join(text) + "\n"


def _text(book: Book, number: str, line_number: int | None) -> list[str]:
    header = book.row(
        "select * from ledger.book.invoices join ledger.book.issues "
        "using (issue_no) where invoice_number = $number",
        number=number,
    )
    if header is None:
        raise BillingError(
            f"there is no invoice {number}; "
            "finance.invoices of the publication lists them"
        )
    lines = book.rows(
        f"select {LINE} from ledger.book.invoice_lines "
        "where invoice_number = $number order by line_number",
        number=number,
    )
    if line_number is None:
        return _overview(header, lines)
    chosen = [line for line in lines if line["line_number"] == line_number]
    if not chosen:
        raise BillingError(
            f"{number} has no line {line_number}: its lines are 1 to {len(lines)}"
        )
    return list(story(Line(book, header, lines, chosen[0])))


def _overview(header: Row, lines: list[Row]) -> list[str]:
    text = [
        ends(
            f"{header['invoice_number']} of {header['invoice_date']}, "
            f"{header['customer_name']}",
            f"{header['currency']} {header['total']:,}",
        ),
        f"Issued as of {header['issued_at']}, in issue {header['issue_no']}.",
        "",
    ]
    for line in lines:
        words = line["description"]
        if line["is_adjustment"] and not line["reverses"]:
            words = f"Adjustment: {words}"
        *first, last = wrapped(f"{line['line_number']:>4} ", words[:240])
        amount = f"{line['amount']:,}"
        if len(last) + len(amount) >= WIDTH:
            first, last = [*first, last], ""
        text += [*first, ends(last, amount)]
    text += [
        "",
        f"Why a line is as it is: billing explain {header['invoice_number']} --line 1",
    ]
    return text
