"""How long usage takes to bill, beside one hand-written statement.

    python benchmarks/usage.py --events 10000000
    python benchmarks/usage.py --daily

The first lands twelve months of encounters (`usage_data`), bills and issues them in one
run of the command, and computes the same bill by one statement over the same files; the
time of the command on a thousand events is taken off. The second bills day after day:
a day of 100,000 new events on a history of one month and on one of 36 months.
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
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb

sys.path.insert(0, str(Path(__file__).resolve().parent))
import usage_data
from usage_data import EVERYTHING_CAME, LAST_DAY, Size

PROJECT_DIR = Path(__file__).resolve().parent.parent
COMMAND = "from orchestration.cli import main; main()"
# The same bill by hand: of each event the row received last; the tiers are split
# arithmetically on the running count of the contract year, one amount a month and tier.
BY_HAND = """
    create table bill as
    with
    latest as (
        select * from (
            select *, row_number() over (
                partition by event_id
                order by received_at desc, status = 'cancelled' desc) as place
            from read_parquet('{landing}/usage/*/*.parquet')
            where received_at < date '{as_of}' + 1)
        where place = 1),
    covered as (
        select contract_id, facility_id
        from read_csv('{landing}/contracts/contract_facilities.csv')),
    counted as (
        select contract_id, date_trunc('month', occurred_at)::date as month,
            count(*) as encounter, count(*) filter (class = 'EMER') as emergency
        from latest join covered on facility = facility_id
        where status = 'final' and quantity > 0 and occurred_at is not null
        group by all),
    reached as (
        select *, sum(encounter) over (partition by contract_id, year(month)
            order by month) - encounter as before
        from counted),
    tiers as (
        select tier, coalesce(lag(up_to) over (order by tier), 0) as above,
            coalesce(up_to, 1e15::bigint) as up_to, unit_price::decimal(18, 4) as price
        from read_csv('{landing}/contracts/rate_cards.csv',
            types = {{'up_to': 'bigint', 'unit_price': 'varchar'}}))
    select contract_id, month, 'encounters' as product, tier,
        least(before + encounter, up_to) - greatest(before, above) as quantity,
        round((least(before + encounter, up_to) - greatest(before, above)) * price, 2)
            ::decimal(18, 2) as amount
    from reached join tiers on before + encounter > above and before < up_to
    union all
    select contract_id, month, 'emergency', null, emergency,
        round(emergency * {emergency}, 2)
    from counted
"""


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
    before = os.times()
    seconds, total = by_hand(landing, place)
    after = os.times()
    cpu = sum(after[:2]) - sum(before[:2])
    print(f"one statement      {seconds:>10.1f} s {cpu:>10.1f} CPU s")
    print(f"ratio              {(whole.seconds - floor.seconds) / seconds:>10.2f}")
    print(f"ratio of CPU time  {(whole.cpu_seconds - floor.cpu_seconds) / cpu:>10.2f}")
    billed = usage_billed(place / f"home-{events}")
    print(f"billed             {billed:>18,}")
    if billed != total:
        sys.exit(f"the statement comes to another total: {total:,}")


def compare_days(place: Path, events_a_month: int) -> None:
    """A day of 100,000 events on histories of one month and of 36 months."""
    took = []
    for months in (1, 36):
        size = Size(events_a_month * months, months)
        landing, home = place / f"landing-{months}", place / f"home-{months}"
        if not home.exists():
            usage_data.write_landing(landing, size, date(2026, 1, 1))
            _print(f"history of {months}", bill(landing, home, LAST_DAY))
            usage_data.write_day(landing, size, 100_000)
        day = bill(landing, home, date(2026, 1, 1))
        _print(f"a day on {months}", day)
        took.append(day.seconds)
    print(f"ratio              {took[1] / took[0]:>10.2f}")


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


def by_hand(landing: Path, place: Path) -> tuple[float, Decimal]:
    """Seconds and the total of one statement over the landed files."""
    path = place / "by_hand.duckdb"
    path.unlink(missing_ok=True)
    with duckdb.connect(str(path)) as connection:
        began = time.perf_counter()
        connection.execute(
            BY_HAND.format(
                landing=landing,
                as_of=EVERYTHING_CAME,
                emergency=usage_data.EMERGENCY_PRICE,
            )
        )
        seconds = time.perf_counter() - began
        total = connection.execute("select sum(amount) from bill").fetchone()[0]
    return seconds, total


def usage_billed(home: Path) -> Decimal:
    """What the published invoices ask for usage."""
    path = home / "published" / "billing.duckdb"
    with duckdb.connect(str(path), read_only=True) as connection:
        return connection.execute(
            "select sum(amount) from finance.invoice_lines where meter is not null"
        ).fetchone()[0]


def _print(what: str, run: Run) -> None:
    print(
        f"{what:<18} {run.seconds:>10.1f} s {run.cpu_seconds:>10.1f} CPU s "
        f"{run.gibibytes:>8.2f} GiB",
        flush=True,
    )


if __name__ == "__main__":
    main()
