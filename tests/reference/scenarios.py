"""A scenario: what is landed step by step, and writing it as a landing directory."""

import csv
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from reference.records import SHIPPED_METERS, Landing, Rows

COLUMNS = {
    "customers": "customer_id customer_name dunning_tier",
    "facilities": "facility_id customer_id facility_name",
    "facility_identifiers": "feed identifier facility_id",
    "contracts": "contract_id customer_id signed_on starts_on ends_on currency "
    "invoice_group billing_anchor_day payment_terms_days po_number",
    "amendments": "amendment_id contract_id signed_on effective_on kind new_ends_on "
    "invoicing",
    "contract_facilities": "contract_id facility_id effective_on covered amendment_id",
    "contract_lines": "line_id contract_id effective_on charge_type product_id "
    "pricing_model status description meter quantity quantity_basis unit_price "
    "discount_percent included_quantity rate_card_id package_size percentage "
    "base_line_id billing_frequency billing_timing tier_scope revenue_rule "
    "amendment_id",
    "rate_cards": "rate_card_id tier up_to unit_price discount_percent flat_fee",
    "commitments": "commitment_id contract_id effective_on kind line_id committed "
    "period true_up shortfall_price counts prorate amendment_id",
    "milestones": "milestone_id contract_id milestone amount completed_on "
    "recognize_on recognition invoicing",
    "baas": "customer_id effective_on ends_on reference",
    "payments": "payment_id customer_id received_on amount currency invoice_number "
    "reference",
    "credits": "credit_id customer_id issued_on amount currency invoice_number reason",
}
RECEIVABLES = {"payments", "credits"}
KEYS = {
    "contracts": ("contract_id",),
    "amendments": ("amendment_id",),
    "contract_lines": ("line_id", "effective_on", "amendment_id"),
    "rate_cards": ("rate_card_id", "tier"),
    "milestones": ("milestone_id",),
    "payments": ("payment_id",),
}
"""Of a table that is corrected the columns of its key."""
REQUIRED_TABLES = {"customers", "facilities", "contracts", "contract_lines"}
USAGE_COLUMNS = (
    "event_id event_type facility patient_id occurred_at received_at quantity status "
    "class code"
)


@dataclass(frozen=True)
class Step:
    """A run: as of a day, issuing through another (None issues nothing).

    `closes` is the month whose revenue it posts, given as its first day.
    """

    as_of: date
    issue_through: date | None
    closes: date | None = None

    def __str__(self) -> str:
        written = f"as of {self.as_of}, issue through {self.issue_through}"
        return f"{written}, close {self.closes:%Y-%m}" if self.closes else written


@dataclass
class Scenario:
    """A few customers and what happens to them; every id begins with the prefix.

    `rows` are (first step at which it is landed, table, row); `events` are (first step,
    feed, file name, row). What is landed stays, until a row of the same key is landed.
    """

    prefix: str
    schedule: list[Step]
    rows: list[tuple[int, str, dict[str, str]]] = field(default_factory=list)
    events: list[tuple[int, str, str, dict[str, str]]] = field(default_factory=list)
    meters: Rows = field(default_factory=lambda: SHIPPED_METERS)

    @property
    def size(self) -> int:
        """How many rows it has: of failing scenarios the smallest is shown."""
        return len(self.rows) + len(self.events)

    def landing(self, step: int) -> Landing:
        """All that is landed at that step."""
        return merged_landing([self], step)

    def describe(self) -> str:
        """The rows as they could be landed by hand, for a failing test's message."""
        written = [f"{number}: {step}" for number, step in enumerate(self.schedule)]
        for table in COLUMNS:
            for step, of_table, row in self.rows:
                if of_table == table:
                    filled = {name: value for name, value in row.items() if value}
                    written.append(f"[{step}] {table} {filled}")
        for step, feed, file, row in self.events:
            filled = {name: value for name, value in row.items() if value}
            written.append(f"[{step}] usage/{feed}/{file} {filled}")
        return "\n".join(written)


def _landed_at(entry: tuple[int, str, dict[str, str]]) -> int:
    return entry[0]


def _key(table: str, row: dict[str, str]) -> tuple:
    """What tells a row from others: its key, or all of it."""
    return table, *(row.get(name, "") for name in KEYS.get(table, sorted(row)))


def merged_landing(scenarios: list[Scenario], step: int) -> Landing:
    """Independent scenarios of one schedule side by side, as landed at a step."""
    landing = Landing({table: [] for table in COLUMNS}, meters=scenarios[0].meters)
    for scenario in scenarios:
        landed = [entry for entry in scenario.rows if entry[0] <= step]
        latest = {
            _key(table, row): row for _, table, row in sorted(landed, key=_landed_at)
        }
        for _, table, row in landed:
            if latest[_key(table, row)] is row:
                landing.tables[table].append(row)
        for since, feed, file, row in scenario.events:
            if since <= step:
                files = landing.usage.setdefault(feed, {})
                files.setdefault(file, []).append(row)
    return landing


def write_landing(scenarios: list[Scenario], step: int, directory: Path) -> None:
    """Write what is landed at a step: `contracts/`, `receivables/` and `usage/`.

    Files of an earlier step are written again with the same bytes or more rows; a usage
    file never changes, for its rows all have the same first step.
    """
    landing = merged_landing(scenarios, step)
    for table, columns in COLUMNS.items():
        if landing.rows(table) or table in REQUIRED_TABLES:
            folder = "receivables" if table in RECEIVABLES else "contracts"
            path = directory / folder / f"{table}.csv"
            _write(path, columns.split(), landing.rows(table))
    for feed, files in landing.usage.items():
        for file, rows in files.items():
            _write(directory / "usage" / feed / file, USAGE_COLUMNS.split(), rows)


def _write(path: Path, columns: list[str], rows: Rows) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
