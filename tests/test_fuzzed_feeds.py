"""Whatever is landed: no crash, nothing lost from the count, nothing told of a patient.

Files of every format are cut, shuffled, spoilt and named for another. A dozen
examples of each take seconds; BILLING_FUZZ_EXAMPLES asks for more, and for others
at each run.
"""

import gzip
import itertools
import json
import logging
import os
import re
import tempfile
from pathlib import Path

import duckdb
import pytest
from feed_landing import Feeds
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestration import usage_feeds

EXAMPLES = int(os.environ.get("BILLING_FUZZ_EXAMPLES", "12"))
SOME = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize="BILLING_FUZZ_EXAMPLES" not in os.environ,
)
CANARY = "PATIENT-CANARY"
CONTROL = [b"\x00", b"\x0b", b"\x1c", b"\x1b[2J", b"\x7f", b"\xc2\x85", b"\xe2\x80\xa8"]
GIGANTIC = b"x" * 2_500_000


def _events() -> list[bytes]:
    header = "event_id,event_type,facility,patient_id,occurred_at,received_at"
    rows = [
        f'e{n},encounter,north,{CANARY}{n},"2026-05-0{n}",2026-05-09T10:00:00Z'
        for n in range(1, 6)
    ]
    return [line.encode() + b"\n" for line in (header, *rows)]


def _synthea() -> list[bytes]:
    header = "Id,START,STOP,PATIENT,ORGANIZATION,PROVIDER,ENCOUNTERCLASS,CODE"
    rows = [
        f"e{n},2026-05-0{n}T10:00:00Z,,{CANARY}{n},north,p,ambulatory,185349003"
        for n in range(1, 6)
    ]
    return [line.encode() + b"\n" for line in (header, *rows)]


def _resources() -> list[bytes]:
    encounter = {
        "resourceType": "Encounter",
        "status": "finished",
        "class": {"code": "AMB"},
        "subject": {"reference": f"Patient/{CANARY}"},
        "period": {"start": "2026-05-01T10:00:00-05:00"},
        "serviceProvider": {"reference": "Organization/north"},
    }
    link = {"type": "replaced-by", "other": {"reference": f"Patient/{CANARY}2"}}
    delete = {"request": {"method": "DELETE", "url": "Encounter/e1"}}
    resources = [
        *({**encounter, "id": f"e{n}"} for n in range(1, 4)),
        {"resourceType": "Procedure", "id": "q", "status": "completed"},
        {"resourceType": "Location", "id": "ward", "identifier": [{"value": "w"}]},
        {"resourceType": "Patient", "id": CANARY, "link": [link]},
        {"resourceType": "Bundle", "entry": [delete]},
        {"resourceType": "Condition", "id": "c"},
    ]
    return [json.dumps(resource).encode() + b"\n" for resource in resources]


def _messages() -> list[bytes]:
    visit = "|" * 17
    segments = []
    for n in range(1, 4):
        segments += [
            f"MSH|^~\\&|EHR|north|B||2026050{n}||ADT^A01|{n}|P|2.5.1",
            f"PID|1||{CANARY}^^^H~2||DOE^{CANARY}",
            f"PV1|1|I{visit}V{n}" + "|" * 25 + f"2026050{n}",
        ]
    segments += [
        "MSH|^~\\&|EHR|north|B||20260504||DFT^P03|4|P|2.5.1",
        f"PID|1||{CANARY}|||||||||||||||A1",
        "FT1|1|T1||20260501||CG|71045|||2",
        "MSH|^~\\&|EHR|north|B||20260504||ADT^A40|5|P|2.5.1",
        f"PID|1||{CANARY}",
        f"MRG|{CANARY}2",
    ]
    return [segment.encode() + b"\r" for segment in segments]


def _parquet() -> list[bytes]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.parquet"
        duckdb.sql(f"""
            copy (
                select 'e' || n as event_id, 'encounter' as event_type,
                    'north' as facility, '{CANARY}' || n as patient_id,
                    date '2026-05-01' as occurred_at
                from range(2000) as t (n)
            ) to '{path}'""")
        content = path.read_bytes()
    return [content[at : at + 512] for at in range(0, len(content), 512)]


# The name a file has if nothing is wrong with it, and its lines or pieces.
FORMATS = {
    "events": ("a.csv", _events),
    "parquet": ("a.parquet", _parquet),
    "synthea": ("encounters.csv", _synthea),
    "fhir": ("Encounter.ndjson", _resources),
    "hl7v2": ("a.hl7", _messages),
}
NAMES = [name for name, _ in FORMATS.values()]


@st.composite
def spoilt(draw: st.DrawFn, pieces: list[bytes]) -> bytes:
    """What became of a file's pieces on their way."""
    kept = draw(
        st.one_of(
            st.just(pieces),
            st.permutations(pieces),
            st.lists(st.sampled_from(pieces), max_size=2 * len(pieces)),
        )
    )
    content = b"".join(kept)
    how = draw(
        st.lists(
            st.sampled_from(
                ("cut", "insert", "flip", "encode", "ends", "double", "gigantic")
            ),
            max_size=3,
        )
    )
    for change in how:
        at = draw(st.integers(0, max(len(content) - 1, 0)))
        if change == "cut":
            content = content[:at]
        elif change == "insert":
            some = st.one_of(st.sampled_from(CONTROL), st.binary(max_size=4))
            content = content[:at] + draw(some) + content[at:]
        elif change == "flip":
            content = content[:at] + draw(st.binary(max_size=3)) + content[at + 2 :]
        elif change == "encode":
            encoding = draw(st.sampled_from(("utf-16", "utf-8-sig", "cp500")))
            content = content.decode("latin-1").encode(encoding, errors="replace")
        elif change == "ends":
            end = draw(st.sampled_from((b"\n", b"\r\n", b"\r", b"", b"\n\n")))
            content = content.replace(b"\n", end)
        elif change == "double":
            content = content[at:] + content[:at]
        else:
            content = content[:at] + GIGANTIC + content[at:]
    return content


