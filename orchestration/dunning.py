"""`billing dun`: what is due to be sent, who approves it, and the sending.

Receivables are loaded first, so that what came in today counts. Sending changes no
amount: it books notices, and hands messages over.
"""

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from orchestration import audit_log, notices, progress
from orchestration.audit import AuditLog
from orchestration.billing_run import BillingRun
from orchestration.contract_tables import load_receivables
from orchestration.dbt_project import failure_message
from orchestration.dunning_letters import due_letters
from orchestration.dunning_messages import Letter, address, message_of
from orchestration.dunning_queue import print_queue
from orchestration.errors import BillingError
from orchestration.files import file_digest
from orchestration.home import Home
from orchestration.last_run import last_run
from orchestration.mail import InDoubt, NotDelivered, PostOffice, post_office
from orchestration.notices import Notice
from orchestration.publish import publish
from orchestration.warehouse import open_files

_RECEIVABLES = ("payments", "credits", "disputes", "holds", "promises", "rejected_rows")
_LOADED = " ".join(f"source:raw.{name}+" for name in _RECEIVABLES)
_BOOKED = "source:ledger.notice_events+"


def dun(
    home_path: Path,
    as_of: date,
    landing: Path | None = None,
    *,
    send: bool = False,
    approve: str | None = None,
    settle: tuple[str, str] | None = None,
    by: str | None = None,
) -> None:
    """Load receivables, show the queue; before that approve, settle and send.

    `settle` is a notice in doubt and what a person found: that it arrived (`seen`) or
    did not go (`failed`). Raises BillingError if the warehouse is not of the as-of
    day, if a check failed (nothing is sent then), or if something could not be
    delivered.
    """
    home = Home(home_path)
    with home.lock("billing dun"):
        try:
            run = _begin(home, as_of, landing)
            _refresh(run, _LOADED + " " + _BOOKED)
            if approve is not None:
                _approve(run, approve, by or "")
            if settle is not None:
                _settle(run, *settle, by or "")
            if approve is not None or settle is not None:
                _refresh(run, _BOOKED)
            failed = _send(run) if send else []
            if send:
                _refresh(run, _BOOKED)
        finally:
            progress.finish()
        print_queue(home, as_of)
        if failed:
            raise BillingError("; ".join(failed))


def _begin(home: Home, as_of: date, landing: Path | None) -> BillingRun:
    """The run whose receivables are loaded anew."""
    last = last_run(home)
    if last is None:
        raise BillingError(
            f"{home.path}: nothing was billed here yet; begin with `billing run`"
        )
    if last.as_of != as_of:
        raise BillingError(
            f"what is built is as of {last.as_of}, not {as_of}: run "
            f"`billing run --as-of {as_of}` first, or ask with --as-of {last.as_of}"
        )
    if not last.is_published:
        raise BillingError(
            f"the last run, as of {last.as_of}, did not come to its end: mend what "
            "stopped it and run again"
        )
    where = (landing or last.landing).absolute()
    run = BillingRun(home=str(home.path), landing=str(where), as_of=str(as_of))
    head = run.check_ledger().head
    log = AuditLog(home.audit)
    log.append("key_use", "warehouse, ledger", ledger_head=head)
    log.append("dun", str(where), detail={"as_of": str(as_of)})
    return run


def _check_files(connection: duckdb.DuckDBPyConnection, landing: Path) -> None:
    """Stop if files are gone that the last run read: who paid would be asked again."""
    read = connection.execute(
        "select source_file from raw.contract_files "
        "where starts_with(source_file, 'receivables/') order by all"
    ).fetchall()
    gone = [name for (name,) in read if not (landing / name).is_file()]
    if gone:
        raise BillingError(
            "what the last run knew of payments and disputes is gone: "
            f"{', '.join(gone)}. Put it back, or run `billing run` first. "
            "Nothing was sent"
        )


