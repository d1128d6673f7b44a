"""Settings that keep data apart and shut, wherever the code might say otherwise."""

from pathlib import Path

import yaml
from conftest import BilledBook

from orchestration.dunning_policies import ACTIONS
from orchestration.home import Home
from orchestration.keys import Keys
from orchestration.project import PROJECT_DIR
from orchestration.warehouse import open_files

CODE = ["orchestration", "macros", "models", "data_tests", "benchmarks"]
FILES = [PROJECT_DIR / name for name in ("profiles.yml", "dbt_project.yml", "Makefile")]


def test_files_are_encrypted_with_gcm_HP_9(tmp_path: Path) -> None:
    """GCM knows a changed block; CTR, which DuckDB has too, does not."""
    home = Home(tmp_path / "home")
    home.create()
    with open_files(home, Keys.of(home)) as connection:
        databases = connection.execute(
            "select database_name, encrypted, cipher from duckdb_databases() "
            "where database_name in ('warehouse', 'ledger') order by 1"
        ).fetchall()
        # The cipher is that of OpenSSL: DuckDB's own would not be let write at all.
        loaded = connection.execute(
            "select loaded from duckdb_extensions() where extension_name = 'httpfs'"
        ).fetchone()
    assert databases == [("ledger", True, "GCM"), ("warehouse", True, "GCM")]
    assert loaded == (True,)


def test_no_setting_weakens_the_encryption_HP_9() -> None:
    """Neither the cipher nor who makes it is chosen anywhere: the defaults hold."""
    texts = [
        path.read_text(encoding="utf-8")
        for folder in CODE
        for path in (PROJECT_DIR / folder).rglob("*")
        if path.suffix in (".py", ".sql", ".yml")
    ]
    texts += [path.read_text(encoding="utf-8") for path in FILES]
    assert len(texts) > 200
    for word in ("force_mbedtls_unsafe", "encryption_cipher"):
        assert [text for text in texts if word in text.lower()] == []


def test_no_token_is_published_and_no_event_id_of_phi_HP_3_HP_4(
    billed_book: BilledBook,
) -> None:
    home = Home(billed_book.home)
    with open_files(home, Keys.of(home), read_only=True) as connection:
        connection.execute(f"attach '{home.publication}' as publication (read_only)")
        connection.execute(
            "create temp table tokens as select distinct patient_token as token "
            "from restricted.usage_rows where patient_token is not null"
        )
        columns = connection.execute(
            "select schema_name || '.' || table_name, column_name "
            "from duckdb_columns() where database_name = 'publication' "
            "and data_type = 'VARCHAR'"
        ).fetchall()
        assert len(columns) > 50
        told = {
            (table, column)
            for table, column in columns
            if connection.execute(
                f'select 1 from publication.{table} where "{column}" in '
                "(select token from tokens) limit 1"
            ).fetchone()
        }
        (tokens,) = connection.execute("select count(*) from tokens").fetchone()
        # All feeds of the book have PHI. Where an event was rejected, its id is kept.
        rejected = connection.execute(
            "select count(*), count(event_id) from publication.quality.rejected_usage"
        ).fetchone()
        (kept,) = connection.execute(
            "select count(event_id) from restricted.rejected_usage"
        ).fetchone()
    assert tokens > 50
    assert told == set()
    assert rejected == (kept, 0)
    assert kept > 10


def test_failing_tests_store_no_rows_HP_15() -> None:
    """A row that fails may hold what must not leave; its count is enough."""
    project = yaml.safe_load((PROJECT_DIR / "dbt_project.yml").read_text())
    assert project["data_tests"]["+store_failures"] is False
    # Not beyond these: a home in the project has directories of such names.
    paths = [
        path
        for folder in ("models", "data_tests")
        for path in (PROJECT_DIR / folder).rglob("*.yml")
    ]
    assert len(paths) > 100
    for path in paths:
        assert "store_failures" not in path.read_text(), path


def test_no_step_of_dunning_limits_service_or_data_HP_22() -> None:
    """Whatever is owed: words to people, and tasks for people."""
    assert set(ACTIONS) == {
        "reminder",
        "statement",
        "call",
        "escalate",
        "final_notice",
    }
