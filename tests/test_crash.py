"""A run killed at any moment issues all or nothing, and the next run carries on.

The run is started once, in a fork of the test's process, which has imported and parsed
everything. At the beginning of each stage it forks again; the fork goes on and is
killed, what it left is looked at, and the state of before is put back. So a kill costs
no more than the part of the stage before it.
"""

import json
import os
import pkgutil
import shutil
import signal
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Any

import duckdb
import pytest
from conftest import BilledBook

from orchestration import progress, run
from orchestration.audit import AuditLog
from orchestration.home import Home
from orchestration.keys import Keys
from orchestration.run import Settings, run_billing
from orchestration.warehouse import open_files

DAY = date(2026, 5, 1)
ISSUING = "Issuing invoices through 2026-05-01"
# How often a run is killed in each stage, at even distances.
KILLS = {
    "Loading contract tables": 4,
    "Loading usage": 4,
    "Building models": 6,
    ISSUING: 6,
    "Building what the ledger changes": 4,
    "Publishing": 4,
}
# And at the very moments that matter: before or after a call returned.
MOMENTS = {
    ISSUING: [
        ("orchestration.ledger._append", "after"),
        ("orchestration.billing_run.BillingRun.log_issue", "before"),
    ],
    "Publishing": [("os.replace", "before"), ("os.replace", "after")],
}


@dataclass(frozen=True)
class State:
    """What a home holds that people rely on."""

    issued: dict[str, str]
    closed: int
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
        return cls(dict(issued), closed, _content(home.publication))


def _content(publication: Path) -> str:
    """Digest of every row of every published table."""
    digest = sha256()
    with duckdb.connect(str(publication), read_only=True) as connection:
        names = connection.execute(
            "select schema_name || '.' || table_name from duckdb_tables() order by 1"
        ).fetchall()
        for (name,) in names:
            digest.update(f"{name}{connection.sql(f'from {name}').fetchall()}".encode())
    return digest.hexdigest()


def _words(moment: float | tuple[str, str]) -> str:
    if isinstance(moment, float):
        return f"{moment:.3f} s"
    name, when = moment
    return f"{when} {name}"


class Passed:
    """In the place of Great Expectations: killing that is not what this is about."""

    def validate(self, tables: object) -> list:
        from orchestration.expectations import EXPECTATIONS, ExpectationOutcome

        return [
            ExpectationOutcome(one.table, one.name, True, 0, [], [])
            for one in EXPECTATIONS
        ]


def in_fork(work: Callable[[], Any], result: Path) -> Any:
    """Do it in a fork of this process and hand back what it returns, as JSON."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            result.write_text(json.dumps(work()))
            status = 0
        except BaseException:  # noqa: BLE001 - a fork must never return into the test
            traceback.print_exc()
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0, "see what the fork printed"
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
        for moment in [*delays, *MOMENTS.get(text, ())]:
            child = os.fork()
            if child == 0:
                progress.stage = lambda text: None
                if isinstance(moment, tuple):
                    kill_at(*moment)
                return
            if isinstance(moment, float):
                time.sleep(moment)
                os.kill(child, signal.SIGKILL)
            _, status = os.waitpid(child, 0)
            crashed = kept / f"crashed {len(seen)}"
            shutil.copytree(home, crashed)
            left = State.of(home)
            seen.append(
                {
                    "stage": text,
                    "moment": _words(moment),
                    "killed": os.waitstatus_to_exitcode(status) == -signal.SIGKILL,
                    "issued": left.issued,
                    "closed": left.closed,
                    "published": left.published,
                    "audit": AuditLog(Home(home).audit).problems(),
                    "home": str(crashed),
                }
            )
            shutil.rmtree(home)
            shutil.copytree(before, home)
        shutil.rmtree(before)

    progress.stage = stage
    run_billing(settings)
    return seen


def kill_at(name: str, when: str) -> None:
    """Let this process kill itself before or after its first call of a function."""
    real = pkgutil.resolve_name(name)

    def killing(*arguments: Any, **options: Any) -> None:
        if when == "after":
            real(*arguments, **options)
        os.kill(os.getpid(), signal.SIGKILL)

    pytest.MonkeyPatch().setattr(name, killing)


def test_a_run_killed_at_any_moment_issues_all_or_nothing(
    billed_book: BilledBook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    landing = shutil.copytree(billed_book.landing, tmp_path / "landing")
    feed = landing / "usage" / "crash"
    feed.mkdir()
    (feed / "april.csv").write_text(
        "event_id,event_type,facility,occurred_at\n"
        + "".join(
            f"C{i},encounter,late-a,2026-04-{i % 30 + 1:02}\n" for i in range(20000)
        )
    )
    monkeypatch.setattr("orchestration.intake_assets.expectations_process", Passed)
    monkeypatch.setattr(run, "expectations_process", Passed)
    before = State.of(billed_book.home)

    def settings(name: str) -> Settings:
        home = shutil.copytree(billed_book.home, tmp_path / name)
        return Settings(home, landing, DAY, DAY)

    undisturbed, killed = settings("undisturbed"), settings("killed")
    begun = in_fork(lambda: timed_run(undisturbed), tmp_path / "begun.json")
    after = State.of(undisturbed.home)
    assert set(before.issued) < set(after.issued)
    seconds = {
        text: until - since
        for (text, since), (_, until) in zip(begun, begun[1:], strict=False)
    }
    assert set(KILLS) <= set(seconds)

    kept = tmp_path / "kept"
    kept.mkdir()
    seen = in_fork(lambda: killed_run(killed, seconds, kept), tmp_path / "seen.json")
    assert State.of(killed.home) == after
    assert sum(left["killed"] for left in seen) >= 30
    for left in seen:
        place = f"{left['stage']}, {left['moment']}"
        issued = (left["issued"], left["closed"])
        nothing = (before.issued, before.closed)
        everything = (after.issued, after.closed)
        assert issued in (nothing, everything), place
        assert left["published"] in (before.published, after.published), place
        assert left["audit"] == [], place
        if left["published"] == after.published:
            assert issued == everything, place
    booked = {left["moment"]: left["closed"] > before.closed for left in seen}
    assert not booked["after orchestration.ledger._append"]
    assert booked["before orchestration.billing_run.BillingRun.log_issue"]
    published = {left["moment"]: left["published"] != before.published for left in seen}
    assert (published["before os.replace"], published["after os.replace"]) == (
        False,
        True,
    )

    # From what kills in each stage left, the next run ends as the undisturbed one.
    head = AuditLog(Home(undisturbed.home).audit).ledger_heads()[-1]
    last = {left["stage"]: left for left in seen} | {
        ISSUING: next(left for left in seen if "log_issue" in left["moment"])
    }
    del last["Loading contract tables"]  # as "Loading usage", which writes more
    for stage, left in last.items():
        again = Settings(Path(left["home"]), landing, DAY, DAY)
        in_fork(lambda again=again: run_billing(again), tmp_path / "again.json")
        assert State.of(again.home) == after, stage
        log = AuditLog(Home(again.home).audit)
        assert (log.problems(), log.ledger_heads()[-1]) == ([], head), stage
