"""FHIR R4 bulk exports from landed files to rows; expectations worked by hand."""

import gzip
import json
import shutil
from collections import Counter
from datetime import date, datetime

import pytest
from feed_landing import DATA, Feeds, token

from orchestration import usage_intake


@pytest.fixture
def feeds(tmp_path, monkeypatch) -> Feeds:
    monkeypatch.setattr(usage_intake, "read_seed", lambda name: [])
    return Feeds(tmp_path / "landing")


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


def test_real_rows_are_counted_as_a_few_lines_of_python_count_them(feeds):
    shutil.copytree(DATA / "fhir_kansas", feeds.landing / "usage" / "kansas")
    intake = feeds.load()
    assert (intake.failed, intake.warnings, intake.unreadable) == ([], [], 0)

    def resources(name):
        with gzip.open(DATA / "fhir_kansas" / f"{name}.000.ndjson.gz") as lines:
            return [json.loads(line) for line in lines]

    encounters = {row["id"]: row for row in resources("Encounter")}
    expected = Counter(
        (
            "encounter",
            row["serviceProvider"]["reference"].split("|")[1],
            date.fromisoformat(row["period"]["start"][:10]),
            row["class"]["code"],
            row["type"][0]["coding"][0]["code"],
        )
        for row in encounters.values()
    ) + Counter(
        (
            "procedure",
            encounters[row["encounter"]["reference"].split("/")[1]]["serviceProvider"][
                "reference"
            ].split("|")[1],
            date.fromisoformat(row["performedPeriod"]["start"][:10]),
            None,
            row["code"]["coding"][0]["code"],
        )
        for row in resources("Procedure")
    )
    found = feeds.sql("""
        select usage.event_type, coalesce(usage.facility, encounters.facility),
            usage.service_date, usage.class, usage.code
        from restricted.usage_rows as usage
        left join restricted.usage_rows as encounters
            on usage.encounter_id = encounters.event_id""")
    assert Counter(found) == expected
    assert intake.rows_read == expected.total() == 94 + 196
    # Some of them have another date in UTC: 2021-01-09T23:50:49-05:00 is one of these.
    instants = [row["period"]["start"] for row in encounters.values()]
    assert any(
        datetime.fromisoformat(at).astimezone(tz=None).utctimetuple()[2]
        != int(at[8:10])
        for at in instants
    )


def test_an_encounter_and_its_procedure_are_rows_with_what_is_billed(feeds):
    feeds.resources(
        "ehr/Encounter.ndjson",
        encounter(
            type=[{"coding": [{"code": "99213"}, {"code": "x"}]}],
            meta={"lastUpdated": "2026-05-02T01:30:00+02:00"},
        ),
    )
    feeds.resources(
        "ehr/A-Procedure.ndjson",
        procedure(code={"coding": [{"system": "cpt", "code": "71045"}]}),
    )
    assert feeds.load().failed == []
    kept = (
        "event_type, event_id, facility, encounter_id, patient_token, service_date, "
        "received_at, quantity, status, class, code, line"
    )
    ours = token("lakeside", "p1")
    assert feeds.rows(kept) == [
        ("encounter", "e1", "north", None, ours, date(2026, 5, 1))
        + (datetime(2026, 5, 1, 23, 30), 1, "final", "AMB", "99213", 1),
        ("procedure", "Procedure/q1", None, "e1", ours, date(2026, 5, 1))
        + (None, 1, "final", None, "71045", 1),
    ]


def test_ids_are_unique_within_a_type_only(feeds):
    feeds.resources("ehr/all.ndjson", encounter("7"), procedure("7"))
    feeds.load()
    assert feeds.rows("event_id") == [("7",), ("Procedure/7",)]


REFERENCES = {
    "Organization/north": "north",
    "https://ehr.example/fhir/Organization/north": "north",
    "Organization/north/_history/3": "north",
    "urn:uuid:north": "north",
    "Organization?identifier=http://npi.example|north": "north",
    "Organization?active=true&identifier=http://npi.example%7Cnorth": "north",
    "Organization?identifier=north": "north",
    "https://ehr.example/fhir/Organization?identifier=a|north&active=true": "north",
    "Patient/north": None,
    "#north": None,
    "Organization/": None,
    "": None,
}


