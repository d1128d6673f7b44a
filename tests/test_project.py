"""The shape of the dbt project: what refers to what, and what every model has."""

import json
import re
from functools import cache
from pathlib import Path

import pytest
import yaml
from typer.main import get_command

from orchestration.cli import app
from orchestration.project import PROJECT_DIR

# The way of the money; a model refers to its own folder or one before it.
FOLDERS = [
    "seeds",
    "staging",
    "contracts",
    "usage",
    "charges",
    "invoices",
    "receivables",
    "revenue",
    "quality",
]
MODELS = sorted((PROJECT_DIR / "models").glob("*/*.sql"))
REF = re.compile(r"""ref\(['"](\w+)['"]\)""")
SCREEN = 115


@cache
def _folder_of() -> dict[str, str]:
    folders = {path.stem: path.parent.name for path in MODELS}
    seeds = (PROJECT_DIR / "seeds").glob("*.csv")
    return folders | {path.stem: "seeds" for path in seeds}


def _yaml(model: Path) -> dict:
    (entry,) = yaml.safe_load(model.with_suffix(".yml").read_text())["models"]
    return entry


@pytest.mark.parametrize("model", MODELS, ids=lambda path: path.stem)
def test_a_model_refers_to_its_own_folder_or_an_earlier_one(model: Path) -> None:
    own = FOLDERS.index(model.parent.name)
    for name in REF.findall(model.read_text()):
        assert FOLDERS.index(_folder_of()[name]) <= own, f"{model.stem} reads {name}"


@pytest.mark.parametrize("model", MODELS, ids=lambda path: path.stem)
def test_only_staging_reads_sources(model: Path) -> None:
    assert ("source(" in model.read_text()) == (model.parent.name == "staging")


@pytest.mark.parametrize("model", MODELS, ids=lambda path: path.stem)
def test_a_model_says_its_grain_has_a_key_and_a_contract(model: Path) -> None:
    entry = _yaml(model)
    assert entry["description"].startswith("One row per")
    tested = "".join(
        path.read_text()
        for path in (PROJECT_DIR / "data_tests").glob("*_keys_are_unique.sql")
    )
    has_key = (
        f'"{model.stem}": [' in tested
        or any(c["type"] == "primary_key" for c in entry.get("constraints", []))
        or model.stem in NO_KEY | LARGE | NAMED
    )
    assert has_key
    if not model.stem.startswith(("stg_", "int_")):
        assert entry["config"]["contract"] == {"enforced": True}


def _materialized(model: Path) -> str:
    project = yaml.safe_load((PROJECT_DIR / "dbt_project.yml").read_text())
    folder = project["models"]["healthcare_billing"][model.parent.name]
    return (folder | folder.get(model.stem, {}))["+materialized"]


@pytest.mark.parametrize("model", MODELS, ids=lambda path: path.stem)
def test_only_a_table_has_constraints(model: Path) -> None:
    """The engine enforces none on a view, and dbt is told not to say so."""
    columns = _yaml(model).get("columns", [])
    constrained = [c["name"] for c in columns if "constraints" in c]
    assert _materialized(model) != "view" or not constrained


# A row may have several problems, in the same words.
NO_KEY = {"stg_rejected_rows", "rejected_rows"}
# As many rows as there is usage: looking for copies would cost a run more than making
# them. They are grouped or numbered, or add up to what they are joined from.
LARGE = {
    "attributed_usage",
    "billable_months",
    "billable_usage",
    "booked_charges",
    "daily_patients",
    "daily_usage",
    "int_located_usage",
    "int_other_units",
    "int_patient_units",
    "int_reported_days",
    "int_usage_units",
    "metered_months",
    "metered_usage",
    "stg_billed_usage",
    "stg_usage_receipts",
    "stg_usage_rows",
    "unbooked_usage",
    "usage_events",
}


# Views whose rows a model with a key has too: `charges`, and entries without names.
NAMED = {"journal_entries", "line_charges"}


@pytest.mark.parametrize("model", MODELS, ids=lambda path: path.stem)
def test_a_model_is_plain_sql_that_fits_a_screen(model: Path) -> None:
    text = model.read_text()
    assert text.startswith("-- One row per")
    text = re.sub("--.*", "", text)
    assert len(text.splitlines()) <= SCREEN
    assert "{% if" not in text
    assert "config(" not in text
    assert not re.search(r"\b(float|double|real|now|random|current_date)\b", text)
    assert not re.search(r"\b(qualify|exclude)\b|group by all", text)


def test_the_project_stays_small() -> None:
    """At most 128 models and seeds; each costs every run."""
    seeds = list((PROJECT_DIR / "seeds").glob("*.csv"))
    assert len(MODELS) + len(seeds) <= 128


def test_every_column_of_a_seed_has_a_type() -> None:
    """Found from its rows, a code 00100 would be the number 100, and count nothing."""
    typed = {
        seed["name"]: set(seed["config"]["column_types"])
        for path in (PROJECT_DIR / "seeds").glob("*.yml")
        for seed in yaml.safe_load(path.read_text())["seeds"]
    }
    for path in (PROJECT_DIR / "seeds").glob("*.csv"):
        header = path.read_text().splitlines()[0].split(",")
        assert typed.get(path.stem) == set(header), path.name


def test_every_command_is_in_the_interface() -> None:
    documented = (PROJECT_DIR / "docs" / "interfaces.md").read_text()
    commands = set(get_command(app).commands)
    assert len(commands) > 10
    assert {name for name in commands if f"`billing {name} " not in documented} == set()


def test_published_columns_are_those_of_the_interface() -> None:
    """Names of docs/interfaces.md that other tools are written against."""
    wanted = json.loads((Path(__file__).parent / "interface.json").read_text())
    for table, columns in wanted.items():
        (model,) = [path for path in MODELS if path.stem == table.split(".")[1]]
        have = [column["name"] for column in _yaml(model)["columns"]]
        assert set(columns) <= set(have), table


def test_every_published_column_is_in_the_interface() -> None:
    documented = (PROJECT_DIR / "docs" / "interfaces.md").read_text()
    rows = dict(re.findall(r"^\| (?:finance|quality)\.(\w+) (.*)$", documented, re.M))
    rows["applications"] += rows["cash_applications"]  # "as cash_applications"
    models = [path for path in MODELS if path.stem in rows]
    assert len(models) == len(rows) > 15
    for model in models:
        columns = {column["name"] for column in _yaml(model)["columns"]}
        assert columns <= set(re.findall(r"\w+", rows[model.stem])), model.stem


def test_only_what_the_interface_says_takes_these_options() -> None:
    taken = {
        option: {
            name
            for name, command in get_command(app).commands.items()
            if any(option in one.opts for one in command.params)
        }
        for option in ("--home", "--accept-missing", "--target", "--landing")
    }
    everything = set(get_command(app).commands)
    assert everything - taken["--home"] == {"sample", "keys"}
    reading = {"run", "close", "replay"}
    assert taken["--accept-missing"] == taken["--target"] == reading
    assert taken["--landing"] - reading == {"dun", "what-if", "purge", "phi-scan"}
