"""audit.jsonl: one row for each run, issue, publication, key use and refusal.

A row holds the hash of the row before it, so a change, a gap or a swap shows.
"""

import fcntl
import getpass
import hashlib
import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from orchestration.home import PRIVATE_FILE

FIRST_HASH = "0" * 64


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

        `detail` holds scope and purpose, never anything of a patient.
        A last line that a crash left unfinished is taken off and the loss is said.
        """
        descriptor = os.open(
            self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, PRIVATE_FILE
        )
        with os.fdopen(descriptor, "r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            last, torn = _last_row(file)
            if torn:
                last = _write(file, last, "recovered", self.path.name, {"bytes": torn})
            row = _write(file, last, action, target, detail or {}, rows, ledger_head)
        return row

    def rows(self) -> Iterator[dict[str, Any]]:
        """Rows from the first to the last; nothing if there is no log yet."""
        if not self.path.exists():
            return
        with self.path.open(encoding="utf-8") as file:
            for line in file:
                if line.endswith("\n"):
                    yield json.loads(line)

    def ledger_head(self) -> str | None:
        """The ledger's head as the last row names it; None before the first."""
        head = None
        for row in self.rows():
            head = row["ledger_head"]
        return head

    def problems(self) -> list[str]:
        """What is wrong with the chain, in words; nothing if it is whole."""
        found = []
        previous, seq = FIRST_HASH, 0
        for row in self.rows():
            seq += 1
            place = f"{self.path.name} row {seq}"
            if row["seq"] != seq:
                found.append(f"{place}: is numbered {row['seq']}")
                seq = row["seq"]
            if row["previous_hash"] != previous:
                found.append(f"{place}: does not follow the row before it")
            if row["hash"] != _digest(row):
                found.append(f"{place}: was changed after it was written")
            previous = row["hash"]
        return found


def _last_row(file) -> tuple[dict[str, Any] | None, int]:
    """The last whole row, and how many bytes of an unfinished one were cut off."""
    size = file.seek(0, os.SEEK_END)
    step, tail = 1 << 16, b""
    start = size
    while start > 0:
        start = max(0, start - step)
        file.seek(start)
        tail = file.read(size - start)
        if tail.rstrip(b"\n").count(b"\n") >= 1:
            break
    whole, _, torn = tail.rpartition(b"\n")
    if torn:
        file.truncate(size - len(torn))
    lines = whole.splitlines()
    return (json.loads(lines[-1]) if lines else None), len(torn)


def _write(file, last, action, target, detail, rows=None, ledger_head=None):
    row = {
        "seq": last["seq"] + 1 if last else 1,
        "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "actor": getpass.getuser(),
        "action": action,
        "object": target,
        "detail": detail,
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


def _digest(row: dict[str, Any]) -> str:
    content = {name: value for name, value in row.items() if name != "hash"}
    canonical = json.dumps(
        content, ensure_ascii=False, sort_keys=True, separators=(",", ":")
    )
    return hashlib.sha256(canonical.encode()).hexdigest()
