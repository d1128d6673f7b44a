"""How a CSV file is laid out in lines, found from its bytes alone.

DuckDB parses the fields but does not say on which line a row stood, loses a gigantic
line in silence and stops for good over a byte that is not UTF-8. So the bytes are
looked over first: the records counted here must all be found again among the rows
read and the rows refused, and give each row the line it begins on.
"""

import codecs
import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

_CHUNK = 8 << 20
# A file beyond these is refused: nobody sends that much usage in one, or so packed.
LARGEST = 20 << 30  # bytes, unpacked
HIGHEST_RATIO = 200  # of bytes unpacked to bytes as landed
LONGEST = 2 << 20  # bytes of a record: DuckDB would hold a longer one many times over


class UnreadableFile(Exception):
    """A file that is not what it seems; the message never quotes what stands in it."""


@dataclass(frozen=True)
class Layout:
    """What a file's bytes show: counts of lines end with the last, terminated or not.

    `newline` is the byte that ends a line; `is_plain` means neither a quote nor an
    empty line anywhere, so that every line is one record. `has_lone_returns`: some
    carriage return stands without the newline of the others.
    """

    lines: int
    newline: int
    is_utf8: bool
    is_plain: bool
    has_lone_returns: bool


@dataclass(frozen=True)
class Records:
    """One entry per record or empty line, the header first.

    `first_line` counts from 1; `ends_open` means that a quote is open at the end.
    """

    first_line: np.ndarray
    is_empty: np.ndarray
    ends_open: bool

    @property
    def count(self) -> int:
        """Records without the header and without empty lines."""
        return int(len(self.first_line) - 1 - self.is_empty[1:].sum())


def chunks(path: Path, length: int = _CHUNK) -> Iterator[bytes]:
    """Bytes of a file, decompressed if its name ends in `.gz`.

    Raises UnreadableFile if it cannot be read to its end.
    """
    opened = gzip.open if path.name.lower().endswith(".gz") else open
    try:
        with opened(path, "rb") as file:
            packed, size = path.stat().st_size, 0
            while chunk := file.read(length):
                size += len(chunk)
                check_size(packed, size)
                yield chunk
    except (EOFError, gzip.BadGzipFile, zlib.error):
        raise UnreadableFile(
            "is not a whole gzip file; send it again, complete"
        ) from None
    except OSError as error:
        raise UnreadableFile(f"cannot be read ({error.strerror})") from None


def check_size(packed: int, size: int) -> None:
    """Raise UnreadableFile for a file that is too large, or packed too tightly.

    `packed` is its size as landed, `size` unpacked, both in bytes.
    """
    if size > LARGEST:
        raise UnreadableFile(
            f"is larger than {LARGEST >> 30} GiB unpacked; send it in parts"
        )
    # A few repeated rows pack well; only what is large as well is suspect.
    if size > _CHUNK and size > HIGHEST_RATIO * packed:
        raise UnreadableFile(
            f"is packed more than {HIGHEST_RATIO} to 1, as no usage is; unpack it and "
            "look what it is"
        )


def layout(path: Path) -> Layout:
    """Look over a CSV file once; raises UnreadableFile over a gigantic record."""
    measure = _RecordLengths()
    decoder = codecs.getincrementaldecoder("utf-8")()
    feeds = returns = pairs = quotes = 0
    is_utf8, has_empty, tail = True, False, b"\n"
    for chunk in chunks(path):
        measure.go_on(chunk)
        feeds += chunk.count(b"\n")
        returns += chunk.count(b"\r")
        pairs += chunk.count(b"\r\n") + (tail[-1:] + chunk[:1] == b"\r\n")
        quotes += chunk.count(b'"')
        seam = tail + chunk[:2]
        has_empty = has_empty or any(
            empty in piece
            for piece in (seam, chunk)
            for empty in ((b"\n\n", b"\n\r") if feeds else (b"\r\r",))
        )
        is_utf8 = is_utf8 and _goes_on_as_utf8(decoder, chunk)
        tail = (tail + chunk)[-2:]
    is_utf8 = is_utf8 and not decoder.getstate()[0]
    newline = b"\n" if feeds or not returns else b"\r"
    ends = feeds if newline == b"\n" else returns
    return Layout(
        lines=ends + (not tail.endswith(newline)),
        newline=newline[0],
        is_utf8=is_utf8,
        is_plain=not quotes and not has_empty,
        has_lone_returns=feeds > 0 and returns > pairs,
    )


def records(path: Path, found: Layout, is_quoted: bool) -> Records:
    """The records of a file; with `is_quoted` a quoted field may span lines."""
    if found.is_plain:
        first_line = np.arange(1, found.lines + 1)
        return Records(first_line, np.zeros(found.lines, dtype=bool), False)
    ends, inside = _line_ends(path, found.newline, is_quoted)
    begins = np.concatenate(([True], ~inside[:-1]))
    is_empty = begins & ~inside & (np.diff(ends, prepend=-1) == 1)
    first_line = np.flatnonzero(begins) + 1
    return Records(first_line, is_empty[begins], bool(inside[-1]))


