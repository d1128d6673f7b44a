"""BILLING_HOME: where the state of one billing system lies, and its lock."""

import contextlib
import fcntl
import getpass
import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from orchestration.errors import BillingError

PRIVATE_DIRECTORY = 0o700
PRIVATE_FILE = 0o600

# For Dagster's pages: one run at a time, and no word to anybody outside.
_DAGSTER = """\
telemetry: {enabled: false}
nux: {enabled: false}
concurrency: {runs: {max_concurrent_runs: 1}}
"""

# Locks this process holds, by home: the open file and how often it was taken.
_held: dict[Path, tuple[int, int]] = {}


class Home:
    """Paths of one state directory; made, for its owner alone, when first used."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path).absolute()
        self.warehouse = self.path / "warehouse.duckdb"
        self.ledger = self.path / "ledger.duckdb"
        self.audit = self.path / "audit.jsonl"
        self.keys = self.path / "keys"
        self.work = self.path / "work"
        self.spill = self.work / "spill"
        self.dagster = self.work / "dagster"
        self.dbt_target = self.work / "target"
        self.expectations = self.work / "expectations"
        self.published = self.path / "published"
        self.publication = self.published / "billing.duckdb"
        self.closes = self.published / "closes"
        self.replaced = self.path / "replaced"
        self.outbox = self.path / "outbox"

    @property
    def is_made(self) -> bool:
        """Whether a run or a restore ever came here; a refusal alone leaves no key."""
        return self.keys.is_dir() or self.ledger.exists()

    def create(self) -> None:
        """Make the directories. Raises BillingError if the place can't be written."""
        # DuckDB makes its files with the mode the process allows: nobody else's.
        os.umask(0o077)
        try:
            for directory in (
                self.path,
                self.keys,
                self.work,
                self.spill,
                self.dagster,
                self.dbt_target,
                self.published,
            ):
                directory.mkdir(mode=PRIVATE_DIRECTORY, parents=True, exist_ok=True)
            self.work.chmod(PRIVATE_DIRECTORY)
            self.keys.chmod(PRIVATE_DIRECTORY)
            settings = self.dagster / "dagster.yaml"
            # Not written over while another process may be reading it.
            if not settings.exists() or settings.read_text("ascii") != _DAGSTER:
                settings.write_text(_DAGSTER, encoding="ascii")
        except OSError as error:
            raise BillingError(
                f"{self.path}: can't be used as BILLING_HOME ({error.strerror}); "
                "choose another directory with --home"
            ) from None

    @contextlib.contextmanager
    def lock(self, command: str) -> Iterator[None]:
        """Hold the one writer's lock; nested calls of one process share it.

        The system lets go of it when the process ends, however it ends.
        Raises BillingError naming who holds it.
        """
        descriptor, depth = _held.get(self.path, (None, 0))
        if descriptor is None:
            descriptor = self._take_lock(command)
        _held[self.path] = (descriptor, depth + 1)
        try:
            yield
        finally:
            _held[self.path] = (descriptor, depth)
            if depth == 0:
                del _held[self.path]
                os.close(descriptor)

    def holder(self) -> str:
        """Who took the lock last, in words; whether it is still held is not asked."""
        try:
            held = json.loads((self.path / "lock").read_bytes())
            return (
                f"`{held['command']}` of {held['user']} "
                f"(process {held['pid']}, since {held['since']})"
            )
        except (OSError, ValueError, KeyError):
            return "another run that has just begun"

    def _take_lock(self, command: str) -> int:
        self.create()
        path = self.path / "lock"
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, PRIVATE_FILE)
        except OSError as error:
            raise BillingError(
                f"{path}: can't be opened ({error.strerror}); "
                f"run as the user that owns {self.path}"
            ) from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise BillingError(
                f"{self.path} is in use by {self.holder()}; one run at a time: "
                "wait for it to end and try again"
            ) from None
        note = {
            "command": command,
            "user": getpass.getuser(),
            "pid": os.getpid(),
            "since": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(note).encode(), 0)
        return descriptor
