"""Lines of a landed text file, as Arrow batches that keep the bytes where they are.

A line that no reader could use (gigantic, not UTF-8) is refused with its number, and
the others go on. Lines end with a newline; a carriage return before it belongs to the
line. Line numbers count from 1.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow

from orchestration.readers.csv_lines import UnreadableFile, chunks

LONGEST = 16 << 20  # bytes of a line
_BLOCK = 32 << 20  # bytes of a batch: few enough to hold, many enough to be quick
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True)
class Lines:
    """A batch: `table` has the columns line (int64) and text; no line is empty.

    `refused` are (line, reason). `is_cut`: the last line has no newline, so the file
    may have been cut off within it.
    """

    table: pyarrow.Table
    refused: list[tuple[int, str]] = field(default_factory=list)
    is_cut: bool = False


def opening(path: Path, size: int = 1 << 16) -> bytes:
    """The first bytes of a file without its byte order mark; raises UnreadableFile."""
    start = next(chunks(path, size), b"")
    if start.startswith(_UTF_16):
        raise UnreadableFile("is UTF-16; send it as UTF-8")
    start = start.removeprefix(_BYTE_ORDER_MARK)
    if not start.strip():
        raise UnreadableFile("is empty; remove it if nothing was to be sent")
    return start


def batches(path: Path) -> Iterator[Lines]:
    """All lines of a file in order; raises UnreadableFile."""
    number, is_first = 1, True
    for block, is_gigantic in _blocks(path):
        if is_first:
            block, is_first = block.removeprefix(_BYTE_ORDER_MARK), False
        if is_gigantic:
            reason = f"the line is longer than {LONGEST >> 20} MB"
            yield Lines(_table(b"", np.array([0]), 0), [(number, reason)])
            number += 1
            continue
        lines = _lines(block, number)
        number += block.count(b"\n")
        yield lines


def _blocks(path: Path) -> Iterator[tuple[bytes, bool]]:
    """Whole lines together; a gigantic line by itself, without its bytes, and True."""
    rest, is_skipping = [], False
    for chunk in chunks(path):
        end = chunk.rfind(b"\n") + 1
        if is_skipping:
            begin = chunk.find(b"\n") + 1
            if not begin:
                continue
            is_skipping = False
            chunk, end = chunk[begin:], end - begin
        if end and sum(map(len, rest)) + end >= _BLOCK:
            yield b"".join([*rest, chunk[:end]]), False
            rest = [chunk[end:]]
        else:
            rest.append(chunk)
        if not end and sum(map(len, rest)) > LONGEST:
            held = b"".join(rest)
            begin = held.rfind(b"\n") + 1
            rest = [held]
            if len(held) - begin > LONGEST:
                if begin:
                    yield held[:begin], False
                yield b"", True
                rest, is_skipping = [], True
    held = b"".join(rest)
    if held:
        yield held, False


def _lines(block: bytes, number: int) -> Lines:
    ends = np.flatnonzero(np.frombuffer(block, dtype=np.uint8) == ord("\n")) + 1
    is_cut = not block.endswith(b"\n")
    if is_cut:
        ends = np.append(ends, len(block))
    bounds = np.concatenate(([0], ends)).astype(np.int32)
    lengths = np.diff(bounds)
    keeps = lengths > 1
    for index in np.flatnonzero(lengths == 2):
        keeps[index] = block[bounds[index] : bounds[index + 1]].strip() != b""
    refused = []
    for index in np.flatnonzero(lengths > LONGEST):
        refused.append((int(index), f"the line is longer than {LONGEST >> 20} MB"))
        keeps[index] = False
    if not _is_utf8(block):
        for index in np.flatnonzero(keeps):
            if not _is_utf8(block[bounds[index] : bounds[index + 1]]):
                refused.append((int(index), "the line is not UTF-8"))
                keeps[index] = False
    table = _table(block, bounds, number)
    if not keeps.all():
        table = table.filter(pyarrow.array(keeps))
    return Lines(
        table,
        [(number + index, reason) for index, reason in sorted(refused)],
        is_cut and bool(keeps[-1]),
    )


def _table(block: bytes, bounds: np.ndarray, number: int) -> pyarrow.Table:
    count = len(bounds) - 1
    offsets = pyarrow.py_buffer(bounds.astype(np.int32))
    text = pyarrow.StringArray.from_buffers(count, offsets, pyarrow.py_buffer(block))
    lines = pyarrow.array(np.arange(number, number + count, dtype=np.int64))
    return pyarrow.table({"line": lines, "text": text})


def _is_utf8(data: bytes) -> bool:
    try:
        data.isascii() or data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
