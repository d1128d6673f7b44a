"""One bill, three ways, each run as a process of its own (`cost_table.py` does).

    python benchmarks/cost_ways.py polars LANDING DAY EMERGENCY_PRICE BILL

Reads a landing of `usage_data.py`, bills what was received up to and on DAY, writes
BILL as parquet (contract, month, product, tier, quantity, amount) and prints the most
memory that it held, in bytes. Each way imports its own library alone, so that it is
not charged for the others. No float comes near money.
"""

import sys
from datetime import date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

EVENT_COLUMNS = [
    *("event_id", "facility", "occurred_at", "received_at", "quantity", "status"),
    "class",
]
NO_BOUND = 10**15  # Of the last tier, in encounters.


def duckdb_bill(landing: Path, day: date, emergency: Decimal, bill: Path) -> None:
    """The statement of `usage_by_hand.py`, whose own day and price these must be."""
    import duckdb
    import usage_by_hand

    wanted = (
        usage_by_hand.EVERYTHING_CAME,
        Decimal(usage_by_hand.usage_data.EMERGENCY_PRICE),
    )
    if (day, emergency) != wanted:
        sys.exit(f"the statement bills up to {wanted[0]} at {wanted[1]}, nothing else")
    usage_by_hand.by_hand(landing, bill.parent)
    with duckdb.connect(str(bill.parent / "by_hand.duckdb")) as connection:
        connection.execute(f"copy bill to '{bill}' (format parquet)")


def polars_bill(landing: Path, day: date, emergency: Decimal, bill: Path) -> None:
    """Lazy and streamed; only events that were sent again are sorted."""
    import polars as pl

    contracts = landing / "contracts"
    sent = (
        pl.scan_parquet(landing / "usage" / "*" / "*.parquet")
        .select(EVENT_COLUMNS)
        .filter(pl.col("received_at") < _end_of(day))
        .with_columns(times_sent=pl.len().over("event_id"))
    )
    latest = pl.concat(
        [
            sent.filter(pl.col("times_sent") == 1),
            sent.filter(pl.col("times_sent") > 1)
            .sort("received_at", pl.col("status") == "cancelled")
            .unique("event_id", keep="last"),
        ]
    )
    covered = pl.scan_csv(contracts / "contract_facilities.csv").select(
        "contract_id", facility="facility_id"
    )
    per_facility = (
        latest.filter(
            pl.col("status") == "final",
            pl.col("quantity") > 0,
            pl.col("occurred_at").is_not_null(),
        )
        .group_by("facility", month=pl.col("occurred_at").dt.truncate("1mo").dt.date())
        .agg(
            encounter=pl.len().cast(pl.Int64),
            emergency=(pl.col("class") == "EMER").sum().cast(pl.Int64),
        )
    )
    year = pl.col("month").dt.year()
    running = pl.col("encounter").cum_sum().over("contract_id", year, order_by="month")
    reached = (
        per_facility.join(covered, on="facility")
        .group_by("contract_id", "month")
        .agg(pl.col("encounter", "emergency").sum())
        .with_columns(before=running - pl.col("encounter"), until=running)
    )
    tiers = pl.scan_csv(
        contracts / "rate_cards.csv",
        schema_overrides={"up_to": pl.Int64, "unit_price": pl.Decimal(18, 4)},
    ).select(
        "tier",
        "unit_price",
        above=pl.col("up_to").shift(1, fill_value=0),
        up_to=pl.col("up_to").fill_null(NO_BOUND),
    )
    in_tiers = (
        reached.join(tiers, how="cross")
        .filter(pl.col("until") > pl.col("above"), pl.col("before") < pl.col("up_to"))
        .select(
            "contract_id",
            "month",
            "tier",
            "unit_price",
            product=pl.lit("encounters"),
            quantity=pl.min_horizontal("until", "up_to")
            - pl.max_horizontal("before", "above"),
        )
    )
    emergencies = reached.select(
        "contract_id",
        "month",
        tier=pl.lit(None, pl.Int64),
        unit_price=pl.lit(emergency).cast(pl.Decimal(18, 4)),
        product=pl.lit("emergency"),
        quantity="emergency",
    )
    # Decimals; Python's and SQL's rounding of money, away from zero.
    amount = (pl.col("quantity") * pl.col("unit_price")).round(
        2, mode="half_away_from_zero"
    )
    pl.concat([in_tiers, emergencies]).select(
        *("contract_id", "month", "product", "tier", "quantity"),
        amount=amount.cast(pl.Decimal(18, 2)),
    ).collect(engine="streaming").write_parquet(bill)


