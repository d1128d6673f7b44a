"""Backup and restore: whole, under the same key, never over what was booked since."""

import json
import shutil
import stat
from pathlib import Path

import duckdb
import pytest

from orchestration import keys as key_files
from orchestration.audit import AuditLog
from orchestration.backup import MANIFEST, back_up, file_digest, restore
from orchestration.cli import app
from orchestration.errors import BillingError, UsageError
from orchestration.home import Home
from orchestration.keys import Keys
from orchestration.ledger import open_ledger
from orchestration.warehouse import open_files

SECRET = "Unmistakable Hospital Example"


@pytest.fixture(autouse=True)
def no_keys_given(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in key_files.NAMES:
        monkeypatch.delenv(key_files.variable(name), raising=False)


def book_issue(home: Home, issue_no: int) -> None:
    """An issue of one invoice, as far as a backup looks at it."""
    head = f"{issue_no}" * 64
    with open_files(home, Keys.of(home)) as connection:
        open_ledger(connection)
        connection.execute(
            "insert into ledger.book.issues values "
            "($1, '2026-01-01', '2026-01-01', 1, 'x', 'x', 'x', 'x', $2)",
            [issue_no, head],
        )
        connection.execute(
            "insert into ledger.book.invoice_line_facilities values "
            "($1, 1, 'clinic', $2, 1, 10.00)",
            [f"INV-2026-00000{issue_no}", SECRET],
        )
    AuditLog(home.audit).append("issue", f"issue {issue_no}", ledger_head=head)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path / "home")
    made.create()
    book_issue(made, 1)
    made.closes.mkdir()
    (made.closes / "2026-01.duckdb").write_bytes(b"as the close left it" * 99999)
    return made


@pytest.fixture
def backup(home: Home, tmp_path: Path) -> Path:
    return back_up(home, tmp_path / "backups")


def state(home: Home) -> dict[str, str]:
    """Digests of what a backup holds, besides the log."""
    files = (home.ledger, *home.closes.glob("*"))
    return {path.name: file_digest(path) for path in files}


def rows(home: Home) -> list[tuple[str, str]]:
    return [(row["action"], row["object"]) for row in AuditLog(home.audit).rows()]


