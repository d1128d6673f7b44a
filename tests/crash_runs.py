"""Runs killed at every moment: what test_crash.py starts in a process of its own.

That process has imported and parsed everything but opened no database, so that it can
be forked: nothing of a thread's is lost. The run is started once undisturbed, for the
times of its stages; then once more, and at the beginning of each stage it forks; the
fork goes on and is killed, what it left is looked at, and the state of before is put
back. So a kill costs no more than the part of the stage before it.
"""

import json
import os
import pkgutil
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Any

import duckdb

from orchestration import judgement, progress, run
from orchestration.audit import AuditLog
from orchestration.home import Home
from orchestration.keys import Keys
from orchestration.run import Settings, run_billing
from orchestration.warehouse import open_files

DAY = date(2026, 5, 1)
# Seconds after which a fork that should have killed itself is ended; the test fails.
PATIENCE = 120
MONTH = date(2026, 4, 1)
ISSUING = "Issuing invoices through 2026-05-01"
CLOSING = "Closing 2026-04"
# How often a run is killed in each stage, at even distances.
KILLS = {
    "Loading contract tables": 4,
    "Loading usage": 4,
    "Building models": 6,
    ISSUING: 6,
    "Building what the issue changes": 4,
    CLOSING: 6,
    "Building what the closing changes": 4,
    "Publishing": 4,
}
# And at the very moments that matter: before or after a call returned.
MOMENTS = {
    ISSUING: [
        ("orchestration.ledger._append", "after"),
        ("orchestration.billing_run.BillingRun.log_issue", "before"),
    ],
    CLOSING: [
        ("orchestration.closing._append", "after"),
        ("orchestration.billing_run.BillingRun.log_closing", "before"),
    ],
    "Publishing": [
        ("os.replace", "before"),
        ("os.replace", "after"),
        ("orchestration.invoice_assets.keep_publication", "before"),
        ("orchestration.invoice_assets.keep_publication", "after"),
    ],
}


@dataclass(frozen=True)
class State:
    """What a home holds that people rely on.

    `issued` are invoices with their content hashes, `posted` the rows that issues and
    closings booked, by kind, and `records` the hashes of what was booked in one go.
    """

    issued: dict[str, str]
    closed: int
    posted: dict[str, int]
    records: list[str]
    published: str

    @classmethod
    def of(cls, path: Path) -> "State":
        """Read ledger and publication; fails if either is not whole."""
        home = Home(path)
        with open_files(home, Keys.of(home)) as connection:
            issued = connection.execute(
                "select invoice_number, content_hash from ledger.book.invoices "
                "order by 1"
            ).fetchall()
            (closed,) = connection.execute(
                "select count(*) from ledger.book.issues"
            ).fetchone()
            posted = connection.execute(
                "select kind, count(*) from ledger.book.journal_lines group by kind "
                "union all select 'posted revenue', count(*) "
                "from ledger.book.posted_revenue "
                "union all select 'closings', count(*) from ledger.book.closings"
            ).fetchall()
            # Those of kept publications aside: a file's bytes are not always the same.
            records = connection.execute(
                "select hash from (select hash from ledger.book.issues union all "
                "select hash from ledger.book.closings union all "
                "select hash from ledger.book.postings) order by hash"
            ).fetchall()
        return cls(
            dict(issued),
            closed,
            dict(posted),
            [digest for (digest,) in records],
            _content(home.publication),
        )


def _content(publication: Path) -> str:
    """Digest of every row of every published table."""
    digest = sha256()
    with duckdb.connect(str(publication), read_only=True) as connection:
        names = connection.execute(
            "select schema_name || '.' || table_name from duckdb_tables() order by 1"
        ).fetchall()
        for (name,) in names:
            rows = connection.sql(f"from {name} order by all").fetchall()
            digest.update(f"{name}{rows}".encode())
    return digest.hexdigest()


def _words(moment: float | tuple[str, str]) -> str:
    if isinstance(moment, float):
        return f"{moment:.3f} s"
    name, when = moment
    return f"{when} {name}"


class Passed:
    """In the place of Great Expectations: killing that is not what this is about."""

    def judge(self, expectations: tuple, tables: object) -> list:
        from orchestration.expectations import ExpectationOutcome

        return [
            ExpectationOutcome(one.table, one.name, True, 0, 0, [])
            for one in expectations
        ]