@pytest.mark.parametrize("name", FORMATS)
def test_no_row_is_lost_and_nothing_told(name, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(usage_feeds, "read_seed", lambda name: [])
    caplog.set_level(logging.DEBUG)
    own_name, pieces = FORMATS[name][0], FORMATS[name][1]()
    runs = itertools.count()

    @SOME
    @given(
        content=spoilt(pieces),
        named=st.one_of(st.just(own_name), st.sampled_from(NAMES)),
        packing=st.sampled_from(["", "", ".gz", ".gz unpacked", ".gz cut", "unnamed"]),
    )
    def check(content: bytes, named: str, packing: str) -> None:
        feeds = Feeds(tmp_path / str(next(runs)))
        packed = gzip.compress(content, mtime=0)
        sent = {
            "": content,
            ".gz": packed,
            ".gz unpacked": content,
            ".gz cut": packed[:-5],
            "unnamed": packed,
        }[packing]
        ending = packing[:3] if packing.startswith(".gz") else ""
        feeds.land(f"clinic/{named}{ending}", sent)
        _check(feeds)
        feeds.connection.close()

    check()
    assert CANARY not in caplog.text


def _check(feeds: Feeds) -> None:
    intake = feeds.load()
    told = repr((intake.failed, intake.warnings, feeds.unreadable()))
    assert CANARY not in told and "xxxx" not in told
    ((read,),) = feeds.sql("select count(*) from raw.usage_files")
    named = len(intake.failed) + sum("is not read" in text for text in intake.warnings)
    assert read + named == 1, "the file is read, or named as not"
    ((stored,),) = feeds.sql("select count(*) from restricted.usage_rows")
    unreadable = len(feeds.unreadable())
    assert stored + unreadable == intake.rows_read
    assert unreadable == intake.unreadable
    if not read:
        assert intake.rows_read == 0
    (left,) = feeds.sql(
        "select count(*) from duckdb_tables() where temporary "
        "and table_name like 'usage_%'"
    )
    assert left == (0,), "raw identifiers are gone after the load"


# Broken in every way that leaves it one line, whatever the format.
JUNK = st.one_of(
    st.binary(min_size=1, max_size=30).filter(lambda junk: junk.strip()),
    st.sampled_from(
        [b'"', b"{", b"}", b"[]", b"null", b"1", b"PID|", b"\xff", b"\x00"]
    ),
).map(lambda junk: re.sub(rb"[\r\n\x1c\x0b]", b"?", junk))
NO_HEADER = JUNK.filter(lambda junk: not re.match(rb"\s*(MSH|[FB][HT]S)", junk))
HEADER = b"MSH|^~\\&|EHR|north|B||20260501||"


@SOME
@given(
    lines=st.lists(
        st.one_of(
            st.sampled_from(_resources()[:4] + _resources()[7:]), JUNK, st.just(b"")
        )
    )
)
def test_every_line_of_an_export_is_counted(lines, tmp_path_factory):
    content = b"".join(
        line.rstrip(b"\n") + b"\n" for line in [*_resources()[:1], *lines]
    )
    expected = sum(bool(line.strip()) for line in lines) + 1
    name = "Encounter.ndjson"
    assert _counted(tmp_path_factory, name, content, "fhir") == expected


@SOME
@given(
    kinds=st.lists(
        st.tuples(
            st.sampled_from(
                [b"ADT^A01", b"ADT^A08", b"ADT^A03", b"ORU^R01", b"", b"A"]
            ),
            st.lists(
                st.one_of(st.sampled_from(_messages()[1:3]), NO_HEADER), max_size=4
            ),
        ),
        min_size=1,
    )
)
def test_every_message_is_counted(kinds, tmp_path_factory):
    content = b""
    for kind, segments in kinds:
        content += HEADER + kind + b"\r"
        content += b"".join(segment.rstrip(b"\r") + b"\r" for segment in segments)
    assert _counted(tmp_path_factory, "a.hl7", content, "hl7v2") == len(kinds)


def _counted(
    places: pytest.TempPathFactory, name: str, content: bytes, format_name: str
) -> int:
    """Rows read and records left out of a file of a feed."""
    feeds = Feeds(places.mktemp("counted"))
    feeds.land(f"clinic/{name}", content)
    with pytest.MonkeyPatch.context() as patch:
        sent = {"feed": "clinic", "time_zone": "", "has_phi": "", "format": format_name}
        patch.setattr(usage_feeds, "read_seed", lambda name: [sent])
        intake = feeds.load()
    feeds.connection.close()
    assert intake.failed == []
    left_out = re.search(r": ([\d,]+) records are", " ".join(intake.warnings))
    return intake.rows_read + (int(left_out[1]) if left_out else 0)