def test_a_backup_is_restored_elsewhere_with_the_key_from_elsewhere(
    home: Home, backup: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """HP-24: compared by hash, file by file, and the log row by row."""
    monkeypatch.setenv("BILLING_LEDGER_KEY", (home.keys / "ledger").read_text().strip())
    other = Home(tmp_path / "other")
    assert restore(other, backup.parent) == backup
    assert state(other) == state(home)
    # The home's log goes on with the backup's own row, the other's with the restore.
    assert rows(other)[:-1] == rows(home)[:-1]
    assert rows(other)[-1] == ("restore", str(backup))
    assert AuditLog(other.audit).problems() == []
    for path in (other.ledger, other.audit, other.closes / "2026-01.duckdb"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_nothing_in_a_backup_can_be_read_without_its_key(
    home: Home, backup: Path
) -> None:
    assert stat.S_IMODE(backup.stat().st_mode) == 0o700
    ledger_key = (home.keys / "ledger").read_text().strip()
    key_id = key_files.key_id("ledger", ledger_key)
    assert key_id in backup.name
    assert {path.name for path in backup.iterdir()} == {
        f"ledger.{key_id}.duckdb",
        f"files.{key_id}.duckdb",
        MANIFEST,
    }
    for path in backup.iterdir():
        content = path.read_bytes()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        for told in (SECRET, "issue 1", "as the close left it", ledger_key):
            assert told.encode() not in content, path.name


def test_the_manifest_says_what_was_saved(home: Home, backup: Path) -> None:
    manifest = json.loads((backup / MANIFEST).read_text())
    ledger = backup / manifest["ledger"]["file"]
    assert manifest["ledger"]["sha256"] == file_digest(ledger)
    assert manifest["ledger"]["head"] == "1" * 64
    assert manifest["ledger"]["rows"]['"book"."issues"'] == 1
    assert manifest["audit"]["rows"] == 1
    assert rows(home)[-1] == ("backup", str(backup))


def test_every_table_of_the_ledger_is_compared_not_a_list_of_them(
    home: Home, backup: Path
) -> None:
    with open_files(home, Keys.of(home)) as connection:
        connection.execute("create table ledger.book.later (note varchar)")
        connection.execute("insert into ledger.book.later values ('posted')")
    with pytest.raises(
        BillingError, match="1 rows of book.later are not in the backup"
    ):
        restore(home, backup)


def test_what_was_booked_since_is_not_forgotten_unless_forced(
    home: Home, backup: Path
) -> None:
    book_issue(home, 2)
    before = state(home)
    with pytest.raises(BillingError, match=r"newer than the backup .* --force"):
        restore(home, backup)
    assert state(home) == before
    restore(home, backup, force=True)
    assert state(home) != before
    row = list(AuditLog(home.audit).rows())[-1]
    assert row["detail"]["forced"]
    # What was there is kept, log and ledger.
    kept = home.path / row["detail"]["replaced"]
    assert file_digest(kept / "ledger.duckdb") == before["ledger.duckdb"]
    assert "issue 2" in (kept / "audit.jsonl").read_text()


def test_a_log_that_knows_more_than_the_backup_stops_it(
    home: Home, backup: Path
) -> None:
    book_issue(home, 2)
    home.ledger.unlink()
    with pytest.raises(BillingError, match="names an issue that the backup does not"):
        restore(home, backup)


def test_a_ledger_that_is_lost_or_broken_comes_back(home: Home, backup: Path) -> None:
    before = state(home)
    home.ledger.unlink()
    restore(home, backup)
    assert state(home) == before
    content = bytearray(home.ledger.read_bytes())
    content[len(content) // 2] ^= 1
    home.ledger.write_bytes(content)
    restore(home, backup)
    assert state(home) == before


def test_another_key_is_refused_by_its_id(
    home: Home, backup: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = state(home)
    monkeypatch.setenv("BILLING_LEDGER_KEY", "f" * 64)
    other = key_files.key_id("ledger", "f" * 64)
    with pytest.raises(BillingError, match=f"the key given is {other}; nothing was"):
        restore(home, backup)
    assert state(home) == before


def test_without_a_key_none_is_made(backup: Path, tmp_path: Path) -> None:
    other = Home(tmp_path / "other")
    with pytest.raises(BillingError, match="the ledger key is not there"):
        restore(other, backup)
    assert list(other.keys.iterdir()) == []
    assert not other.ledger.exists()


@pytest.mark.parametrize("pattern", ["ledger.*", "files.*"])
def test_a_flipped_byte_or_a_truncated_file_is_refused(
    home: Home, backup: Path, pattern: str
) -> None:
    before = state(home)
    (path,) = backup.glob(pattern)
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 3] ^= 1
    for content in (bytes(flipped), whole[: len(whole) // 2]):
        path.write_bytes(content)
        with pytest.raises(BillingError, match=f"{path.name} is missing or not what"):
            restore(home, backup)
        assert state(home) == before
    path.write_bytes(whole)
    restore(home, backup)


def test_a_manifest_that_was_written_anew_is_refused(home: Home, backup: Path) -> None:
    """Who has no key can't make another ledger pass: the manifest is inside too."""
    manifest = json.loads((backup / MANIFEST).read_text())
    manifest["ledger"]["head"] = "0" * 64
    (backup / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(BillingError, match="was changed after the backup was made"):
        restore(home, backup)


def test_a_damaged_ledger_is_no_backup(home: Home, tmp_path: Path) -> None:
    content = bytearray(home.ledger.read_bytes())
    # A block of data, not one of the headers before it.
    content[len(content) // 2] ^= 1
    home.ledger.write_bytes(content)
    with pytest.raises(
        BillingError, match="ledger.*duckdb.* (damaged|can't be opened)"
    ):
        back_up(home, tmp_path / "backups")
    assert list((tmp_path / "backups").iterdir()) == []


def test_nothing_to_save_and_nothing_to_restore(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    with pytest.raises(BillingError, match="nothing to back up"):
        back_up(home, tmp_path)
    with pytest.raises(UsageError, match="there is no backup"):
        restore(home, tmp_path)


def test_the_newest_of_several_is_restored(home: Home, backup: Path) -> None:
    book_issue(home, 2)
    newer = back_up(home, backup.parent)
    assert restore(home, backup.parent) == newer


def test_no_run_works_meanwhile(home: Home, tmp_path: Path) -> None:
    with home.lock("billing run"):
        pass
    # Another process holds the lock: see test_home; here the lock file is taken.
    import fcntl

    with (home.path / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(BillingError, match="is in use by"):
            back_up(home, tmp_path / "backups")


def test_the_commands(
    home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def billing(*arguments: object) -> None:
        app([str(argument) for argument in arguments], standalone_mode=False)

    billing("backup", tmp_path / "backups", "--home", home.path)
    (saved,) = (tmp_path / "backups").iterdir()
    assert f"billing restore {saved}" in capsys.readouterr().out
    shutil.rmtree(home.closes)
    billing("restore", tmp_path / "backups", "--home", home.path)
    assert (home.closes / "2026-01.duckdb").exists()


def test_what_a_killed_backup_left_goes_with_the_next(home: Home, backup: Path) -> None:
    killed = backup.with_name(f".{backup.name}.partial")
    of_another_key = backup.with_name(".2026-01-01-ledger-0abc.partial")
    for place in (killed, of_another_key):
        place.mkdir()
    made = back_up(home, backup.parent)
    assert set(backup.parent.iterdir()) == {backup, made, of_another_key}


@pytest.mark.parametrize("why", [KeyboardInterrupt(), OSError(28, "No space left")])
def test_a_restore_that_is_stopped_leaves_no_copy_in_the_home(
    home: Home, backup: Path, monkeypatch: pytest.MonkeyPatch, why: BaseException
) -> None:
    before = sorted(home.path.rglob("*"))

    def stopped(path: Path) -> None:
        raise why

    monkeypatch.setattr("orchestration.backup.to_disk", stopped)
    with pytest.raises((KeyboardInterrupt, BillingError)):
        restore(home, backup)
    assert sorted(home.path.rglob("*")) == before


def test_a_crash_between_the_files_is_gone_on_from(
    home: Home, backup: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = state(home)
    home.ledger.unlink()
    import os

    replace, done = os.replace, []

    def crash(source: Path, target: Path) -> None:
        if done:
            raise KeyboardInterrupt
        done.append(target)
        replace(source, target)

    monkeypatch.setattr("orchestration.backup.os.replace", crash)
    with pytest.raises(KeyboardInterrupt):
        restore(home, backup)
    monkeypatch.undo()
    restore(home, backup)
    assert state(home) == before
    assert AuditLog(home.audit).problems() == []


def test_the_saved_log_is_the_log_byte_for_byte(home: Home, tmp_path: Path) -> None:
    log = home.audit.read_bytes()
    backup = back_up(home, tmp_path / "backups")
    restore(home, backup)
    assert home.audit.read_bytes().startswith(log)


def test_the_other_programs_format_is_refused(home: Home, backup: Path) -> None:
    manifest = json.loads((backup / MANIFEST).read_text())
    (backup / MANIFEST).write_text(json.dumps({**manifest, "format": 2}))
    with pytest.raises(BillingError, match="another program version"):
        restore(home, backup)
    (backup / MANIFEST).write_text("[]")
    with pytest.raises(BillingError, match="is no manifest"):
        restore(home, backup)


def test_duckdb_itself_refuses_the_wrong_key(backup: Path) -> None:
    """The door: without the key the files are nothing, whatever the program says."""
    (ledger,) = backup.glob("ledger.*")
    with duckdb.connect() as connection, pytest.raises(duckdb.Error):
        connection.execute(f"attach '{ledger}' as x (encryption_key 'wrong')")
