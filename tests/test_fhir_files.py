"""Files of FHIR exports: deletions, broken ones, and what lies beside them."""

import gzip
import json
import os
from datetime import datetime

import pytest
from fhir_resources import deletions, encounter, procedure

from orchestration.readers import fhir_manifest

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


def test_a_pipe_named_like_a_manifest_is_not_waited_on(tmp_path):
    os.mkfifo(tmp_path / "manifest.json")
    assert fhir_manifest.is_manifest(tmp_path / "manifest.json") is False


def test_deletions_without_any_mark_are_warned_of(feeds):
    feeds.resources("ehr/Bundle.ndjson", deletions("Encounter/e1"))
    assert "transactionTime" in feeds.load().warnings[0]
    assert feeds.rows("received_at, status") == [(None, "cancelled")]
    # The manifest that was missing is laid beside it, as the warning says.
    feeds.land("ehr/manifest.json", json.dumps(MANIFEST))
    intake = feeds.load()
    assert (intake.files_read, intake.warnings) == (1, [])
    assert feeds.rows("received_at") == [(datetime(2026, 6, 10),)]
    assert feeds.load().files_read == 0


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
    assert intake.failed[0][1][-1] not in ".?"
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
