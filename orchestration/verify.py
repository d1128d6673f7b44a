"""`billing verify`: is what was booked still there, unchanged, and does it tie?

Everything is made again from the rows of the ledger and of the audit log: the hash of
each invoice, of each record, the totals, the journal, the roll-forward of each
contract, the chain of the log, the digests of the kept publications. The warehouse is
not needed. Ledger and log vouch for each other: a file that was cut short or put back
to an earlier state does not show by itself, but the other one names what it lacks. If
both were put back together, only a head kept elsewhere tells (`expected`).
"""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from orchestration import ledger_checks, ledger_witness
from orchestration.audit import AuditLog
from orchestration.closing import kept_publication
from orchestration.database import attach, connect, load_encryption, quoted
from orchestration.errors import BillingError
from orchestration.files import file_digest
from orchestration.home import Home
from orchestration.keys import Keys
from orchestration.ledger import open_ledger
from orchestration.ledger_chain import FIRST_HASH, ledger_head
from orchestration.project import read_seed

_BEYOND = (
    "A ledger and a log that were both put back to one earlier day look whole: compare "
    "with a head kept elsewhere (--expect HEAD)"
)


@dataclass
class Verification:
    """What was found; `problems` are in words, none if all is well."""

    ledger_head: str = FIRST_HASH
    audit_head: str = FIRST_HASH
    invoices: int = 0
    records: int = 0
    audit_rows: int = 0
    problems: list[str] = field(default_factory=list)

    def in_words(self) -> list[str]:
        """What was checked, what differs, and both heads."""
        return [
            f"Ledger: {self.invoices:,} invoices, {self.records:,} records",
            f"Audit log: {self.audit_rows:,} rows",
            *(f"- {problem}" for problem in self.problems),
            *([] if self.problems else ["All of it is as it was booked"]),
            f"Head of the ledger:    {self.ledger_head}",
            f"Head of the audit log: {self.audit_head}",
            *([] if self.problems else [_BEYOND]),
        ]


def verify(home: Home, expected: Sequence[str] = ()) -> Verification:
    """Check ledger, log and kept publications; `expected` are heads kept elsewhere.

    Raises BillingError if there is no ledger, or if it can't be opened.
    """
    if not home.ledger.exists():
        raise BillingError(
            f"{home.ledger} is not there: nothing was issued with this home, or the "
            "ledger is gone and must be restored from its backup"
        )
    found = Verification()
    log = _check_log(AuditLog(home.audit), found)
    with _ledger(home) as connection:
        records = ledger_checks.records(connection)
        witnesses = _kept_publications(connection, home, found)
        found.problems += ledger_checks.chain_problems(records)
        found.problems += ledger_checks.issue_problems(connection, records)
        found.problems += _row_problems(connection, records, witnesses)
        found.problems += _invoice_problems(connection, witnesses)
        found.problems += ledger_checks.journal_problems(
            connection, read_seed("ledger_accounts")
        )
        found.ledger_head = ledger_head(connection)
        found.records = len(records)
        (found.invoices,) = connection.execute(
            "select count(*) from ledger.book.invoices"
        ).fetchone()
    booked = {FIRST_HASH, *(record.hash for record in records)}
    found.problems += _against_each_other(log, booked, found.ledger_head)
    found.problems += _not_in_the_log(log, records, found.ledger_head)
    found.problems += [
        f"the head {head} is neither in the ledger nor in the audit log: the one it "
        "was of has been cut short, put back to an earlier state, or made anew since "
        "that head was kept"
        for head in expected
        if head not in booked and head not in log.hashes
    ]
    return found


@dataclass
class _Log:
    """The audit log as read: hashes of its rows, what was done to what, and who names
    which ledger head.
    """

    hashes: set[str] = field(default_factory=set)
    told: set[tuple[str, str]] = field(default_factory=set)
    heads: dict[str, int] = field(default_factory=dict)


def _check_log(audit: AuditLog, found: Verification) -> _Log:
    log = _Log()
    if not audit.path.exists():
        found.problems.append(
            f"{audit.path.name} is gone: restore it, together with the ledger, from "
            "one backup"
        )
        return log
    try:
        for row in audit.rows():
            log.hashes.add(row["hash"])
            log.told.add((row["action"], row["object"]))
            if row["ledger_head"] is not None:
                log.heads.setdefault(row["ledger_head"], row["seq"])
            found.audit_head = row["hash"]
            found.audit_rows += 1
        found.problems += audit.problems()
    except BillingError as error:
        found.problems.append(str(error))
    return log


