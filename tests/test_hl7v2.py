"""HL7 v2 messages from landed files to rows; expectations worked by hand."""

import logging
import logging.config
import shutil
from datetime import date, datetime

import pytest
from feed_landing import DATA
from usage_landing import token

from orchestration import usage_feeds


def fields(segment: str, **values: str) -> str:
    """A segment with some of its fields, e.g. f19 for PV1-19."""
    last = max(int(name[1:]) for name in values)
    return "|".join([segment] + [values.get(f"f{n}", "") for n in range(1, last + 1)])


def message(
    kind: str = "ADT^A01",
    visit: str = "V1",
    patient: str = "p1",
    facility: str = "north",
    sent: str = "20260502093000-0500",
    admitted: str = "20260501233000-0500",
    more: tuple[str, ...] = (),
    end: str = "\r",
    **pv1: str,
) -> str:
    segments = [
        f"MSH|^~\\&|EHR|{facility}|BILLING||{sent}||{kind}|1|P|2.5.1",
        "EVN||20260601080000-0500",
        f"PID|1||{patient}^^^HOSP^MR~999^^^SSN||DOE^JANE",
        fields("PV1", f2="I", f19=visit, f44=admitted, **pv1),
        *more,
    ]
    return end.join(segments) + end


KEPT = "event_id, facility, service_date, status"


def test_real_messages(feeds):
    shutil.copytree(DATA / "hl7v2", feeds.landing / "usage" / "samples")
    intake = feeds.load()
    assert intake.failed == []
    # A01 ×2, A04, A08, A11 and A13 are of one visit; five more of older versions,
    # of which two have no PV1-19; two charges in each of two DFT^P03.
    assert (intake.rows_read, intake.unreadable) == (6 + 5 + 4, 2)
    assert intake.warnings == [
        "usage/samples: 5 records are of kinds that are not usage and were left out "
        "(ADT^A02: 1, ADT^A03: 1, ADT^A28: 1, BAR^P01: 1, DFT^P11: 1)."
    ]
    assert feeds.unreadable() == [(1, "PV1-19", "is empty")] * 2
    visit = ("40007716", "GHHSFacility", date(2015, 2, 8))
    assert feeds.rows(KEPT, "event_type = 'encounter'") == [
        ("0123456789", "NINTENDO", date(2001, 1, 1), "final"),
        ("1234", "RDX", date(2018, 10, 17), "final"),
        ("40007716", "1", date(2005, 1, 10), "final"),
        (*visit, "cancelled"),
        *[(*visit, "final")] * 5,
    ]
    charges = feeds.rows(
        "event_id, service_date, quantity, code, encounter_id, line",
        "event_type = 'procedure'",
    )
    day = date(2019, 11, 22)
    # FT1-2 is 12345 in the first charge and empty in the second, whose FT1-1 is 2.
    assert charges == [
        ("4000776|12345", day, 2, "71045", "40007716", 11),
        ("4000776|12345", day, 2, "71045", "40007716", 15),
        ("4000776||2", day, 1, "99011", "40007716", 15),
        ("4000776||2", day, 1, "99011", "40007716", 24),
    ]
    assert feeds.sql("select count(*) from restricted.patient_merges") == [(3,)]


def test_a_visit_is_a_row_with_what_is_billed(feeds):
    feeds.land("adt/a.hl7", message())
    feeds.load()
    kept = "received_at, patient_token, class, code, quantity, event_type, line"
    assert feeds.rows(f"{KEPT}, {kept}") == [
        ("V1", "north", date(2026, 5, 1), "final", datetime(2026, 5, 2, 14, 30))
        + (token("lakeside", "p1"), "I", None, 1, "encounter", 1)
    ]


EVENTS = {
    "A01": "final",
    "A04": "final",
    "A08": "final",
    "A11": "cancelled",
    "A13": "final",  # the discharge is cancelled, the visit stands
    "A23": "cancelled",
}


def test_the_trigger_in_MSH_9_says_what_happened_UE_7_UE_8(feeds):
    sent = [message(f"ADT^{event}^ADT_A01", visit=event) for event in EVENTS]
    feeds.land("adt/a.hl7", "".join(sent))
    feeds.load()
    assert dict(feeds.rows("event_id, status")) == EVENTS


