"""What a bill costs by hand in DuckDB, in polars and in pandas.

    python benchmarks/cost_table.py --events 3000000

Writes the landing of `usage_data.py` unless it is there, computes the same bill each
way (`cost_ways.py`), each in a process of its own and several times in turn, and
prints a table. It exits 1 if a row of the three bills differs. `--command` bills the
landing by `billing run` as well, whose total must be theirs.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from decimal import Decimal
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median

import duckdb

sys.path.insert(0, str(Path(__file__).resolve().parent))
import usage
import usage_data
from cost_ways import WAYS
from usage import Run
from usage_data import EVERYTHING_CAME, Size

WAYS_FILE = Path(__file__).resolve().parent / "cost_ways.py"


def main() -> None:
    """Write, bill each way, compare and report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=3_000_000)
    parser.add_argument("--repeat", type=int, default=3, help="times each way is run")
    parser.add_argument("--command", action="store_true", help="`billing run` as well")
    parser.add_argument("--dir", type=Path, help="work here and keep everything")
    arguments = parser.parse_args()
    if arguments.repeat < 1:
        parser.error("--repeat: once at least")
    names = {way: _named(way) for way in WAYS}
    with tempfile.TemporaryDirectory(prefix="cost-") as directory:
        place = arguments.dir or Path(directory)
        landing = place / f"landing-{arguments.events}"
        if not landing.exists():
            usage_data.write_landing(landing, Size(arguments.events))
        runs: dict[str, list[Run]] = {name: [] for name in names.values()}
        # In turn, so that what else the machine does falls on all of them.
        for _ in range(arguments.repeat):
            for way, name in names.items():
                runs[name].append(bill_by(way, landing, place))
                _print_progress(name, runs[name][-1])
        rows, total = the_same_bill(place)
        if arguments.command:
            home = place / f"home-{arguments.events}"
            runs["`billing run`"] = by_command(landing, home, arguments.repeat, total)
    print(f"\n{arguments.events:,} events: {rows:,} equal rows, {total:,} in all\n")
    print(as_table(runs))


def bill_by(way: str, landing: Path, place: Path) -> Run:
    """Bill one way in a process of its own, the start of Python and imports with it."""
    before = os.times()
    began = time.perf_counter()
    process = subprocess.run(
        [
            *(sys.executable, str(WAYS_FILE), way, str(landing)),
            *(str(EVERYTHING_CAME), usage_data.EMERGENCY_PRICE),
            str(bill_file(place, way)),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    seconds = time.perf_counter() - began
    if process.returncode:
        sys.exit(f"{way}: the bill failed")
    after = os.times()
    cpu = sum(after[2:4]) - sum(before[2:4])
    return Run(seconds, cpu, int(process.stdout) / 2**30)


def bill_file(place: Path, way: str) -> Path:
    """Where a bill is written."""
    return place / f"bill-{way}.parquet"


def the_same_bill(place: Path) -> tuple[int, Decimal]:
    """Number of rows and total of the bills; exits with a row that they differ in."""
    with duckdb.connect() as connection:
        for way in WAYS:
            connection.execute(
                f"create table {way} as select contract_id, month::date as month, "
                "product, tier::bigint as tier, quantity::bigint as quantity, amount "
                f"from read_parquet('{bill_file(place, way)}')"
            )
            (kind,) = connection.execute(
                f"select distinct typeof(amount) from {way}"
            ).fetchone()
            if not (kind.startswith("DECIMAL(") and kind.endswith(",2)")):
                sys.exit(f"{way}: amounts are {kind}, not decimals of cents")
        first, *others = WAYS
        for way in others:
            different = connection.execute(
                f"select '{first}' as only_in, * from "
                f"(from {first} except all from {way}) union all "
                f"select '{way}', * from (from {way} except all from {first}) "
                "order by all"
            ).fetchall()
            if different:
                sys.exit(
                    f"{first} and {way} differ in {len(different)} rows, as in "
                    f"{different[0]}"
                )
        return connection.execute(
            f"select count(*), sum(amount) from {first}"
        ).fetchone()


def by_command(landing: Path, home: Path, repeat: int, total: Decimal) -> list[Run]:
    """Bill by the command, into a new home each time; its total must be the same."""
    runs = []
    for _ in range(repeat):
        shutil.rmtree(home, ignore_errors=True)
        runs.append(usage.bill(landing, home, EVERYTHING_CAME))
        _print_progress("billing run", runs[-1])
        billed = sum(usage.usage_billed(home).values())
        if billed != total:
            sys.exit(f"the command comes to {billed:,}, the others to {total:,}")
    return runs


def as_table(runs: dict[str, list[Run]]) -> str:
    """Markdown: the median of each, least and most behind it, and how many times the
    first it is.
    """
    lines = [
        "| | wall s | CPU s | peak GiB | × wall | × CPU |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    first = next(iter(runs.values()))
    for name, measured in runs.items():
        cells = [
            _spread([run.seconds for run in measured], 1),
            _spread([run.cpu_seconds for run in measured], 1),
            _spread([run.gibibytes for run in measured], 2),
            *(
                f"{_median(measured, of) / _median(first, of):.1f}"
                for of in (lambda run: run.seconds, lambda run: run.cpu_seconds)
            ),
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _median(runs: list[Run], of: Callable[[Run], float]) -> float:
    return median(of(run) for run in runs)


def _spread(values: list[float], places: int) -> str:
    middle = f"{median(values):.{places}f}"
    if len(values) == 1:
        return f"{middle} (once)"
    return f"{middle} ({min(values):.{places}f} to {max(values):.{places}f})"


def _named(library: str) -> str:
    """A library with its version; exits if it is not installed."""
    try:
        return f"{library} {version(library)}"
    except PackageNotFoundError:
        sys.exit(
            f"{library} is not installed: python -m pip install --require-hashes "
            "-r benchmarks/requirements.txt"
        )


def _print_progress(name: str, run: Run) -> None:
    print(
        f"{name:<18} {run.seconds:>8.1f} s {run.cpu_seconds:>8.1f} CPU s "
        f"{run.gibibytes:>6.2f} GiB",
        flush=True,
    )


if __name__ == "__main__":
    main()
