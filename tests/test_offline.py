"""Nothing leaves the machine: the whole way of the money without a network (HP-11)."""

import functools
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from book import Book, Scenario

from orchestration.project import PROJECT_DIR

NAMESPACE = ("unshare", "--map-root-user", "--net")
# One process for all commands: each would import the same again.
COMMANDS = """
import sys
from orchestration.cli import app

home, landing = sys.argv[1:]
places = ["--home", home]
inputs = [*places, "--landing", landing]
for command in (
    ["close", "2026-01", *inputs],
    ["invoice", "INV-2026-000001", *places],
    ["explain", "INV-2026-000001", *places],
    ["dun", "--send", "--as-of", "2026-02-01", *inputs],
    ["verify", *places],
    ["backup", home + "-backup", *places],
    ["access-report", *places],
):
    app(command, standalone_mode=False)
"""
CALL = "import socket; socket.create_connection(('127.0.0.1', int({port})), 2)"


@functools.cache
def namespace() -> tuple[str, ...]:
    """What to put before a command so that it has no network; empty if not allowed."""
    if shutil.which(NAMESPACE[0]) is None:
        return ()
    allowed = subprocess.run([*NAMESPACE, "true"], capture_output=True, check=False)
    return NAMESPACE if allowed.returncode == 0 else ()


def python(
    notes: Path, code: str, *arguments: object, before: tuple[str, ...] = ()
) -> subprocess.CompletedProcess:
    """Run code with the refusals of tests/offline, in a namespace if one is given."""
    path = [str(PROJECT_DIR / "tests" / "offline"), str(PROJECT_DIR)]
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(path),
        "NETWORK_CALLS": str(notes),
    }
    return subprocess.run(
        [*before, sys.executable, "-c", code, *map(str, arguments)],
        env=environment,
        cwd=notes.parent,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def landing(tmp_path: Path) -> Path:
    """A customer with a fee and two encounters."""
    book = Book()
    it = Scenario(book, "alone", "a")
    it.contract(covers="a")
    it.line("platform", unit_price="90", quantity="1")
    it.line("visits", meter="encounter", unit_price="2.5")
    it.event("E1", "a", "2026-01-10")
    it.event("E2", "a", "2026-01-11")
    book.write(tmp_path / "landing", 1)
    return tmp_path / "landing"


def test_a_call_of_python_is_noted_and_refused(tmp_path: Path) -> None:
    notes = tmp_path / "calls"
    for call in (
        CALL.format(port=1),
        "import socket; socket.getaddrinfo('telemetry.billing.example', 443)",
        "import urllib.request; urllib.request.urlopen('http://127.0.0.1:1')",
    ):
        told = python(notes, call)
        assert told.returncode == 1
        assert "no network here" in told.stderr
    assert len(notes.read_text().splitlines()) >= 3


def test_a_namespace_has_no_network(tmp_path: Path) -> None:
    """The door: outside of it there is one."""
    if not namespace():
        pytest.skip("network namespaces are not allowed here")
    listening = (
        "import socket, subprocess, sys\n"
        "with socket.create_server(('127.0.0.1', 0)) as server:\n"
        "    call = sys.argv[1].format(port=server.getsockname()[1])\n"
        "    run = [sys.executable, '-c', call]\n"
        "    print(subprocess.run(run).returncode)\n"
        "    print(subprocess.run([*sys.argv[2:], *run]).returncode)\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", listening, CALL, *namespace()],
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.split() == ["0", "1"]


def test_everything_is_done_without_a_network(landing: Path, tmp_path: Path) -> None:
    notes, home = tmp_path / "calls", tmp_path / "home"
    notes.touch()
    told = python(notes, COMMANDS, home, landing, before=namespace())
    assert told.returncode == 0, told.stderr
    # January: 1 × 90 in advance, dated at the contract's start and found at its close
    # with 2 × 2.50 in arrears; February's 90.
    assert "INV-2026-000001" in told.stdout
    assert (home / "published" / "billing.duckdb").exists()
    assert notes.read_text() == ""
