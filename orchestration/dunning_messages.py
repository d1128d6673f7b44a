"""What a step says, in plain text and HTML, from templates that people edit.

Nothing here reads usage: a message holds what an invoice or a statement shows.
"""

import hashlib
import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup, escape

from orchestration.errors import BillingError
from orchestration.notices import Notice
from orchestration.wording import money

TEMPLATES = Path(__file__).parent / "templates" / "dunning"
# Columns of a line in plain text, as mail programs show it whole.
_WIDTH = 76

_COLUMNS = ("Invoice", "Date", "Due", "Days past due", "Total", "Open", "Asked for")


@dataclass(frozen=True)
class Letter:
    """One message about one or several notices: of one customer and one step.

    `invoices` has a row for each notice; `files` are names and contents of what is
    attached, `dispute` what a new dispute is about.
    """

    notices: Sequence[Notice]
    customer: dict[str, Any]
    seller: dict[str, Any]
    invoices: list[dict[str, Any]]
    files: list[tuple[str, bytes]]
    as_of: date
    dispute: dict[str, Any] | None = None

    @property
    def file_name(self) -> str:
        """A name in the outbox that tells what it is, whatever an id holds.

        Ids that differ in what a name can't hold have names that differ by a digest.
        """
        notice_id = self.notices[0].notice_id
        plain = re.sub(r"[^A-Za-z0-9._-]+", "_", notice_id)[:100]
        if plain != notice_id:
            plain += f"-{hashlib.sha256(notice_id.encode()).hexdigest()[:8]}"
        return f"{self.as_of}-{plain}.eml"


def address(text: str | None) -> str | None:
    """The text if it is one address to which a message can go, else None."""
    if text is None or not re.fullmatch(r"[^@\s,;<>\"]+@[^@\s,;<>\"]+", text):
        return None
    try:
        return Address(addr_spec=text).addr_spec
    except (ValueError, IndexError):
        return None


def message_of(letter: Letter, sender: str) -> EmailMessage:
    """The message, to the address of its notices. Raises BillingError if a template
    is wrong, naming the file.
    """
    notice = letter.notices[0]
    subject, text, html = _rendered(letter)
    message = EmailMessage(policy=SMTP)
    message["Subject"] = subject
    message["From"] = Address(
        display_name=_one_line(letter.seller["name"]), addr_spec=sender
    )
    message["To"] = Address(addr_spec=address(notice.send_to) or "")
    message["Date"] = format_datetime(datetime.now(UTC))
    message["Message-ID"] = make_msgid(domain=sender.rpartition("@")[2])
    message["Auto-Submitted"] = "auto-generated"
    message["X-Billing-Notice"] = _one_line(
        ", ".join(notice.notice_id for notice in letter.notices)
    )
    message.set_content(text)
    message.add_alternative(html, subtype="html")
    for name, content in letter.files:
        kind = ("application", "pdf") if name.endswith(".pdf") else ("text", "plain")
        message.add_attachment(content, *kind, filename=name)
        if kind[0] == "text":
            list(message.iter_attachments())[-1].set_param("charset", "utf-8")
    return message


def _rendered(letter: Letter) -> tuple[str, str, str]:
    """Subject, plain text and HTML."""
    notice = letter.notices[0]
    own = f"{notice.dunning_tier}/{notice.step}"
    choice = [f"{own}.txt", f"{notice.action}.txt"]
    values = _values(letter)
    plain, table = _environment(False), _text_table(letter)
    subject, _, body = _render(plain, choice, values | {"table": table}).partition("\n")
    subject = _one_line(subject)
    paragraphs = re.split(r"\n\s*\n", body.strip())
    text = "\n\n".join(
        paragraph if paragraph.strip() == table.strip() else _filled(paragraph)
        for paragraph in paragraphs
    )
    escaped, html_table = _environment(True), _html_table(letter)
    values |= {"table": html_table, "subject": subject}
    if (TEMPLATES / f"{own}.html").exists():
        return subject, text + "\n", _render(escaped, [f"{own}.html"], values)
    body = _render(escaped, choice, values).partition("\n")[2]
    values["paragraphs"] = [
        Markup(paragraph if paragraph == html_table else f"<p>{paragraph}</p>")
        for paragraph in re.split(r"\n\s*\n", body.strip())
    ]
    return subject, text + "\n", _render(escaped, ["message.html"], values)


