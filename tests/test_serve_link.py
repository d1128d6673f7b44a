"""Over which link tables are served: verified, and no password told (HP-11)."""

from pathlib import Path

import postgres
import psycopg
import pytest
from postgres import OWNER, Server
from served import TODAY, home, people, server

from orchestration import serve
from orchestration.cli import app
from orchestration.errors import BillingError, UsageError
from orchestration.home import Home
from orchestration.postgres_link import Address

__all__ = ["home", "people", "server"]  # fixtures


@pytest.mark.parametrize("mode", ["disable", "allow", "prefer", "require", "verify-ca"])
def test_a_weaker_link_is_refused_outside_the_machine(
    server: Server, mode: str
) -> None:
    """HP-11. The door: the server itself would take it."""
    url = server.remote_url(f"&sslmode={mode}&sslrootcert={server.certificate}")
    with psycopg.connect(url):
        pass
    with pytest.raises(UsageError, match=f"sslmode={mode} does not verify"):
        Address(url)


def test_outside_the_machine_the_certificate_is_verified(
    home: Home, server: Server
) -> None:
    trusted = server.remote_url(f"&sslrootcert={server.certificate}")
    assert serve.serve(home, trusted, TODAY).rows["finance.invoices"] == 3
    with psycopg.connect(server.remote_url()):
        pass  # The door: not asked, libpq verifies nothing.
    with pytest.raises(BillingError, match="can't be reached: .*certificate"):
        serve.serve(home, server.remote_url("&sslrootcert=/etc/passwd"), TODAY)
    other_name = trusted.replace(postgres.HOST, "other.example")
    with pytest.raises(BillingError, match="can't be reached: .*does not match"):
        serve.serve(home, other_name, TODAY)


@pytest.mark.parametrize(
    ("url", "is_local"),
    [
        ("postgresql://u@localhost/x", True),
        ("postgresql://u@127.0.0.1/x", True),
        ("postgresql://u@[::1]/x", True),
        ("postgresql://u@%2Fvar%2Frun/x", True),
        ("postgresql:///x", True),
        ("postgresql://u@10.0.0.1/x", False),
        ("postgresql://u@localhost.evil.example/x", False),
        ("postgresql://u@localhost/x?hostaddr=10.0.0.1", False),
        ("postgresql://u@localhost,db.example/x", False),
    ],
)
def test_what_counts_as_this_machine(url: str, is_local: bool) -> None:
    assert Address(url).is_local is is_local


def test_the_environment_does_not_say_where_to(
    home: Home, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGHOSTADDR", "192.0.2.1")
    monkeypatch.setenv("PGSSLMODE", "disable")
    with Address(server.url).connect() as connection:
        assert connection.info.hostaddr == "127.0.0.1"


@pytest.mark.parametrize(
    "url",
    [
        "mysql://x",
        "host=x",
        "postgresql://u:secret@h/x?bad=secret",
        "postgresql:///?service=x",
        # Signs of a password that end it where they are not written as %40 and %2F.
        "postgresql://u:x@secret@127.0.0.1/x",
        "postgresql://u:secret/x@127.0.0.1/x",
        "postgresql://u:1/secret@127.0.0.1/x",
    ],
)
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(UsageError) as refused:
        Address(url)
    assert "secret" not in str(refused.value)


def test_a_password_is_shown_nowhere(
    home: Home, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    url = server.url.replace(f"{OWNER}@", f"{OWNER}:hunter2@")
    app(["publish", "--to", url, "--home", str(home.path)], standalone_mode=False)
    told = capsys.readouterr()
    assert "can be read by everybody on this machine" in told.err
    with pytest.raises(BillingError) as refused:
        serve.serve(home, url.replace(str(server.port), "1"), TODAY)
    for text in (told.out, told.err, str(refused.value), home.audit.read_text()):
        assert "hunter2" not in text


@pytest.mark.parametrize(
    "more", ["connect_timeout=soon", "sslmode=sure", "target_session_attrs=x"]
)
def test_a_setting_that_is_none_is_told_in_words(server: Server, more: str) -> None:
    address = Address(f"{server.url}?{more}")
    with pytest.raises(BillingError, match="can't be reached"), address.connect():
        pass


def test_who_asks_may_name_itself(server: Server) -> None:
    address = Address(f"{server.url}?application_name=nightly")
    with address.connect() as connection:
        assert connection.execute("show application_name").fetchone() == ("nightly",)


def test_without_a_publication_there_is_nothing_to_serve(
    server: Server, tmp_path: Path, people: Path
) -> None:
    with pytest.raises(BillingError, match="`billing run` publishes it"):
        serve.serve(Home(tmp_path / "none"), server.url)
