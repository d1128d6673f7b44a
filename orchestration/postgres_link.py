"""A link to PostgreSQL, its certificate verified wherever it leaves the machine."""

import contextlib
import ipaddress
import os
import sys
from collections.abc import Iterator

import psycopg
from psycopg.conninfo import conninfo_to_dict

from orchestration.errors import BillingError, UsageError

VERIFIED = "verify-full"
_SCHEMES = ("postgresql://", "postgres://")
_LOCAL_NAMES = ("localhost", "")
# They would say where to connect, or how, behind the back of the URL that was checked.
_HIDDEN = ("PGHOST", "PGHOSTADDR", "PGSERVICE", "PGSERVICEFILE", "PGSSLMODE")
_CONNECT_SECONDS = 15


class Address:
    """Where a publication is served, checked; `shown` is it without a password."""

    def __init__(self, url: str) -> None:
        """Raises UsageError for anything but a PostgreSQL URL, and for a link to
        another machine that would not verify its certificate (HP-11).
        """
        if not url.startswith(_SCHEMES):
            raise UsageError(
                "--to: give the server as postgresql://USER@HOST:PORT/DATABASE"
            )
        try:
            self._parameters = conninfo_to_dict(url)
        except psycopg.ProgrammingError:
            # Not the library's own words, which may quote a password.
            raise UsageError("--to: this is no URL of a PostgreSQL server") from None
        port = self._named("port").replace(",", "")
        if "@" in self._named("host") + self._named("dbname") or (
            port and not port.isdecimal()
        ):
            # A piece of a password may be taken for one of them, and would be shown.
            raise UsageError(
                "--to: this is no URL of a PostgreSQL server: in a user's name or a "
                "password write @ as %40, / as %2F and : as %3A"
            )
        if "service" in self._parameters:
            raise UsageError("--to: name the server itself, not a service")
        self.host = self._named("host")
        self.shown = self._shown()
        if "password" in self._parameters:
            print(
                "billing: a password on the command line can be read by everybody on "
                "this machine: use ~/.pgpass, PGPASSWORD or a client certificate",
                file=sys.stderr,
            )
        self.is_local = _is_local(self.host) and _is_local(self._named("hostaddr"))
        mode = self._parameters.get("sslmode")
        if not self.is_local and mode not in (None, VERIFIED):
            raise UsageError(
                f"--to {self.shown}: sslmode={mode} does not verify whom it talks to; "
                f"outside this machine only sslmode={VERIFIED} is used, with "
                "sslrootcert=FILE where the system does not know the authority"
            )

    @contextlib.contextmanager
    def connect(self) -> Iterator[psycopg.Connection]:
        """A connection in autocommit. Raises BillingError if there is none."""
        parameters = dict(self._parameters)
        parameters.setdefault("connect_timeout", _CONNECT_SECONDS)
        parameters.setdefault("application_name", "billing publish")
        if not self.is_local:
            parameters["sslmode"] = VERIFIED
            # Else it might take the place of TLS.
            parameters["gssencmode"] = "disable"
        try:
            with _without_hidden_settings():
                connection = psycopg.connect(**parameters, autocommit=True)
        except psycopg.Error as error:
            # libpq names host and reason; it never repeats a password.
            reason = " ".join(str(error).split())
            raise BillingError(f"{self.shown} can't be reached: {reason}") from None
        with connection:
            yield connection

    def _named(self, key: str) -> str:
        return str(self._parameters.get(key, ""))

    def _shown(self) -> str:
        user, port, name = (
            self._parameters.get(key) for key in ("user", "port", "dbname")
        )
        return (
            f"postgresql://{f'{user}@' if user else ''}{self.host or 'localhost'}"
            f"{f':{port}' if port else ''}/{name or ''}"
        )


@contextlib.contextmanager
def _without_hidden_settings() -> Iterator[None]:
    kept = {name: os.environ.pop(name) for name in _HIDDEN if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(kept)


def _is_local(host: str) -> bool:
    """Whether a host, or each of several, is this machine; a path is a socket of it."""
    for name in host.split(","):
        if name.startswith("/") or name in _LOCAL_NAMES:
            continue
        try:
            if not ipaddress.ip_address(name).is_loopback:
                return False
        except ValueError:
            return False
    return True
