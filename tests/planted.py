"""A landing directory in which everything that could tell of a patient is planted.

One customer, one contract, a feed in each format. `PLANTED` says of each format what
stands in it, by kind, as it would be leaked; file names and malformed records too.
"""

import json
from pathlib import Path

from book import Book, Scenario

from orchestration.phi import identifiers as kinds

JANE = "Canarina Finchworth"  # of file names, shifted columns and broken lines
FACILITY = "clinic-a"


def _person(format_name: str, day: int) -> dict[str, str]:
    word = format_name.title()
    return {
        kinds.PATIENT: f"pat-canary-{format_name}-1",
        kinds.NAME: f"Corvina {word}canary",
        kinds.SSN: f"512-44-{7000 + day}",
        kinds.RECORD: f"RECORDCANARY{day}",
        kinds.BORN: f"1951-07-{day}",
        kinds.EVENT: f"evt-canary-{format_name}-1",
    }


PLANTED = {
    name: _person(name, day)
    for day, name in enumerate(("events", "synthea", "fhir", "hl7v2"), start=11)
}
# Files of these names can't be read: a run stops at each, and must not tell.
BROKEN = {
    f"usage/clinic/{JANE} broken.parquet": f"{JANE} 512-44-7001",
    f"usage/clinic/{JANE} nothing.csv": f"{JANE},1951-07-30\nRECORDCANARY77,x\n",
    f"usage/ehr/{JANE}.csv": f"{JANE},1951-07-30\n",
}


def write(landing: Path) -> None:
    """Write it, without the files that can't be read."""
    book = Book()
    it = Scenario(book, "clinic", "a b")
    it.contract(covers="a b")
    it.line("visits", meter="encounter", unit_price="2")
    book.write(landing, 1)
    for name, content in _files().items():
        path = landing / "usage" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")


def spoil(landing: Path) -> None:
    """Add the files that can't be read."""
    for name, content in BROKEN.items():
        (landing / name).parent.mkdir(parents=True, exist_ok=True)
        (landing / name).write_text(content, encoding="utf-8")


def _files() -> dict[str, str]:
    return {
        f"clinic/{JANE} 1.csv": _events(),
        "synthea/encounters.csv": _encounters(),
        "synthea/patients.csv": _patients(),
        f"ehr/{JANE}.ndjson": _resources(),
        "adt/visits.hl7": _messages(),
        # In no feed, and of no format: neither is read.
        f"{JANE}.csv": f"{JANE}\n",
        f"clinic/{JANE}.doc": f"{JANE}\n",
    }


def _events() -> str:
    one = PLANTED["events"]
    header = (
        "event_id,event_type,facility,patient_id,occurred_at,received_at,quantity,"
        "status,class,code,patient_name,mrn,ssn,birth_date\n"
    )
    told = ",".join(one[k] for k in (kinds.NAME, kinds.RECORD, kinds.SSN, kinds.BORN))
    event, patient = one[kinds.EVENT], one[kinds.PATIENT]
    rows = [
        f"{event},encounter,{FACILITY},{patient},2026-01-10,,,,,,{told}",
        # Shifted by a column, so that a name is a facility, a type, a day, a class.
        f"{event}s1,{FACILITY},{JANE},encounter,2026-01-10,,,,,,{told}",
        f"{event}s2,encounter,{JANE},2026-01-10,{patient},,,,,,{told}",
        f"{event}s3,encounter,{FACILITY},{patient},{JANE},{JANE},{JANE},,{JANE},{JANE}",
        f"{event}s4,encounter,{FACILITY},{patient},2026-01-11,,,{JANE},,,{told}",
        f",encounter,{FACILITY},{patient},2026-01-11,,,,,,{told}",
        # No rows: too few fields, too many, a quote within.
        f"{event}m1,encounter,{JANE}",
        f"{event}m2,encounter,{FACILITY},{patient},2026-01-10,,,,,,{told},{JANE},x",
        f'{event}m3,encounter,{FACILITY},"{JANE}" {patient},2026-01-10,,,,,,{told}',
        # Of nobody's facility, as it is the patient's name.
        f"{event}f1,encounter,{JANE},{patient},2026-01-12,,,,,,{told}",
    ]
    return header + "\n".join(rows) + "\n"


