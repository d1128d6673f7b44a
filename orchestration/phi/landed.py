"""Identifiers in the landing directory's usage files, read in memory, never written.

A file is read here by what it is, not by the readers that load it: what those leave
out, refuse or take for something else is what must be looked for.
"""

import csv
import gzip
import io
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import duckdb

from orchestration.database import connect
from orchestration.phi import identifiers as kinds
from orchestration.phi.identifiers import is_number_or_day, kind_of
from orchestration.readers.landed_columns import sql_path

Found = tuple[str, str]  # kind, value

# Columns that are kept, by format alike: a value of theirs is one if it fits there.
_EVENT_IDS = ("event_id", "id", "encounter")
_KEPT = {
    *("event_type", "facility", "occurred_at", "received_at", "quantity", "status"),
    *("class", "code", "start", "stop", "date", "organization", "provider"),
    "encounterclass",
}
_LISTED = ("event_type", "class", "encounterclass", "code")
_FACILITY = re.compile(r"([0-9]{2}[0-9A-Z][0-9]{2}[0-9A-Z]|[12][0-9]{9})")
_PIECES = re.compile(r"[,;|\t\"^~&\r\n<>{}\[\]]+")
_BATCH = 10_000
# HL7 v2: the fields of segments about people, by what they hold.
_PID = {
    2: kinds.PATIENT,
    3: kinds.PATIENT,
    4: kinds.PATIENT,
    5: kinds.NAME,
    6: kinds.NAME,
    7: kinds.BORN,
    9: kinds.NAME,
    11: kinds.ADDRESS,
    13: kinds.CONTACT,
    14: kinds.CONTACT,
    18: kinds.NUMBER,
    19: kinds.SSN,
    20: kinds.NUMBER,
}
_SEGMENTS = {
    b"PID": _PID,
    b"MRG": {1: kinds.PATIENT, 3: kinds.NUMBER, 4: kinds.PATIENT, 7: kinds.NAME},
    b"NK1": {2: kinds.NAME, 4: kinds.ADDRESS, 5: kinds.CONTACT},
    b"GT1": {3: kinds.NAME, 5: kinds.ADDRESS, 6: kinds.CONTACT, 12: kinds.SSN},
    b"IN1": {16: kinds.NAME, 36: kinds.NUMBER, 49: kinds.NUMBER},
    b"PV1": {19: kinds.EVENT},
}
_SEGMENT_NAME = re.compile(rb"[A-Z][A-Z0-9]{2}(?=\|)")


def identifiers(path: Path) -> Iterator[Found]:
    """Every identifier of a usage file, with its kind; also where it is malformed."""
    name = path.name.lower().removesuffix(".gz")
    if name.endswith(".parquet"):
        yield from _of_table(path, f"read_parquet({sql_path(path)})")
    elif name.endswith((".ndjson", ".jsonl", ".json")):
        yield from _of_resources(path)
    elif name.endswith(".csv"):
        yield from _of_csv(path)
    else:
        yield from _of_messages(path)


def of_name(feed: str, name: str) -> Iterator[Found]:
    """What the name of a file may tell; `name` is its path within the feed."""
    for part in Path(name).with_suffix("").parts:
        if not is_number_or_day(part) and part != feed:
            yield kinds.FILE, part


def all_values(path: Path) -> Iterator[Found]:
    """Every value of a Parquet file, as of a column of no known kind."""
    with connect() as connection:
        connection.execute("set temp_directory = ''")
        relation = f"read_parquet({sql_path(path)})"
        for name, *_ in connection.execute(f"describe from {relation}").fetchall():
            values = connection.execute(
                f'select distinct cast("{_escaped(name)}" as varchar) from {relation}'
            )
            for value in _all_of(values):
                yield kinds.NOT_KEPT, value


def _of_csv(path: Path) -> Iterator[Found]:
    """By columns; and the pieces of lines that are no rows."""
    header = _header(path)
    if header is None:
        yield from _pieces_of_lines(path)
        return
    names = [name.strip().lower() for name in header]
    if not any(name in _KEPT or name in _EVENT_IDS or kind_of(name) for name in names):
        # The first row stands where names should.
        yield from _malformed(header)
    types = ", ".join(f"'c{n}': 'varchar'" for n in range(len(header)))
    packed = "gzip" if path.name.lower().endswith(".gz") else "none"
    relation = (
        f"read_csv({sql_path(path)}, columns = {{{types}}}, header = true, "
        "auto_detect = false, delim = ',', quote = '\"', escape = '\"', "
        f"compression = '{packed}', hive_partitioning = false, store_rejects = true, "
        "rejects_limit = 0, rejects_table = 'broken', rejects_scan = 'scans')"
    )
    yield from _of_table(path, relation, header)


def _of_table(
    path: Path, relation: str, header: list[str] | None = None
) -> Iterator[Found]:
    with connect() as connection:
        # What is read stays in memory.
        connection.execute("set temp_directory = ''")
        try:
            described = connection.execute(f"describe from {relation}").fetchall()
            columns = [name for name, *_ in described]
            for column, title in zip(columns, header or columns, strict=True):
                values = connection.execute(
                    f'select distinct cast("{_escaped(column)}" as varchar) '
                    f"from {relation}"
                )
                yield from _of_column(title, _all_of(values))
            if header is not None:
                lines = connection.execute("select distinct csv_line from broken")
                for line in _all_of(lines):
                    yield from _malformed(_PIECES.split(line))
        except duckdb.Error:
            yield from _pieces_of_lines(path)


