"""Whether closing a month takes longer with the months that were closed before it.

    python benchmarks/closes.py --contracts 500 --months 36

Each contract has two facilities and five lines: seats and a platform by month, a
licence by year, and usage on two meters, one of them graduated over the contract year.
Each month has usage on ten of its days at each facility, some of it a month late, a
payment of every customer, and now and then an amendment signed weeks after it took
effect. Every month is landed when it is over and closed by the command, as a person or
a schedule does it: in a process of its own. A run that issues nothing comes first, as
the first of a home makes what all others find.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

import duckdb

PROJECT_DIR = Path(__file__).resolve().parent.parent
COMMAND = "from orchestration.cli import main; main()"
BOUND = 1.5
CONTRACT_TABLES = {
    "customers": """
        select 'C' || n as customer_id, 'Example Clinic ' || n as customer_name,
            'standard' as dunning_tier from numbers""",
    "baas": """
        select 'C' || n as customer_id, '2023-01-01' as effective_on from numbers""",
    "facilities": """
        select 'F' || n || side as facility_id, 'C' || n as customer_id,
            'Example Clinic ' || n || side as facility_name from numbers, sides""",
    "contracts": """
        select 'K' || n as contract_id, 'C' || n as customer_id,
            '2023-12-01' as signed_on, '2024-01-01' as starts_on,
            '2027-12-31' as ends_on from numbers""",
    # The second facility of some joins by an amendment.
    "contract_facilities": """
        select 'K' || n as contract_id, 'F' || n || side as facility_id,
            case when n % 10 = 0 and side = 'b'
                then strftime(make_date(2024, 1, 15) + to_months((n // 10) % 36),
                    '%Y-%m-%d')
                else '2024-01-01' end as effective_on,
            'true' as covered,
            case when n % 10 = 0 and side = 'b' then 'A' || n end as amendment_id
        from numbers, sides""",
    "amendments": """
        select 'A' || n as amendment_id, 'K' || n as contract_id,
            strftime(make_date(2024, 1, 10) + to_months((n // 10) % 36 + 1), '%Y-%m-%d')
                as signed_on,
            strftime(make_date(2024, 1, 15) + to_months((n // 10) % 36), '%Y-%m-%d')
                as effective_on,
            'facility_added' as kind
        from numbers where n % 10 = 0""",
    "rate_cards": """
        select 'tiers' as rate_card_id, * from (values
            (1, '100', '2.50'), (2, '200', '2.125'), (3, '', '1.875')
        ) as tiers(tier, up_to, unit_price)""",
    "contract_lines": """
        select 'L' || n || '-' || product_id as line_id, 'K' || n as contract_id,
            '2024-01-01' as effective_on, lines.*
        from numbers, (values
            ('recurring', 'seats', 'per_unit', null, 7, 'fixed', '12.35', null,
                null, 'monthly'),
            ('recurring', 'platform', 'per_unit', null, null, 'covered_facilities',
                '90', null, null, 'monthly'),
            ('recurring', 'licence', 'flat', null, null, null, '1200', null, null,
                'annual'),
            ('usage', 'visits', 'graduated', 'encounter', null, null, null, 'tiers',
                'contract_year', 'monthly'),
            ('usage', 'scans', 'per_unit', 'procedure', null, null, '0.335', null,
                null, 'monthly')
        ) as lines(charge_type, product_id, pricing_model, meter, quantity,
            quantity_basis, unit_price, rate_card_id, tier_scope, billing_frequency)""",
}
# Ten days of a month, two meters; every fifth contract has an encounter left over from
# the month before.
USAGE = """
    select
        'F' || n || side || '-' || strftime($1::date, '%Y%m') || '-' || day || kind
            as event_id,
        kind as event_type,
        'F' || n || side as facility,
        strftime($1::date + (day * 2)::integer, '%Y-%m-%d') as occurred_at,
        case kind when 'procedure' then 1 + (n * 31 + day * 7) % 5 end as quantity
    from numbers, sides, range(10) as days(day),
        (values ('encounter'), ('procedure')) as kinds(kind)
    union all
    select 'late-' || n || strftime($1::date, '%Y%m'), 'encounter', 'F' || n || 'a',
        strftime($1::date - 3, '%Y-%m-%d'), null
    from numbers
    where (n + month($1::date)) % 5 = 0 and $1::date > '2024-01-01'
"""
# Less than what is owed, so that there is always something to apply it to.
PAYMENTS = """
    select 'P' || n || '-' || strftime($1::date, '%Y%m') as payment_id,
        'C' || n as customer_id,
        strftime($1::date + 20, '%Y-%m-%d') as received_on, '250.00' as amount
    from numbers
"""


def main() -> None:
    """Land and close month by month, report, and exit with 1 above the bound."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--contracts", type=int, default=500)
    parser.add_argument("--months", type=int, default=36)
    parser.add_argument("--dir", type=Path, help="work here and keep everything")
    arguments = parser.parse_args()
    months = [
        date(2024 + place // 12, place % 12 + 1, 1) for place in range(arguments.months)
    ]
    with tempfile.TemporaryDirectory(prefix="closes-") as directory:
        place = arguments.dir or Path(directory)
        landing, home = place / "landing", place / "home"
        with duckdb.connect() as connection:
            connection.execute(
                "create table numbers as "
                f"select range as n from range(1, {arguments.contracts} + 1)"
            )
            connection.execute(
                "create table sides as select unnest(['a', 'b']) as side"
            )
            write_contracts(connection, landing)
            billing("run", "--as-of", f"{months[0]}", landing=landing, home=home)
            took = []
            print("month       wall s    CPU s", flush=True)
            for month in months:
                write_month(connection, landing, month)
                took.append(
                    billing("close", f"{month:%Y-%m}", landing=landing, home=home)
                )
                print(
                    "{:%Y-%m} {:>10.1f} {:>8.1f}".format(month, *took[-1]), flush=True
                )
        print(f"posted rows {posted_rows(home):>12,}")
    wall, cpu = (
        statistics.median(last) / first
        for last, first in zip(zip(*took[-3:], strict=True), took[0], strict=True)
    )
    print(f"the last three closes to the first: {wall:.2f} (CPU {cpu:.2f})")
    if wall > BOUND:
        sys.exit(f"that is more than {BOUND}")


def write_contracts(connection: duckdb.DuckDBPyConnection, landing: Path) -> None:
    """The terms of all months; always the same."""
    for name, sql in CONTRACT_TABLES.items():
        _copy(connection, sql, landing / "contracts" / f"{name}.csv")


def write_month(
    connection: duckdb.DuckDBPyConnection, landing: Path, month: date
) -> None:
    """What comes of a month: usage and payments."""
    for sql, table in ((USAGE, "usage/daily"), (PAYMENTS, "receivables/payments")):
        connection.execute(f"set variable month = date '{month}'")
        sql = sql.replace("$1::date", "getvariable('month')")
        _copy(connection, sql, landing / table / f"{month:%Y-%m}.csv")


def _copy(connection: duckdb.DuckDBPyConnection, sql: str, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    connection.execute(f"copy ({sql}) to '{path}' (header)")


def billing(*arguments: str, landing: Path, home: Path) -> tuple[float, float]:
    """Run the command; seconds it took and seconds of CPU."""
    before, began = os.times(), time.perf_counter()
    process = subprocess.run(
        [
            *(sys.executable, "-c", COMMAND, *arguments),
            *("--landing", str(landing), "--home", str(home)),
        ],
        cwd=PROJECT_DIR,
        capture_output=True,
        text=True,
    )
    if process.returncode:
        sys.exit(process.stderr)
    seconds, after = time.perf_counter() - began, os.times()
    return seconds, sum(after[2:4]) - sum(before[2:4])


def posted_rows(home: Path) -> int:
    """How many charges and months were posted in all."""
    path = home / "published" / "billing.duckdb"
    with duckdb.connect(str(path), read_only=True) as connection:
        return connection.execute(
            "select count(*) from finance.revenue_schedule where status = 'posted'"
        ).fetchone()[0]


if __name__ == "__main__":
    main()
