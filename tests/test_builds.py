"""Builds of one run: what is made again after an issue or a close, and what is not."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from orchestration.home import Home
from orchestration.keys import Keys
from orchestration.project import DBT_PROJECT_VARIABLE, PROJECT_DIR


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("BILLING_HOME", str(tmp_path))
    made = Home(tmp_path)
    made.create()
    Keys.of(made).hand_to_dbt(made)
    return made


def test_what_is_built_again_leaves_out_views_and_no_check(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dbt.cli.main import dbtRunner

    from orchestration import dbt_project, model_assets
    from orchestration.billing_run import BillingRun
    from orchestration.invoice_assets import _CLOSED, _ISSUED

    asked: dict[str, tuple[str, ...]] = {}

    def note(select: str, variables: dict, count: object, target: object, options):
        asked[select] = tuple(options)
        return []

    monkeypatch.setattr(dbt_project, "build", note)
    run = BillingRun(home=str(home.path))
    for select in (_ISSUED, _CLOSED):
        model_assets.build_again(run, select, "again")

    nodes = dbt_project.manifest().nodes

    def selected(select: str, options: tuple[str, ...] = ()) -> set[str]:
        arguments = ["ls", "--quiet", "--output", "json", "--output-keys", "unique_id"]
        arguments += ["--exclude-resource-type", "unit_test"]
        runner = dbtRunner(manifest=dbt_project.manifest())
        arguments += ["--select", *select.split(), *options]
        rows = dbt_project._invoke(runner, arguments, None).result
        return {id for id in nodes if any(f'"{id}"' in row for row in rows)}

    for select, options in asked.items():
        left_out = selected(select) - selected(select, options)
        assert left_out, select
        kinds = {nodes[id].config.materialized for id in left_out}
        assert kinds == {"view"}, select


def test_what_is_made_by_month_is_made_again_when_its_sql_is_another(
    home: Home,
) -> None:
    from orchestration import dbt_project

    nodes = dbt_project.manifest().nodes.values()
    names = {n.name for n in nodes if n.config.materialized == "by_month"}
    code = {n.name: n.raw_code for n in nodes if n.resource_type == "model"}
    # By the digest of one month's inputs or, of what follows on it, the other's.
    for months, made in (
        ("usage_months", {"daily_usage", "daily_patients", "rejected_events"}),
        ("attribution_months", {"attributed_usage", "metered_usage", "metered_months"}),
    ):
        assert made <= names
        assert all(f"'{name}'" in code[months] for name in made)
        names -= made
    assert not names


def test_a_home_follows_a_project_that_was_moved(home: Home, tmp_path: Path) -> None:
    # An installation beside the old one, which is then taken away.
    old = tmp_path / "old"
    for name in ("models", "macros", "seeds", "data_tests"):
        shutil.copytree(PROJECT_DIR / name, old / name)
    for name in ("dbt_project.yml", "profiles.yml"):
        shutil.copy(PROJECT_DIR / name, old / name)
    seeds = (
        "from orchestration.dbt_project import manifest;"
        "print({n.root_path for n in manifest().nodes.values()"
        " if n.resource_type == 'seed'})"
    )

    for project in (old, PROJECT_DIR):
        stated = subprocess.run(
            [sys.executable, "-c", seeds],
            env=os.environ | {DBT_PROJECT_VARIABLE: str(project)},
            cwd=PROJECT_DIR,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        assert stated.strip() == str({str(project)})


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            "Runtime Error in model daily_usage (models/usage/daily_usage.sql)\n"
            "  Out of Memory Error: could not allocate block of Jane Canary",
            "Out of Memory Error; give it more by BILLING_MEMORY_LIMIT, such as 8GB",
        ),
        (
            "Runtime Error\n  Conversion Error: Could not convert 'Jane Canary'",
            "Conversion Error",
        ),
        ("Jane Canary Error: what nobody knows", None),
        (None, None),
    ],
)
def test_of_a_failure_on_a_restricted_table_its_kind_is_told_and_no_value(
    said: str | None, told: str | None
) -> None:
    from orchestration.dbt_project import _kind_of_failure

    assert _kind_of_failure(said) == told
