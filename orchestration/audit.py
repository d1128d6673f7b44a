"""audit.jsonl: one row for each run, issue, publication, key use and refusal.

A row holds the hash of the row before it, so a change, a gap or a swap shows.
"""

import fcntl
import hashlib
import json
import os
import pwd
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from orchestration.code_version import code_version
from orchestration.errors import BillingError
from orchestration.home import PRIVATE_FILE

# Why somebody does what is logged, where it is not the usual.
PURPOSE_VARIABLE = "BILLING_PURPOSE"
FIRST_HASH = "0" * 64
_BLOCK = 1 << 16
_PURPOSES = {
    "explain": "to explain an invoice",
    "backup": "contingency plan",
    "restore": "contingency plan",
    "access_report": "access review",
    "breach": "breach assessment",
    "phi_scan": "control",
    "purge": "retention",
    "purge_preview": "retention",
    "key_rotation": "key management",
    "refusal": "control",
    "recovered": "integrity",
}
_NAMES = {"seq", "ledger_head", "previous_hash", "hash"}


class AuditLog:
    """The append-only audit log of a home."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(
        self,
        action: str,
        target: str,
        *,
        detail: dict[str, Any] | None = None,
        rows: int | None = None,
        ledger_head: str | None = None,
    ) -> dict[str, Any]:
        """Add a row and return it, once it is safely on disk.

        `detail` holds the scope, never anything of a patient; the purpose and the
        version of the code are added to it (HP-13).
        A last line that a crash left unfinished is taken off and the loss is said.
        Raises BillingError if the row can't be written: what is not logged is not done.
        """
        try:
            descriptor = os.open(
                self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, PRIVATE_FILE
            )
            with os.fdopen(descriptor, "r+b") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                last, torn = self._last_row(file)
                if torn:
                    last = _write(
                        file, last, "recovered", self.path.name, {"bytes": torn}
                    )
                return _write(
                    file, last, action, target, detail or {}, rows, ledger_head
                )
        except OSError as error:
            raise BillingError(
                f"{self.path} can't be written ({error.strerror}); "
                "nothing is done that is not logged"
            ) from None

    def rows(self) -> Iterator[dict[str, Any]]:
        """Rows from the first to the last; nothing if there is no log yet.

        A last line without its end, which a crash leaves, is not among them. Raises
        BillingError for a line that is no row.
        """
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if not line.endswith(b"\n"):
                    return
                row = _parsed(line)
                if row is None:
                    raise BillingError(
                        f"{self.path}, line {number} is no row of the log; "
                        "restore it, together with ledger.duckdb, from one backup"
                    )
                yield row

    def ledger_heads(self) -> list[str]:
        """The heads the ledger had, oldest first, as the rows name them."""
        heads = (row["ledger_head"] for row in self.rows())
        return list(dict.fromkeys(head for head in heads if head is not None))

    def problems(self) -> list[str]:
        """What is wrong with the chain, in words; nothing if it is whole."""
        found = []
        previous, seq = FIRST_HASH, 0
        for row in self.rows():
            seq += 1
            place = f"{self.path.name}, row {seq}"
            if row["seq"] != seq:
                found.append(f"{place}: is numbered {row['seq']}")
                seq = row["seq"]
            if row["previous_hash"] != previous:
                found.append(f"{place}: does not follow the row before it")
            if row["hash"] != _digest(row):
                found.append(f"{place}: was changed after it was written")
            previous = row["hash"]
        return found

    def _last_row(self, file: BinaryIO) -> tuple[dict[str, Any] | None, int]:
        """The last whole row, and how many bytes of an unfinished one were cut off."""
        size, torn = file.seek(0, os.SEEK_END), b""
        start, whole = size, b""
        # Back until the end of the row before the last whole one is seen.
        while start > 0 and b"\n" not in whole:
            start = max(0, start - _BLOCK)
            file.seek(start)
            whole, _, torn = file.read(size - start).rpartition(b"\n")
        if torn:
            file.truncate(size - len(torn))
        if not whole:
            return None, len(torn)
        row = _parsed(whole.splitlines()[-1])
        if row is None:
            raise BillingError(
                f"{self.path}: its last line is no row of the log; "
                "restore it, together with ledger.duckdb, from one backup"
            )
        return row, len(torn)


def _parsed(line: bytes) -> dict[str, Any] | None:
    """A line of the log as a row; None if it is none."""
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) and row.keys() >= _NAMES else None


def _write(file, last, action, target, detail, rows=None, ledger_head=None):
    row = {
        "seq": last["seq"] + 1 if last else 1,
        "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "actor": _actor(),
        "action": action,
        "object": target,
        "detail": _whole_detail(action, detail),
        "rows": rows,
        "ledger_head": ledger_head or (last["ledger_head"] if last else None),
        "previous_hash": last["hash"] if last else FIRST_HASH,
    }
    row["hash"] = _digest(row)
    file.seek(0, os.SEEK_END)
    file.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")
    file.flush()
    os.fsync(file.fileno())
    return row


def _actor() -> str:
    """Who runs this process, as the system has it: LOGNAME and USER are only claims."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid {os.getuid()}"


def _whole_detail(action: str, detail: dict[str, Any]) -> dict[str, Any]:
    purpose = (
        detail.get("purpose")
        or os.environ.get(PURPOSE_VARIABLE)
        or _PURPOSES.get(action, "billing")
    )
    added = {"purpose": purpose, "code": code_version()}
    login = _login()
    if login is not None:
        added["login"] = login
    return {**detail, **added}


def _login() -> str | None:
    """Who logged in, where that is somebody else: a person behind a shared account."""
    try:
        uid = int(Path("/proc/self/loginuid").read_text())
        name = pwd.getpwuid(uid).pw_name
    except (OSError, ValueError, KeyError, OverflowError):
        return None
    return None if uid == os.getuid() else name


def _digest(row: dict[str, Any]) -> str:
    content = {name: value for name, value in row.items() if name != "hash"}
    canonical = json.dumps(
        content, ensure_ascii=False, sort_keys=True, separators=(",", ":")
    )
    return hashlib.sha256(canonical.encode()).hexdigest()
