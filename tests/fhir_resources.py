"""Resources of FHIR R4 as tests send them, small and complete."""


def encounter(id_: str = "e1", **more) -> dict:
    return {
        "resourceType": "Encounter",
        "id": id_,
        "status": "finished",
        "class": {"code": "AMB"},
        "subject": {"reference": "Patient/p1"},
        "period": {"start": "2026-05-01T10:00:00-05:00"},
        "serviceProvider": {"reference": "Organization/north"},
    } | more


def procedure(id_: str = "q1", **more) -> dict:
    return {
        "resourceType": "Procedure",
        "id": id_,
        "status": "completed",
        "subject": {"reference": "Patient/p1"},
        "encounter": {"reference": "Encounter/e1"},
        "performedDateTime": "2026-05-01",
    } | more


def deletions(*urls: str, **more) -> dict:
    requests = [{"request": {"method": "DELETE", "url": url}} for url in urls]
    return {"resourceType": "Bundle", "type": "transaction", "entry": requests} | more


def link(kind: str, other: str) -> dict:
    return {"type": kind, "other": {"reference": f"Patient/{other}"}}