def test_EVN_1_counts_only_where_MSH_9_names_no_trigger(feeds):
    sent = [
        message("ADT^A11", visit="both").replace("EVN|", "EVN|A01"),
        message("ADT", visit="old").replace("EVN|", "EVN|A11"),
        message("ADT", visit="none"),
        message("", visit="nothing"),
    ]
    feeds.land("adt/a.hl7", "".join(sent))
    feeds.load()
    assert feeds.rows("event_id, status") == [
        ("both", "cancelled"),
        ("old", "cancelled"),
    ]
    assert feeds.unreadable() == [(9, "MSH-9", "is empty"), (13, "MSH-9", "is empty")]


FACILITIES = [
    ("north", "", "north"),
    ("north^2.16.840^ISO", "W^1^2^south", "north"),
    ("^2.16.840^ISO", "W^1^2^south", "2.16.840"),
    ("", "W^1^2^south&2.16.841&ISO", "south"),
    ("", "W^1^2^&2.16.841&ISO", "2.16.841"),
    ("", "W^1^2", None),
    ('""', "", None),
    (r"St\T\T \F\ Co", "", "St&T | Co"),
]


def test_facility_is_MSH_4_else_that_of_PV1_3(feeds):
    sent = [
        message(visit=f"{n}", facility=facility, f3=location)
        for n, (facility, location, _) in enumerate(FACILITIES)
    ]
    feeds.land("adt/a.hl7", "".join(sent))
    feeds.load()
    assert [place for _, place in feeds.rows("event_id, facility")] == [
        place for _, _, place in FACILITIES
    ]


TIMES = {
    "20260331233000-0500": date(2026, 3, 31),
    "20260331": date(2026, 3, 31),
    "2026033123": date(2026, 3, 31),
    "202603312330": date(2026, 3, 31),
    "20260331233000.1234+0530": date(2026, 3, 31),
    "20260401033000+0000": date(2026, 4, 1),
    "202603": None,
    "20260230": None,
    "202603312599": None,
    "2026-03-31": None,
    "soon": None,
}


def test_date_of_service_is_the_admission_at_its_own_offset(feeds):
    sent = [message(visit=str(n), admitted=time) for n, time in enumerate(TIMES)]
    feeds.land("adt/a.hl7", "".join(sent))
    feeds.load()
    found = dict(feeds.rows("cast(event_id as integer), service_date"))
    assert {time: found[n] for n, time in enumerate(TIMES)} == TIMES


def test_without_admission_the_event_has_its_own_time(feeds):
    occurred = message(visit="v1", admitted="").replace(
        "EVN||20260601080000-0500", "EVN||20260601080000-0500||||20260531"
    )
    feeds.land("adt/a.hl7", occurred + message(visit="v2", admitted=""))
    feeds.load()
    assert feeds.rows("event_id, service_date") == [
        ("v1", date(2026, 5, 31)),  # EVN-6, when it happened
        ("v2", date(2026, 6, 1)),  # EVN-2, when it was recorded
    ]


def test_a_feed_in_utc_is_taken_to_its_time_zone(feeds, monkeypatch):
    seed = {"feed": "adt", "format": "hl7v2", "has_phi": ""}
    seed["time_zone"] = "America/Chicago"
    monkeypatch.setattr(usage_feeds, "read_seed", lambda name: [seed])
    feeds.land("adt/a.hl7", message(admitted="20260401033000+0000"))
    feeds.load()
    assert feeds.rows("service_date") == [(date(2026, 3, 31),)]  # 22:30 in Chicago


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
@pytest.mark.parametrize("framed", [False, True])
def test_lines_end_as_they_may_and_frames_are_taken_off(feeds, end, framed):
    sent = [message(visit=visit, end=end) for visit in ("v1", "v2")]
    if framed:
        sent = [f"\x0b{one}\x1c\r" for one in sent]
    feeds.land("adt/a.hl7", "".join(sent))
    feeds.load()
    # A frame's end stands on a line of its own.
    assert feeds.rows("event_id, line") == [("v1", 1), ("v2", 6 if framed else 5)]


