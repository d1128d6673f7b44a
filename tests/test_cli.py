"""The command: what it refuses, what it says, and with which exit status."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from command_line import Command, Copy
from conftest import BilledBook

from orchestration import cli
from orchestration.audit import AuditLog
from orchestration.home import Home

CODE = "from orchestration.cli import main; main()"

# What needs no run.


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "--as-of", "1 May"], "give a day as YYYY-MM-DD"),
        (
            ["run", "--as-of", "2026-05-01", "--issue-through", "2026-05-02"],
            "is not known yet",
        ),
        (["close", "May"], "give a month as YYYY-MM"),
        (["close", "9999-12"], "months from 1990-01 to 2100-12 can be closed"),
        (["replay", "--from", "0001-01", "--to", "9999-12"], "months from 1990-01"),
        (["close", "2026-04", "--as-of", "2026-04-30"], "when it is over"),
        (["replay", "--from", "2026-04", "--to", "2026-03"], "is after --to"),
        (["replay", "--from", "2026-04"], "--to"),
        (["run", "--unknown"], "--unknown"),
        (["run", "--target", "nope"], "has no such target; give one of duckdb"),
        (["close", "2026-04", "--landing", "/nowhere"], "--landing /nowhere: "),
    ],
)
def test_bad_usage_ends_with_2_and_touches_nothing(
    billing: Command, tmp_path: Path, arguments: list[str], words: str
) -> None:
    told = billing(*arguments, "--home", tmp_path / "home")
    assert told.status == 2
    assert words in told.err
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("verify",),
        ("backup", "backups"),
        ("keys", "rotate", "ledger"),
        ("keys", "rotate", "token"),
        ("dun",),
        ("audit",),
        ("access-report",),
    ],
    ids=" ".join,
)
def test_a_mistyped_home_is_not_made(
    billing: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
) -> None:
    monkeypatch.chdir(tmp_path)
    told = billing(*arguments, "--home", "hme")
    assert told.status == 2
    assert f"--home {tmp_path / 'hme'}: nothing was billed there" in told.err
    assert list(tmp_path.iterdir()) == []


def test_help_and_invoice_import_nothing_heavy(tmp_path: Path) -> None:
    heavy = "{'dagster', 'dbt', 'pandas', 'great_expectations'}"
    code = (
        "import sys; from orchestration.cli import app\n"
        "try: app(sys.argv[1:], standalone_mode=False)\n"
        "except Exception as error: print(error)\n"
        f"print(sorted({heavy} & set(sys.modules)))"
    )
    for arguments in (["--help"], ["invoice", "INV-2026-000001"]):
        told = subprocess.run(
            [sys.executable, "-c", code, *arguments],
            env=os.environ | {"BILLING_HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            check=True,
        )
        assert told.stdout.endswith("[]\n")
    for command in ("run", "close", "replay", "invoice"):
        assert hasattr(cli, command)


def test_an_invoice_where_none_was_issued(billing: Command, tmp_path: Path) -> None:
    told = billing("invoice", "INV-2026-000001", "--home", tmp_path)
    assert (told.status, told.out) == (1, "")
    assert "nothing was issued here yet" in told.err


# The document.


def test_an_invoice_as_text(billing: Command, billed_book: BilledBook) -> None:
    ((number, content_hash),) = billed_book.closes[2].rows(
        "select invoice_number, content_hash from finance.invoices "
        "where customer_id = 'joins' and invoice_date = '2026-03-01' "
        "and status <> 'draft'"
    )
    told = billing("invoice", number, "--home", billed_book.home)
    assert told.status == 0
    lines = told.out.splitlines()
    assert max(map(len, lines)) <= 100
    assert lines[0].startswith("Example Charting Inc.")
    assert lines[0].endswith(f"INVOICE {number}")
    for words in ("Invoice date 2026-03-01", "Due 2026-03-31", "contract joins"):
        assert words in told.out
    total = next(line for line in lines if "Total USD" in line)
    assert total.endswith("315.00")
    assert content_hash in lines[-1]
    first = lines.index(next(line for line in lines if line.startswith("  1 ")))
    assert lines[first + 1].split() == [
        *("2026-03-01", "–", "2026-03-31", "3", "90.00", "270.00")
    ]
    assert lines[first + 2].split() == ["contract", "joins,", "line", "joins-platform"]
    assert [line.split() for line in lines[first + 3 : first + 6]] == [
        ["A", "1", "90.00"],
        ["B", "1", "90.00"],
        ["C", "1", "90.00"],
    ]
    log = AuditLog(Home(billed_book.home).audit)
    last = list(log.rows())[-1]
    assert (last["action"], last["object"]) == ("invoice", number)
    assert last["detail"]["customers"] == ["joins"]


def test_a_credit_memo_asks_for_nothing_A3(
    billing: Command, billed_book: BilledBook
) -> None:
    (number,) = billed_book.closes[2].rows(
        "select min(invoice_number) from finance.invoices where subtotal < 0"
    )[0]
    told = billing("invoice", number, "--home", billed_book.home)
    assert f"CREDIT MEMO {number}" in told.out
    assert "Nothing is to be paid: this credit is applied to open invoices." in told.out
    assert "Due " not in told.out and "your payment" not in told.out


def test_an_unknown_invoice(billing: Command, billed_book: BilledBook) -> None:
    told = billing("invoice", "INV-2026-999999", "--home", billed_book.home)
    assert told.status == 1
    assert "there is no invoice INV-2026-999999" in told.err


# Runs that go well.


def test_issuing_again_appends_nothing_and_names_a_misspelt_file(
    billing: Command, copy: Copy
) -> None:
    issued, published = copy.issued(), copy.published()
    (copy.landing / "contracts" / "custommers.csv").write_text("customer_id\n")
    told = billing(*copy.arguments("2026-04-01"))
    assert told.status == 0
    assert "No invoice issued as of 2026-04-01" in told.out
    said = told.err.replace("\n", "")
    assert "custommers.csv" in said
    assert "parting's agreement (BAA) ended on 2026-02-28" in said
    assert copy.issued() == issued
    assert copy.published() == published


def test_a_lost_warehouse_is_made_again(billing: Command, copy: Copy) -> None:
    published = copy.published()
    Home(copy.home).warehouse.unlink()
    assert billing(*copy.arguments("2026-04-01")).status == 0
    assert copy.published() == published


def test_a_dry_run_shows_what_a_close_would_issue(billing: Command, copy: Copy) -> None:
    issued, closed = copy.issued(), copy.closed()
    places = ("--home", copy.home, "--landing", copy.landing)
    told = billing("close", "2026-04", "--dry-run", *places)
    assert told.status == 0
    assert "Would be issued through 2026-05-01" in told.out
    with duckdb.connect(str(copy.publication), read_only=True) as connection:
        (drafts,) = connection.execute(
            "select count(*) from finance.invoices "
            "where status = 'draft' and invoice_date <= '2026-05-01'"
        ).fetchone()
    assert told.out.count("(draft)") == drafts > 1
    assert copy.issued() == issued
    assert "Would be posted with the close of 2026-04" in told.out
    assert copy.closed() == closed


# Runs that are refused.


def test_a_day_before_the_last_close_is_refused_C6(
    billing: Command, copy: Copy
) -> None:
    before = copy.files()
    told = billing(*copy.arguments("2026-03-31", issue=False))
    assert told.status == 1
    assert "invoices are issued through 2026-04-01" in told.err
    assert copy.files() == before
    assert copy.refusals()[-1] in told.err


def test_a_landing_directory_without_tables(
    billing: Command, copy: Copy, tmp_path: Path
) -> None:
    issued, publication = copy.issued(), copy.files()["billing.duckdb"]
    for landing, status in ((tmp_path / "empty", 1), (tmp_path / "missing", 2)):
        if landing.name == "empty":
            landing.mkdir()
        empty = Copy(copy.home, landing)
        told = billing(*empty.arguments("2026-04-01"))
        assert told.status == status
        assert str(landing) in told.err or "customers" in told.err
    assert copy.issued() == issued
    assert copy.files()["billing.duckdb"] == publication


@pytest.mark.parametrize("name", ["warehouse", "ledger"])
def test_a_wrong_key_touches_nothing(
    billing: Command, copy: Copy, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    before = copy.files()
    monkeypatch.setenv(f"BILLING_{name.upper()}_KEY", "not-the-key")
    told = billing(*copy.arguments("2026-04-01"))
    assert told.status == 1
    assert f"{name}.duckdb: the key does not open it; nothing was changed" in told.err
    assert copy.files() == before
    assert "not-the-key" not in told.err + told.out


def test_a_contract_row_that_is_gone_stops_the_run_C8(
    billing: Command, copy: Copy
) -> None:
    issued, publication = copy.issued(), copy.files()["billing.duckdb"]
    (copy.landing / "contracts" / "contract_lines" / "seats.csv").unlink()
    told = billing(*copy.arguments("2026-05-01"))
    assert told.status == 1
    assert "contracts/contract_lines/seats.csv" in told.err
    assert "contract_lines seats" in told.err
    assert "--accept-missing" in told.err
    assert copy.issued() == issued
    assert copy.files()["billing.duckdb"] == publication


def test_a_usage_file_may_be_archived_but_not_lost_C8(
    billing: Command, copy: Copy, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = min(copy.landing.rglob("usage/*/*.csv"))
    gone.unlink()
    with monkeypatch.context() as patch:
        fail_a_check(patch, 1)
        assert "check adds_up" in billing(*copy.arguments("2026-04-01")).err
    Home(copy.home).warehouse.unlink()
    told = billing(*copy.arguments("2026-04-01"))
    assert told.status == 1
    assert gone.relative_to(copy.landing).as_posix() in told.err


def test_a_ledger_older_than_the_log_is_refused(billing: Command, copy: Copy) -> None:
    home = Home(copy.home)
    AuditLog(home.audit).append("issue", "issue 4", ledger_head="f" * 64)
    told = billing(*copy.arguments("2026-05-01"))
    assert told.status == 1
    assert "ledger.duckdb is older than audit.jsonl" in told.err


def test_a_lost_ledger_is_not_made_anew(billing: Command, copy: Copy) -> None:
    home = Home(copy.home)
    home.ledger.unlink()
    told = billing(*copy.arguments("2026-05-01"))
    assert told.status == 1
    assert "ledger.duckdb is gone, and invoices were issued from it" in told.err
    assert not home.ledger.exists()


def fail_a_check(patch: pytest.MonkeyPatch, call: int) -> None:
    """Let the check `adds_up` fail in the first or second build of a run."""
    from orchestration import dbt_project

    real, calls = dbt_project.build, []

    def build(*arguments: object) -> list[dbt_project.NodeResult]:
        calls.append(arguments)
        if len(calls) < call:
            return real(*arguments)
        nodes = dbt_project.manifest().nodes.values()
        test = next(node for node in nodes if node.resource_type == "test")
        return [
            dbt_project.NodeResult(
                test.unique_id, "adds_up", "test", "fail", 1, 3, None
            )
        ]

    patch.setattr(dbt_project, "build", build)


def test_a_failed_check_issues_nothing(
    billing: Command, copy: Copy, monkeypatch: pytest.MonkeyPatch
) -> None:
    issued, publication = copy.issued(), copy.files()["billing.duckdb"]
    fail_a_check(monkeypatch, 1)
    told = billing(*copy.arguments("2026-05-01"))
    assert told.status == 1
    assert "check adds_up: 3 rows fail it. Nothing was issued" in told.err
    assert copy.issued() == issued
    assert copy.files()["billing.duckdb"] == publication


def test_a_check_that_fails_after_issuing_names_the_invoices_and_posts_nothing(
    billing: Command, copy: Copy, monkeypatch: pytest.MonkeyPatch
) -> None:
    issued, publication = copy.issued(), copy.files()["billing.duckdb"]
    closed = copy.closed()
    close = ["close", "2026-04", "--home", copy.home, "--landing", copy.landing]
    with monkeypatch.context() as patch:
        fail_a_check(patch, 2)
        told = billing(*close)
    assert told.status == 1
    assert "check adds_up: 3 rows fail it" in told.err
    new = [number for number, digest in copy.issued() if (number, digest) not in issued]
    assert new
    assert all(number in told.err for number in new)
    assert copy.files()["billing.duckdb"] == publication
    assert copy.closed() == closed
    # The next one posts; one that fails only then has closed, and says so.
    with monkeypatch.context() as patch:
        fail_a_check(patch, 2)
        told = billing(*close)
    assert told.status == 1
    assert "after 2026-04 was closed, check adds_up: 3 rows fail it" in told.err
    assert copy.files()["billing.duckdb"] == publication
    posted = copy.closed()
    assert [after > before for after, before in zip(posted, closed, strict=True)] == [
        True,
        True,
    ]
    # The next run publishes them and books nothing more.
    told = billing(*close)
    assert told.status == 0
    assert "No invoice issued" in told.out
    assert copy.closed() == posted
    assert (Home(copy.home).closes / "2026-04.duckdb").exists()
    numbers = {row[1] for row in copy.published()["finance.invoices"]}
    assert set(new) <= numbers


def test_a_second_run_says_who_holds_the_home(billing: Command, copy: Copy) -> None:
    with subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys; from orchestration.home import Home\n"
            "with Home(sys.argv[1]).lock('billing close 2026-03'):\n"
            "    print(flush=True); sys.stdin.read()",
            str(copy.home),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as holder:
        holder.stdout.readline()
        for arguments in (
            copy.arguments("2026-04-01"),
            ["invoice", "INV-2026-000001", "--home", copy.home],
        ):
            told = billing(*arguments)
            assert told.status == 1
            assert "is in use by `billing close 2026-03` of " in told.err
            assert f"process {holder.pid}" in told.err
        holder.stdin.close()


def test_an_interrupted_run_says_so_and_leaves_the_home_free(copy: Copy) -> None:
    issued = copy.issued()
    with subprocess.Popen(
        [sys.executable, "-c", CODE, *map(str, copy.arguments("2026-05-01"))],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as run:
        for line in run.stderr:
            if line.startswith("Building models"):
                run.send_signal(signal.SIGTERM)
                break
        told = run.stderr.read()
    assert run.returncode == 130
    assert "stopped; nothing is left half done" in told
    assert "Traceback" not in told
    with Home(copy.home).lock("test"):
        assert copy.issued() == issued
