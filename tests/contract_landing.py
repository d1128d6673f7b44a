"""A landing directory of two customers with a contract each, to break row by row."""

import csv
from datetime import date
from pathlib import Path

import duckdb

from orchestration.contract_specs import TABLES
from orchestration.contract_tables import load_contract_tables

LINES, CARDS, COMMITMENTS = "contract_lines", "rate_cards", "commitments"
AS_OF = date(2026, 7, 1)
# Whom a bad row holds: the first contract, or none.
NC, NOBODY = {"nc"}, set()
# Two customers with a contract each; rows are on lines 2, 3, … of their files.
BASE = {
    "customers": [
        {"customer_id": "north", "customer_name": "North", "dunning_tier": "standard"},
        {"customer_id": "south", "customer_name": "South", "dunning_tier": "clinic"},
    ],
    "facilities": [
        {"facility_id": "n1", "customer_id": "north", "facility_name": "North One"},
        {"facility_id": "s1", "customer_id": "south", "facility_name": "South One"},
    ],
    "facility_identifiers": [
        {"feed": "vendor", "identifier": "001", "facility_id": "n1"},
    ],
    "contracts": [
        {
            "contract_id": contract,
            "customer_id": customer,
            "signed_on": "2025-12-01",
            "starts_on": "2026-01-01",
            "ends_on": "2026-12-31",
        }
        for contract, customer in (("nc", "north"), ("sc", "south"))
    ],
    "amendments": [
        {
            "amendment_id": amendment,
            "contract_id": contract,
            "signed_on": signed_on,
            "effective_on": "2026-04-01",
            "kind": "other",
        }
        for amendment, contract, signed_on in (
            ("na", "nc", "2026-03-01"),
            ("sa", "sc", "2026-03-01"),
            ("later", "nc", "2026-07-02"),
        )
    ],
    "contract_facilities": [
        {
            "contract_id": contract,
            "facility_id": facility,
            "effective_on": "2026-01-01",
            "covered": "true",
        }
        for contract, facility in (("nc", "n1"), ("sc", "s1"))
    ],
    "contract_lines": [
        {
            "line_id": line,
            "contract_id": contract,
            "effective_on": "2026-01-01",
            "charge_type": "recurring",
            "product_id": "suite",
            "pricing_model": "per_unit",
            "unit_price": "10.50",
        }
        for line, contract in (("ns", "nc"), ("ss", "sc"))
    ]
    + [
        {
            "line_id": "ne",
            "contract_id": "nc",
            "effective_on": "2026-01-01",
            "charge_type": "usage",
            "product_id": "encounters",
            "pricing_model": "volume",
            "meter": "encounter",
            "rate_card_id": "card",
            "tier_scope": "contract_year",
        }
    ],
    "rate_cards": [
        {"rate_card_id": "card", "tier": "1", "up_to": "100", "unit_price": "1.5"},
        {"rate_card_id": "card", "tier": "2", "unit_price": "1.25"},
    ],
    "commitments": [],
    "milestones": [],
    "baas": [{"customer_id": "north", "effective_on": "2026-01-01"}],
}
NEW = {
    "customers": {"customer_id": "x", "customer_name": "X", "dunning_tier": "clinic"},
    "contract_lines": BASE["contract_lines"][0] | {"line_id": "new"},
    "amendments": BASE["amendments"][0] | {"amendment_id": "new"},
    "commitments": {
        "commitment_id": "quantity",
        "contract_id": "nc",
        "effective_on": "2026-01-01",
        "kind": "quantity",
        "line_id": "ne",
        "committed": "1000",
    },
    "milestones": {
        "milestone_id": "live",
        "contract_id": "nc",
        "milestone": "go_live",
        "amount": "5000.00",
    },
    "contract_facilities": BASE["contract_facilities"][0]
    | {"effective_on": "2026-02-01"},
    "baas": {"customer_id": "south", "effective_on": "2026-01-01"},
    "rate_cards": {"rate_card_id": "own", "tier": "1", "unit_price": "1"},
}
USAGE = {"charge_type": "usage", "meter": "encounter"}
RERATE = {"true_up": "rerate"}


def add(table, **values):
    """A row more, at the end of its file."""
    return lambda tables: tables[table].append(NEW[table] | values)


def edit(table, line, **values):
    return lambda tables: tables[table][line - 2].update(values)


def write(landing: Path, changes=()) -> None:
    tables = {name: [dict(row) for row in rows] for name, rows in BASE.items()}
    for change in changes:
        change(tables)
    (landing / "contracts").mkdir(parents=True, exist_ok=True)
    for name, rows in tables.items():
        path = landing / f"contracts/{name}.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(TABLES[name].by_name))
            writer.writeheader()
            writer.writerows(rows)


def load(landing: Path, changes=None):
    if changes is not None:
        write(landing, changes)
    connection = duckdb.connect()
    return load_contract_tables(connection, landing, AS_OF), connection


def rejections(connection):
    return [
        (file.removeprefix("contracts/").removesuffix(".csv"), line, column, reason)
        for file, line, column, reason in connection.execute(
            "select source_file, line, column_name, reason from raw.rejected_rows"
        ).fetchall()
    ]