@pytest.mark.parametrize("reference", REFERENCES)
def test_references_in_every_form(feeds, reference):
    feeds.resources(
        "ehr/Encounter.ndjson", encounter(serviceProvider={"reference": reference})
    )
    feeds.load()
    assert feeds.rows("facility") == [(REFERENCES[reference],)]


def test_a_reference_by_identifier_alone(feeds):
    named = {"identifier": {"system": "http://npi.example", "value": "north"}}
    feeds.resources("ehr/Encounter.ndjson", encounter(serviceProvider=named))
    feeds.load()
    assert feeds.rows("facility") == [("north",)]


STATUSES = {
    "finished": "final",
    "completed": "final",
    "cancelled": "cancelled",
    "entered-in-error": "cancelled",
    "not-done": "cancelled",
    "planned": "not_yet_usage",
    "arrived": "not_yet_usage",
    "in-progress": "not_yet_usage",
    "on-hold": "not_yet_usage",
    "stopped": "not_yet_usage",
    "unknown": "not_yet_usage",
}


def test_status_says_whether_it_is_usage_UE_7_UE_8(feeds):
    sent = [encounter(status, status=status) for status in STATUSES]
    feeds.resources("ehr/Encounter.ndjson", *sent, encounter("odd", status="Finished"))
    feeds.load()
    assert dict(feeds.rows("event_id, status")) == STATUSES
    assert feeds.unreadable() == [(12, "status", "is no status of FHIR R4")]


DAYS = {
    "2026-03-31T23:30:00-05:00": date(2026, 3, 31),
    "2026-04-01T03:30:00Z": date(2026, 4, 1),
    "2026-03-31": date(2026, 3, 31),
    "2026-03-31T23:30:00.123+14:00": date(2026, 3, 31),
    "2026-03": None,
    "2026": None,
    "2026-02-30T10:00:00Z": None,
    "soon": None,
}


@pytest.mark.parametrize(
    "where", ["period", "performedDateTime", "performedPeriod"], ids=str
)
def test_date_of_service_is_the_date_written_at_its_own_offset(feeds, where):
    def at(day):
        return day if where == "performedDateTime" else {"start": day}

    make = encounter if where == "period" else procedure
    without = {} if where == "period" else {"performedDateTime": None}
    sent = [make(str(n), **without | {where: at(day)}) for n, day in enumerate(DAYS)]
    feeds.resources("ehr/all.ndjson", *sent)
    feeds.load()
    found = dict(feeds.rows("line, service_date"))
    assert {day: found[n] for n, day in enumerate(DAYS, start=1)} == DAYS


def test_a_feed_in_utc_is_taken_to_its_time_zone(feeds, monkeypatch):
    seed = {"feed": "ehr", "format": "fhir", "has_phi": ""}
    seed["time_zone"] = "America/Chicago"
    monkeypatch.setattr(usage_intake, "read_seed", lambda name: [seed])
    feeds.resources(
        "ehr/Encounter.ndjson", encounter(period={"start": "2026-04-01T03:30:00Z"})
    )
    feeds.load()
    assert feeds.rows("service_date") == [(date(2026, 3, 31),)]  # 22:30 in Chicago


def test_without_service_provider_the_location_says_whose_it_is(feeds):
    def at(reference):
        return {
            "serviceProvider": None,
            "location": [{"location": {"reference": reference}}],
        }

    feeds.resources(
        "ehr/Encounter.ndjson",
        encounter("id", **at("Location/ward-1")),
        encounter("identifier", **at("Location?identifier=sys|W1")),
        encounter("unknown", **at("Location/elsewhere")),
        encounter("none", serviceProvider=None),
        encounter(
            "both",
            **at("Location/ward-1")
            | {"serviceProvider": {"reference": "Organization/north"}},
        ),
    )
    feeds.resources(
        "ehr/Location.ndjson",
        {
            "resourceType": "Location",
            "id": "ward-1",
            "identifier": [{"value": "W1"}, {"system": "other", "value": "1"}],
            "managingOrganization": {"reference": "Organization/south"},
        },
    )
    assert feeds.load().rows_read == 5  # a location is no usage
    assert dict(feeds.rows("event_id, facility")) == {
        "id": "south",
        "identifier": "south",
        "unknown": None,
        "none": None,
        "both": "north",
    }


