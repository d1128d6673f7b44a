"""Files that others rely on: their digest, and that they are whole or not there."""

import hashlib
import os
from pathlib import Path

from orchestration.home import PRIVATE_FILE


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes, as text."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def to_disk(path: Path) -> None:
    """Wait until a file, or the names in a directory, are safely on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def put_in_place(temporary: Path, path: Path) -> None:
    """Give a file that was written beside it the name of `path`, for its owner alone.

    Whoever reads `path` sees the file of before or this one, whole. Raises OSError.
    """
    temporary.chmod(PRIVATE_FILE)
    to_disk(temporary)
    os.replace(temporary, path)
    to_disk(path.parent)


def write_text(path: Path, text: str) -> None:
    """Write a text file whole, or leave what was there. Raises OSError."""
    temporary = path.with_name(f".{path.name}.new")
    try:
        temporary.write_text(text, encoding="utf-8", newline="")
        put_in_place(temporary, path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
