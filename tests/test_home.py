"""The state directory: its modes, and one writer at a time."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import Copy

from orchestration.errors import BillingError
from orchestration.home import Home


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_directories_are_made_for_their_owner_alone(tmp_path: Path) -> None:
    home = Home(tmp_path / "deep" / "home")
    home.create()
    for directory in (home.path, home.keys, home.work, home.spill, home.published):
        assert mode(directory) == 0o700


def test_what_was_open_to_others_is_closed_again(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.create()
    home.keys.chmod(0o755)
    home.work.chmod(0o755)
    home.create()
    assert mode(home.keys) == mode(home.work) == 0o700


def test_a_place_that_cannot_be_a_home_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BillingError, match="choose another directory with --home"):
        Home(tmp_path / "file" / "home").create()


def test_a_second_process_is_told_who_holds_the_lock(tmp_path: Path) -> None:
    home = Home(tmp_path)
    second = (
        "import sys; from orchestration.home import Home; "
        "from orchestration.errors import BillingError\n"
        "try:\n"
        "    with Home(sys.argv[1]).lock('billing close'): print('taken')\n"
        "except BillingError as error: print(error)"
    )
    arguments = [sys.executable, "-c", second, str(tmp_path)]
    with home.lock("billing run"):
        note = json.loads((tmp_path / "lock").read_text())
        told = subprocess.run(arguments, capture_output=True, text=True, check=True)
        assert note["command"] == "billing run"
        assert f"process {os.getpid()}" in told.stdout
        assert "`billing run` of " in told.stdout
        assert note["since"] in told.stdout
    free = subprocess.run(arguments, capture_output=True, text=True, check=True)
    assert free.stdout == "taken\n"


def test_the_jobs_of_one_process_share_the_lock(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with home.lock("billing replay"):
        with home.lock("billing run"):
            pass
        with home.lock("billing run"):
            assert "billing replay" in home.holder()


def test_a_lock_left_by_a_dead_process_is_free(tmp_path: Path) -> None:
    home = Home(tmp_path)
    dying = (
        "import os, sys; from orchestration.home import Home\n"
        "Home(sys.argv[1]).lock('billing run').__enter__(); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", dying, str(tmp_path)], check=False)
    assert (tmp_path / "lock").exists()
    with home.lock("billing run"):
        assert str(os.getpid()) in home.holder()


def test_a_letter_of_one_home_makes_no_other(
    copy: Copy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Models are parsed for the home that was typed, not for the default one."""
    other = tmp_path / "other"
    monkeypatch.setenv("BILLING_HOME", str(other))
    arguments = ["dun", "--home", str(copy.home), "--as-of", "2026-04-01"]
    told = subprocess.run(
        [
            sys.executable,
            "-c",
            "from orchestration.cli import main; main()",
            *arguments,
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.startswith("Due as of 2026-04-01: ")
    assert not other.exists()
