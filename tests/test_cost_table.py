"""The bills that benchmarks/cost_table.py compares: a small one, worked by hand."""

import subprocess
import sys
from datetime import date
from decimal import Decimal as D
from importlib.util import find_spec
from pathlib import Path

import duckdb
import pytest

from orchestration.project import PROJECT_DIR

# Event, facility, occurred, received, quantity, status and class.
EVENTS = """
    (1, 'north', '2025-01-05', '2025-01-05', 1, 'final', 'AMB'),
    (2, 'north', '2025-01-06', '2025-01-06', 1, 'final', 'EMER'),
    -- Cancelled in the moment it came: the cancellation holds.
    (3, 'south', '2025-01-07', '2025-01-08', 1, 'cancelled', 'EMER'),
    (3, 'south', '2025-01-07', '2025-01-08', 1, 'final', 'EMER'),
    -- Sent again: it was in February.
    (4, 'south', '2025-01-20', '2025-01-21', 1, 'final', 'EMER'),
    (4, 'south', '2025-02-02', '2025-02-03', 1, 'final', 'AMB'),
    (5, 'north', '2025-02-09', '2025-02-09', 1, 'final', 'AMB'),
    -- Nothing to bill: no quantity, facility not known, none, no date.
    (6, 'north', '2025-02-10', '2025-02-10', 0, 'final', 'AMB'),
    (7, 'elsewhere', '2025-02-10', '2025-02-10', 1, 'final', 'AMB'),
    (8, null, '2025-02-10', '2025-02-10', 1, 'final', 'AMB'),
    (9, 'north', null, '2025-02-10', 1, 'final', 'AMB'),
    -- The next contract year begins with the first tier.
    (10, 'north', '2026-01-03', '2026-01-03', 1, 'final', 'AMB'),
    (11, 'west', '2025-02-01', '2025-02-01', 1, 'final', 'EMER'),
    -- The last moment of the day billed up to, and the first one after it.
    (12, 'west', '2025-12-31', '2026-04-01 23:59:59', 1, 'final', 'AMB'),
    (13, 'west', '2025-12-31', '2026-04-02', 1, 'final', 'AMB')
"""
COVERED = "('two', 'north'), ('two', 'south'), ('one', 'west')"
# Two encounters of a year at 2.50, one at 2.125, the others at 1.875.
TIERS = "('tiers', 1, 2, '2.50'), ('tiers', 2, 3, '2.125'), ('tiers', 3, null, '1.875')"
BILL = [
    # Encounter 11 is an emergency; 12 is the second of the year.
    ("one", date(2025, 2, 1), "emergency", None, 1, D("0.75")),
    ("one", date(2025, 2, 1), "encounters", 1, 1, D("2.50")),
    ("one", date(2025, 12, 1), "emergency", None, 0, D("0.00")),
    ("one", date(2025, 12, 1), "encounters", 1, 1, D("2.50")),
    # 1 and 2, of which 2 is an emergency: 2 × 2.50.
    ("two", date(2025, 1, 1), "emergency", None, 1, D("0.75")),
    ("two", date(2025, 1, 1), "encounters", 1, 2, D("5.00")),
    # 4 and 5 are the third and the fourth: 2.125 and 1.875, half a cent away from 0.
    ("two", date(2025, 2, 1), "emergency", None, 0, D("0.00")),
    ("two", date(2025, 2, 1), "encounters", 2, 1, D("2.13")),
    ("two", date(2025, 2, 1), "encounters", 3, 1, D("1.88")),
    ("two", date(2026, 1, 1), "emergency", None, 0, D("0.00")),
    ("two", date(2026, 1, 1), "encounters", 1, 1, D("2.50")),
]


@pytest.fixture(scope="module")
def landing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("cost")
    tables = {
        "usage/ehr/all.parquet": f"""
            select ('00000000-0000-0000-0000-' || lpad(id::varchar, 12, '0'))::uuid
                as event_id, facility, occurred_at::timestamp as occurred_at,
                received_at::timestamp as received_at,
                quantity::decimal(18, 4) as quantity, status, class
            from (values {EVENTS}) as events(id, facility, occurred_at, received_at,
                quantity, status, class)""",
        "contracts/contract_facilities.csv": f"""
            from (values {COVERED}) as covered(contract_id, facility_id)""",
        "contracts/rate_cards.csv": f"""
            from (values {TIERS}) as tiers(rate_card_id, tier, up_to, unit_price)""",
    }
    with duckdb.connect() as connection:
        for name, sql in tables.items():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            connection.execute(f"copy ({sql}) to '{place / name}'")
    return place


@pytest.mark.parametrize("way", ["duckdb", "polars", "pandas"])
def test_each_way_comes_to_the_bill_worked_by_hand(
    way: str, landing: Path, tmp_path: Path
) -> None:
    if not find_spec(way):
        pytest.skip(f"{way} is in benchmarks/requirements.txt, not in the project")
    bill = tmp_path / "bill.parquet"
    script = PROJECT_DIR / "benchmarks" / "cost_ways.py"
    subprocess.run(
        [sys.executable, script, way, landing, "2026-04-01", "0.75", bill], check=True
    )
    with duckdb.connect() as connection:
        billed = connection.execute(
            f"from read_parquet('{bill}') order by all"
        ).fetchall()
    assert billed == BILL


def test_the_command_bills_what_the_statement_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(PROJECT_DIR / "benchmarks"))
    import cost_table
    import usage_data
    from usage_by_hand import by_hand

    landing, home = tmp_path / "landing", tmp_path / "home"
    usage_data.write_landing(landing, usage_data.Size(1_000))
    _, amounts = by_hand(landing, tmp_path)
    total = sum(amounts.values())
    assert total > 0
    (run,) = cost_table.by_command(landing, home, 1, total)
    assert run.gibibytes > 0
    billed = cost_table.usage.usage_billed(home)
    monkeypatch.setattr(cost_table.usage, "bill", lambda *arguments: run)
    monkeypatch.setattr(cost_table.usage, "usage_billed", lambda home: billed)
    with pytest.raises(SystemExit, match="the command comes to"):
        cost_table.by_command(landing, home, 1, total + D("0.01"))