def _environment(is_html: bool) -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=is_html,
        undefined=jinja2.StrictUndefined,
    )


def _render(
    environment: jinja2.Environment, choice: list[str], values: dict[str, Any]
) -> str:
    try:
        return environment.select_template(choice).render(values)
    except jinja2.TemplatesNotFound:
        raise BillingError(
            f"there is no template {' or '.join(choice)} in {TEMPLATES}; write one"
        ) from None
    except jinja2.TemplateSyntaxError as error:
        raise BillingError(
            f"{TEMPLATES / str(error.name)}, line {error.lineno}: {error.message}; "
            "mend the template. Nothing was sent"
        ) from None
    except jinja2.UndefinedError as error:
        raise BillingError(
            f"a template for {choice[0]}: {error.message}; {TEMPLATES / 'README.md'} "
            "has the names. Nothing was sent"
        ) from None


def _values(letter: Letter) -> dict[str, Any]:
    notice = letter.notices[0]
    numbers = sorted({invoice["invoice_number"] for invoice in letter.invoices})
    return {
        "customer": {k: _told(v) for k, v in letter.customer.items()},
        "seller": {k: _told(v) for k, v in letter.seller.items()},
        "invoices": letter.invoices,
        "what": (
            f"invoice {numbers[0]}" if len(numbers) == 1 else f"{len(numbers)} invoices"
        ),
        "claimed": _sums(letter.invoices),
        "is_several": len(numbers) > 1,
        "days_past_due": max(invoice["days_past_due"] for invoice in letter.invoices),
        "as_of": letter.as_of,
        "step": notice.step,
        "action": notice.action,
        "dispute": letter.dispute,
    }


def _sums(invoices: list[dict[str, Any]]) -> str:
    """What is asked for, each currency by itself."""
    sums: dict[str, Decimal] = {}
    for invoice in invoices:
        currency = invoice["currency"]
        sums[currency] = sums.get(currency, Decimal(0)) + invoice["claimed"]
    return " and ".join(money(sums[name], name) for name in sorted(sums))


def _rows(letter: Letter) -> list[tuple[str, ...]]:
    return [
        (
            invoice["invoice_number"],
            str(invoice["invoice_date"]),
            str(invoice["due_date"]),
            str(max(invoice["days_past_due"], 0)),
            money(invoice["total"], invoice["currency"]),
            money(invoice["balance"], invoice["currency"]),
            money(invoice["claimed"], invoice["currency"]),
        )
        for invoice in letter.invoices
    ]


def _text_table(letter: Letter) -> str:
    """A block for each invoice: seven columns do not fit a mail's line."""
    blocks = []
    for row in _rows(letter):
        number, *rest = row
        blocks.append(f"    {number}")
        blocks += [
            f"        {name:15}{value:>24}"
            for name, value in zip(_COLUMNS[1:], rest, strict=True)
        ]
    return "\n".join(blocks)


def _html_table(letter: Letter) -> Markup:
    cell = '<td style="padding: 2px 10px 2px 0; text-align: {}">{}</td>'
    head = "".join(
        f'<th style="padding: 2px 10px 2px 0; text-align: left">{name}</th>'
        for name in _COLUMNS
    )
    rows = "".join(
        "<tr>"
        + "".join(
            cell.format("right" if at > 2 else "left", escape(value))
            for at, value in enumerate(row)
        )
        + "</tr>"
        for row in _rows(letter)
    )
    return Markup(f"<table><tr>{head}</tr>{rows}</table>")


def _told(value: Any) -> Any:
    """Text on one line: a name must not begin a paragraph, or a header, of its own."""
    return _one_line(value) if isinstance(value, str) else value


def _filled(paragraph: str) -> str:
    """A paragraph in lines that mail programs show whole; no address is broken."""
    return textwrap.fill(
        " ".join(paragraph.split()),
        _WIDTH,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _one_line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
