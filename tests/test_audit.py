"""The audit log: whole rows, chained, and what happens when one is broken."""

import getpass
import json
import stat
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from orchestration import audit_log
from orchestration.audit import FIRST_HASH, AuditLog
from orchestration.cli import app
from orchestration.code_version import code_version, package_versions
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
    assert (recovered["action"], recovered["detail"]["bytes"]) == (
        "recovered",
        len(torn),
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


def test_processes_at_the_same_time_keep_one_chain(log: AuditLog) -> None:
    write = (
        "import sys; from pathlib import Path; "
        "from orchestration.audit import AuditLog\n"
        "log = AuditLog(Path(sys.argv[1]))\n"
        "for _ in range(50): log.append('key_use', 'ledger')"
    )
    arguments = [sys.executable, "-c", write, str(log.path)]
    writers = [subprocess.Popen(arguments) for _ in range(4)]
    assert [writer.wait() for writer in writers] == [0, 0, 0, 0]
    # 3 rows before, 4 writers of 50 each.
    assert [row["seq"] for row in log.rows()] == list(range(1, 204))
    assert log.problems() == []


def test_a_row_says_why_and_by_which_code(
    log: AuditLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """HP-13."""
    detail = log.append("explain", "INV-2026-000001")["detail"]
    assert detail["purpose"] == "to explain an invoice"
    assert detail["code"] == code_version() != ""
    monkeypatch.setenv("BILLING_PURPOSE", "dispute 17")
    assert log.append("explain", "x")["detail"]["purpose"] == "dispute 17"


def test_packages_are_named_with_their_lock() -> None:
    """HP-25."""
    versions = package_versions()
    assert versions["duckdb"] == "1.5.5"
    assert {"python", "dbt-core", "dagster", "lock"} <= set(versions)


def test_the_actor_is_not_who_says_so(
    log: AuditLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = log.append("run", "landing")["actor"]
    for variable in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(variable, "somebody-else")
    assert getpass.getuser() == "somebody-else"  # the door
    assert log.append("run", "landing")["actor"] == known


def test_the_log_is_a_table(log: AuditLog, tmp_path: Path) -> None:
    with log.path.open("a") as file:
        file.write('{"seq": 4, "at')  # being written by another process
    with duckdb.connect() as connection:
        assert audit_log.load(connection, log) == 3
        assert connection.execute(
            "select seq, action, object, rows, hash from compliance.audit_log "
            "order by seq"
        ).fetchall() == [
            (row["seq"], row["action"], row["object"], row["rows"], row["hash"])
            for row in log.rows()
        ]
        ((at, detail),) = connection.execute(
            'select "at", detail from compliance.audit_log where seq = 1'
        ).fetchall()
    first = next(log.rows())
    assert at.isoformat(timespec="milliseconds") + "+00:00" == first["at"]
    assert json.loads(detail) == first["detail"]


def test_it_is_searched_by_what_somebody_asks(log: AuditLog) -> None:
    log.append("explain", "INV-2026-000007", detail={"customers": ["lake's"]})
    found = audit_log.search(log, target="lake's")
    assert [row["object"] for row in found] == ["INV-2026-000007"]
    assert audit_log.search(log, action="issue")[0]["object"] == "issue 1"
    assert audit_log.search(log, actor="x' or true --") == []
    today = datetime.now(UTC).date()
    assert len(audit_log.search(log, first=today - timedelta(1), last=today)) == 4
    assert audit_log.search(log, first=today + timedelta(2)) == []
    assert "issue 1  2 rows" in audit_log.told(audit_log.search(log))


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", "--as-of", "2026-13-01"),
        ("close", "2026-13"),
        ("replay", "--from", "2026-02", "--to", "2026-01"),
        ("invoice", "INV-2026-000001"),
        ("explain", "INV-2026-000001"),
        ("what-if",),
        ("backup", "/dev/null/backups"),
        ("restore", "/dev/null"),
        ("audit", "--from", "yesterday"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_every_refused_command_leaves_a_row(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    """HP-14."""
    with pytest.raises(BillingError) as refused:
        app([*arguments, "--home", str(tmp_path)], standalone_mode=False)
    (row,) = AuditLog(tmp_path / "audit.jsonl").rows()
    assert (row["action"], row["object"]) == ("refusal", arguments[0])
    assert row["detail"]["why"] == str(refused.value)


def test_a_refusal_makes_no_home(tmp_path: Path) -> None:
    with pytest.raises(BillingError):
        app(
            ["close", "2026-13", "--home", str(tmp_path / "none")],
            standalone_mode=False,
        )
    assert list(tmp_path.iterdir()) == []
