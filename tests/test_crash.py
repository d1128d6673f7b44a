"""A close killed at any moment issues and posts all or nothing; the next carries on."""

import json
import os
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path

from conftest import BilledBook
from crash_runs import KILLS, State

from orchestration.close_report import report_path
from orchestration.home import Home
from orchestration.project import PROJECT_DIR
from orchestration.verify import verify


def test_a_close_killed_at_any_moment_issues_and_posts_all_or_nothing(
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
    by_close = ("closings", "posted revenue", "recognition", "unbilled")
    for kind in ("invoice", *by_close):
        assert before.posted[kind] < after.posted[kind], kind
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
        # Entries of invoices are booked with them, all others with the closing.
        is_issued, posted = issued == everything, left["posted"]
        assert posted["invoice"] == (after if is_issued else before).posted["invoice"]
        is_posted = posted["closings"] > before.posted["closings"]
        for kind in by_close:
            assert posted[kind] == (after if is_posted else before).posted[kind], place
        assert is_issued or not is_posted, place
        assert left["published"] in (before.published, after.published), place
        assert left["audit"] == [], place
        if left["published"] == after.published:
            assert issued == everything, place
            assert is_posted, place
    booked = {left["moment"]: left["closed"] > before.closed for left in seen}
    assert not booked["after orchestration.ledger._append"]
    assert booked["before orchestration.billing_run.BillingRun.log_issue"]
    closings = {left["moment"]: left["posted"]["closings"] for left in seen}
    assert (
        closings["before orchestration.billing_run.BillingRun.log_closing"]
        > closings["after orchestration.closing._append"]
        == before.posted["closings"]
    )
    published = {left["moment"]: left["published"] != before.published for left in seen}
    assert (published["before os.replace"], published["after os.replace"]) == (
        False,
        True,
    )

    assert len(result["mended"]) == len(KILLS) - 1
    for stage, path in result["mended"].items():
        assert State.of(Path(path)) == after, stage
        home = Home(Path(path))
        assert verify(home).problems == [], stage
        assert report_path(home, date(2026, 4, 1)).exists(), stage
