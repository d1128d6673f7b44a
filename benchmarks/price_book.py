"""How long a year of a large price book takes to bill, beside one hand-written query.

    python benchmarks/price_book.py --contracts 5000

Each contract has one facility and 40 lines: 30 recurring, and 10 of usage on three
meters, 8 of them graduated over the contract year. Usage is a year of daily rows, one
for each facility and meter. All of it is landed, billed and issued in one run of the
command; then the same total is computed by one query over the landed files.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from decimal import Decimal
from pathlib import Path

import duckdb

PROJECT_DIR = Path(__file__).resolve().parent.parent
COMMAND = "from orchestration.cli import main; main()"
CONTRACT_TABLES = {
    "customers": """
        select 'C' || n as customer_id, 'Example Clinic ' || n as customer_name,
            'standard' as dunning_tier from numbers""",
    "baas": """
        select 'C' || n as customer_id, '2024-01-01' as effective_on from numbers""",
    "facilities": """
        select 'F' || n as facility_id, 'C' || n as customer_id,
            'Example Clinic ' || n as facility_name from numbers""",
    "contracts": """
        select 'K' || n as contract_id, 'C' || n as customer_id,
            '2024-12-01' as signed_on, '2025-01-01' as starts_on,
            '2025-12-31' as ends_on from numbers""",
    "contract_facilities": """
        select 'K' || n as contract_id, 'F' || n as facility_id,
            '2025-01-01' as effective_on, 'true' as covered from numbers""",
    "rate_cards": """
        select 'tiers' as rate_card_id, * from (values
            (1, '100', '2.50'), (2, '400', '2.125'), (3, '', '1.875')
        ) as tiers(tier, up_to, unit_price)""",
    # Lines 1 to 30 recur; 31 to 38 are graduated, 39 and 40 have one price.
    "contract_lines": """
        select 'L' || n || '-' || line as line_id, 'K' || n as contract_id,
            '2025-01-01' as effective_on,
            case when line <= 30 then 'recurring' else 'usage' end as charge_type,
            'product ' || line as product_id,
            case when line between 31 and 38 then 'graduated' else 'per_unit' end
                as pricing_model,
            case when line > 30
                then (['encounter', 'procedure', 'emergency'])[1 + line % 3] end
                as meter,
            case when line <= 30 then 1 + line % 7 end as quantity,
            case when line not between 31 and 38 then 10 + line || '.25' end
                as unit_price,
            case when line between 31 and 38 then 'tiers' end as rate_card_id,
            case when line between 31 and 38 then 'contract_year' end as tier_scope
        from numbers, range(1, 41) as lines(line)""",
}
# One row for each facility, day and meter. An emergency is an encounter too.
USAGE = """
    select
        'F' || n || '-' || day || '-' || kind as event_id,
        case kind when 2 then 'procedure' else 'encounter' end as event_type,
        'F' || n as facility, null as patient_id,
        strftime(date '2025-01-01' + day::integer, '%Y-%m-%d') as occurred_at,
        null as received_at, null as status,
        case kind when 2 then 1 + (n * 31 + day * 7) % 5 end as quantity,
        case kind when 3 then 'EMER' when 1 then 'AMB' end as class
    from numbers, range(365) as days(day), range(1, 4) as kinds(kind)
