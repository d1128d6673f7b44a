"""Feeds of documents in the shared book: HL7 v2 messages and a FHIR bulk export.

Identifiers of patients are planted in whatever field may hold them. What each must
bring is worked by hand in test_feed_book.py.
"""

import json

from book import Book, Scenario

JANE = "DOE-CANARY^JANE-CANARY"


def add_feeds(book: Book) -> None:
    """The scenarios of this file."""
    messages(book)
    export(book)


def _customer(book: Book, name: str) -> None:
    it = Scenario(book, name, "a b")
    it.contract(covers="a b")
    it.line("patients", meter="patient", unit_price="3")
    it.line("procedures", meter="procedure", unit_price="2")
    it.line("visits", meter="encounter", unit_price="1")


def messages(book: Book) -> None:
    """Three visits of three patients and two charges; then two patients are merged,
    a visit and a charge cancelled.
    """
    _customer(book, "adt")
    book.land_file(
        "usage/adt/step1.hl7",
        _visit("ADT^A01", "V1", "one", "20260110", "20260110")
        + _visit("ADT^A01", "V2", "two", "20260112", "20260112")
        + _visit("ADT^A04", "V3", "three", "20260114", "20260114", facility="adt-b")
        + _visit("ADT^A01", "", "four", "20260114", "20260114")
        + _visit("ADT^A01", "V-CANARY", "one", "20260114", "20260114", facility=JANE)
        + _charges("V1", "one", "20260111", ("X1", "CG", "2"), ("X2", "CG", "1"))
        + _visit("ADT^A03", "V1", "one", "20260115", "20260110")
        + _visit("ADT^A01", "V-CANARY^é\x1f", "CANARY\\.br\\", "CANARY", "CANARY"),
    )
    book.land_file(
        "usage/adt/step2.hl7",
        _message("ADT^A40", "20260210", "two", "MRG|PATIENT-CANARY-two^^^H^MR").replace(
            "PID|1||PATIENT-CANARY-two", "PID|1||PATIENT-CANARY-one"
        )
        + _visit("ADT^A11", "V3", "three", "20260211", "20260114", facility="adt-b")
        + _charges("V1", "one", "20260212", ("X2", "CR", "1"))
        + _visit("ADT^A04", "V4", "two", "20260205", "20260205"),
        since=2,
    )


def _message(kind: str, sent: str, patient: str, *more: str, facility: str = "") -> str:
    segments = [
        f"MSH|^~\\&|EHR|{facility or 'adt-a'}|BILLING||{sent}||{kind}|CANARY|P|2.5.1",
        f"EVN||{sent}||||CANARY",
        f"PID|1||PATIENT-CANARY-{patient}^^^H^MR~CANARY^^^SSN||{JANE}||19800101-CANARY",
        *more,
        f"NK1|1|{JANE}",
    ]
    return "\r".join(segments) + "\r"


def _visit(
    kind: str, visit: str, patient: str, sent: str, admitted: str, facility: str = ""
) -> str:
    fields = ["PV1", "1", "I"] + [""] * 42
    fields[7], fields[19], fields[44] = f"DR-{JANE}", visit, admitted
    return _message(kind, sent, patient, "|".join(fields), facility=facility)


def _charges(
    visit: str, patient: str, sent: str, *charges: tuple[str, str, str]
) -> str:
    fields = ["PV1", "1", "I"] + [""] * 17
    fields[19] = visit
    lines = [
        f"FT1|{n}|{key}||20260111|{sent}|{kind}|71045^CANARY|||{quantity}"
        for n, (key, kind, quantity) in enumerate(charges, start=1)
    ]
    return _message("DFT^P03", sent, patient, "|".join(fields), *lines)


def export(book: Book) -> None:
    """Encounters at an organization, at a location of one, and not finished yet; then
    what was unfinished is, two patients are linked, and deletions are listed.
    """
    _customer(book, "bulk")
    january = "2026-01-31T00:00:00Z"
    first = [
        _encounter("e1", "one", "2026-01-05", january),
        _encounter("e2", "two", "2026-01-06", january, serviceProvider=None)
        | {"location": [{"location": {"reference": "Location/ward"}}]},
        _encounter("e3", "one", "2026-01-07", january, status="in-progress"),
        _encounter("CANARY", "three", "2026-01-07", january)
        | {"serviceProvider": {"reference": "Organization/CANARY"}},
        _encounter("CANARY-2", "three", "CANARY", january),
        _encounter("CANARY-3", "three", "2026-01-07", january, status="CANARY"),
    ]
    _land(book, "1/Encounter.000.ndjson", first, more='{"CANARY": "CANARY\n')
    procedure = {
        "resourceType": "Procedure",
        "id": "q1",
        "meta": {"lastUpdated": january},
        "status": "completed",
        "code": {"coding": [{"code": "71045"}], "text": "CANARY"},
        "subject": {"reference": "Patient/PATIENT-CANARY-one", "display": "CANARY"},
        "encounter": {"reference": "Encounter/e1"},
        "performedDateTime": "2026-01-05",
    }
    _land(book, "1/Procedure.000.ndjson", [procedure])
    ward = {
        "resourceType": "Location",
        "id": "ward",
        "managingOrganization": {"reference": "Organization/bulk-b"},
    }
    _land(book, "1/Location.000.ndjson", [ward])
    february = "2026-02-20T00:00:00Z"
    later = [_encounter("e3", "one", "2026-01-07", february)]
    _land(book, "2/Encounter.000.ndjson", later, since=2)
    linked = {
        "resourceType": "Patient",
        "id": "PATIENT-CANARY-two",
        "meta": {"lastUpdated": february},
        "name": [{"family": "CANARY"}],
        "link": [
            {
                "type": "replaced-by",
                "other": {"reference": "Patient/PATIENT-CANARY-one"},
            }
        ],
    }
    _land(book, "2/Patient.000.ndjson", [linked], since=2)
    requests = [
        {"request": {"method": "DELETE", "url": url}}
        for url in ("Encounter/e1", "Procedure/q1", "Patient/PATIENT-CANARY-nine")
    ]
    deleted = {"resourceType": "Bundle", "type": "transaction", "entry": requests}
    _land(book, "2/deleted/all.ndjson", [deleted], since=2)
    manifest = {"transactionTime": february, "request": "CANARY", "output": []}
    book.land_file("usage/bulk/2/manifest.json", json.dumps(manifest), since=2)


def _encounter(
    id_: str, patient: str, day: str, updated: str, **more: object
) -> dict[str, object]:
    return {
        "resourceType": "Encounter",
        "id": id_,
        "meta": {"lastUpdated": updated},
        "status": "finished",
        "class": {"code": "AMB"},
        "subject": {"reference": f"Patient/PATIENT-CANARY-{patient}"},
        "participant": [{"individual": {"display": "Dr. CANARY"}}],
        "period": {"start": f"{day}T23:30:00-06:00"},
        "serviceProvider": {"reference": "Organization/bulk-a"},
    } | more


def _land(
    book: Book, name: str, resources: list[dict], since: int = 1, more: str = ""
) -> None:
    lines = "".join(json.dumps(resource) + "\n" for resource in resources)
    book.land_file(f"usage/bulk/{name}", lines + more, since)
