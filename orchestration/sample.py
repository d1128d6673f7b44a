"""`billing sample`: a landing directory of an invented health system, to try out."""

import csv
import io
from pathlib import Path

from orchestration.errors import UsageError
from orchestration.sample_enterprise import (
    CONTRACT,
    FEWEST_ENCOUNTERS,
    FEWEST_FACILITIES,
    Enterprise,
    committed,
    contract_tables,
    make_enterprise,
)
from orchestration.sample_usage import feed_folder, write_usage

DEFAULT_SEED = 2025

_README = Path(__file__).parent / "sample_data" / "landing_readme.md"


def write_sample(
    out: Path, facilities: int, encounters: int, seed: int = DEFAULT_SEED
) -> None:
    """Write the landing directory and say what is in it.

    Raises UsageError if `out` is there and is not an empty directory, or if a number is
    too small.
    """
    if facilities < FEWEST_FACILITIES:
        raise UsageError(
            f"--facilities {facilities}: give at least {FEWEST_FACILITIES}, so that "
            "one can open, one close and one fall silent"
        )
    if encounters < FEWEST_ENCOUNTERS:
        raise UsageError(
            f"--encounters {encounters}: give at least {FEWEST_ENCOUNTERS}, so that "
            "tiers and a commitment make sense"
        )
    _require_empty(out)
    enterprise = make_enterprise(facilities, seed)
    try:
        for table, rows in contract_tables(enterprise, encounters):
            _write_table(out / "contracts" / f"{table}.csv", rows)
        sent = write_usage(feed_folder(out), enterprise, encounters, seed)
        readme = _readme(enterprise, facilities, encounters, seed, sent)
        (out / "README.md").write_text(readme, encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"--out {out}: can't be written ({error.strerror}); choose another place"
        ) from None
    print(f"Written to {out}: {facilities:,} facilities under contract {CONTRACT},")
    print(f"{encounters:,} encounters of 2025 in {sent:,} rows. All of it is invented;")
    print(f"{out / 'README.md'} says what to look for. Bill it:")
    print(f"  billing close 2025-09 --landing {out} --home {out}-home")


def _require_empty(out: Path) -> None:
    if not out.exists():
        return
    if not out.is_dir() or any(out.iterdir()):
        raise UsageError(
            f"--out {out}: is there and not an empty directory; nothing was written. "
            "Name a new directory"
        )


def _write_table(path: Path, rows: list[dict[str, object]]) -> None:
    columns = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text.getvalue(), encoding="utf-8", newline="")


def _readme(
    enterprise: Enterprise, facilities: int, encounters: int, seed: int, rows: int
) -> str:
    signed, opened, closed = committed(encounters)
    return _README.read_text(encoding="utf-8").format(
        facilities=facilities,
        encounters=encounters,
        seed=seed,
        rows=rows,
        committed=signed,
        opened=opened,
        closed=closed,
        opening=enterprise.opening.facility_id,
        closing=enterprise.closing.facility_id,
        silent=enterprise.silent.facility_id,
    )