def test_a_location_that_comes_or_changes_later_moves_its_encounters(feeds):
    ward = {"resourceType": "Location", "id": "w"}
    at = {
        "serviceProvider": None,
        "location": [{"location": {"reference": "Location/w"}}],
    }
    feeds.resources("ehr/Encounter.ndjson", encounter(**at))
    feeds.resources("ehr/Encounter.2.ndjson", encounter("other"))
    feeds.load()
    kept = "facility, patient_token"
    assert feeds.rows(kept, "event_id = 'e1'") == [(None, None)]
    for owner, customer in (("south", "lakeside"), ("north", "lakeside")):
        feeds.resources(
            "ehr/Location.ndjson",
            ward | {"managingOrganization": {"reference": f"Organization/{owner}"}},
        )
        # The location's file and the encounter's, not the other's.
        assert feeds.load().files_read == 2
        assert feeds.rows(kept, "event_id = 'e1'") == [(owner, token(customer, "p1"))]
    assert feeds.load().files_read == 0


MANIFEST = {"transactionTime": "2026-06-10T00:00:00Z", "output": [], "error": []}


def test_what_an_export_lists_as_deleted_is_cancelled_UE_15(feeds):
    feeds.resources("ehr/Encounter.ndjson", encounter("e1"), encounter("e2"))
    feeds.resources("ehr/Procedure.ndjson", procedure("q1"))
    feeds.land("ehr/manifest.json", json.dumps(MANIFEST, indent=2))
    feeds.resources(
        "ehr/deleted/Bundle.ndjson",
        deletions("Encounter/e1", "Patient/p1", "https://x.example/Procedure/q1"),
        deletions("Encounter/never-seen"),
    )
    intake = feeds.load()
    assert (intake.failed, intake.warnings) == ([], [])
    assert feeds.rows(
        "event_id, event_type, received_at, line", "status = 'cancelled'"
    ) == [
        ("Procedure/q1", "procedure", datetime(2026, 6, 10), 1),
        ("e1", "encounter", datetime(2026, 6, 10), 1),
        ("never-seen", "encounter", datetime(2026, 6, 10), 2),
    ]
    assert intake.rows_read == 3 + 3


def test_deletions_without_a_manifest_have_the_mark_of_their_bundle(feeds):
    marked = {"meta": {"lastUpdated": "2026-06-11T00:00:00Z"}}
    feeds.resources("ehr/Bundle.ndjson", deletions("Encounter/e1", **marked))
    assert feeds.load().warnings == []
    assert feeds.rows("received_at") == [(datetime(2026, 6, 11),)]


def test_deletions_without_any_mark_are_warned_of(feeds):
    feeds.resources("ehr/Bundle.ndjson", deletions("Encounter/e1"))
    assert "transactionTime" in feeds.load().warnings[0]
    assert feeds.rows("received_at, status") == [(None, "cancelled")]


def test_a_bundle_of_something_else_is_refused(feeds):
    feeds.resources(
        "ehr/Bundle.ndjson",
        deletions("Encounter/e1"),
        {"resourceType": "Bundle", "entry": [{"resource": encounter("e2")}]},
        {"resourceType": "Bundle", "entry": [{"request": {"method": "PUT"}}]},
        {"resourceType": "Bundle"},
    )
    feeds.load()
    assert feeds.rows("event_id, line") == [("e1", 1)]
    assert feeds.unreadable() == [
        (line, "entry", "holds more than DELETE requests") for line in (2, 3)
    ]


