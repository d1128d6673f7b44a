"""The heads of ledger and audit log, kept outside of BILLING_HOME.

A file that was cut short or put back to an earlier state looks whole. Who has its head
of a later day knows better: `billing verify --expect HEAD` looks for it.
"""

import os
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from orchestration.audit import FIRST_HASH, AuditLog
from orchestration.errors import BillingError
from orchestration.home import Home

# A file that each close adds a line to: best on another machine, or one that can only
# be added to.
HEADS_VARIABLE = "BILLING_HEADS_FILE"


@dataclass(frozen=True)
class Heads:
    """The hash of the last record of the ledger and of the last row of the log."""

    ledger: str
    audit: str


def heads_of(home: Home) -> Heads:
    """Both heads, as the audit log has them."""
    ledger = audit = FIRST_HASH
    for row in AuditLog(home.audit).rows():
        ledger, audit = row["ledger_head"] or ledger, row["hash"]
    return Heads(ledger, audit)


def heads_file(home: Home) -> Path | None:
    """Where heads are kept; None if nowhere. Raises BillingError if it is in the home,
    where it would be put back together with what it vouches for.
    """
    given = os.environ.get(HEADS_VARIABLE)
    if not given:
        return None
    path = Path(given).absolute()
    if path.resolve().is_relative_to(home.path.resolve()):
        raise BillingError(
            f"{HEADS_VARIABLE} is {path}, inside of {home.path}: name a file "
            "elsewhere, or it is lost and put back together with what it vouches for"
        )
    return path


def keep_heads(home: Home, month: date) -> Heads:
    """Add both heads to the file outside, if one is named, as a close leaves them.

    Raises BillingError if it can't be written; the month is closed all the same.
    """
    heads = heads_of(home)
    path = heads_file(home)
    if path is None:
        return heads
    try:
        with path.open("a", encoding="ascii") as file:
            file.write(f"{month:%Y-%m} ledger {heads.ledger} audit {heads.audit}\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise BillingError(
            f"{month:%Y-%m} is closed, but its heads could not be added to {path} "
            f"({error.strerror}). Write them down: ledger {heads.ledger}, audit log "
            f"{heads.audit}"
        ) from None
    return heads
