"""The invented health system of `billing sample`: its facilities and its contract.

Names, CCN and mix of types of the hospitals are those of a list of CMS (see
sample_data/README.md); which enterprise owns them, what it signed and whatever happens
there is made up.
"""

import csv
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

HOSPITALS = Path(__file__).parent / "sample_data" / "hospitals.csv"
FEED = "charting"
CUSTOMER, CONTRACT = "three-rivers", "THREE-RIVERS-2025"
FIRST_DAY, LAST_DAY = date(2025, 1, 1), date(2025, 12, 31)
OPENS_ON = date(2025, 4, 16)
LAST_OPEN_DAY, NOT_COVERED_FROM = date(2025, 8, 31), date(2025, 9, 1)
# Fewer facilities have no room for one that opens, one that closes and one whose
# feed breaks down; fewer encounters none for tiers.
FEWEST_FACILITIES, FEWEST_ENCOUNTERS = 5, 100

# Of 100 facilities so many are hospitals, as long as the list has as many.
_HOSPITALS_IN_100 = 60
_OPENING, _CLOSING = f"{CONTRACT}-A1", f"{CONTRACT}-A2"
_PLATFORM, _ENCOUNTERS = "TR-PLATFORM", "TR-ENCOUNTERS"

Row = dict[str, object]


@dataclass(frozen=True)
class Facility:
    """A facility, and how busy it is: its share of all encounters is its weight's.

    `identifier` is what the feed calls it.
    """

    facility_id: str
    identifier: str
    name: str
    kind: str
    state: str
    ccn: str
    weight: int


@dataclass(frozen=True)
class Enterprise:
    """The facilities in order of id, and those to which something happens."""

    facilities: list[Facility]
    opening: Facility
    closing: Facility
    silent: Facility