def _uncounted(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Where rows are rejected, or a dispute is refused: they keep nobody from being
    asked.
    """
    rows = connection.execute(
        "select source_file, list(distinct line order by line) "
        "from quality.rejected_rows "
        "where starts_with(source_file, 'receivables/') group by source_file order by 1"
    ).fetchall()
    return [
        f"{name}: what is said in line {', '.join(map(str, lines))} is rejected and "
        "stops no letter (quality.rejected_rows)"
        for name, lines in rows
    ]


def _refresh(run: BillingRun, select: str) -> None:
    """Build again what `select` names, and publish it."""
    if select.startswith(_LOADED):
        progress.stage("Loading receivables")
        with open_files(run.state, run.keyring) as connection:
            _check_files(connection, run.landing_dir)
            intake = load_receivables(connection, run.landing_dir, run.as_of_day)
        for warning in intake.warnings:
            progress.warn(warning)
    # Models are parsed when first imported, for the home in the environment.
    run.keyring.hand_to_dbt(run.state)
    from orchestration.model_assets import build

    problem = failure_message(build(run, select, "Building receivables"))
    if problem:
        raise BillingError(f"{problem}. Nothing more was sent")
    home = run.state
    with open_files(home, run.keyring) as connection:
        rows = publish(connection, home)
        uncounted = _uncounted(connection) if select.startswith(_LOADED) else []
    for warning in uncounted:
        progress.warn(warning)
    AuditLog(home.audit).append(
        "publish",
        home.publication.name,
        detail={"tables": rows, "sha256": file_digest(home.publication)},
        rows=sum(rows.values()),
    )
    with open_files(home, run.keyring) as connection:
        audit_log.load(connection, AuditLog(home.audit))


def _approve(run: BillingRun, notice_id: str, by: str) -> None:
    with open_files(run.state, run.keyring) as connection:
        row = connection.execute(
            "select needs_approval, approved_by from finance.dunning_queue "
            "where notice_id = $1",
            [notice_id],
        ).fetchone()
        if row is None:
            raise BillingError(
                f"{notice_id} is not in the queue as of {run.as_of}: it was sent, is "
                "paused, or is not due; `billing dun` shows the queue"
            )
        needs_approval, approved_by = row
        if not needs_approval:
            raise BillingError(f"{notice_id} needs no approval")
        if approved_by is not None:
            raise BillingError(f"{notice_id} is approved already, by {approved_by}")
        (notice,) = _queued(connection, [notice_id])
        _book(run, connection, notices.APPROVED, [notice], by)


def _settle(run: BillingRun, notice_id: str, found: str, by: str) -> None:
    with open_files(run.state, run.keyring) as connection:
        doubts = {d.notice.notice_id: d.notice for d in notices.in_doubt(connection)}
        if notice_id not in doubts:
            raise BillingError(
                f"{notice_id} is not in doubt; `billing dun` lists those"
            )
        _book(run, connection, found, [doubts[notice_id]], by)


def _queued(
    connection: duckdb.DuckDBPyConnection, notice_ids: Sequence[str]
) -> list[Notice]:
    rows = connection.execute(
        "select notice_id, customer_id, invoice_number, dunning_tier, step, action, "
        "channel, send_to, balance, disputed_amount from finance.dunning_queue "
        "where notice_id in (select unnest($1)) order by notice_id",
        [list(notice_ids)],
    ).fetchall()
    return [Notice(*row) for row in rows]


def _book(
    run: BillingRun,
    connection: duckdb.DuckDBPyConnection,
    event: str,
    of: Sequence[Notice],
    by: str | None = None,
    detail: str | None = None,
) -> None:
    """Book an event of notices, and say in the audit log where the ledger stands."""
    head = notices.book(connection, event, run.as_of_day, of, by, detail)
    told: dict[str, Any] = {
        "customers": sorted({notice.customer_id for notice in of}),
        "invoices": [notice.invoice_number for notice in of],
        "action": of[0].action,
        "channel": of[0].channel,
        "as_of": run.as_of,
        "by": by,
        "detail": detail,
    }
    AuditLog(run.state.audit).append(
        f"notice_{event}",
        ", ".join(notice.notice_id for notice in of),
        detail=told,
        rows=len(of),
        ledger_head=head,
    )


def _send(run: BillingRun) -> list[str]:
    """Hand over what is due and approved; returns what was not delivered, in words.

    All messages are made before the first is booked: a wrong template sends nothing.
    """
    with open_files(run.state, run.keyring) as connection:
        later = notices.last_day(connection)
        if later is not None and later > run.as_of_day:
            raise BillingError(
                f"notices were sent as of {later}, which is after {run.as_of}: "
                f"send as of {later} or later"
            )
        letters, sender = due_letters(connection, run.state, run.as_of_day)
        messages = [
            (letter, message_of(letter, sender))
            for letter in letters
            if address(letter.notices[0].send_to)
        ]
        # Tasks of managers without an address: the table is what they are told by.
        silent = [
            letter for letter in letters if not address(letter.notices[0].send_to)
        ]
        progress.stage(f"Sending {len(messages)} messages")
        failed: list[str] = []
        with post_office(run.state) as office:
            for letter, message in messages:
                try:
                    office.make_ready()
                except BillingError as error:
                    failed.append(str(error))
                    break
                failed += _hand_over(run, connection, office, letter, message)
        for letter in silent:
            _book(run, connection, notices.SENT, letter.notices)
            _book(
                run,
                connection,
                notices.HANDED_OVER,
                letter.notices,
                detail="finance.account_tasks",
            )
    return failed


def _hand_over(
    run: BillingRun,
    connection: duckdb.DuckDBPyConnection,
    office: PostOffice,
    letter: Letter,
    message: Any,
) -> list[str]:
    """Book the intent, then hand over; what went wrong, in words."""
    names = ", ".join(notice.notice_id for notice in letter.notices)
    _book(
        run, connection, notices.SENT, letter.notices, detail=str(message["Message-ID"])
    )
    try:
        office.hand_over(message, letter.file_name)
    except NotDelivered as error:
        _book(run, connection, notices.FAILED, letter.notices, detail=str(error))
        return [f"{names} was not delivered, and stays due: {error}"]
    except InDoubt as error:
        return [f"{names} is in doubt, and counts as sent: {error}"]
    _book(run, connection, notices.HANDED_OVER, letter.notices, detail=office.name)
    return []
