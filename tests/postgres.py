"""A real PostgreSQL for tests: in a temporary directory, as an ordinary user."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from certificates import write_certificate
from cryptography import x509

BIN = Path("/usr/lib/postgresql/15/bin")
AUDIT_EXTENSION = Path("/usr/share/postgresql/15/extension/pgaudit.control")
# A name that the certificate is for, and that is not this machine's.
HOST = "db.billing.example"
OWNER = "billing_publisher"


def why_not() -> str | None:
    """Why there can be no server here, in words; None if there can."""
    if not (BIN / "postgres").exists():
        return "PostgreSQL 15 is not installed (Debian: postgresql-15)"
    if not AUDIT_EXTENSION.exists():
        return "pgaudit is not installed (Debian: postgresql-15-pgaudit)"
    return None


@dataclass(frozen=True)
class Server:
    """A running server. `url` is that of the publisher, who is no superuser."""

    place: Path
    port: int

    @property
    def url(self) -> str:
        return f"postgresql://{OWNER}@127.0.0.1:{self.port}/finance"

    @property
    def certificate(self) -> Path:
        return self.place / "server.crt"

    def remote_url(self, more: str = "") -> str:
        """The same server under a name that is not this machine's."""
        return (
            f"postgresql://{OWNER}@{HOST}:{self.port}/finance?hostaddr=127.0.0.1{more}"
        )

    def connect(self, user: str, **more: object) -> psycopg.Connection:
        """A connection as a user, in autocommit."""
        return psycopg.connect(
            host="127.0.0.1",
            port=self.port,
            user=user,
            dbname="finance",
            autocommit=True,
            **more,
        )

    def rows(self, user: str, query: str, *parameters: object) -> list[tuple]:
        """Rows of a query as a user sees them."""
        with self.connect(user) as connection:
            return connection.execute(query, parameters).fetchall()

    def log(self) -> str:
        return (self.place / "server.log").read_text(encoding="utf-8")


@contextmanager
def running() -> Iterator[Server]:
    """A server that is stopped and removed in the end."""
    place = Path(tempfile.mkdtemp(prefix="billing-postgres-"))
    user = _ordinary_user()
    if user is not None:
        shutil.chown(place, user)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        server = Server(place, free.getsockname()[1])
    data = place / "data"
    try:
        _run(user, BIN / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-N")
        _certificate(place, user)
        settings = {
            "port": server.port,
            "listen_addresses": "'127.0.0.1'",
            "unix_socket_directories": f"'{place}'",
            "fsync": "off",
            "ssl": "on",
            "ssl_cert_file": f"'{place}/server.crt'",
            "ssl_key_file": f"'{place}/server.key'",
            "shared_preload_libraries": "'pgaudit'",
            "pgaudit.log": "'read, write, ddl, role'",
            "pgaudit.log_catalog": "off",
            "log_line_prefix": "'%m user=%u '",
        }
        with (data / "postgresql.conf").open("a") as file:
            file.writelines(f"{name} = {value}\n" for name, value in settings.items())
        _run(
            user,
            *(BIN / "pg_ctl", "-D", data, "-l", place / "server.log", "-w", "start"),
        )
        with psycopg.connect(
            host="127.0.0.1", port=server.port, user="postgres", autocommit=True
        ) as connection:
            connection.execute(f"create role {OWNER} login createrole")
            connection.execute(f"grant pg_signal_backend to {OWNER}")
            connection.execute(f"create database finance owner {OWNER}")
        yield server
    finally:
        if (data / "postmaster.pid").exists():
            _run(user, BIN / "pg_ctl", "-D", data, "-m", "immediate", "stop")
        shutil.rmtree(place, ignore_errors=True)


def wait_until(holds, seconds: float = 10) -> bool:
    """Whether something holds before the time is over."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if holds():
            return True
        time.sleep(0.02)
    return bool(holds())


def _ordinary_user() -> str | None:
    """Who runs the server where these tests are run by root, which it refuses."""
    if os.getuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    raise LookupError("no ordinary user to run PostgreSQL as")


def _run(user: str | None, *command: object) -> None:
    as_user = {} if user is None else {"user": user, "group": user, "extra_groups": []}
    if user == "nobody":
        as_user["group"] = pwd.getpwnam(user).pw_gid
    subprocess.run(
        [str(part) for part in command],
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"},
        **as_user,
    )


def _certificate(place: Path, user: str | None) -> None:
    """A certificate for HOST that signs itself, readable where the server runs."""
    certificate, key = place / "server.crt", place / "server.key"
    write_certificate(certificate, key, HOST, x509.DNSName(HOST))
    if user is not None:
        shutil.chown(key, user)
        shutil.chown(certificate, user)
    place.chmod(0o711)
    certificate.chmod(0o644)
