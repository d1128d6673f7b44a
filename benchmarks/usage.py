"""How long usage takes to bill, beside one hand-written statement.

    python benchmarks/usage.py --events 10000000
    python benchmarks/usage.py --daily

The first lands twelve months of encounters (`usage_data`), bills and issues them in one
run of the command, and computes the same bill by one statement over the same files, by
line and by facility (`usage_by_hand`); the time of the command on a thousand events is
taken off. The second bills days of 100,000 new events, one after the other, on a
history of one month and on one of 36 months, and takes the medians.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from statistics import median

import duckdb

sys.path.insert(0, str(Path(__file__).resolve().parent))
import usage_data
from usage_by_hand import BY_FACILITY, BY_LINE, by_hand
from usage_data import EVERYTHING_CAME, LAST_DAY, Size

PROJECT_DIR = Path(__file__).resolve().parent.parent
DAYS = 5
_EHR = "usage/ehr"
COMMAND = "from orchestration.cli import main; main()"


@dataclass(frozen=True)
class Run:
    """What a run of the command took; memory of all its processes at once."""

    seconds: float
    cpu_seconds: float
    gibibytes: float


def main() -> None:
    """Write, bill, compare and report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--daily", action="store_true", help="days on two histories")
    parser.add_argument("--dir", type=Path, help="work here and keep everything")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="usage-") as directory:
        place = arguments.dir or Path(directory)
        if arguments.daily:
            compare_days(place, arguments.events)
        else:
            compare_year(place, arguments.events)


def compare_year(place: Path, events: int) -> None:
    """A year of events in one run, and by one statement."""
    landing = place / f"landing-{events}"
    small = place / "landing-1000"
    for folder, size in ((landing, events), (small, 1000)):
        if not folder.exists():
            usage_data.write_landing(folder, Size(size))
    for size in (1000, events):
        shutil.rmtree(place / f"home-{size}", ignore_errors=True)
    floor = bill(small, place / "home-1000", EVERYTHING_CAME)
    _print("a thousand events", floor)
    whole = bill(landing, place / f"home-{events}", EVERYTHING_CAME)
    _print(f"{events:,} events", whole)
    billed = usage_billed(place / f"home-{events}")
    _print_ratio("by line", BY_LINE, landing, place, (floor, whole), billed)
    _print_ratio("by facility", BY_FACILITY, landing, place, (floor, whole), billed)
    print(f"billed             {sum(billed.values()):>18,}")


def _print_ratio(
    what: str,
    statement: str,
    landing: Path,
    place: Path,
    runs: tuple[Run, Run],
    billed: dict[str, Decimal],
) -> None:
    """Report a statement; ends the script if it comes to other amounts."""
    before = os.times()
    seconds, amounts = by_hand(landing, place, statement)
    after = os.times()
    cpu = sum(after[:2]) - sum(before[:2])
    floor, whole = runs
    print(f"statement {what}".ljust(22) + f"{seconds:>7.1f} s {cpu:>10.1f} CPU s")
    print(f"ratio              {(whole.seconds - floor.seconds) / seconds:>10.2f}")
    print(f"ratio of CPU time  {(whole.cpu_seconds - floor.cpu_seconds) / cpu:>10.2f}")
    if statement == BY_LINE:
        billed = {"": sum(billed.values())}
    others = {
        name for name in billed | amounts if billed.get(name) != amounts.get(name)
    }
    if others:
        sys.exit(f"the statement {what} comes to other amounts: {len(others)}")


def compare_days(place: Path, events_a_month: int) -> None:
    """Days of 100,000 events on histories of one month and of 36 months, in turn."""
    days = [LAST_DAY + timedelta(number) for number in range(1, DAYS + 1)]
    took = {1: [], 36: []}
    for months in took:
        size = Size(events_a_month * months, months)
        landing, home = place / f"landing-{months}", place / f"home-{months}"
        later = place / f"days-{months}"
        if not later.exists():
            usage_data.write_landing(landing, size, days[0])
            usage_data.write_days(later, size, 100_000, days)
        for day in days:
            (landing / _EHR / f"{day}.parquet").unlink(missing_ok=True)
        shutil.rmtree(home, ignore_errors=True)
        _print(f"history of {months}", bill(landing, home, LAST_DAY))
    for day in days:
        for months, seconds in took.items():
            landing, home = place / f"landing-{months}", place / f"home-{months}"
            shutil.copy(place / f"days-{months}" / f"{day}.parquet", landing / _EHR)
            # Else the machine would still be writing what came before.
            os.sync()
            run = bill(landing, home, day)
            _print(f"{day} on {months}", run)
            seconds.append(run.seconds)
        print(f"ratio              {took[36][-1] / took[1][-1]:>10.2f}")
    print(f"ratio of medians   {median(took[36]) / median(took[1]):>10.2f}")


def bill(landing: Path, home: Path, as_of: date) -> Run:
    """Bill and issue everything known by a day in one run of the command."""
    before = os.times()
    began = time.perf_counter()
    # Standard error shows the run's stages.
    process = subprocess.Popen(
        [
            *(sys.executable, "-c", COMMAND, "run"),
            *("--landing", str(landing), "--home", str(home)),
            *("--as-of", str(as_of), "--issue-through", str(as_of)),
        ],
        cwd=PROJECT_DIR,
        env=os.environ | {"COLUMNS": "80"},
        stdout=subprocess.DEVNULL,
    )
    memory = _Memory(process.pid)
    memory.start()
    if process.wait():
        sys.exit("the run failed")
    seconds = time.perf_counter() - began
    memory.join()
    after = os.times()
    cpu = sum(after[2:4]) - sum(before[2:4])
    return Run(seconds, cpu, memory.most / 2**30)


class _Memory(threading.Thread):
    """The most memory that a process and its descendants had at once, in bytes."""

    def __init__(self, root: int) -> None:
        super().__init__()
        self.root = root
        self.most = 0

    def run(self) -> None:
        while Path(f"/proc/{self.root}").exists():
            self.most = max(self.most, self._now())
            if not _children(self.root) and not _resident(self.root):
                return
            time.sleep(0.1)

    def _now(self) -> int:
        total, found = 0, [self.root]
        while found:
            pid = found.pop()
            total += _resident(pid)
            found += _children(pid)
        return total


def _resident(pid: int) -> int:
    try:
        pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
    except (OSError, IndexError):
        return 0  # It has ended.
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def _children(pid: int) -> list[int]:
    found = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += map(int, path.read_text().split())
        except OSError:
            continue
    return found


def usage_billed(home: Path) -> dict[str, Decimal]:
    """What the published invoices ask of each facility for usage."""
    path = home / "published" / "billing.duckdb"
    with duckdb.connect(str(path), read_only=True) as connection:
        return dict(
            connection.execute(
                "select facility_id, sum(parts.amount) "
                "from finance.invoice_line_facilities as parts "
                "join finance.invoice_lines as lines "
                "using (invoice_id, line_number) "
                "where lines.meter is not null group by all"
            ).fetchall()
        )


def _print(what: str, run: Run) -> None:
    print(
        f"{what:<18} {run.seconds:>10.1f} s {run.cpu_seconds:>10.1f} CPU s "
        f"{run.gibibytes:>8.2f} GiB",
        flush=True,
    )


if __name__ == "__main__":
    main()
