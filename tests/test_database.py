"""Connections to DuckDB: they print nothing, and share a bound of memory."""

import subprocess
import sys

import pytest

from orchestration.database import DEFAULT_MEMORY, MEMORY_VARIABLE
from orchestration.project import PROJECT_DIR

# On standard output, a pipe too, of a statement that takes over two seconds.
DRAWS_A_BAR = """
import duckdb
from orchestration.database import connect
setting = "select current_setting('enable_progress_bar')"
print({connection}.execute(setting).fetchone()[0])
"""


@pytest.mark.parametrize(
    ("connection", "draws"),
    [
        ("connect()", "False"),
        ("connect().cursor()", "False"),
        ("duckdb.connect()", "True"),
    ],
)
def test_no_bar_is_drawn_among_the_results(connection: str, draws: str) -> None:
    code = DRAWS_A_BAR.format(connection=connection)
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert said.stdout.strip() == draws


def test_every_connection_is_made_in_one_place() -> None:
    for path in (PROJECT_DIR / "orchestration").rglob("*.py"):
        assert path.name == "database.py" or "duckdb.connect(" not in path.read_text()


def test_models_are_built_with_as_much_memory_as_all_else() -> None:
    written = f"env_var('{MEMORY_VARIABLE}', '{DEFAULT_MEMORY}')"
    assert written in (PROJECT_DIR / "profiles.yml").read_text()
