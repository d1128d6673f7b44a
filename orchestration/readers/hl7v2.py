"""Format `hl7v2`: visits from ADT messages, procedures from the charges of DFT^P03.

Messages are parsed by python-hl7; here is what of them is usage. A file may hold many
messages, bare, framed for MLLP or in a batch (FHS, BHS). Every usage message is a row
or a refused line, every charge of a DFT^P03 likewise; messages of other types are
counted as left out. Lines are those of the message's MSH, and of each FT1.
"""

import logging
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import duckdb
import hl7
import pyarrow

from orchestration.readers import document_rows, hl7_messages, values
from orchestration.readers.csv_lines import UnreadableFile
from orchestration.readers.hl7_messages import Message
from orchestration.readers.landed_columns import Columns
from orchestration.readers.sent_rows import MERGES, READ, Opened

SUFFIXES = (".hl7", ".hl7.gz", ".txt", ".txt.gz")

# The library logs values that it cannot decode; they may be a patient's. A filter, for
# `disabled` is undone by whoever configures logging later.
for _module in (hl7.util, hl7.containers, hl7.parser, hl7.accessor):
    logging.getLogger(_module.__file__).addFilter(lambda record: False)

_VISITS = {
    "A01": "final",
    "A04": "final",
    "A08": "final",
    "A11": "cancelled",
    "A13": "final",  # cancels the discharge; the visit stands
    "A23": "cancelled",
}
# HL7 table 0017: charge, credit; payments, adjustments and co-payments are no usage.
_CHARGES = {"": "final", "CG": "final", "CD": "cancelled", "CR": "cancelled"}
_NO_USAGE = ("PY", "AJ", "CO")
_TIME = re.compile(
    r"(\d{4})(\d\d)(\d\d)(?:(\d\d)(?:(\d\d)(?:(\d\d)(\.\d{1,6})?)?)?)?([+-]\d{4})?"
)
_SENT = (
    "event_id",
    "event_type",
    "facility",
    "encounter_id",
    "patient_id",
    "occurred",
    "received",
    "quantity",
    "status",
    "class",
    "code",
)
_ROWS = pyarrow.schema([("line", "int64"), *((name, "string") for name in _SENT)])
_PAIRS = pyarrow.schema(
    [
        ("line", "int64"),
        ("facility", "string"),
        ("from_patient", "string"),
        ("to_patient", "string"),
        ("received", "string"),
    ]
)
_BATCH = 50_000  # rows


class _Unreadable(Exception):
    """A row that cannot be read: line, field, reason; never a value."""


def is_beside(path: Path) -> bool:
    """Every file of the feed is read."""
    return False


def is_format(columns: Columns) -> bool:
    """Whether the file begins as messages do."""
    return hl7_messages.begins(columns.path)


def is_told_when(path: Path) -> bool:
    """Nothing beside a file tells of its rows."""
    return False


def order(columns: Columns) -> int:
    """No file waits for another."""
    return 0


def open_rows(
    connection: duckdb.DuckDBPyConnection, columns: Columns, time_zone: str | None
) -> Opened:
    """The rows as relations; raises UnreadableFile."""
    document_rows.make(connection)
    if not hl7_messages.begins(columns.path):
        raise UnreadableFile("does not begin with an HL7 message (MSH, FHS or BHS)")
    reading = _Reading()
    for message in hl7_messages.messages(columns.path):
        reading.add(message)
        if len(reading.rows) >= _BATCH:
            _store(connection, reading, time_zone)
    _store(connection, reading, time_zone)
    return document_rows.opened(connection, reading.left_out)


class _Reading:
    """What was read of messages and is not stored yet."""

    def __init__(self) -> None:
        self.rows: list[tuple] = []
        self.refused: list[tuple[int, str | None, str]] = []
        self.merges: list[tuple] = []
        self.left_out: Counter[str] = Counter()

    def add(self, message: Message) -> None:
        """Take what a message says."""
        if message.problem:
            self.refused.append((message.line, None, message.problem))
            return
        try:
            self._add(message, hl7.parse("\r".join(message.segments)))
        except _Unreadable as error:
            self.refused.append(error.args)
        except (ValueError, LookupError, hl7.HL7Exception):
            reason = "the message cannot be read as HL7 v2"
            self.refused.append((message.line, None, reason))

    def _add(self, message: Message, parsed: hl7.Message) -> None:
        header = parsed[0]
        kind = _value(header, 9)
        event = _value(header, 9, 2) or _first(parsed, "EVN", 1)
        if kind is None or event is None:
            raise _Unreadable(message.line, "MSH-9", "is empty")
        if kind == "ADT" and event in _VISITS:
            self.rows.append(_visit(message.line, parsed, _VISITS[event]))
        elif kind == "ADT" and event == "A40":
            self.merges += _merges(message, parsed)
        elif (kind, event) == ("DFT", "P03"):
            self._add_charges(message, parsed)
        else:
            name = f"{kind}^{event}"
            is_code = re.fullmatch(r"[A-Z]{3}\^[A-Z][0-9A-Z]{2}", name)
            self.left_out[name if is_code else "(other)"] += 1

    def _add_charges(self, message: Message, parsed: hl7.Message) -> None:
        charges = [
            (line, segment)
            for line, segment in zip(message.lines, parsed, strict=True)
            if str(segment[0]) == "FT1"
        ]
        if not charges:
            raise _Unreadable(message.line, "FT1", "is missing")
        for line, segment in charges:
            kind = _value(segment, 6) or ""
            if kind in _NO_USAGE:
                self.left_out[f"FT1 {kind}"] += 1
                continue
            try:
                if kind not in _CHARGES:
                    reason = "is no transaction type of HL7 table 0017"
                    raise _Unreadable(line, "FT1-6", reason)
                self.rows.append(_charge(line, parsed, segment, _CHARGES[kind]))
            except _Unreadable as error:
                self.refused.append(error.args)


