"""A run killed at any moment issues all or nothing, and the next run carries on."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from conftest import BilledBook
from crash_runs import KILLS, State

from orchestration.audit import AuditLog
from orchestration.home import Home
from orchestration.project import PROJECT_DIR


def test_a_run_killed_at_any_moment_issues_all_or_nothing(
    billed_book: BilledBook, tmp_path: Path
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
    subprocess.run(
        [sys.executable, "tests/crash_runs.py", billed_book.home, landing, tmp_path],
        cwd=PROJECT_DIR,
        env=os.environ | {"PYTHONPATH": str(PROJECT_DIR)},
        check=True,
    )
    result = json.loads((tmp_path / "result.json").read_text())
    before = State.of(billed_book.home)
    after = State.of(tmp_path / "undisturbed")
    assert set(before.issued) < set(after.issued)
    assert set(KILLS) <= set(result["seconds"])

    assert State.of(tmp_path / "killed") == after
    seen = result["seen"]
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

    head = AuditLog(Home(tmp_path / "undisturbed").audit).ledger_heads()[-1]
    assert len(result["mended"]) == len(KILLS) - 1
    for stage, home in result["mended"].items():
        assert State.of(Path(home)) == after, stage
        log = AuditLog(Home(Path(home)).audit)
        assert (log.problems(), log.ledger_heads()[-1]) == ([], head), stage
