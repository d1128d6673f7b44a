"""Keys: made once, for their owner alone, and never made anew over what they open."""

import errno
import os
import secrets
import stat
from pathlib import Path

import duckdb
import pytest
import yaml

from orchestration.errors import BillingError
from orchestration.home import Home
from orchestration.keys import NAMES, Keys, make, read
from orchestration.project import PROJECT_DIR
from orchestration.warehouse import open_files


@pytest.fixture(autouse=True)
def no_keys_given(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(f"BILLING_{name.upper()}_KEY", raising=False)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path / "home")
    made.create()
    return made


def test_the_first_run_makes_keys_that_stay(home: Home) -> None:
    keys = Keys.of(home)
    assert Keys.of(home) == keys
    for name in NAMES:
        file = home.keys / name
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert len(bytes.fromhex(file.read_text().strip())) == 32
    assert len({keys.warehouse, keys.ledger, keys.token}) == 3


def test_of_two_first_runs_both_get_the_keys_of_the_one_that_is_first(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What either of them encrypts can be read with the keys that stay."""
    path = home.keys / "ledger"
    keys = [bytes([number]) * 32 for number in (1, 2)]

    def another_run_comes_between(size: int) -> str:
        key = keys.pop()
        if keys:
            assert make(path) == "01" * size
        return key.hex()

    monkeypatch.setattr(secrets, "token_hex", another_run_comes_between)
    assert make(path) == "01" * 32
    assert read(path) == "01" * 32
    assert os.listdir(home.keys) == ["ledger"]


def test_without_hard_links_no_key_is_made(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    with pytest.raises(BillingError, match="has hard links"):
        Keys.of(home)
    assert list(home.keys.iterdir()) == []


def test_a_key_is_never_shown(home: Home) -> None:
    keys = Keys.of(home)
    shown = repr(keys) + str(keys)
    assert not any(getattr(keys, name) in shown for name in NAMES)


def test_the_environment_comes_first(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BILLING_TOKEN_KEY", "given")
    assert Keys.of(home).token == "given"
    assert not (home.keys / "token").exists()


def test_a_key_that_others_can_read_is_refused(home: Home) -> None:
    Keys.of(home)
    (home.keys / "ledger").chmod(0o640)
    with pytest.raises(BillingError, match="chmod 600 .*/keys/ledger"):
        Keys.of(home)


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe"])
def test_a_file_that_holds_no_key_is_refused(home: Home, content: bytes) -> None:
    Keys.of(home)
    (home.keys / "token").write_bytes(content)
    with pytest.raises(BillingError, match="token holds no key"):
        Keys.of(home)


@pytest.mark.parametrize("name", NAMES)
def test_a_lost_key_is_not_made_anew(home: Home, name: str) -> None:
    with open_files(home, Keys.of(home)):
        pass
    (home.keys / name).unlink()
    with pytest.raises(BillingError, match=f"BILLING_{name.upper()}_KEY"):
        Keys.of(home)
    assert not (home.keys / name).exists()


@pytest.mark.parametrize("name", ["warehouse", "ledger"])
def test_a_wrong_key_says_so_and_touches_nothing(
    home: Home, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_files(home, Keys.of(home)) as connection:
        connection.execute("create table landed as select 1 as id")
        connection.execute("create table ledger.issued as select 1 as id")
    files = [home.warehouse, home.ledger]
    before = [file.read_bytes() for file in files]
    monkeypatch.setenv(f"BILLING_{name.upper()}_KEY", "wrong")
    with (
        pytest.raises(BillingError, match=f"{name}.duckdb: the key does not open it"),
        open_files(home, Keys.of(home)),
    ):
        pass
    assert [file.read_bytes() for file in files] == before
    assert not list(home.path.glob("*.wal"))


def test_the_files_hold_no_plain_text(home: Home) -> None:
    with open_files(home, Keys.of(home)) as connection:
        for file in ("warehouse", "ledger"):
            connection.execute(
                f"create table {file}.main.canaries as "
                "select 'CANARY-' || i as canary from range(10000) as rows (i)"
            )
        connection.execute("checkpoint warehouse")
        connection.execute("checkpoint ledger")
        assert stat.S_IMODE(home.warehouse.stat().st_mode) == 0o600
    for file in (home.warehouse, home.ledger):
        assert b"CANARY" not in file.read_bytes()
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_what_spills_is_encrypted(home: Home) -> None:
    with open_files(home, Keys.of(home), memory_limit="60MB") as connection:
        connection.execute(
            "create temp table canaries as select 'CANARY-' || i as canary, "
            "repeat('CANARY', 20) as filler from range(600000) as rows (i)"
        )
        spilled = [file for file in home.spill.rglob("*") if file.is_file()]
        assert spilled
        assert not any(b"CANARYCANARY" in file.read_bytes() for file in spilled)


def test_dbt_is_told_at_once_and_only_once_to_encrypt_what_spills() -> None:
    # The engine refuses to be told again while something is spilled.
    profiles = yaml.safe_load((PROJECT_DIR / "profiles.yml").read_text())
    profile = profiles["healthcare_billing"]["outputs"]["duckdb"]
    assert "settings" not in profile
    encrypted = profile["config_options"]["temp_file_encryption"]
    with duckdb.connect(config={"temp_file_encryption": encrypted}) as connection:
        setting = connection.execute("select current_setting('temp_file_encryption')")
        assert setting.fetchone() == (True,)


def test_a_damaged_file_is_named_with_what_to_do(home: Home) -> None:
    keys = Keys.of(home)
    home.ledger.write_bytes(b"no database" * 1000)
    with (
        pytest.raises(BillingError, match=r"ledger.duckdb .* restore it"),
        open_files(home, keys),
    ):
        pass
