"""Keys of the encrypted files and of patient tokens.

They come from the environment or from files of mode 0600 that the first run makes;
they are handed on in the environment of the process alone, never in arguments.
"""

import contextlib
import hashlib
import os
import secrets
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from orchestration.errors import BillingError
from orchestration.home import Home

NAMES = ("warehouse", "ledger", "token")


@dataclass(frozen=True)
class Keys:
    """The three keys, as text. Not shown by repr."""

    warehouse: str = field(repr=False)
    ledger: str = field(repr=False)
    token: str = field(repr=False)

    @classmethod
    def of(cls, home: Home) -> "Keys":
        """Read the keys of a home, making on first use those that nobody gave.

        Raises BillingError when a key file is readable by others, is no key, or is
        missing although what was made with it is there.
        """
        return cls(**{name: _key(home, name) for name in NAMES})

    def hand_to_dbt(self, home: Home) -> None:
        """Put what `profiles.yml` reads into the environment of this process."""
        os.environ["BILLING_HOME"] = str(home.path)
        os.environ["DBT_ENV_SECRET_WAREHOUSE_KEY"] = self.warehouse
        os.environ["DBT_ENV_SECRET_LEDGER_KEY"] = self.ledger


def variable(name: str) -> str:
    """The environment variable that gives a key."""
    return f"BILLING_{name.upper()}_KEY"


def given(home: Home, name: str) -> str | None:
    """A key from the environment, else from its file; None if nobody has made it."""
    path = home.keys / name
    return os.environ.get(variable(name)) or (read(path) if path.exists() else None)


def key_id(name: str, key: str) -> str:
    """Eight hex digits that tell keys apart without telling the key."""
    return hashlib.sha256(f"{name}-key-id{key}".encode()).hexdigest()[:8]


def _key(home: Home, name: str) -> str:
    key = given(home, name)
    if key is not None:
        if "\\" in key:
            raise BillingError(
                f"the {name} key holds a backslash, which DuckDB takes for an "
                f"escape; give another as {variable(name)} or {home.keys / name}"
            )
        return key
    path = home.keys / name
    made_with_it = home.ledger if name == "ledger" else home.warehouse
    if made_with_it.exists():
        raise BillingError(
            f"{made_with_it} is there but the {name} key it was made with is not: "
            f"put the key back as {path} or give it as {variable(name)}"
        )
    return make(path)


def read(path: Path) -> str:
    """A key from its file. Raises BillingError if others can read it or it is none."""
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise BillingError(
            f"{path} can be read by others; run: chmod 600 {path} "
            "(and change the key if somebody may have read it)"
        )
    try:
        key = path.read_text(encoding="ascii").strip()
    except PermissionError:
        raise BillingError(
            f"{path} can't be read; run as the user that owns it"
        ) from None
    except UnicodeDecodeError:
        key = ""
    if not key:
        raise BillingError(f"{path} holds no key; put it back from its backup")
    return key


def make(path: Path) -> str:
    """Make a key and write it to a file that its owner alone can read.

    Of several processes that begin at once all get the key of the one that is first.
    Raises BillingError where the file system has no hard links.
    """
    key = secrets.token_hex(32)
    with _written_beside(path, key) as temporary:
        try:
            # Unlike a change of name, a link never takes the place of a file.
            os.link(temporary, path)
        except FileExistsError:
            return read(path)
        except OSError as error:
            raise BillingError(
                f"{path} can't be put in place ({error.strerror}): keep the home on a "
                "disk whose file system has hard links, as ext4, XFS and APFS do"
            ) from None
    return key


def write(path: Path, key: str) -> None:
    """Write a key to its file, whole or not at all."""
    with _written_beside(path, key) as temporary:
        os.replace(temporary, path)


@contextlib.contextmanager
def _written_beside(path: Path, key: str) -> Iterator[str]:
    """A key on disk, in a file of mode 0600 that is gone in the end."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(key + "\n")
            file.flush()
            os.fsync(file.fileno())
        yield temporary
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
