"""What usage costs at the least, beside the hand-written statements that bill it.

    python benchmarks/usage_floor.py --events 10000000

The statements of `usage_by_hand.py` forget what they found. Whoever bills next day's
events, late ones and corrections must keep rows, encrypted, with tokens for patients,
and see which events came twice. Here is that alone, by hand and as cheap as is known:
numbers for what has few values, ids and tokens as bytes. No contract is looked at,
nothing is checked or billed.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

import duckdb
import duckdb_extensions

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import usage_data
from usage_by_hand import BY_FACILITY, BY_LINE, by_hand
from usage_data import Size

from orchestration import tokens

CUSTOMERS = """
    (select 'F' || n as facility, 'C' || 1 + n % {contracts} as customer_id
    from range(1, {facilities} + 1) as numbers(n))"""
STEPS = {
    "tokens of patients": """
        create table patients as
        select facility, patient_id, unhex({token}) as patient_token
        from (select distinct facility, patient_id from {usage})
        join {customers} using (facility) join keys using (customer_id)""",
    "rows, encrypted": """
        create table kept.usage_rows as
        select file_no, file_row_number as line, event_id, kind_no, facility_no,
            patient_token, occurred_at::date as service_date, received_at, quantity,
            hash(event_id) as event_hash
        from {usage} as usage
        join files using (filename)
        left join facilities using (facility)
        join kinds using (event_type, status, class, code)
        left join patients using (facility, patient_id)""",
    "events sent twice": """
        create table repeated as
        select event_hash from kept.usage_rows group by all having count(*) > 1""",
    "daily counts": """
        create table kept.daily_usage as
        with rows as (
            select *, event_hash in (from repeated) as is_repeated
            from kept.usage_rows),
        latest as (
            select file_no, kind_no, facility_no, service_date, quantity from (
                select *, row_number() over (
                    partition by event_id order by received_at desc) as place
                from rows where is_repeated)
            where place = 1
            union all
            select file_no, kind_no, facility_no, service_date, quantity
            from rows where not is_repeated)
        select file_no, metered_no, facility_no, service_date,
            count(*) as events, sum(quantity) as quantity
        from latest join kinds using (kind_no)
        group by all""",
}


def main() -> None:
    """Write events, do the least there is to do, and report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--dir", type=Path, help="work here and keep everything")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="usage-floor-") as directory:
        place = arguments.dir or Path(directory)
        landing = place / f"landing-{arguments.events}"
        if not landing.exists():
            usage_data.write_landing(landing, Size(arguments.events))
        by_line, _ = by_hand(landing, place, BY_LINE)
        by_facility, _ = by_hand(landing, place, BY_FACILITY)
        steps = least(landing, place)
        steps["together"] = sum(steps.values())
        print(f"{'seconds and times':<18} {'':>8} {'by line':>12} {'by facility':>12}")
        print(f"{'one statement':<18} {'':>8} {by_line:>12.1f} {by_facility:>12.1f}")
        for name, seconds in steps.items():
            print(
                f"{name:<18} {seconds:>8.1f} {seconds / by_line:>12.2f} "
                f"{seconds / by_facility:>12.2f}"
            )


def least(landing: Path, place: Path) -> dict[str, float]:
    """Seconds of each step; ends the script if a row or an event is left out."""
    kept = place / "kept.duckdb"
    kept.unlink(missing_ok=True)
    usage = (
        f"read_parquet('{landing}/usage/*/*.parquet', filename = true, "
        "file_row_number = true)"
    )
    customers = CUSTOMERS.format(
        contracts=usage_data.CONTRACTS, facilities=usage_data.FACILITIES
    )
    seconds = {}
    with duckdb.connect() as connection:
        duckdb_extensions.import_extension("httpfs", con=connection)
        connection.execute("load httpfs")
        connection.execute(
            f"attach '{kept}' as kept (encryption_key '{os.urandom(16).hex()}')"
        )
        connection.execute(
            "create table keys as "
            + tokens.customer_keys(f"(select distinct customer_id from {customers})"),
            ["a key"],
        )
        connection.execute(f"""
            create table files as
            select filename, row_number() over () as file_no
            from (select distinct filename from {usage});
            create table facilities as
            select facility, substr(facility, 2)::integer as facility_no
            from {customers};
            create table kinds as
            select *, (row_number() over ())::smallint as kind_no,
                (class = 'EMER')::tinyint as metered_no
            from (select distinct event_type, status, class, code from {usage})""")
        for name, sql in STEPS.items():
            began = time.perf_counter()
            connection.execute(
                sql.format(
                    usage=usage, customers=customers, token=tokens.patient_token()
                )
            )
            connection.execute("checkpoint kept")
            seconds[name] = time.perf_counter() - began
        sent = connection.execute(
            f"select count(*), count(distinct event_id) from {usage}"
        ).fetchone()
        done = connection.execute(
            "select (select count(*) from kept.usage_rows), "
            "(select sum(events) from kept.daily_usage)"
        ).fetchone()
    if sent != done:
        sys.exit(f"of {sent} rows and events {done} were kept and counted")
    return seconds


if __name__ == "__main__":
    main()