def in_fork(work: Callable[[], Any], result: Path) -> Any:
    """Do it in a fork of this process and hand back what it returns, as JSON."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            result.write_text(json.dumps(work()))
            status = 0
        except BaseException:  # noqa: BLE001 - a fork must never come back from here
            traceback.print_exc()
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    if os.waitstatus_to_exitcode(status) != 0:
        raise ChildProcessError("a fork failed; what it printed is above")
    return json.loads(result.read_text())


def timed_run(settings: Settings) -> list[tuple[str, float]]:
    """Run undisturbed; when each stage began and, last, when the run ended."""
    begun: list[tuple[str, float]] = []
    progress.stage = lambda text: begun.append((text, time.monotonic()))
    run_billing(settings)
    return [*begun, ("end", time.monotonic())]


def killed_run(
    settings: Settings, seconds: dict[str, float], kept: Path
) -> list[dict[str, Any]]:
    """Run, and in each stage fork, kill the fork and say what it left."""
    home, before = settings.home, kept / "before"
    seen: list[dict[str, Any]] = []

    def stage(text: str) -> None:
        delays = [
            seconds[text] * (place + 0.5) / KILLS[text]
            for place in range(KILLS.get(text, 0))
        ]
        if not delays:
            return
        shutil.copytree(home, before)
        moments = [*delays, *MOMENTS.get(text, ())]
        for moment in moments:
            child = os.fork()
            if child == 0:
                progress.stage = lambda text: None
                signal.alarm(PATIENCE)
                if isinstance(moment, tuple):
                    kill_at(*moment)
                return
            if isinstance(moment, float):
                time.sleep(moment)
                os.kill(child, signal.SIGKILL)
            _, status = os.waitpid(child, 0)
            ended = os.waitstatus_to_exitcode(status)
            if ended == -signal.SIGABRT and len(moments) < 20:
                # A library's threads are not in a fork, and it may give up over that:
                # the fork's doing, not the run's, so the moment is tried again.
                moments.append(moment)
            else:
                crashed = kept / f"crashed {len(seen)}"
                seen.append(what_is_left(home, text, moment, ended, crashed))
            shutil.rmtree(home)
            shutil.copytree(before, home)
        shutil.rmtree(before)

    progress.stage = stage
    run_billing(settings)
    return seen


def what_is_left(
    home: Path, stage: str, moment: float | tuple[str, str], ended: int, copy: Path
) -> dict[str, Any]:
    """What a fork that ended so left in its home, of which a copy is kept."""
    shutil.copytree(home, copy)
    left = State.of(home)
    return {
        "stage": stage,
        "moment": _words(moment),
        "killed": ended == -signal.SIGKILL,
        "issued": left.issued,
        "closed": left.closed,
        "posted": left.posted,
        "published": left.published,
        "audit": AuditLog(Home(home).audit).problems(),
        "home": str(copy),
    }


def kill_at(name: str, when: str) -> None:
    """Let this process kill itself before or after its first call of a function."""
    real = pkgutil.resolve_name(name)

    def killing(*arguments: Any, **options: Any) -> None:
        if when == "after":
            real(*arguments, **options)
        os.kill(os.getpid(), signal.SIGKILL)

    module, _, attribute = name.rpartition(".")
    setattr(pkgutil.resolve_name(module), attribute, killing)


def main(billed: Path, landing: Path, place: Path) -> None:
    """Everything test_crash.py looks at, from a billed home, as JSON in `place`."""
    judgement.expectations_process = run.expectations_process = Passed
    # Parsed here, once, for all forks; nothing is opened by it.
    os.environ["BILLING_HOME"] = str(billed)
    run._billing_job()

    def settings(name: str) -> Settings:
        home = shutil.copytree(billed, place / name)
        return Settings(home, landing, DAY, DAY, MONTH)

    undisturbed, killed = settings("undisturbed"), settings("killed")
    begun = in_fork(lambda: timed_run(undisturbed), place / "begun.json")
    seconds = {
        text: until - since
        for (text, since), (_, until) in zip(begun, begun[1:], strict=False)
    }
    kept = place / "kept"
    kept.mkdir()
    seen = in_fork(lambda: killed_run(killed, seconds, kept), place / "seen.json")
    # From what kills in each stage left, the next run ends as the undisturbed one.
    last = {left["stage"]: left for left in seen} | {
        stage: next(left for left in seen if name in left["moment"])
        for stage, name in ((ISSUING, "log_issue"), (CLOSING, "log_closing"))
    }
    del last["Loading contract tables"]  # as "Loading usage", which writes more
    for left in last.values():
        again = Settings(Path(left["home"]), landing, DAY, DAY, MONTH)
        in_fork(lambda again=again: run_billing(again), place / "again.json")
    result = {
        "seconds": seconds,
        "seen": seen,
        "mended": {stage: left["home"] for stage, left in last.items()},
    }
    (place / "result.json").write_text(json.dumps(result))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
