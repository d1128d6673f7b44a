"""Messages of an HL7 v2 file: which lines belong to which, whatever ends a line.

Segments end with a carriage return, a newline or both; MLLP's framing bytes are taken
off. Only the fields that usage is read from are kept, moved together (`place`): an
embedded document of a hundred megabytes costs no memory, and the parser a twentieth of
the time. Lines count from 1.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from orchestration.readers.csv_lines import UnreadableFile, chunks
from orchestration.readers.landed_lines import opening

# Segments and fields that usage is read from.
_KEPT = {
    "MSH": (4, 7, 9),
    "EVN": (1, 2, 6),
    "PID": (3, 18),
    "PV1": (2, 3, 19, 44),
    "MRG": (1,),
    "FT1": (1, 2, 4, 6, 7, 10, 25),
}
_LONGEST = 1 << 20  # bytes of a segment that is kept
_END = re.compile(rb"\r\n|\r|\n")
_FRAMING = b"\x0b\x1c \t"
_SEGMENT = re.compile(rb"[A-Z][A-Z0-9]{2}(?![A-Za-z0-9])")
_BEGINS = (b"MSH", b"FHS", b"BHS")
_LATIN_1 = ("8859/1", "ISO-8859-1")


@dataclass
class Message:
    """One message: the line of its MSH, its kept segments and their lines.

    `problem` says why it cannot be read, if it cannot.
    """

    line: int
    segments: list[str] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    problem: str | None = None
    charset: str = "utf-8"
    delimiter: str = "|"


def place(segment: str, field: int) -> int:
    """Where a field of the standard's number is, in a segment as it is kept."""
    return _KEPT[segment].index(field) + (3 if segment == "MSH" else 1)


def begins(path: Path) -> bool:
    """Whether a file begins as messages do; raises UnreadableFile."""
    return opening(path).lstrip(_FRAMING + b"\r\n").startswith(_BEGINS)


def messages(path: Path) -> Iterator[Message]:
    """Messages in order; raises UnreadableFile, also if a batch lacks its end."""
    message, was_kept = None, False
    batches: list[tuple[int, int]] = []  # messages counted, messages promised
    open_batches, counted = 0, 0
    for line, segment, is_whole in _segments(path):
        name = segment[:3]
        if name == b"MSH":
            if message:
                yield message
            message, was_kept = _begun(line, segment, is_whole), True
            counted += 1
        elif name in (b"BHS", b"BTS", b"FHS", b"FTS"):
            open_batches += {b"BHS": 1, b"BTS": -1, b"FHS": 1, b"FTS": -1}[name]
            if name == b"BHS":
                counted = 0
            elif name == b"BTS":
                batches.append((counted, _promised(segment)))
        elif message is None:
            yield Message(line, problem="the line stands before any message")
        else:
            was_kept = _add(message, line, segment, is_whole, was_kept)
    if message:
        yield message
    if open_batches > 0:
        raise UnreadableFile("lacks the end of its batch: it is cut off; send it again")
    if any(promised not in (-1, found) for found, promised in batches):
        raise UnreadableFile(
            "holds another number of messages than its batch says; send it again"
        )


def _begun(line: int, segment: bytes, is_whole: bool) -> Message:
    message = Message(line)
    text = segment.decode("latin-1")
    marks = text[3:4] + text[4:].split(text[3:4] or "|", 1)[0]
    if len(set(marks)) != len(marks) or not 3 <= len(marks) <= 6 or marks.isalnum():
        message.problem = "MSH-1 and MSH-2 are not the delimiters of HL7"
        return message
    fields = text.split(marks[0])
    message.delimiter = marks[0]
    if len(fields) > 17 and any(name in fields[17] for name in _LATIN_1):
        message.charset = "latin-1"
    _add(message, line, segment, is_whole, False)
    return message


def _add(
    message: Message, line: int, segment: bytes, is_whole: bool, was_kept: bool
) -> bool:
    """Keep a segment of a message; gives whether it is of those that are kept."""
    if not _SEGMENT.match(segment):
        # A line end within a field: what follows it is missing where it belongs.
        if was_kept:
            message.problem = message.problem or "has a line end within a segment"
        return was_kept
    name = segment[:3].decode()
    if name not in _KEPT:
        return False
    if not is_whole:
        message.problem = message.problem or "has a segment longer than 1 MB"
        return True
    try:
        text = segment.decode(message.charset)
        message.segments.append(_thinned(name, text, message.delimiter))
    except UnicodeDecodeError:
        message.problem = message.problem or "the message is not UTF-8"
    message.lines.append(line)
    return True


def _thinned(name: str, segment: str, delimiter: str) -> str:
    """A segment of only the fields that are kept."""
    fields = segment.split(delimiter)
    begins = 2 if name == "MSH" else 1
    shift = begins - 1
    kept = [
        fields[number - shift] if number - shift < len(fields) else ""
        for number in _KEPT[name]
    ]
    return delimiter.join(fields[:begins] + kept)


def _promised(trailer: bytes) -> int:
    """Messages that a BTS counts; -1 if it doesn't say."""
    count = trailer.split(trailer[3:4] or b"|")[1:2]
    return int(count[0]) if count and count[0].isdigit() else -1


def _segments(path: Path) -> Iterator[tuple[int, bytes, bool]]:
    """Line, bytes and whether they are all, of every line that is not empty."""
    line, rest, is_whole = 1, b"", True
    for chunk in chunks(path):
        data = rest + chunk
        # A carriage return at the end may be half of a line end.
        held = data[-1:] if data.endswith(b"\r") else b""
        pieces = _END.split(data[: len(data) - len(held)])
        for piece in pieces[:-1]:
            if segment := _bare(piece, line):
                yield line, segment[:_LONGEST], is_whole and len(segment) <= _LONGEST
            line, is_whole = line + 1, True
        rest = pieces[-1]
        if len(rest) > _LONGEST:
            rest, is_whole = rest[:_LONGEST], False
        rest += held
    if segment := _bare(rest, line):
        yield line, segment, is_whole


def _bare(piece: bytes, line: int) -> bytes:
    if line == 1:
        piece = piece.removeprefix(b"\xef\xbb\xbf")
    return piece.strip(_FRAMING + b"\r\n")