def test_broken_lines_are_refused_with_their_place_and_the_others_kept(feeds):
    good = json.dumps(encounter("good")).encode()
    feeds.land(
        "ehr/Encounter.ndjson",
        b"\xef\xbb\xbf"
        + b"\n".join(
            [
                good.replace(b"good", b"e1"),
                b'{"resourceType": "Encounter", "id": ',
                b"",
                b"not json",
                b'{"id": "no type"}',
                b"[1, 2]",
                b'{"resourceType": "Encounter", "status": "finished"}',
                b'{"resourceType": "Encounter", "id": "", "status": "finished"}',
                b'{"resourceType": "Encounter", "id": "x"}',
                good.replace(b"good", b"caf\xe9"),
                good.replace(b"good", b"tab\x01"),
                b'{"resourceType": "Observation", "id": "o"}',
                good.replace(b"good", b"e13") + b"\r",
                good.replace(b"good", b"e14"),
                b"",
            ]
        ),
    )
    intake = feeds.load()
    assert feeds.rows("event_id, line") == [("e1", 1), ("e13", 13), ("e14", 14)]
    assert feeds.unreadable() == [
        (2, None, "the line is not JSON"),
        (4, None, "the line is not JSON"),
        (5, "resourceType", "is empty"),
        (6, "resourceType", "is empty"),
        (7, "id", "is empty"),
        (8, "id", "is empty"),
        (9, "status", "is empty"),
        (10, None, "the line is not UTF-8"),
        (11, None, "the line is not JSON"),
    ]
    assert (intake.rows_read, intake.unreadable) == (12, 9)
    assert intake.warnings == [
        "usage/ehr: 1 records are of kinds that are not usage and were left out "
        "(Observation: 1)."
    ]


def test_a_gigantic_line_is_refused_and_the_others_kept(feeds):
    gigantic = json.dumps(encounter("x" * 40_000_000))
    lines = [json.dumps(encounter("e1")), gigantic, json.dumps(encounter("e3")), ""]
    feeds.land("ehr/Encounter.ndjson", "\n".join(lines))
    feeds.load()
    assert feeds.rows("event_id, line") == [("e1", 1), ("e3", 3)]
    assert feeds.unreadable() == [(2, None, "the line is longer than 16 MB")]


LINE = json.dumps(encounter()).encode() + b"\n"
BROKEN = {
    "empty": (b"", "is empty"),
    "html": (b"<html><body>404</body></html>\n", "no FHIR resource"),
    "array": (json.dumps([encounter()]).encode(), "JSON array"),
    "utf-16": (LINE.decode().encode("utf-16"), "UTF-16"),
    "pretty": (json.dumps(encounter(), indent=1).encode() + b"\n", "no FHIR resource"),
    "cut off": (LINE * 3 + LINE[:40], "cut off"),
    "csv": (b"Id,START\n1,2026-05-01\n", "no FHIR resource"),
    "binary": (bytes(range(256)) * 9, "no FHIR resource"),
}


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize("is_packed", [False, True])
def test_a_file_that_is_not_what_it_seems_fails_by_name(feeds, name, is_packed):
    content, reason = BROKEN[name]
    ending = ".gz" if is_packed else ""
    packed = gzip.compress(content) if is_packed else content
    feeds.land(f"ehr/Encounter.2.ndjson{ending}", packed)
    feeds.resources("ehr/Encounter.1.ndjson", encounter())
    intake = feeds.load()
    assert [name for name, _ in intake.failed] == [
        f"usage/ehr/Encounter.2.ndjson{ending}"
    ]
    assert reason in intake.failed[0][1]
    assert feeds.rows("event_id") == [("e1",)]


def test_a_gzip_file_cut_off_or_packed_too_tightly_fails_by_name(feeds):
    feeds.resources("ehr/Encounter.1.ndjson", encounter())
    feeds.land("ehr/Encounter.2.ndjson.gz", gzip.compress(LINE * 999)[:-9])
    feeds.land("ehr/Encounter.3.ndjson.gz", gzip.compress(LINE * 99_999))
    failed = dict(feeds.load().failed)
    assert "whole gzip" in failed["usage/ehr/Encounter.2.ndjson.gz"]
    assert "200 to 1" in failed["usage/ehr/Encounter.3.ndjson.gz"]
    assert feeds.rows("event_id") == [("e1",)]