def make_enterprise(facilities: int, seed: int) -> Enterprise:
    """So many facilities, the same for the same seed.

    Weights are lognormal (7.02, 1.36), the spread of discharges between hospitals. The
    clinics that open and close are of middle size, the hospital that falls silent is
    one of the busier ones.
    """
    chance = random.Random(f"enterprise {seed}")
    with HOSPITALS.open(encoding="utf-8", newline="") as file:
        listed = list(csv.DictReader(file))
    wanted = max(1, min(facilities * _HOSPITALS_IN_100 // 100, len(listed)))
    hospitals = chance.sample(listed, wanted)
    made = []
    for hospital in hospitals:
        made.append(
            Facility(
                facility_id=f"H-{hospital['ccn']}",
                identifier=hospital["ccn"],
                name=hospital["name"],
                kind=_kind(hospital["type"]),
                state=hospital["state"],
                ccn=hospital["ccn"],
                weight=_weight(chance),
            )
        )
    for number in range(1, facilities - wanted + 1):
        hospital = hospitals[(number - 1) % wanted]
        made.append(
            Facility(
                facility_id=f"C-{number:04}",
                identifier=f"C-{number:04}",
                name=f"{hospital['name']}, EXAMPLE CLINIC {1 + (number - 1) // wanted}",
                kind="clinic",
                state=hospital["state"],
                ccn="",
                weight=_weight(chance),
            )
        )
    clinics = _by_size(one for one in made if one.kind == "clinic")
    return Enterprise(
        facilities=sorted(made, key=lambda one: one.facility_id),
        opening=clinics[len(clinics) * 2 // 3],
        closing=clinics[len(clinics) // 3],
        silent=_by_size(made[:wanted])[wanted * 4 // 5],
    )


def _by_size(facilities: Iterable[Facility]) -> list[Facility]:
    return sorted(facilities, key=lambda one: (one.weight, one.facility_id))


def _weight(chance: random.Random) -> int:
    return max(1, round(chance.lognormvariate(7.02, 1.36)))


def _kind(cms_type: str) -> str:
    """A type of the list as a type of this project."""
    return {
        "Acute Care Hospitals": "acute care hospital",
        "Critical Access Hospitals": "critical access hospital",
        "Childrens": "children's hospital",
        "Psychiatric": "psychiatric hospital",
    }[cms_type]


def contract_tables(
    enterprise: Enterprise, encounters: int
) -> Iterator[tuple[str, list[Row]]]:
    """Names and rows of the tables of contracts/; `encounters` is what is committed."""
    yield "customers", [_customer()]
    yield "facilities", [_facility(one) for one in enterprise.facilities]
    yield (
        "facility_identifiers",
        [
            {
                "feed": FEED,
                "identifier": one.identifier,
                "facility_id": one.facility_id,
            }
            for one in enterprise.facilities
            if one.identifier != one.facility_id
        ],
    )
    yield "contracts", [_contract()]
    yield "amendments", list(_amendments(enterprise, encounters))
    yield "contract_facilities", list(_coverage(enterprise))
    yield "contract_lines", list(_lines())
    yield "rate_cards", list(_tiers(encounters))
    yield "commitments", list(_commitments(encounters))
    yield "milestones", list(_milestones())
    yield (
        "baas",
        [
            {
                "customer_id": CUSTOMER,
                "effective_on": "2024-12-02",
                "reference": "BAA-THREE-RIVERS",
            }
        ],
    )


def committed(encounters: int) -> tuple[int, int, int]:
    """Encounters a year: as signed, since one facility opened, since one closed."""
    opened = encounters + encounters // 100
    return encounters, opened, opened - encounters // 50


def _customer() -> Row:
    return {
        "customer_id": CUSTOMER,
        "customer_name": "Three Rivers Example Health",
        "dunning_tier": "enterprise",
        "bill_to_name": "Three Rivers Example Health, Accounts Payable",
        "bill_to_email": "ap@three-rivers.example",
        "bill_to_address": "400 Sample Boulevard, Omaha, NE 68102",
        "account_manager": "A. Manager",
        "tax_exempt": "true",
    }


def _facility(facility: Facility) -> Row:
    return {
        "facility_id": facility.facility_id,
        "customer_id": CUSTOMER,
        "facility_name": facility.name,
        "facility_type": facility.kind,
        "state": facility.state,
        "ccn": facility.ccn,
    }


def _contract() -> Row:
    return {
        "contract_id": CONTRACT,
        "customer_id": CUSTOMER,
        "signed_on": "2024-12-09",
        "starts_on": FIRST_DAY,
        "ends_on": "2027-12-31",
        "payment_terms_days": 45,
        "po_number": "PO-20250",
    }


def _amendments(enterprise: Enterprise, encounters: int) -> Iterator[Row]:
    _, opened, closed = committed(encounters)
    yield {
        "amendment_id": _OPENING,
        "contract_id": CONTRACT,
        "signed_on": "2025-04-02",
        "effective_on": OPENS_ON,
        "kind": "facility_added",
        "description": f"{enterprise.opening.facility_id} opens; "
        f"{opened:,} encounters a year",
    }
    # Signed after October's invoice went out: the next one takes back what is too much.
    yield {
        "amendment_id": _CLOSING,
        "contract_id": CONTRACT,
        "signed_on": "2025-10-09",
        "effective_on": NOT_COVERED_FROM,
        "kind": "facility_removed",
        "description": f"{enterprise.closing.facility_id} has closed; "
        f"{closed:,} encounters a year",
    }


def _coverage(enterprise: Enterprise) -> Iterator[Row]:
    for facility in enterprise.facilities:
        opens = facility == enterprise.opening
        yield {
            "contract_id": CONTRACT,
            "facility_id": facility.facility_id,
            "effective_on": OPENS_ON if opens else FIRST_DAY,
            "covered": "true",
            "amendment_id": _OPENING if opens else "",
        }
    yield {
        "contract_id": CONTRACT,
        "facility_id": enterprise.closing.facility_id,
        "effective_on": NOT_COVERED_FROM,
        "covered": "false",
        "amendment_id": _CLOSING,
    }


def _lines() -> Iterator[Row]:
    of_all = {"contract_id": CONTRACT, "effective_on": FIRST_DAY}
    yield of_all | {
        "line_id": _PLATFORM,
        "charge_type": "recurring",
        "product_id": "example-platform",
        "pricing_model": "per_unit",
        "description": "Example Platform, per facility",
        "quantity_basis": "covered_facilities",
        "unit_price": "395.00",
        "discount_percent": "10",
    }
    yield of_all | {
        "line_id": _ENCOUNTERS,
        "charge_type": "usage",
        "product_id": "example-charting",
        "pricing_model": "graduated",
        "description": "Example Charting, encounters",
        "meter": "encounter",
        "rate_card_id": "TR-TIERS",
        "tier_scope": "contract_year",
    }
    yield of_all | {
        "line_id": "TR-SUPPORT",
        "charge_type": "recurring",
        "product_id": "example-support",
        "pricing_model": "percentage",
        "description": "Example Support, 15 % of the platform",
        "percentage": "15",
        "base_line_id": _PLATFORM,
    }


def _tiers(encounters: int) -> Iterator[Row]:
    bounds = (encounters * 2 // 5, encounters, "")
    prices = ("0.68", "0.57", "0.45")
    for tier, (up_to, price) in enumerate(zip(bounds, prices, strict=True), start=1):
        yield {
            "rate_card_id": "TR-TIERS",
            "tier": tier,
            "up_to": up_to,
            "unit_price": price,
        }


def _commitments(encounters: int) -> Iterator[Row]:
    days = (FIRST_DAY, OPENS_ON, NOT_COVERED_FROM)
    amendments = ("", _OPENING, _CLOSING)
    for day, units, amendment in zip(
        days, committed(encounters), amendments, strict=True
    ):
        yield {
            "commitment_id": "TR-COMMITMENT",
            "contract_id": CONTRACT,
            "effective_on": day,
            "kind": "quantity",
            "line_id": _ENCOUNTERS,
            "committed": units,
            "true_up": "shortfall",
            "shortfall_price": "0.50",
            "amendment_id": amendment,
        }


def _milestones() -> Iterator[Row]:
    for milestone, amount, day, evidence, earned, invoicing in (
        ("signature", "45000.00", "2024-12-09", "order form", "go_live", ""),
        ("go_live", "60000.00", "2025-01-15", "go-live protocol", "", ""),
        ("acceptance", "45000.00", "2025-03-03", "acceptance note", "", "next_invoice"),
    ):
        yield {
            "milestone_id": f"TR-{milestone.upper().replace('_', '-')}",
            "contract_id": CONTRACT,
            "milestone": milestone,
            "amount": amount,
            "completed_on": day,
            "evidence": evidence,
            "recognize_on": earned,
            "invoicing": invoicing,
            "description": f"Implementation: {milestone.replace('_', '-')}",
        }