def _encounters() -> str:
    one = PLANTED["synthea"]
    header = "Id,START,STOP,PATIENT,ORGANIZATION,ENCOUNTERCLASS,CODE,DESCRIPTION\n"
    event, patient = one[kinds.EVENT], one[kinds.PATIENT]
    day = "2026-01-10T08:00:00Z"
    return header + (
        f"{event},{day},{day},{patient},{FACILITY},wellness,162673000,{JANE}\n"
        f"{event}2,{day},{day},{patient},{JANE},wellness,162673000,{JANE}\n"
    )


def _patients() -> str:
    one = PLANTED["synthea"]
    first, last = one[kinds.NAME].split()
    return (
        "Id,BIRTHDATE,SSN,DRIVERS,FIRST,LAST,MRN\n"
        f"{one[kinds.PATIENT]},{one[kinds.BORN]},{one[kinds.SSN]},S99977123,{first},"
        f"{last},{one[kinds.RECORD]}\n"
    )


def _resources() -> str:
    one = PLANTED["fhir"]
    first, last = one[kinds.NAME].split()
    patient = {
        "resourceType": "Patient",
        "id": one[kinds.PATIENT],
        "identifier": [
            {"type": {"text": "MR"}, "value": one[kinds.RECORD]},
            {"system": "http://hl7.org/fhir/sid/us-ssn", "value": one[kinds.SSN]},
        ],
        "name": [{"family": last, "given": [first]}],
        "birthDate": one[kinds.BORN],
    }
    visit = {
        "resourceType": "Encounter",
        "id": one[kinds.EVENT],
        "status": "finished",
        "class": {"code": "AMB"},
        "subject": {
            "reference": f"Patient/{one[kinds.PATIENT]}",
            "display": one[kinds.NAME],
        },
        "serviceProvider": {"reference": f"Organization/{FACILITY}"},
        "period": {"start": "2026-01-10T08:00:00Z"},
    }
    elsewhere = visit | {
        "id": f"{one[kinds.EVENT]}-2",
        "serviceProvider": {"reference": f"Organization/{JANE}"},
    }
    no_day = visit | {"id": f"{one[kinds.EVENT]}-3", "period": {"start": JANE}}
    whole = "".join(json.dumps(r) + "\n" for r in (patient, visit, elsewhere, no_day))
    return whole + f'{{"resourceType": "Encounter", "id": "{JANE}", "status": \n'


def _messages() -> str:
    one = PLANTED["hl7v2"]
    first, last = one[kinds.NAME].split()
    born = one[kinds.BORN].replace("-", "")

    def message(visit: str, place: str, day: str) -> str:
        return "\r".join(
            [
                f"MSH|^~\\&|ADT|{place}|BILL|X|20260110080000||ADT^A01|{visit}|P|2.5",
                f"PID|1||{one[kinds.PATIENT]}^^^A^MR~{one[kinds.RECORD]}^^^B^PI||"
                f"{last}^{first}||{born}|F" + "|" * 11 + one[kinds.SSN],
                "PV1|1|I" + "|" * 17 + visit + "|" * 25 + day,
            ]
        )

    return "\r".join(
        [
            message(one[kinds.EVENT], FACILITY, "20260110080000"),
            message(f"{one[kinds.EVENT]}2", JANE, "20260110080000"),
            message(f"{one[kinds.EVENT]}3", FACILITY, JANE),
            f"MSH|^~\\&|ADT|{FACILITY}|{JANE}",
            f"PID|{JANE}",
        ]
    )