@contextlib.contextmanager
def _ledger(home: Home) -> Iterator[duckdb.DuckDBPyConnection]:
    connection = connect()
    try:
        load_encryption(connection)
        connection.execute(f"set temp_directory = {quoted(home.spill)}")
        connection.execute("set temp_file_encryption = true")
        attach(connection, home.ledger, "ledger", Keys.of(home).ledger)
        open_ledger(connection)
        yield connection
    except duckdb.Error as error:
        # Its own text may quote bytes of the file.
        raise BillingError(
            f"{home.ledger} can't be read to its end ({type(error).__name__}): blocks "
            "of it are damaged. Restore it from its backup"
        ) from None
    finally:
        connection.close()


def _kept_publications(
    connection: duckdb.DuckDBPyConnection, home: Home, found: Verification
) -> list[Path]:
    """Publications whose digest is as booked, the newest first; then the current."""
    rows = connection.execute(
        "select month, digest from ledger.book.kept_publications "
        "left join ledger.book.closings using (closing_no) order by closing_no desc"
    ).fetchall()
    witnesses = []
    for month, digest in rows:
        path = None if month is None else kept_publication(home, month)
        if path is None:
            continue
        if not path.exists():
            found.problems.append(f"{path}: is gone; restore it from its backup")
        elif file_digest(path) != digest:
            found.problems.append(f"{path}: was changed after the close kept it")
        else:
            witnesses.append(path)
    return [*witnesses, home.publication]


def _row_problems(
    connection: duckdb.DuckDBPyConnection,
    records: list[ledger_checks.Record],
    witnesses: list[Path],
) -> Iterator[str]:
    for record, table, words in ledger_checks.row_problems(connection, records):
        column, number = next(iter(record.content.items()))
        rows = _witnessed(connection, witnesses, [table], column, number)
        yield f"{record.words}: {words}" + rows


def _invoice_problems(
    connection: duckdb.DuckDBPyConnection, witnesses: list[Path]
) -> Iterator[str]:
    for number, words in ledger_checks.invoice_problems(connection):
        rows = _witnessed(
            connection,
            witnesses,
            ["invoices", "invoice_lines", "invoice_line_facilities"],
            "invoice_number",
            number,
        )
        yield f"invoice {number}: {words}{rows}"
    for number, words in ledger_checks.total_problems(connection):
        yield f"invoice {number}: {words}"


def _witnessed(
    connection: duckdb.DuckDBPyConnection,
    witnesses: list[Path],
    tables: list[str],
    column: str,
    value: object,
) -> str:
    """Which rows differ from what was published last, in words; empty if none."""
    for path in witnesses:
        with ledger_witness.opened(connection, path) as is_there:
            if not is_there:
                continue
            rows = [
                row
                for table in tables
                for row in ledger_witness.changed_rows(connection, table, column, value)
            ]
            if rows:
                return f" ({'; '.join(rows)}; by {path.name})"
    return ""


def _against_each_other(log: _Log, booked: set[str], head: str) -> Iterator[str]:
    for named, seq in log.heads.items():
        if named not in booked:
            yield (
                f"audit.jsonl, row {seq} names the ledger's head {named}, which the "
                "ledger does not have: it was cut short, put back to an earlier state, "
                "or its chain was made anew"
            )
    if head != FIRST_HASH and head not in log.heads:
        yield (
            f"the ledger's head {head} is not in audit.jsonl: the log was cut short or "
            "put back to an earlier state, or a run was killed between the two (then "
            "`billing run` notes it; verify again after it)"
        )


def _not_in_the_log(
    log: _Log, records: list[ledger_checks.Record], head: str
) -> Iterator[str]:
    """Issues and closings the log lacks though it goes on: a run notes the last only.

    Where the head is not in it either, that was said already.
    """
    lost = [
        record.words
        for record in records
        if (record.table == "issues" and ("issue", record.words) not in log.told)
        or (
            record.table == "closings"
            and ("close", f"{record.content['month']:%Y-%m}") not in log.told
        )
    ]
    if lost and head in log.heads:
        yield (
            f"audit.jsonl does not tell of {', '.join(lost)}: the log was lost or cut "
            "short, and a run went on with it; restore it, together with the ledger, "
            "from one backup"
        )
