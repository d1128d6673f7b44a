"""New keys for the files: the same rows, no moment without a key that opens them."""

import stat
from pathlib import Path

import pytest

from orchestration import keys as key_files
from orchestration import rotation as rotations
from orchestration.audit import AuditLog
from orchestration.backup import back_up, restore
from orchestration.cli import app
from orchestration.errors import BillingError, UsageError
from orchestration.home import Home
from orchestration.keys import Keys
from orchestration.ledger import open_ledger
from orchestration.rotation import rotate_file
from orchestration.warehouse import open_files
from orchestration.whole import read_whole

SECRET = "unmistakable-token"


@pytest.fixture(autouse=True)
def no_keys_given(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in key_files.NAMES:
        monkeypatch.delenv(key_files.variable(name), raising=False)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path / "home")
    made.create()
    with open_files(made, Keys.of(made)) as connection:
        open_ledger(connection)
        connection.execute(f"""
            insert into ledger.book.billed_usage
            values (1, '{SECRET}', 'f', '2026-01-01', 1);
            create schema restricted;
            create schema staging;
            create table restricted.usage_rows (patient_token varchar not null);
            insert into restricted.usage_rows
            select '{SECRET}' || i from range(10000) as rows (i);
            create view staging.stg_usage_rows as
            select * from warehouse.restricted.usage_rows;
            create view staging.both as select count(*) as units
            from ledger.book.billed_usage cross join staging.stg_usage_rows
        """)
    return made


def path_of(home: Home, name: str) -> Path:
    return home.warehouse if name == "warehouse" else home.ledger


def rows(home: Home, name: str) -> dict[str, tuple[int, int]]:
    return read_whole(path_of(home, name), name, getattr(Keys.of(home), name))


@pytest.mark.parametrize("name", ["warehouse", "ledger"])
def test_the_rows_are_the_same_and_the_old_key_opens_nothing(
    home: Home, name: str
) -> None:
    before, old = rows(home, name), getattr(Keys.of(home), name)
    rotation = rotate_file(home, name)
    assert rows(home, name) == before
    new = getattr(Keys.of(home), name)
    assert new != old
    with pytest.raises(BillingError, match="the key does not open it"):
        read_whole(path_of(home, name), name, old)
    with open_files(home, Keys.of(home)) as connection:
        assert connection.execute("select units from staging.both").fetchone() == (
            10_000,
        )
    assert stat.S_IMODE(path_of(home, name).stat().st_mode) == 0o600
    row = list(AuditLog(home.audit).rows())[-1]
    assert (row["action"], row["object"]) == ("key_rotation", name)
    assert row["detail"]["to"] == key_files.key_id(name, new) == rotation.new
    for text in (rotations.told(rotation), home.audit.read_text()):
        assert old not in text
        assert new not in text


def test_the_old_ledger_key_is_kept_for_its_backups(home: Home, tmp_path: Path) -> None:
    place = back_up(home, tmp_path / "backups")
    old = Keys.of(home).ledger
    rotation = rotate_file(home, "ledger")
    assert rotation.kept.read_text().strip() == old
    assert stat.S_IMODE(rotation.kept.stat().st_mode) == 0o600
    assert rotation.old in place.name and rotation.old in rotation.kept.name
    with pytest.raises(BillingError, match=f"made with the ledger key {rotation.old}"):
        restore(home, place)
    assert rotate_file(home, "warehouse").kept is None


@pytest.mark.parametrize("name", ["warehouse", "ledger"])
@pytest.mark.parametrize("step", ["copied", "swapped"])
def test_a_change_cut_short_is_finished_or_begun_again(
    home: Home, name: str, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = rows(home, name)

    def crash(*arguments: object) -> None:
        raise KeyboardInterrupt

    place = "os.replace" if step == "copied" else "hand_over"
    monkeypatch.setattr(f"orchestration.rotation.{place}", crash)
    with pytest.raises(KeyboardInterrupt):
        rotate_file(home, name)
    monkeypatch.undo()
    if step == "copied":
        assert rows(home, name) == before
    else:
        with pytest.raises(BillingError, match=f"billing keys rotate {name}"):
            rows(home, name)
    rotate_file(home, name)
    assert rows(home, name) == before
    assert not (home.keys / f"{name}.next").exists()
    assert [p.name for p in home.path.iterdir() if p.name.endswith(".new")] == []


def test_a_key_of_the_environment_is_changed_there(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = rows(home, "ledger")
    key = Keys.of(home).ledger
    (home.keys / "ledger").unlink()
    monkeypatch.setenv("BILLING_LEDGER_KEY", key)
    with pytest.raises(UsageError, match="BILLING_NEW_LEDGER_KEY"):
        rotate_file(home, "ledger")
    monkeypatch.setenv("BILLING_NEW_LEDGER_KEY", key)
    with pytest.raises(UsageError, match="is the key in use already"):
        rotate_file(home, "ledger")
    monkeypatch.setenv("BILLING_NEW_LEDGER_KEY", "n" * 64)
    assert "From now on give the new key as BILLING_LEDGER_KEY" in rotations.told(
        rotate_file(home, "ledger")
    )
    monkeypatch.setenv("BILLING_LEDGER_KEY", "n" * 64)
    assert rows(home, "ledger") == before
    assert [path.name for path in home.keys.iterdir() if "ledger" in path.name] == []


def test_a_damaged_file_keeps_its_key(home: Home) -> None:
    content = bytearray(home.warehouse.read_bytes())
    content[len(content) // 2] ^= 1
    home.warehouse.write_bytes(content)
    key = (home.keys / "warehouse").read_bytes()
    with pytest.raises(BillingError, match="warehouse.duckdb"):
        rotate_file(home, "warehouse")
    assert home.warehouse.read_bytes() == content
    assert (home.keys / "warehouse").read_bytes() == key


def test_the_command(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--home", str(home.path)]
    app(["keys", "rotate", "ledger", *arguments], standalone_mode=False)
    assert "ids, not keys" in capsys.readouterr().out
    with pytest.raises(UsageError):
        app(["keys", "rotate", "house", *arguments], standalone_mode=False)
    row = list(AuditLog(home.audit).rows())[-1]
    assert (row["action"], row["object"]) == ("refusal", "keys rotate")