def test_batches(feeds):
    batch = [
        "FHS|^~\\&|EHR\r",
        "BHS|^~\\&|EHR\r",
        message(visit="v1"),
        message(visit="v2"),
        "BTS|2\rFTS|1\r",
    ]
    feeds.land("adt/a.txt", "".join(batch))
    feeds.land("adt/b.hl7", "".join(batch[:-1]))
    feeds.land("adt/c.hl7", "".join(batch).replace("BTS|2", "BTS|3"))
    failed = dict(feeds.load().failed)
    assert feeds.rows("event_id, line") == [("v1", 3), ("v2", 7)]
    assert "cut off" in failed["usage/adt/b.hl7"]
    assert "another number of messages" in failed["usage/adt/c.hl7"]
    assert len(failed) == 2


def charge(**values: str) -> str:
    return fields("FT1", **{"f1": "1", "f4": "20260503", "f6": "CG"} | values)


CHARGES = {
    "id": charge(f2="T1", f7="C^chest", f10="3", f25="71045^X-ray"),
    "place": charge(f1="2", f7="C^chest"),
    "credit": charge(f2="T3", f6="CD", f7="D"),
    "no type": charge(f2="T4", f6=""),
    "payment": charge(f2="T5", f6="PY"),
    "odd type": charge(f2="T6", f6="XX"),
    "no id": charge(f1="", f4="20260503"),
    "bad quantity": charge(f2="T7", f10="-1"),
    "huge quantity": charge(f2="T9", f10="1000000000"),
    "two days": charge(f2="T8", f4="20260503^20260504"),
}


def test_each_charge_is_a_procedure(feeds):
    more = ("PR1|1||x", *CHARGES.values())
    sent = message("DFT^P03", more=more).replace(
        "DOE^JANE", "DOE^JANE" + "|" * 13 + "A1"
    )
    feeds.land("dft/a.hl7", sent)
    intake = feeds.load()
    kept = "event_id, status, service_date, quantity, code, line"
    day = date(2026, 5, 3)
    assert feeds.rows(kept, order="line") == [
        ("A1|T1", "final", day, 3, "71045", 6),
        ("A1||2", "final", day, 1, "C", 7),
        ("A1|T3", "cancelled", day, 1, "D", 8),
        ("A1|T4", "final", day, 1, None, 9),
        ("A1|T7", "final", day, None, None, 13),
        ("A1|T9", "final", day, None, None, 14),
        ("A1|T8", "final", day, 1, None, 15),
    ]
    assert feeds.unreadable() == [
        (11, "FT1-6", "is no transaction type of HL7 table 0017"),
        (12, "FT1-2", "is empty"),
    ]
    assert "FT1 PY: 1" in intake.warnings[0]
    assert feeds.rows("distinct event_type, facility, encounter_id") == [
        ("procedure", "north", "V1")
    ]


def test_without_an_account_a_charge_goes_by_its_visit(feeds):
    feeds.land("dft/a.hl7", message("DFT^P03", more=(charge(f2="T1"),)))
    feeds.land(
        "dft/b.hl7",
        message("DFT^P03", visit="", more=(charge(f2="T1"),)) + message("DFT^P03"),
    )
    feeds.load()
    assert feeds.rows("event_id") == [("V1|T1",)]
    assert feeds.unreadable() == [(5, "PID-18", "is empty"), (6, "FT1", "is missing")]


def test_what_cannot_be_read_is_refused_with_its_place(feeds):
    latin = message(visit="caf\xe9").encode("latin-1")
    declared = latin.replace(b"|P|2.5.1", b"|P|2.5.1||||||8859/1")
    sent = [
        b"MSH|^~\\&|a\n|b",
        message().encode(),
        b"MSH\r",
        message(visit="").encode(),
        latin,
        declared,
        b"MSH|||\r",
        message(visit="v\n2", more=("OBX|1|TX|a\nb",)).encode(),
        message(visit="v3", more=("OBX|1|TX|a\nb",)).encode(),
    ]
    feeds.land("adt/a.hl7", b"\r".join(sent))  # an empty line after each
    intake = feeds.load()
    assert feeds.rows("event_id, line") == [("V1", 3), ("café", 20), ("v3", 35)]
    assert feeds.unreadable() == [
        (1, None, "has a line end within a segment"),
        (8, None, "MSH-1 and MSH-2 are not the delimiters of HL7"),
        (10, "PV1-19", "is empty"),
        (15, None, "the message is not UTF-8"),
        (25, None, "MSH-1 and MSH-2 are not the delimiters of HL7"),
        (27, None, "has a line end within a segment"),
    ]
    assert intake.rows_read == 9


