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
    opened = gzip.open if path.name.endswith(".gz") else open
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
    """Look over a CSV file once."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    feeds = returns = pairs = quotes = 0
    is_utf8, has_empty, tail = True, False, b"\n"
    for chunk in chunks(path):
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


def _goes_on_as_utf8(decoder: codecs.IncrementalDecoder, chunk: bytes) -> bool:
    if chunk.isascii() and not decoder.getstate()[0]:
        return True
    try:
        decoder.decode(chunk)
    except UnicodeDecodeError:
        return False
    return True