def test_files_of_other_types_and_notes_lie_beside(feeds):
    feeds.resources("ehr/Encounter.ndjson", encounter())
    feeds.resources("ehr/Observation.000.ndjson", {"resourceType": "Observation"})
    feeds.resources("ehr/1.Patient.ndjson", {"resourceType": "Patient", "id": "p1"})
    feeds.land("ehr/manifest.json", json.dumps(MANIFEST))
    feeds.land("ehr/LICENSE", "free")
    feeds.land("ehr/notes.json", "{}")
    intake = feeds.load()
    assert intake.warnings == [
        "usage/ehr/notes.json is not read: usage files end in "
        ".ndjson, .ndjson.gz, .jsonl, .jsonl.gz."
    ]
    assert (intake.files_read, intake.rows_read, intake.failed) == (2, 1, [])


def test_problems_of_the_export_are_warned_of_UE_15(feeds):
    issue = {"severity": "error", "code": "exception", "diagnostics": "CANARY"}
    problem = {"resourceType": "OperationOutcome", "issue": [issue]}
    feeds.resources("ehr/Encounter.ndjson", encounter())
    feeds.resources("ehr/error/OperationOutcome.000.ndjson", problem, problem)
    intake = feeds.load()
    assert intake.failed == []
    assert intake.warnings == [
        "usage/ehr/error/OperationOutcome.000.ndjson holds 2 notices of the server "
        "that exported the feed (OperationOutcome): something may be missing; look at "
        "them, export again."
    ]
    assert intake.rows_read == 1


def test_a_file_named_for_another_type_that_holds_usage_is_read(feeds):
    feeds.resources("ehr/Observation.ndjson", encounter())
    feeds.load()
    assert feeds.rows("event_id") == [("e1",)]


def test_procedures_in_one_file_with_their_encounters_have_their_patients(feeds):
    feeds.resources("ehr/all.ndjson", procedure(), encounter())
    assert feeds.load().files_read == 1
    assert (
        feeds.rows("patient_token, is_patient_withheld")
        == [(token("lakeside", "p1"), False)] * 2
    )
    assert feeds.load().files_read == 0


def link(kind: str, other: str) -> dict:
    return {"type": kind, "other": {"reference": f"Patient/{other}"}}


def test_patients_who_are_linked_are_counted_as_one_UE_12(feeds):
    feeds.resources(
        "ehr/all.ndjson",
        *[encounter(p, subject={"reference": f"Patient/{p}"}) for p in "abcdef"],
        {"resourceType": "Patient", "id": "a", "link": [link("replaced-by", "b")]},
        {"resourceType": "Patient", "id": "c", "link": [link("replaces", "b")]},
        {"resourceType": "Patient", "id": "d", "link": [link("seealso", "e")]},
        {"resourceType": "Patient", "id": "f"},
    )
    assert feeds.load().rows_read == 6
    # a is b, and b is c.
    merged = feeds.merged()
    one = min(token("lakeside", patient) for patient in "abc")
    others = {token("lakeside", patient) for patient in "abc"} - {one}
    assert merged == dict.fromkeys(others, one)


def test_a_link_without_agreement_keeps_no_token_until_there_is_one(feeds):
    hill = {"managingOrganization": {"reference": "Organization/hilltop"}}
    linked = {"resourceType": "Patient", "id": "a", "link": [link("replaced-by", "b")]}
    feeds.resources("ehr/Patient.ndjson", linked | hill)
    feeds.load()
    assert feeds.merged() == {}
    tokens = "select from_token, to_token from restricted.patient_merges"
    assert feeds.sql(tokens) == [(None, None)]
    feeds.sql("insert into raw.baas values ('hill', '2026-01-01', null)")
    assert feeds.load().files_read == 1
    assert feeds.sql(tokens) == [(token("hill", "a"), token("hill", "b"))]
    assert len(feeds.merged()) == 1
    assert feeds.load().files_read == 0
