"""Where the dbt project stands, and its seeds."""

import csv
import os
from pathlib import Path

PROJECT_DIR = Path(__file__).resolve().parent.parent
# Set for the run of a changed project beside today's (`billing what-if --models`).
DBT_PROJECT_VARIABLE = "BILLING_DBT_PROJECT"
DBT_PROJECT_DIR = Path(os.environ.get(DBT_PROJECT_VARIABLE, PROJECT_DIR))
SEEDS_DIR = DBT_PROJECT_DIR / "seeds"


def engines() -> list[str]:
    """The targets of profiles.yml, by name."""
    import yaml

    profiles = yaml.safe_load((DBT_PROJECT_DIR / "profiles.yml").read_text("utf-8"))
    return [name for profile in profiles.values() for name in profile["outputs"]]


def read_seed(name: str) -> list[dict[str, str]]:
    """Rows of `seeds/{name}.csv` as text, in the order of the file."""
    return read_rows(SEEDS_DIR / f"{name}.csv")


def read_rows(path: Path) -> list[dict[str, str]]:
    """Rows of a CSV file as text, in its order."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