"""
# The same total by hand: recurring lines are full months; graduated ones are priced by
# the year's count, rounded by line, month and tier.
BY_HAND = """
    with
    lines as (select * from read_csv('{landing}/contracts/contract_lines.csv')),
    events as (
        select 'K' || facility[2:] as contract_id,
            date_trunc('month', occurred_at::date) as month,
            count(*) filter (event_type = 'encounter') as encounter,
            count(*) filter (class = 'EMER') as emergency,
            sum(quantity)::bigint as procedure
        from '{landing}/usage/daily/*.parquet' group by all),
    counted as (unpivot events on encounter, emergency, procedure
        into name meter value units),
    reached as (
        select *, sum(units) over (partition by contract_id, meter order by month)
            - units as before from counted),
    tiers(above, up_to, price) as (values
        (0, 100, 2.50), (100, 400, 2.125), (400, 1000000000, 1.875)),
    charged as (
        select quantity * 12 * unit_price::decimal(18, 2) as amount
        from lines where charge_type = 'recurring'
        union all
        select round(units * unit_price::decimal(18, 2), 2)
        from lines join counted using (contract_id, meter)
        where pricing_model = 'per_unit'
        union all
        select round(
            (least(before + units, up_to) - greatest(before, above)) * price, 2)
        from lines join reached using (contract_id, meter)
        join tiers on before + units > above and before < up_to
        where pricing_model = 'graduated')
    select sum(amount)::decimal(18, 2) from charged
"""


def main() -> None:
    """Write, bill, compare and report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--contracts", type=int, default=5000)
    parser.add_argument("--dir", type=Path, help="work here and keep everything")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="price-book-") as directory:
        place = arguments.dir or Path(directory)
        landing = place / "landing"
        write_landing(landing, arguments.contracts)
        seconds, gibibytes = bill(landing, place / "home")
        began = time.perf_counter()
        by_hand = total_by_hand(landing)
        by_query = time.perf_counter() - began
        invoices, lines, total = published(place / "home")
    print(f"contracts          {arguments.contracts:>14,}")
    print(f"invoices           {invoices:>14,}")
    print(f"invoice lines      {lines:>14,}")
    print(f"total              {total:>14,}")
    print(f"billed in          {seconds:>14.1f} s")
    print(f"largest process    {gibibytes:>14.2f} GiB")
    print(
        f"one query          {by_query:>14.1f} s, {seconds / by_query:,.0f} times less"
    )
    if total != by_hand:
        sys.exit(f"the query comes to another total: {by_hand:,}")


def write_landing(landing: Path, contracts: int) -> None:
    """Write the landing directory for so many contracts; always the same."""
    with duckdb.connect() as connection:
        connection.execute(
            f"create table numbers as select range as n from range(1, {contracts} + 1)"
        )
        for name, sql in CONTRACT_TABLES.items():
            path = landing / "contracts" / f"{name}.csv"
            path.parent.mkdir(parents=True, exist_ok=True)
            connection.execute(f"copy ({sql}) to '{path}' (header)")
        path = landing / "usage" / "daily" / "2025.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        connection.execute(f"copy ({USAGE}) to '{path}' (format parquet)")


def bill(landing: Path, home: Path) -> tuple[float, float]:
    """Bill the year in one run; seconds taken and the most memory of a process."""
    began = time.perf_counter()
    subprocess.run(
        [
            *(sys.executable, "-c", COMMAND, "run"),
            *("--landing", str(landing), "--home", str(home)),
            *("--as-of", "2026-01-01", "--issue-through", "2026-01-01"),
        ],
        cwd=PROJECT_DIR,
        env=os.environ | {"COLUMNS": "80"},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    seconds = time.perf_counter() - began
    most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return seconds, most / 2**20


def total_by_hand(landing: Path) -> Decimal:
    """The same total by one query over the landed files."""
    with duckdb.connect() as connection:
        return connection.execute(BY_HAND.format(landing=landing)).fetchone()[0]


def published(home: Path) -> tuple[int, int, Decimal]:
    """How many invoices and lines were issued, and their total."""
    path = home / "published" / "billing.duckdb"
    with duckdb.connect(str(path), read_only=True) as connection:
        invoices, total = connection.execute(
            "select count(*), sum(subtotal) from finance.invoices "
            "where status <> 'draft'"
        ).fetchone()
        (lines,) = connection.execute(
            "select count(*) from finance.invoice_lines"
        ).fetchone()
    return invoices, lines, total


if __name__ == "__main__":
    main()