def _line_ends(
    path: Path, newline: int, is_quoted: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Of each line: where it ends, carriage returns not counted; if inside a quote."""
    ends, inside = [], []
    start, is_open, last = 0, False, newline
    for chunk in chunks(path):
        data = np.frombuffer(chunk, dtype=np.uint8)
        if newline == ord("\n"):
            data = data[data != ord("\r")]
        at = np.flatnonzero(data == newline)
        ends.append(at + start)
        if is_quoted:
            quotes = np.flatnonzero(data == ord('"'))
            inside.append((np.searchsorted(quotes, at) + is_open) % 2 == 1)
            is_open = bool((len(quotes) + is_open) % 2)
        else:
            inside.append(np.zeros(len(at), dtype=bool))
        start += len(data)
        last = int(data[-1]) if len(data) else last
    if last != newline:
        ends.append(np.array([start]))
        inside.append(np.array([is_open]))
    elif is_open:
        inside[-1][-1:] = True
    return np.concatenate(ends), np.concatenate(inside)


class _RecordLengths:
    """How long records are, in the memory of a chunk whatever a quote may span.

    Here any line end outside quotes ends a record. `length` is what the record under
    way has so far, `is_open` whether a quote is; `rest` is what follows the last
    separator, so that the bytes looked at always begin with a field or its part.
    """

    def __init__(self) -> None:
        self.length = 0
        self.is_open = False
        self.rest = b""

    def go_on(self, chunk: bytes) -> None:
        """Take the next bytes; raises UnreadableFile once a record is too long."""
        data = self.rest + chunk
        cut = max(data.rfind(sign) for sign in (b"\n", b"\r", b",")) + 1
        piece, self.rest = data[:cut], data[cut:]
        if piece and self._is_plainly_short(piece):
            longest, self.length = 0, cut - 1 - piece.rfind(b"\n")
        else:
            longest = self._longest(np.frombuffer(piece, dtype=np.uint8))
        if max(longest, self.length + len(self.rest)) > LONGEST:
            raise UnreadableFile(
                f"has a record of more than {LONGEST >> 20} MB: a quote that is never "
                "closed, or a line that is no usage; mend it and send it again"
            )

    def _is_plainly_short(self, piece: bytes) -> bool:
        """Whether a glance tells that all of it is short, as in most files."""
        half = LONGEST // 2
        return (
            not self.is_open
            and self.length < half
            and b'"' not in piece
            and b"\n" in piece
            and all(
                piece.find(b"\n", at, at + half) >= 0
                for at in range(0, len(piece) - half, half)
            )
        )

    def _longest(self, data: np.ndarray) -> int:
        """The longest record that ends in these bytes; 0 if none does."""
        ends = np.flatnonzero((data == ord("\n")) | (data == ord("\r")))
        turns = self._turns(data)
        ends = ends[(np.searchsorted(turns, ends) + self.is_open) % 2 == 0]
        lengths = np.diff(ends, prepend=-1 - self.length)
        self.is_open = bool((len(turns) + self.is_open) % 2)
        self.length = len(data) + (-1 - int(ends[-1]) if len(ends) else self.length)
        return int(lengths.max(initial=0))

    def _turns(self, data: np.ndarray) -> np.ndarray:
        """Where a quote opens a field or closes it; of doubled ones, none does."""
        quotes = np.flatnonzero(data == ord('"'))
        is_begin = np.diff(quotes, prepend=-2) > 1
        lone = quotes
        if not is_begin.all():
            begins = np.flatnonzero(is_begin)
            lone = quotes[begins[np.diff(begins, append=len(quotes)) % 2 == 1]]
        can_open = _begins_field(data, lone)
        if can_open[int(self.is_open) :: 2].all():
            return lone
        # One within a field without quotes (6" tall) opens nothing.
        turns, is_open = [], self.is_open
        for place, opens in zip(lone.tolist(), can_open.tolist(), strict=True):
            if is_open or opens:
                turns.append(place)
                is_open = not is_open
        return np.array(turns, dtype=np.int64)


def _begins_field(data: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Whether only spaces lie between each place and a separator before it.

    `data` follows a separator and ends with one: its last byte, at index -1, stands
    for what comes before its first.
    """
    before = data[places - 1]
    if (before == ord(" ")).any():
        texts = np.flatnonzero(data != ord(" "))
        before = data[texts[np.searchsorted(texts, places) - 1]]
    return (before == ord(",")) | (before == ord("\n")) | (before == ord("\r"))


def _goes_on_as_utf8(decoder: codecs.IncrementalDecoder, chunk: bytes) -> bool:
    if chunk.isascii() and not decoder.getstate()[0]:
        return True
    try:
        decoder.decode(chunk)
    except UnicodeDecodeError:
        return False
    return True
