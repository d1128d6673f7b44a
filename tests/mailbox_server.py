"""A real mail server for tests, and what it took."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

import pytest
from aiosmtpd.controller import Controller


class Mailbox:
    """Keeps what a server took; may refuse, or hang up at the worst moment."""

    def __init__(self) -> None:
        self.messages: list[EmailMessage] = []
        self.was_encrypted: list[bool] = []
        self.answer = "250 Taken"
        self.hangs = threading.Event()
        self.released = threading.Event()

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("nobody@"):
            return "550 No such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        self.messages.append(message_from_bytes(envelope.content, policy=default))
        self.was_encrypted.append(session.ssl is not None)
        if self.hangs.is_set():
            # Taken, but the answer is lost: the sender can't know.
            server.transport.abort()
        return self.answer


@contextlib.contextmanager
def running_server(
    host: str = "127.0.0.1", **settings: Any
) -> Iterator[tuple[Mailbox, str]]:
    """A mailbox and the address of its server, until the end of the block."""
    mailbox = Mailbox()
    with socket.socket() as free:
        free.bind((host, 0))
        port = free.getsockname()[1]
    controller = Controller(mailbox, hostname=host, port=port, **settings)
    controller.start()
    try:
        yield mailbox, f"smtp://{host}:{port}"
    finally:
        controller.stop()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Mailbox]]:
    """Start a mail server and point BILLING_SMTP_URL to it."""
    with contextlib.ExitStack() as stack:

        def start(*arguments: Any, **settings: Any) -> Mailbox:
            mailbox, url = stack.enter_context(running_server(*arguments, **settings))
            monkeypatch.setenv("BILLING_SMTP_URL", url)
            return mailbox

        yield start