def pandas_bill(landing: Path, day: date, emergency: Decimal, bill: Path) -> None:
    """Read by pyarrow, text as categories, event ids as the 16 bytes they are; only
    events that were sent again are sorted.
    """
    import pandas as pd
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    table = pq.read_table(
        landing / "usage",
        columns=EVENT_COLUMNS,
        filters=[("received_at", "<", _end_of(day))],
        read_dictionary=["facility", "status", "class"],
    )
    ids = table["event_id"].combine_chunks().storage
    counts = pc.greater(table["quantity"], 0)
    # Decimals and ids would become objects of Python, row by row.
    sent = table.drop(["event_id", "quantity"]).to_pandas()
    sent["event_id"] = pd.array(ids, dtype=pd.ArrowDtype(ids.type))
    sent["counts"] = counts.to_pandas()
    del table, ids, counts
    again = sent.duplicated("event_id", keep=False)
    settled = (
        sent[again]
        .assign(is_cancelled=lambda rows: rows["status"] == "cancelled")
        .sort_values(["received_at", "is_cancelled"])
        .drop_duplicates("event_id", keep="last")
    )
    latest = pd.concat([sent[~again], settled])
    used = latest[
        (latest["status"] == "final") & latest["counts"] & latest["occurred_at"].notna()
    ]
    per_facility = (
        used[["facility"]]
        .assign(
            month=used["occurred_at"].to_numpy().astype("datetime64[M]"),
            emergency=used["class"] == "EMER",
        )
        .groupby(["facility", "month"], observed=True)["emergency"]
        .agg(encounter="size", emergency="sum")
        .reset_index()
    )
    covered = pd.read_csv(landing / "contracts" / "contract_facilities.csv")
    counted = (
        per_facility.merge(covered, left_on="facility", right_on="facility_id")
        .groupby(["contract_id", "month"], as_index=False)[["encounter", "emergency"]]
        .sum()
    )
    year = counted["month"].dt.year
    until = counted.groupby(["contract_id", year])["encounter"].cumsum()
    reached = counted.assign(until=until, before=until - counted["encounter"])
    # Prices as text: a few thousand rows can be exact decimals of Python.
    tiers = pd.read_csv(
        landing / "contracts" / "rate_cards.csv",
        dtype={"up_to": "Int64", "unit_price": str},
    )
    tiers["above"] = tiers["up_to"].shift(1).fillna(0)
    tiers["up_to"] = tiers["up_to"].fillna(NO_BOUND)
    in_tiers = reached.merge(tiers, how="cross")
    ends, begins = in_tiers[["until", "up_to"]], in_tiers[["before", "above"]]
    in_tiers["quantity"] = ends.min(axis=1) - begins.max(axis=1)
    in_tiers = in_tiers[in_tiers["quantity"] > 0].assign(product="encounters")
    emergencies = reached.assign(
        product="emergency", unit_price=str(emergency), quantity=reached["emergency"]
    )
    columns = ["contract_id", "month", "product", "tier", "quantity", "unit_price"]
    lines = pd.concat([in_tiers, emergencies])[columns]
    lines["amount"] = [
        (int(quantity) * Decimal(price)).quantize(Decimal("0.01"), ROUND_HALF_UP)
        for quantity, price in zip(lines["quantity"], lines["unit_price"], strict=True)
    ]
    pq.write_table(
        pa.table(
            {
                "contract_id": pa.array(lines["contract_id"], pa.string()),
                "month": pa.array(lines["month"].dt.date, pa.date32()),
                "product": pa.array(lines["product"], pa.string()),
                "tier": pa.array(lines["tier"], pa.int64()),
                "quantity": pa.array(lines["quantity"], pa.int64()),
                "amount": pa.array(lines["amount"], pa.decimal128(18, 2)),
            }
        ),
        bill,
    )


def _end_of(day: date) -> datetime:
    return datetime.combine(day + timedelta(days=1), time())


def _most_memory() -> int:
    """The most memory this process held so far, in bytes (Linux)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("/proc/self/status has no VmHWM: this needs Linux")


WAYS = {"duckdb": duckdb_bill, "polars": polars_bill, "pandas": pandas_bill}

if __name__ == "__main__":
    way, landing, day, price, bill = sys.argv[1:]
    WAYS[way](Path(landing), date.fromisoformat(day), Decimal(price), Path(bill))
    print(_most_memory())
