"""Where the dbt project stands, and its seeds."""

import csv
from pathlib import Path

PROJECT_DIR = Path(__file__).resolve().parent.parent
SEEDS_DIR = PROJECT_DIR / "seeds"


def read_seed(name: str) -> list[dict[str, str]]:
    """Rows of `seeds/{name}.csv` as text, in the order of the file."""
    with (SEEDS_DIR / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
