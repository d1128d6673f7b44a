"""Messages handed over: to a real mail server, or to the outbox; never in doubt alone.

The server is aiosmtpd, started by the test. 127.0.0.2 stands for a server elsewhere:
it is not among the names of localhost, so the connection must be encrypted.
"""

import ssl
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from certificates import write_certificate
from cryptography import x509
from mailbox_server import Mailbox, server

from orchestration import dunning_messages
from orchestration.dunning_messages import Letter, address, message_of
from orchestration.errors import BillingError
from orchestration.home import Home
from orchestration.mail import InDoubt, NotDelivered, post_office
from orchestration.notices import Notice

__all__ = ["server"]  # a fixture

ELSEWHERE = "127.0.0.2"


def certificate(folder: Path, host: str) -> ssl.SSLContext:
    """A server's context, of an authority of its own at `folder`/ca.pem."""
    authority, key = folder / "ca.pem", folder / "key.pem"
    address = x509.IPAddress(ip_address(host))
    write_certificate(authority, key, "Test authority", address)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority, key)
    return context


def message(to: str = "ap@clinic.example") -> EmailMessage:
    it = EmailMessage()
    it["From"], it["To"], it["Subject"] = "billing@seller.example", to, "Reminder"
    it.set_content("40.00 USD are open.")
    return it


def send(tmp_path: Path, *messages: EmailMessage) -> None:
    with post_office(Home(tmp_path)) as office:
        for place, one in enumerate(messages):
            office.make_ready()
            office.hand_over(one, f"{place}.eml")


