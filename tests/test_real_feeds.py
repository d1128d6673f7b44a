"""Real rows of both document formats, billed from one landing directory.

What is expected is counted by a few lines of Python over the files themselves, or by
eye where there are few.
"""

import csv
import gzip
import json
import shutil
from collections import Counter, defaultdict
from collections.abc import Iterator
from decimal import Decimal as D
from pathlib import Path

import pytest
from conftest import Close, billing
from feed_landing import DATA

# The facility with the most encounters, and one that nobody owns.
UNCOVERED = "aa0977f9-4984-34e8-8cea-ca0d382ad874"
UNKNOWN = "55f9298b-e904-3fe0-ae3d-e8c0c4f7faf8"
SENDERS = ("GHHSFacility", "NINTENDO", "RDX", "1")
TERMS = {
    "prairie": ("2020-01-01", "2023-12-31"),
    "samples": ("2001-01-01", "2023-12-31"),
}


def _resources(name: str) -> Iterator[dict]:
    with gzip.open(DATA / "fhir_kansas" / f"{name}.000.ndjson.gz") as lines:
        yield from map(json.loads, lines)


def _organization(encounter: dict) -> str:
    return encounter["serviceProvider"]["reference"].split("|")[1]


@pytest.fixture(scope="module")
def close(tmp_path_factory: pytest.TempPathFactory) -> Close:
    """Both feeds loaded and billed by the year, nothing issued."""
    place = tmp_path_factory.mktemp("real")
    _land(place / "landing")
    billing(
        *("run", "--home", place / "home", "--landing", place / "landing"),
        *("--as-of", "2024-01-01"),
    )
    return Close(place / "home" / "published" / "billing.duckdb")


def _land(landing: Path) -> None:
    shutil.copytree(DATA / "fhir_kansas", landing / "usage" / "kansas")
    shutil.copytree(DATA / "hl7v2", landing / "usage" / "adt")
    tables = defaultdict(list)
    organizations = sorted({_organization(row) for row in _resources("Encounter")})
    sent = [("prairie", "kansas", name) for name in organizations if name != UNKNOWN]
    sent += [("samples", "adt", name) for name in SENDERS]
    for number, (customer, feed, name) in enumerate(sent):
        facility = {"facility_id": f"F{number:02}"}
        tables["facilities"].append(
            facility | {"customer_id": customer, "facility_name": f"Facility {number}"}
        )
        tables["facility_identifiers"].append(
            facility | {"feed": feed, "identifier": name}
        )
        if name != UNCOVERED:
            tables["contract_facilities"].append(
                facility
                | {"contract_id": customer, "covered": "true"}
                | {"effective_on": TERMS[customer][0]}
            )
    for customer, (starts_on, ends_on) in TERMS.items():
        owner = {"customer_id": customer}
        tables["customers"].append(
            owner | {"customer_name": f"{customer} Example", "dunning_tier": "standard"}
        )
        tables["baas"].append(owner | {"effective_on": "1980-01-01"})
        tables["contracts"].append(
            owner
            | {"contract_id": customer, "signed_on": starts_on}
            | {"starts_on": starts_on, "ends_on": ends_on}
        )
        for meter in ("encounter", "procedure", "patient"):
            tables["contract_lines"].append(
                {
                    "line_id": f"{customer}-{meter}",
                    "contract_id": customer,
                    "effective_on": starts_on,
                    "charge_type": "usage",
                    "product_id": meter,
                    "pricing_model": "per_unit",
                    "meter": meter,
                    "unit_price": "1.25",
                    "billing_frequency": "annual",
                }
            )
    (landing / "contracts").mkdir()
    for table, rows in tables.items():
        with (landing / "contracts" / f"{table}.csv").open("w", newline="") as out:
            writer = csv.DictWriter(out, rows[0])
            writer.writeheader()
            writer.writerows(rows)


def _billed(close: Close, customer: str) -> dict[tuple[str, str], tuple[D, D]]:
    """Of each meter and year: units and money."""
    return {
        (meter, year): (quantity, amount)
        for meter, year, quantity, amount in close.rows(
            "select meter, strftime(service_start, '%Y'), sum(quantity), sum(amount) "
            "from finance.invoice_lines where contract_id = $1 group by all",
            customer,
        )
    }


def _outcomes(close: Close, feed: str) -> dict[str, int]:
    return dict(
        close.rows(
            "select coalesce(reason, outcome), cast(sum(rows) as integer) "
            "from quality.usage_outcomes where feed = $1 group by all",
            feed,
        )
    )


def test_a_bulk_export_is_billed_as_counted_from_its_files(close: Close) -> None:
    encounters = {row["id"]: row for row in _resources("Encounter")}
    units, patients, outcomes = Counter(), defaultdict(set), Counter()

    def count(meter: str, encounter: dict, day: str) -> None:
        organization = _organization(encounter)
        if organization == UNKNOWN:
            outcomes["unknown_facility"] += 1
        elif organization == UNCOVERED:
            outcomes["facility_not_covered"] += 1
        else:
            outcomes["billable"] += 1
            units[meter, day[:4]] += 1
            if meter == "encounter":
                patients[day[:4]].add(encounter["subject"]["reference"])

    for row in encounters.values():
        count("encounter", row, row["period"]["start"])
    for row in _resources("Procedure"):
        within = encounters[row["encounter"]["reference"].split("/")[1]]
        count("procedure", within, row["performedPeriod"]["start"])
    units.update({("patient", year): len(seen) for year, seen in patients.items()})
    assert outcomes.total() == 94 + 196
    # The encounters of those two alone are 12 and 14.
    assert outcomes["unknown_facility"] >= 12
    assert outcomes["facility_not_covered"] >= 14
    assert _outcomes(close, "kansas") == outcomes
    # 1.25 each is exact to the cent for multiples of four, half a cent never arises.
    assert _billed(close, "prairie") == {
        key: (D(number), D(number) * D("1.25")) for key, number in units.items()
    }


def test_messages_are_billed_as_counted_by_eye(close: Close) -> None:
    # Nine rows of visits. Seven are of 40007716: six of one sender, marked 1989, one
    # of them the A11; the one marked 2005 is the last. So three visits: 2001, 2005 and
    # 2018. Both DFT^P03 hold the same two charges of 2 and 1 units in 2019.
    assert _outcomes(close, "adt") == {"replaced": 6 + 2, "billable": 3 + 2}
    one = (D(1), D("1.25"))
    assert _billed(close, "samples") == {
        ("encounter", "2001"): one,
        ("encounter", "2005"): one,
        ("encounter", "2018"): one,
        ("patient", "2001"): one,
        ("patient", "2005"): one,
        ("patient", "2018"): one,
        ("procedure", "2019"): (D(3), D("3.75")),
    }


def test_every_row_of_a_file_is_known_or_unreadable(close: Close) -> None:
    assert close.rows(
        "select feed, sum(rows_read), sum(known), sum(not_yet_known), sum(unreadable) "
        "from quality.intake_files group by feed order by feed"
    ) == [("adt", 15, 13, 0, 2), ("kansas", 94 + 196, 94 + 196, 0, 0)]