def _visit(line: int, parsed: hl7.Message, status: str) -> tuple:
    """A row of the visit that an ADT message is about."""
    visit = _first(parsed, "PV1", 19)
    if visit is None:
        raise _Unreadable(line, "PV1-19", "is empty")
    # A visit keeps its day when it is updated, so the admission comes first.
    occurred = (
        _first(parsed, "PV1", 44)
        or _first(parsed, "EVN", 6)
        or _first(parsed, "EVN", 2)
    )
    return (
        line,
        visit,
        "encounter",
        _facility(parsed),
        None,
        _first(parsed, "PID", 3),
        _iso(occurred),
        _iso(_value(parsed[0], 7)),
        None,
        status,
        _first(parsed, "PV1", 2),
        None,
    )


def _charge(line: int, parsed: hl7.Message, charge: hl7.Segment, status: str) -> tuple:
    """A row of one FT1: the account and the transaction's id, else its place."""
    visit = _first(parsed, "PV1", 19)
    account = _first(parsed, "PID", 18) or visit
    if account is None:
        raise _Unreadable(line, "PID-18", "is empty")
    transaction, place = _value(charge, 2), _value(charge, 1)
    if transaction is None and place is None:
        raise _Unreadable(line, "FT1-2", "is empty")
    return (
        line,
        f"{account}|{transaction}" if transaction else f"{account}||{place}",
        "procedure",
        _facility(parsed),
        visit,
        _first(parsed, "PID", 3),
        _iso(_value(charge, 4)),
        _iso(_value(parsed[0], 7)),
        _value(charge, 10),
        status,
        None,
        _value(charge, 25) or _value(charge, 7),
    )


def _merges(message: Message, parsed: hl7.Message) -> Iterator[tuple]:
    """Each MRG merges its patient into that of the PID before it."""
    patient = None
    found = False
    for line, segment in zip(message.lines, parsed, strict=True):
        if str(segment[0]) == "PID":
            patient = _value(segment, 3)
        elif str(segment[0]) == "MRG":
            merged = _value(segment, 1)
            if patient is None or merged is None:
                raise _Unreadable(line, "MRG-1", "or its PID-3 is empty")
            found = True
            received = _iso(_value(parsed[0], 7))
            yield line, _facility(parsed), merged, patient, received
    if not found:
        raise _Unreadable(message.line, "MRG", "is missing")


def _facility(parsed: hl7.Message) -> str | None:
    """MSH-4, else the facility of PV1-3: its name, else its universal id."""
    header = parsed[0]
    return (
        _value(header, 4)
        or _value(header, 4, 2)
        or _first(parsed, "PV1", 3, 4)
        or _first(parsed, "PV1", 3, 4, 2)
    )


def _first(
    parsed: hl7.Message, segment: str, field: int, component: int = 1, part: int = 1
) -> str | None:
    """A value of the first segment of that name; None if there is none."""
    found = next((other for other in parsed if str(other[0]) == segment), None)
    return None if found is None else _value(found, field, component, part)


def _value(
    segment: hl7.Segment, field: int, component: int = 1, part: int = 1
) -> str | None:
    """A value of a segment's field, its first repetition; None if empty or `""`."""
    place = hl7_messages.place(str(segment[0]), field)
    try:
        value = segment.extract_field(1, place, 1, component, part)
    except IndexError:
        return None
    value = str(value).strip()
    return None if value in ("", '""') else value


def _iso(time: str | None) -> str | None:
    """A time of HL7 (`20260331[HH[MM[SS[.S]]]][+ZZZZ]`) as ISO text.

    None if it cannot be read to the day.
    """
    found = _TIME.fullmatch(time or "")
    if not found:
        return None
    year, month, day, hour, minute, second, fraction, offset = found.groups()
    if hour is None:
        return f"{year}-{month}-{day}"
    offset = f"{offset[:3]}:{offset[3:]}" if offset else ""
    clock = f"{hour}:{minute or '00'}:{second or '00'}{fraction or ''}"
    return f"{year}-{month}-{day}T{clock}{offset}"


def _store(
    connection: duckdb.DuckDBPyConnection, reading: _Reading, time_zone: str | None
) -> None:
    """Put what was read into the relations."""
    if reading.rows:
        typed = {
            "place": "null",
            "service_date": values.written_day("occurred", time_zone),
            "received_at": values.written_mark("received"),
            "quantity": values.written_quantity("quantity"),
        }
        selected = ", ".join(typed.get(name, name) for name in document_rows.COLUMNS)
        document_rows.insert(connection, READ, _table(reading.rows, _ROWS), selected)
    if reading.merges:
        mark = values.written_mark("received")
        selected = f"line, facility, from_patient, to_patient, {mark}"
        document_rows.insert(
            connection, MERGES, _table(reading.merges, _PAIRS), selected
        )
    document_rows.refuse(connection, reading.refused)
    reading.rows, reading.merges, reading.refused = [], [], []


def _table(rows: list[tuple], schema: pyarrow.Schema) -> pyarrow.Table:
    columns = [list(column) for column in zip(*rows, strict=True)]
    return pyarrow.table(columns, schema=schema)