def test_without_a_server_messages_lie_in_the_outbox(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BILLING_SMTP_URL", raising=False)
    send(tmp_path, message())
    (file,) = (tmp_path / "outbox").iterdir()
    assert file.name == "0.eml"
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert message_from_bytes(file.read_bytes())["To"] == "ap@clinic.example"


def test_a_server_on_this_machine_takes_messages_as_they_are(
    tmp_path: Path, server: Callable[..., Mailbox]
) -> None:
    mailbox = server()
    send(tmp_path, message(), message("other@clinic.example"))
    assert [one["To"] for one in mailbox.messages] == [
        "ap@clinic.example",
        "other@clinic.example",
    ]


def test_elsewhere_the_connection_is_encrypted_and_the_certificate_checked(
    tmp_path: Path, server: Callable[..., Mailbox], monkeypatch: pytest.MonkeyPatch
) -> None:
    mailbox = server(ELSEWHERE, tls_context=certificate(tmp_path, ELSEWHERE))
    with pytest.raises(BillingError, match="certificate is not trusted"):
        send(tmp_path, message())
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    send(tmp_path, message())
    assert mailbox.was_encrypted == [True]


def test_elsewhere_without_encryption_nothing_is_sent(
    tmp_path: Path, server: Callable[..., Mailbox]
) -> None:
    mailbox = server(ELSEWHERE)
    with pytest.raises(BillingError, match="STARTTLS"):
        send(tmp_path, message())
    assert mailbox.messages == []


def test_a_certificate_for_another_host_is_refused(
    tmp_path: Path, server: Callable[..., Mailbox], monkeypatch: pytest.MonkeyPatch
) -> None:
    mailbox = server(ELSEWHERE, tls_context=certificate(tmp_path, "127.0.0.9"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    with pytest.raises(BillingError, match="certificate is not trusted"):
        send(tmp_path, message())
    assert mailbox.messages == []


def test_a_refused_address_is_surely_not_delivered_and_the_next_one_goes(
    tmp_path: Path, server: Callable[..., Mailbox]
) -> None:
    mailbox = server()
    with post_office(Home(tmp_path)) as office:
        office.make_ready()
        with pytest.raises(NotDelivered, match="550 No such user"):
            office.hand_over(message("nobody@clinic.example"), "a.eml")
        office.make_ready()
        office.hand_over(message(), "b.eml")
    assert [one["To"] for one in mailbox.messages] == ["ap@clinic.example"]


def test_a_refused_message_is_surely_not_delivered(
    tmp_path: Path, server: Callable[..., Mailbox]
) -> None:
    server().answer = "554 No"
    with pytest.raises(NotDelivered, match="554 No"):
        send(tmp_path, message())


def test_an_answer_that_is_lost_leaves_the_message_in_doubt(
    tmp_path: Path, server: Callable[..., Mailbox]
) -> None:
    mailbox = server()
    mailbox.hangs.set()
    with post_office(Home(tmp_path)) as office:
        office.make_ready()
        with pytest.raises(InDoubt):
            office.hand_over(message(), "a.eml")
        mailbox.hangs.clear()
        # The next one goes over a new connection.
        office.make_ready()
        office.hand_over(message(), "b.eml")
    assert len(mailbox.messages) == 2


@pytest.mark.parametrize(
    "url",
    [
        "mail.example.com",
        "http://mail.example.com",
        "smtp://",
        "smtp://user:SECRET@mail.example.com:x",
    ],
)
def test_an_address_of_a_server_that_is_none_is_told_without_its_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("BILLING_SMTP_URL", url)
    with pytest.raises(BillingError, match="BILLING_SMTP_URL") as told:
        send(tmp_path, message())
    assert "SECRET" not in str(told.value)


def test_a_server_that_is_not_there_is_told_before_anything_is_booked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BILLING_SMTP_URL", "smtp://127.0.0.1:1")
    with pytest.raises(BillingError, match="127.0.0.1:1 can't be used"):
        send(tmp_path, message())


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("ap@clinic.example", True),
        ("a@b.example, c@d.example", False),
        ("a@b.example\r\nBcc: c@d.example", False),
        ("Ann <a@b.example>", False),
        ("Ann Manager", False),
        ("a@@b", False),
        ("", False),
        (None, False),
    ],
)
def test_only_one_plain_address_is_written_to(text: str | None, is_one: bool) -> None:
    assert (address(text) is not None) == is_one


def letter(step: int = 1, tier: str = "clinic", **changed: Any) -> Letter:
    """A letter about 1,234.50 USD; its customer's name tries all it can."""
    notice = Notice(
        **{
            "notice_id": f"INV-2026-000007-{step}",
            "customer_id": "c1",
            "invoice_number": "INV-2026-000007",
            "dunning_tier": tier,
            "step": step,
            "action": "reminder",
            "channel": "email",
            "send_to": "ap@clinic.example",
            "balance": Decimal("1234.50"),
            "disputed_amount": Decimal(0),
        }
        | changed
    )
    invoice = {
        "invoice_number": notice.invoice_number,
        "invoice_date": date(2026, 1, 1),
        "due_date": date(2026, 1, 31),
        "po_number": None,
        "currency": "USD",
        "total": Decimal("2000.00"),
        "paid": Decimal("765.50"),
        "balance": Decimal("1234.50"),
        "claimed": Decimal("1234.50"),
        "disputed_amount": Decimal(0),
        "days_past_due": 9,
    }
    name = "Wolf\r\nBcc: all@evil.example\n\n<b>&</b> Clinic"
    customer = {
        "customer_id": "c1",
        "customer_name": name,
        "bill_to_name": name,
        "bill_to_email": "ap@clinic.example",
        "account_manager": "ann@seller.example",
    }
    return Letter(
        notices=[notice],
        customer=customer,
        seller={"name": "Seller\nInc.", "contact": "billing@seller.example"},
        invoices=[invoice],
        files=[("INV-2026-000007.txt", "Übersicht".encode())],
        as_of=date(2026, 2, 9),
        dispute=invoice
        | {"dispute_id": "d1", "line_number": 7, "opened_on": date(2026, 2, 9)},
    )


def parts(one: EmailMessage) -> tuple[str, str]:
    """Plain text and HTML, as a mail program reads what went over the line."""
    read = message_from_bytes(one.as_bytes(), policy=default)
    return (
        read.get_body(("plain",)).get_content(),
        read.get_body(("html",)).get_content(),
    )


def test_a_name_can_neither_add_a_header_nor_a_paragraph_nor_html() -> None:
    one = message_of(letter(2, "enterprise", action="call"), "billing@seller.example")
    read = message_from_bytes(one.as_bytes(), policy=default)
    assert read["Bcc"] is None
    assert "Wolf Bcc: all@evil.example <b>&</b> Clinic" in read["Subject"]
    assert read["From"] == '"Seller Inc." <billing@seller.example>'
    text, html = parts(one)
    assert "<b>&</b> Clinic" in text
    assert "&lt;b&gt;&amp;&lt;/b&gt; Clinic" in html
    assert "<b>" not in html


@pytest.mark.parametrize("tier", ["clinic", "standard", "enterprise", "another"])
@pytest.mark.parametrize(
    "action", ["reminder", "statement", "call", "escalate", "final_notice", "dispute"]
)
def test_every_action_has_words_for_every_tier(tier: str, action: str) -> None:
    step = None if action == "dispute" else 9
    one = message_of(letter(step, tier, action=action), "billing@seller.example")
    text, html = parts(one)
    for said in (text, html):
        assert "1,234.50 USD" in said
        assert "INV-2026-000007" in said


@pytest.mark.parametrize(
    "path",
    sorted(dunning_messages.TEMPLATES.glob("*/*.txt")),
    ids=lambda path: f"{path.parent.name}-{path.stem}",
)
def test_the_template_of_a_step_is_taken_before_that_of_its_action(path: Path) -> None:
    step = int(path.stem)
    one = message_of(letter(step, path.parent.name), "billing@seller.example")
    text, _ = parts(one)
    other, _ = parts(message_of(letter(99, "none"), "billing@seller.example"))
    assert "1,234.50 USD" in text
    assert text != other


def test_no_template_limits_service_or_data_HP22() -> None:
    for path in dunning_messages.TEMPLATES.rglob("*.txt"):
        words = path.read_text().lower()
        for threat in ("suspend", "terminat", "shut", "disconnect", "block", "lawyer"):
            assert threat not in words, path.name


def test_no_message_takes_the_file_of_another_in_the_outbox() -> None:
    ids = [
        *("dispute-D_1", "dispute-D/1", "dispute-D 1", "dispute-D#1"),
        *("dispute-" + "9" * 120, "dispute-" + "9" * 121),
    ]
    names = [letter(notice_id=one).file_name for one in ids]
    assert len(set(names)) == len(ids)
    assert names[0] == "2026-02-09-dispute-D_1.eml"
    assert all(name.startswith("2026-02-09-dispute-") for name in names)
    assert not any("/" in name or len(name) > 130 for name in names)


def test_attached_text_is_read_as_written() -> None:
    one = message_of(letter(), "billing@seller.example")
    read = message_from_bytes(one.as_bytes(), policy=default)
    (attached,) = read.iter_attachments()
    assert attached.get_filename() == "INV-2026-000007.txt"
    assert attached.get_content() == "Übersicht"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("Subject\n\n{{ custmer.customer_name }}", "custmer"),
        ("Subject\n\n{% if %}", "line 3"),
    ],
)
def test_a_wrong_template_is_told_before_anything_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str, told: str
) -> None:
    (tmp_path / "reminder.txt").write_text(words)
    monkeypatch.setattr(dunning_messages, "TEMPLATES", tmp_path)
    with pytest.raises(BillingError, match=told):
        message_of(letter(), "billing@seller.example")
