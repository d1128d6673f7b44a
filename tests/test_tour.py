"""The commands of docs/tour.md, as written, on a smaller health system.

With BILLING_TOUR=full they run on the very numbers of the page, and what it shows of
their output must be there; that takes some minutes.
"""

import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from decimal import Decimal as D
from pathlib import Path

import duckdb
import pytest
from conftest import Close, billing

from orchestration.project import PROJECT_DIR

FULL = os.environ.get("BILLING_TOUR") == "full"
SMALLER = {"230": "20", "500000": "20000"}


@dataclass(frozen=True)
class Tour:
    """Where the commands worked, what each printed and should have."""

    place: Path
    printed: dict[str, str]
    shown: dict[str, list[str]]

    def close(self) -> Close:
        return Close(self.place / "demo-home/published/billing.duckdb")


def steps() -> dict[str, list[str]]:
    """Commands of the page, each with the lines shown below it."""
    page = (PROJECT_DIR / "docs/tour.md").read_text(encoding="utf-8")
    found: dict[str, list[str]] = {}
    for block in re.findall(r"```console\n(.*?)```", page, re.DOTALL):
        for line in block.splitlines():
            if line.startswith("$ "):
                found[line[2:]] = shown = []
            else:
                shown.append(line)
    return found


@pytest.fixture(scope="module")
def tour(tmp_path_factory: pytest.TempPathFactory) -> Tour:
    place = tmp_path_factory.mktemp("tour")
    printed = {}
    before = Path.cwd()
    os.chdir(place)
    try:
        for command in steps():
            printed[command] = _run(command)
    finally:
        os.chdir(before)
    return Tour(place, printed, steps())


def _run(command: str) -> str:
    program, *arguments = shlex.split(command)
    if not FULL:
        arguments = [SMALLER.get(one, one) for one in arguments]
    if program == ".venv/bin/python":
        done = subprocess.run(
            [sys.executable, *arguments], check=True, capture_output=True, text=True
        )
        return done.stdout
    assert program == ".venv/bin/billing"
    with pytest.MonkeyPatch.context() as patch:
        return _printed_by_billing(patch, arguments)


def _printed_by_billing(patch: pytest.MonkeyPatch, arguments: list[str]) -> str:
    import io

    from rich.console import Console

    from orchestration import progress, summary

    text = io.StringIO()
    patch.setattr(sys, "stdout", text)
    console = Console(file=text, width=200, highlight=False)
    patch.setattr(summary, "_console", console)
    patch.setattr(progress, "_console", console)
    billing(*arguments)
    return text.getvalue()


def words(line: str) -> str:
    return " ".join(line.split())


def test_every_command_works_as_written(tour: Tour) -> None:
    assert len(tour.printed) >= 8
    for command, printed in tour.printed.items():
        assert printed.strip(), command


COMMANDS = {
    "silent": ".venv/bin/billing close 2025-10 --landing demo --home demo-home",
    "closed": ".venv/bin/billing explain INV-2025-000012 --line 4 --home demo-home",
    "true-up": ".venv/bin/billing explain INV-2026-000001 --line 4 --home demo-home",
}

# What holds on 1 January, counted from the landed files alone: of each encounter the
# row received last, final, with a date and a count, at a facility covered on that day.
COUNTED = """
    with latest as (
        select
            event_id,
            unnest(arg_max(
                {'facility': facility, 'day': cast(occurred_at as date),
                    'quantity': quantity, 'status': status},
                (received_at, status = 'cancelled')
            ))
        from 'demo/usage/charting/*.parquet'
        where cast(received_at as date) <= date '2026-01-01'
        group by event_id
    ),
    facilities as (
        select
            facility_id,
            coalesce(ccn, facility_id) as sent_as,
            (select min(effective_on) from 'demo/contracts/contract_facilities.csv'
                as coverage where coverage.facility_id = facilities.facility_id
                and covered) as since,
            coalesce((select min(effective_on)
                from 'demo/contracts/contract_facilities.csv'
                as coverage where coverage.facility_id = facilities.facility_id
                and not covered), date '2026-01-01') as until
        from read_csv('demo/contracts/facilities.csv', types = {'ccn': 'varchar'})
            as facilities
    )
    select count(*)
    from latest
    inner join facilities on latest.facility = facilities.sent_as
    where status = 'final' and quantity > 0 and day >= since and day < until
"""


def test_the_year_is_billed_as_counted_from_the_files(tour: Tour) -> None:
    before = Path.cwd()
    os.chdir(tour.place)
    try:
        [(counted,)] = duckdb.sql(COUNTED).fetchall()
    finally:
        os.chdir(before)
    committed, first, second = (
        # (500,000 × 105 + 505,000 × 138 + 495,000 × 122) / 365 = 500,219.2
        (500_219, 200_000, 500_000)
        if FULL
        # (20,000 × 105 + 20,200 × 138 + 19,800 × 122) / 365 = 20,008.8
        else (20_009, 8_000, 20_000)
    )
    book = tour.close()
    assert book.rows(
        "select committed, actual_to_date, true_up from finance.commitment_progress "
        "where month = date '2025-12-01'"
    ) == [(D(committed), D(counted), max(0, committed - counted) * D("0.50"))]
    # M2, U6: every month's lines and adjustments together, without a cent to round.
    tiers = (
        (min(counted, first), D("0.68")),
        (min(counted, second) - first, D("0.57")),
        (max(counted - second, 0), D("0.45")),
    )
    assert book.rows(
        "select line_type, sum(amount) from finance.invoice_lines "
        "where invoice_number is not null and line_type in ('usage', 'true_up') "
        "group by all order by all desc"
    ) == [
        ("usage", sum(units * price for units, price in tiers)),
        ("true_up", max(0, committed - counted) * D("0.50")),
    ]


def test_the_tour_shows_what_it_tells_of(tour: Tour) -> None:
    silent = words(tour.printed[COMMANDS["silent"]])
    assert "Warning: 1 facility was silent for longer than history makes" in silent
    assert silent.index("Warning: 1 facility") < silent.index("Issued as of 2025-11-01")
    [gaps] = [text for command, text in tour.printed.items() if "feed_gaps" in command]
    assert "2025-10-10" in gaps
    # 395.00 less 10 % of one clinic for September.
    closed = tour.printed[COMMANDS["closed"]]
    assert "THREE-RIVERS-2025-A2, facility removed" in closed
    assert "-355.50" in closed
    assert "True-up: " in tour.printed[COMMANDS["true-up"]]


@pytest.mark.skipif(not FULL, reason="BILLING_TOUR=full runs the numbers of the page")
def test_what_is_shown_is_printed(tour: Tour) -> None:
    for command, shown in tour.shown.items():
        printed = {words(line) for line in tour.printed[command].splitlines()}
        assert [line for line in shown if words(line) not in printed] == [], command