def test_lines_before_the_first_message_are_refused(feeds):
    feeds.land("adt/a.hl7", "BHS|^~\\&|x\rPID|1||p\r" + message() + "BTS|1\r")
    feeds.load()
    assert feeds.unreadable() == [(2, None, "the line stands before any message")]
    assert feeds.rows("event_id") == [("V1",)]


def test_gigantic_segments(feeds):
    document = "OBX|1|ED|" + "x" * 30_000_000
    feeds.land(
        "adt/a.hl7",
        message(visit="v1", more=(document,))
        + message(visit="v" * 9_000_000)
        + message(visit="v3"),
    )
    feeds.load()
    assert feeds.rows("event_id, line") == [("v1", 1), ("v3", 10)]
    assert feeds.unreadable() == [(6, None, "has a segment longer than 1 MB")]


BROKEN = {
    "empty": (b"", "is empty"),
    "html": (b"<html>MSH</html>", "does not begin with an HL7 message"),
    "csv": (b"event_id,event_type\n1,2\n", "does not begin with an HL7 message"),
    "utf-16": (message().encode("utf-16"), "UTF-16"),
    "xml": (b"<ADT_A01><MSH/></ADT_A01>", "does not begin with an HL7 message"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_file_that_is_not_what_it_seems_fails_by_name(feeds, name):
    content, reason = BROKEN[name]
    feeds.land("adt/b.hl7", content)
    feeds.land("adt/a.hl7", message())
    feeds.land("adt/README.txt", "About this feed")
    intake = feeds.load()
    assert [name for name, _ in intake.failed] == ["usage/adt/b.hl7"]
    assert reason in intake.failed[0][1]
    assert feeds.rows("event_id") == [("V1",)]


def merge(*pairs: tuple[str, str], facility: str = "north") -> str:
    segments = "".join(
        f"PID|1||{into}^^^HOSP\rMRG|{merged}^^^HOSP\r" for merged, into in pairs
    )
    return (
        f"MSH|^~\\&|EHR|{facility}|B||20260601||ADT^A40|1|P|2.5.1\rEVN||20260601\r"
        + segments
    )


def test_a_merge_makes_two_patients_one_UE_12(feeds):
    feeds.land("adt/a.hl7", message(patient="old") + merge(("old", "new"), ("x", "y")))
    feeds.load()
    assert feeds.rows("event_id") == [("V1",)]  # a merge is no visit
    old, new, x, y = (token("lakeside", name) for name in ("old", "new", "x", "y"))
    assert feeds.merged() == {max(old, new): min(old, new), max(x, y): min(x, y)}


def test_a_merge_is_not_known_before_its_day(feeds):
    feeds.land("adt/a.hl7", merge(("old", "new")))
    feeds.load(as_of=date(2026, 5, 31))
    assert feeds.merged() == {}
    feeds.load(as_of=date(2026, 6, 1))
    assert len(feeds.merged()) == 1


def test_a_merge_of_nobody_is_refused(feeds):
    feeds.land("adt/a.hl7", message() + merge(("", "new")) + merge())
    feeds.load()
    assert feeds.unreadable() == [
        (8, "MRG-1", "or its PID-3 is empty"),
        (9, "MRG", "is missing"),
    ]


def test_the_library_logs_no_value(feeds, caplog):
    # Dagster and others configure logging, which enables every logger anew.
    logging.config.dictConfig({"version": 1, "disable_existing_loggers": False})
    # An escape it doesn't know; it would log the whole field.
    with caplog.at_level(logging.DEBUG):
        feeds.land("adt/a.hl7", message(patient=r"CANARY\Xzz\\Q\ "))
        feeds.load()
    assert "CANARY" not in caplog.text
