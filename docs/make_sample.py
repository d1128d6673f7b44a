"""Make the sample's usage and facilities from a Synthea CSV export.

    python docs/make_sample.py DIRECTORY

DIRECTORY holds `encounters.csv.gz`, `procedures.csv.gz` and `organizations.csv.gz`.
Kept are the encounters of 2021 and 2022, their procedures, and of each only the
columns that the reader of Synthea files needs. The terms in `contracts/` were written
by hand; only `facilities.csv` and `facility_identifiers.csv` are made here.
"""

import csv
import gzip
import io
import sys
from collections import Counter
from pathlib import Path

SAMPLES = Path(__file__).resolve().parent.parent / "samples"
FEED = "nebraska"
YEARS = ("2021", "2022")
ENCOUNTER = ("Id", "START", "PATIENT", "ORGANIZATION", "ENCOUNTERCLASS", "CODE")
PROCEDURE = ("START", "PATIENT", "ENCOUNTER", "CODE")

# Which organization of the export is which customer's, besides the enterprise's.
CLINIC = "560f8e48-cfcc-3c88-a699-361d8987fa07"
SURGERY = "232e2372-58b9-3598-a673-35446b256fff"
ENTERPRISE_FACILITIES = 40


def main(export: Path) -> None:
    """Write usage files, facilities and identifiers below samples/."""
    encounters = [
        row for row in read(export, "encounters") if row["START"].startswith(YEARS)
    ]
    kept = {row["Id"] for row in encounters}
    procedures = [row for row in read(export, "procedures") if row["ENCOUNTER"] in kept]
    cities = {row["Id"]: row["CITY"].title() for row in read(export, "organizations")}
    usage = SAMPLES / "usage" / FEED
    write(usage / "encounters.csv.gz", ENCOUNTER, encounters)
    write(usage / "procedures.csv.gz", PROCEDURE, procedures)

    facilities = list(name_facilities(encounters, cities))
    columns = ("facility_id", "customer_id", "facility_name", "facility_type", "state")
    write(SAMPLES / "contracts" / "facilities.csv", columns, facilities)
    columns = ("feed", "identifier", "facility_id")
    write(SAMPLES / "contracts" / "facility_identifiers.csv", columns, facilities)


def name_facilities(encounters, cities):
    """A fictional facility for each organization that a customer owns."""
    counts = Counter(row["ORGANIZATION"] for row in encounters)
    busiest = sorted(counts, key=lambda key: (-counts[key], key))
    enterprise = [key for key in busiest if key not in (CLINIC, SURGERY)]
    in_city = Counter()
    for number, key in enumerate(enterprise[:ENTERPRISE_FACILITIES], start=1):
        in_city[cities[key]] += 1
        name = f"Sandhills Example {cities[key]} {in_city[cities[key]]}"
        yield facility(f"SAND-{number:02}", "sandhills", name, "hospital", key)
    yield facility("PRAIRIE-01", "prairie", "Prairie Example Clinic", "clinic", CLINIC)
    yield facility(
        "PLATTE-01", "platte", "Platte Example Surgery Center", "hospital", SURGERY
    )


def facility(facility_id, customer_id, name, kind, identifier):
    return {
        "facility_id": facility_id,
        "customer_id": customer_id,
        "facility_name": name,
        "facility_type": kind,
        "state": "NE",
        "feed": FEED,
        "identifier": identifier,
    }


def read(export: Path, table: str):
    with gzip.open(export / f"{table}.csv.gz", "rt", encoding="utf-8") as file:
        yield from csv.DictReader(file)


def write(path: Path, columns, rows) -> None:
    """A CSV file, the same bytes for the same rows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    content = text.getvalue().encode()
    path.write_bytes(
        gzip.compress(content, mtime=0) if path.suffix == ".gz" else content
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
