"""FHIR R4 bulk exports from landed files to rows; expectations worked by hand."""

import gzip
import json
import shutil
from collections import Counter
from datetime import date, datetime

import pytest
from feed_landing import DATA
from fhir_resources import deletions, encounter, link, procedure
from usage_landing import token

from orchestration import usage_feeds


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
    "-001-01-01": None,
    " -01-01-01": None,
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
    monkeypatch.setattr(usage_feeds, "read_seed", lambda name: [seed])
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


def test_a_location_received_after_the_as_of_day_is_not_known_yet(feeds):
    """One landing directory with all of it is read as it landed month by month."""
    owned = [
        {
            "resourceType": "Location",
            "id": "w",
            "meta": {"lastUpdated": f"2026-0{month}-10T00:00:00Z"},
            "managingOrganization": {"reference": f"Organization/{owner}"},
        }
        for month, owner in ((1, "north"), (3, "south"))
    ]
    at = {
        "serviceProvider": None,
        "location": [{"location": {"reference": "Location/w"}}],
    }
    feeds.resources("ehr/Encounter.ndjson", encounter(**at))
    feeds.resources("ehr/Location.ndjson", *owned)
    for as_of, owner in (
        (date(2026, 1, 9), None),
        (date(2026, 1, 10), "north"),
        (date(2026, 3, 9), "north"),
        (date(2026, 3, 10), "south"),
    ):
        feeds.load(as_of)
        assert feeds.rows("facility") == [(owner,)], as_of
    assert feeds.load(date(2026, 4, 1)).files_read == 0


def test_an_encounter_deleted_later_takes_no_patient_from_its_procedure_yet(feeds):
    seen = {"lastUpdated": "2026-05-02T00:00:00Z"}
    feeds.resources("ehr/Encounter.ndjson", encounter(meta=seen))
    deleted = {"meta": {"lastUpdated": "2026-06-02T00:00:00Z"}}
    feeds.resources("ehr/Bundle.ndjson", deletions("Encounter/e1", **deleted))
    feeds.load(date(2026, 5, 31))
    feeds.resources("ehr/Procedure.ndjson", procedure(meta=seen))
    feeds.load(date(2026, 6, 1))
    assert feeds.rows("patient_token", "event_type = 'procedure'") == [
        (token("lakeside", "p1"),)
    ]


def test_procedures_in_one_file_with_their_encounters_have_their_patients(feeds):
    feeds.resources("ehr/all.ndjson", procedure(), encounter())
    assert feeds.load().files_read == 1
    assert (
        feeds.rows("patient_token, is_patient_withheld")
        == [(token("lakeside", "p1"), False)] * 2
    )
    assert feeds.load().files_read == 0


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
