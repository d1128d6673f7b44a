"""How Python and SQL are written: the linters have the last word."""

import subprocess
import sys

import pytest

from orchestration.project import PROJECT_DIR


@pytest.mark.parametrize(
    "arguments",
    [
        ("ruff", "check", "--no-cache", "."),
        ("ruff", "format", "--no-cache", "--check", "."),
        ("sqlfluff", "lint", "--nocolor", "models", "data_tests"),
    ],
    ids=["ruff", "format", "sqlfluff"],
)
def test_nothing_is_to_mend(arguments: tuple[str, ...]) -> None:
    found = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=PROJECT_DIR,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert found.returncode == 0, found.stdout + found.stderr