def _of_column(title: str, values: Iterable[str]) -> Iterator[Found]:
    name = title.strip().lower()
    for value in values:
        if name in _EVENT_IDS:
            yield kinds.EVENT, value
        elif name in _KEPT:
            if is_out_of_place(name, value):
                yield kinds.OUT_OF_PLACE, value
        else:
            kind = kind_of(name)
            if kind is not None:
                yield kind, value
            elif not is_number_or_day(value):
                yield kinds.NOT_KEPT, value


def is_out_of_place(name: str, value: str) -> bool:
    """Whether a value of a column that is kept can't be one that belongs there."""
    if is_number_or_day(value) or _FACILITY.fullmatch(value):
        return False
    # A list of words may be one that is charged by; what has several is none of it.
    return name not in _LISTED or bool(re.search(r"\W|\d", value))


def _of_resources(path: Path) -> Iterator[Found]:
    for line in _lines(path):
        try:
            resource = json.loads(line)
        except ValueError:
            yield from _malformed(_PIECES.split(line.decode(errors="replace")))
            continue
        yield from _of_value(resource, "")


def _of_value(value: Any, name: str, of_patient: bool = False) -> Iterator[Found]:
    """Every text of a resource; within a Patient each is of the patient."""
    if isinstance(value, dict):
        about = of_patient or value.get("resourceType") in ("Patient", "RelatedPerson")
        if name in ("subject", "patient", "individual", "requester"):
            about = True
        if "family" in value:
            given = value.get("given") or []
            parts = [*(given if isinstance(given, list) else [given]), value["family"]]
            yield kinds.NAME, " ".join(str(part) for part in parts)
        for key, inner in value.items():
            # What an identifier or a contact is, stands beside its value.
            within = name if key in ("value", "text", "line") and name else key
            yield from _of_value(inner, within, about)
    elif isinstance(value, list):
        for inner in value:
            yield from _of_value(inner, name, of_patient)
    elif isinstance(value, str):
        kind = kind_of(name)
        if name == "id":
            kind = kinds.PATIENT if of_patient else kinds.EVENT
        elif name == "identifier" and of_patient:
            kind = kinds.RECORD
        elif name == "reference":
            kind = kinds.PATIENT if of_patient or "Patient/" in value else None
            value = value.rpartition("/")[2]
        elif name == "display" and of_patient:
            kind = kinds.NAME
        elif kind is None and of_patient and name not in _CODED:
            kind = kinds.NOT_KEPT
        if kind is not None:
            yield kind, value


_CODED = (
    *("resourceType", "system", "code", "use", "type", "gender", "status", "url"),
    *("lastUpdated", "profile", "versionId", "language", "state", "country"),
)


def _of_messages(path: Path) -> Iterator[Found]:
    for line in _lines(path):
        line = line.strip(b"\x0b\x1c\r\n ")
        segment = _SEGMENT_NAME.match(line)
        text = line.decode(errors="replace")
        if segment is None:
            yield from _malformed(_PIECES.split(text))
            continue
        fields = text.split("|")
        for place, kind in _SEGMENTS.get(segment.group(), {}).items():
            for value in fields[place].split("~") if place < len(fields) else ():
                parts = value.split("^")
                if kind == kinds.NAME:
                    # Family, given, others.
                    yield kind, " ".join([*parts[1:2], parts[0]])
                elif kind == kinds.ADDRESS:
                    yield kind, parts[0]
                else:
                    yield kind, re.sub(r"\\[A-Z].*?\\", "", parts[0])


def _pieces_of_lines(path: Path) -> Iterator[Found]:
    for line in _lines(path):
        yield from _malformed(_PIECES.split(line.decode(errors="replace")))


def _malformed(pieces: Iterable[str]) -> Iterator[Found]:
    for piece in pieces:
        if not is_number_or_day(piece):
            yield kinds.MALFORMED, piece


def _header(path: Path) -> list[str] | None:
    """The cells of the first line; None if it can't be read as text."""
    try:
        first = next(iter(_lines(path)), b"").decode("utf-8-sig")
        return next(csv.reader(io.StringIO(first), strict=True), None) or None
    except (UnicodeDecodeError, csv.Error):
        return None


def _lines(path: Path) -> Iterator[bytes]:
    """Lines of a file, unpacked; what is no gzip though its name says so, as it is."""
    try:
        with path.open("rb") as raw:
            is_packed = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            file = gzip.GzipFile(fileobj=raw) if is_packed else raw
            for line in file:
                # HL7 ends segments with a return alone.
                yield from line.splitlines()
    except (EOFError, gzip.BadGzipFile):
        return


def _all_of(result: duckdb.DuckDBPyConnection) -> Iterator[str]:
    while rows := result.fetchmany(_BATCH):
        for (value,) in rows:
            if value is not None:
                yield value


def _escaped(name: str) -> str:
    return name.replace('"', '""')
