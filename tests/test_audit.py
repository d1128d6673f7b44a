"""The audit log: whole rows, chained, and what happens when one is broken."""

import json
import stat
import threading
from pathlib import Path

import pytest

from orchestration.audit import FIRST_HASH, AuditLog
from orchestration.errors import BillingError


@pytest.fixture
def log(tmp_path: Path) -> AuditLog:
    filled = AuditLog(tmp_path / "audit.jsonl")
    filled.append("run", "landing", detail={"as_of": "2026-04-01"})
    filled.append("issue", "issue 1", rows=2, ledger_head="a" * 64)
    filled.append("publish", "billing.duckdb", rows=9)
    return filled


def lines(log: AuditLog) -> list[str]:
    return log.path.read_text(encoding="utf-8").splitlines(keepends=True)


def test_rows_follow_each_other_and_name_the_ledgers_head(log: AuditLog) -> None:
    first, second, third = log.rows()
    assert [row["seq"] for row in (first, second, third)] == [1, 2, 3]
    assert first["previous_hash"] == FIRST_HASH
    assert second["previous_hash"] == first["hash"]
    assert third["ledger_head"] == "a" * 64
    assert first["at"].endswith("+00:00")
    assert set(first) == {
        *("seq", "at", "actor", "action", "object", "detail", "rows"),
        *("ledger_head", "previous_hash", "hash"),
    }
    assert log.ledger_heads() == ["a" * 64]
    assert log.problems() == []
    assert stat.S_IMODE(log.path.stat().st_mode) == 0o600


def test_a_change_is_found(log: AuditLog) -> None:
    log.path.write_text("".join(lines(log)).replace('"rows": 2', '"rows": 3'))
    assert log.problems() == ["audit.jsonl, row 2: was changed after it was written"]


def test_a_gap_is_found(log: AuditLog) -> None:
    first, _, third = lines(log)
    log.path.write_text(first + third)
    assert log.problems() == [
        "audit.jsonl, row 2: is numbered 3",
        "audit.jsonl, row 2: does not follow the row before it",
    ]


def test_a_swap_is_found(log: AuditLog) -> None:
    first, second, third = lines(log)
    log.path.write_text(second + first + third)
    assert any("does not follow" in problem for problem in log.problems())


def test_a_torn_last_line_is_taken_off_and_said(log: AuditLog) -> None:
    whole = "".join(lines(log))
    torn = '{"seq": 4, "at": "2026'
    log.path.write_text(whole + torn)
    assert len(list(log.rows())) == 3
    log.append("run", "landing")
    recovered, run = list(log.rows())[3:]
    assert (recovered["action"], recovered["detail"]) == (
        "recovered",
        {"bytes": len(torn)},
    )
    assert run["action"] == "run"
    assert log.problems() == []


def test_a_log_of_one_torn_line_begins_anew(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "audit.jsonl")
    log.path.write_text('{"seq"')
    log.append("run", "landing")
    assert [row["action"] for row in log.rows()] == ["recovered", "run"]
    assert log.problems() == []


@pytest.mark.parametrize("line", ["no row\n", "{}\n", "[]\n"])
def test_a_line_that_is_no_row_stops_what_would_be_logged(
    log: AuditLog, line: str
) -> None:
    log.path.write_text("".join(lines(log)) + line)
    with pytest.raises(BillingError, match="line 4 is no row of the log"):
        log.problems()
    with pytest.raises(BillingError, match="no row of the log"):
        log.append("run", "landing")


def test_a_log_that_cannot_be_written_stops_the_run(tmp_path: Path) -> None:
    with pytest.raises(BillingError, match="nothing is done that is not logged"):
        AuditLog(tmp_path / "missing" / "audit.jsonl").append("run", "landing")


def test_rows_longer_than_a_block_are_read_back(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "audit.jsonl")
    for _ in range(2):
        log.append("issue", "issue 1", detail={"invoices": ["INV-2026-000001"] * 9000})
    with log.path.open("a") as file:
        file.write("torn" * 30000)
    log.append("run", "landing")
    assert [row["seq"] for row in log.rows()] == [1, 2, 3, 4]
    assert log.problems() == []


def test_writers_at_the_same_time_take_turns(log: AuditLog) -> None:
    def write() -> None:
        for _ in range(20):
            log.append("key_use", "ledger")

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [json.loads(line)["seq"] for line in lines(log)] == list(range(1, 84))
    assert log.problems() == []
