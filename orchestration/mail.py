"""Handing messages over: to a mail server where one is configured, else to outbox/.

`BILLING_SMTP_URL` names the server, e.g. smtp://user:password@mail.example.com:587, or
smtps:// for TLS from the first byte. Outside localhost a connection is encrypted and
the server's certificate verified, or nothing is sent.
"""

import contextlib
import os
import smtplib
import ssl
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Protocol
from urllib.parse import SplitResult, unquote, urlsplit

from orchestration.errors import BillingError
from orchestration.home import PRIVATE_DIRECTORY, PRIVATE_FILE, Home

URL_VARIABLE = "BILLING_SMTP_URL"
TIMEOUT_VARIABLE = "BILLING_SMTP_TIMEOUT"
# Seconds a mail server may take to answer.
_TIMEOUT = 30
_LOCAL = ("localhost", "127.0.0.1", "::1")
_PORTS = {"smtp": 587, "smtps": 465}


class NotDelivered(Exception):
    """The message surely did not go; the words say why."""


class InDoubt(Exception):
    """Nobody knows whether the message went; the words say why."""


class PostOffice(Protocol):
    """Takes messages, one at a time."""

    name: str

    def make_ready(self) -> None:
        """Raises BillingError if no message can be handed over now."""

    def hand_over(self, message: EmailMessage, file_name: str) -> None:
        """Raises NotDelivered or InDoubt."""


@contextlib.contextmanager
def post_office(home: Home) -> Iterator[PostOffice]:
    """Where messages of a home go, until the end of the block."""
    url = os.environ.get(URL_VARIABLE)
    if not url:
        yield Outbox(home.outbox)
        return
    server = MailServer(_parsed(url), _timeout())
    try:
        yield server
    finally:
        server.close()


class Outbox:
    """A folder of .eml files, which any mail program opens and sends."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.name = str(folder)

    def make_ready(self) -> None:
        try:
            self.folder.mkdir(mode=PRIVATE_DIRECTORY, exist_ok=True)
        except OSError as error:
            raise BillingError(
                f"{self.folder} can't be made ({error.strerror}); nothing was sent"
            ) from None

    def hand_over(self, message: EmailMessage, file_name: str) -> None:
        target = self.folder / file_name
        temporary = target.with_name(f".{file_name}.new")
        try:
            descriptor = os.open(
                temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE_FILE
            )
            with os.fdopen(descriptor, "wb") as file:
                file.write(message.as_bytes())
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, target)
        except OSError as error:
            raise NotDelivered(
                f"{target} can't be written ({error.strerror})"
            ) from None


class MailServer:
    """An SMTP server; connected when the first message is ready."""

    def __init__(self, url: SplitResult, timeout: float) -> None:
        self.url = url
        self.timeout = timeout
        self.is_local = url.hostname in _LOCAL
        self.port = url.port or (25 if self.is_local else _PORTS[url.scheme])
        self.name = f"{url.hostname}:{self.port}"
        self.connection: smtplib.SMTP | None = None

    def make_ready(self) -> None:
        if self.connection is not None:
            # One that fell asleep is woken before anything is booked.
            with contextlib.suppress(smtplib.SMTPException, OSError):
                if self.connection.noop()[0] == 250:
                    return
            self.close()
        try:
            self.connection = self._connected()
        except (smtplib.SMTPException, OSError) as error:
            raise BillingError(
                f"the mail server {self.name} can't be used: {_in_words(error)}; see "
                f"{URL_VARIABLE}. What is not sent yet stays due"
            ) from None

    def hand_over(self, message: EmailMessage, file_name: str) -> None:
        if self.connection is None:
            raise NotDelivered("there is no connection to the mail server")
        try:
            self.connection.send_message(message)
        except smtplib.SMTPServerDisconnected as error:
            self.close()
            raise InDoubt(_in_words(error)) from None
        except (smtplib.SMTPException, ValueError) as error:
            # The server answered, and said no; or the message can't be written down.
            raise NotDelivered(_in_words(error)) from None
        except OSError as error:
            self.close()
            raise InDoubt(_in_words(error)) from None

    def close(self) -> None:
        """Leave the server; one that does not answer is left as well."""
        if self.connection is not None:
            with contextlib.suppress(smtplib.SMTPException, OSError):
                self.connection.quit()
            self.connection.close()
        self.connection = None

    def _connected(self) -> smtplib.SMTP:
        host, context = self.url.hostname, ssl.create_default_context()
        if self.url.scheme == "smtps":
            connection = smtplib.SMTP_SSL(
                host, self.port, timeout=self.timeout, context=context
            )
        else:
            connection = smtplib.SMTP(host, self.port, timeout=self.timeout)
        try:
            if self.url.scheme == "smtp" and not self.is_local:
                connection.starttls(context=context)
            if self.url.username:
                connection.login(
                    unquote(self.url.username), unquote(self.url.password or "")
                )
        except BaseException:
            connection.close()
            raise
        return connection


def _parsed(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        is_right = parts.scheme in _PORTS and parts.hostname and parts.port != 0
    except ValueError:
        is_right = False
    if not is_right:
        # Without the value: it may hold a password.
        raise BillingError(
            f"{URL_VARIABLE} is no address of a mail server; write "
            "smtp://HOST:PORT or smtps://HOST:PORT, with USER:PASSWORD@ before the "
            "host where the server asks for it"
        )
    return parts


def _timeout() -> float:
    text = os.environ.get(TIMEOUT_VARIABLE, str(_TIMEOUT))
    if not text.isdigit() or text == "0":
        raise BillingError(f"{TIMEOUT_VARIABLE} {text}: give whole seconds, e.g. 30")
    return float(text)


def _in_words(error: Exception) -> str:
    """What went wrong, on one line; what a server answered is cut short."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({error.verify_message})"
    if isinstance(error, TimeoutError):
        return "it did not answer in time"
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        ((code, answer),) = list(error.recipients.values())[:1]
        return f"the address was refused ({code} {_line(answer)})"
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return f"it refused user and password ({error.smtp_code})"
    if isinstance(error, smtplib.SMTPResponseException):
        return f"it answered {error.smtp_code} {_line(error.smtp_error)}"
    return _line(str(error)) or type(error).__name__


def _line(text: bytes | str) -> str:
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    return " ".join(text.split())[:200]
