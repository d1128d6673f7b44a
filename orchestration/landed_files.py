"""What lies in a landing directory: files of contract tables and usage feeds.

A file is known by the SHA-256 of its bytes as landed, so that one sent again under
another name, or touched, is the same file. Hidden files are nobody's. `FILE.sha256`
beside a usage file, as sha256sum writes it, tells when the file is whole.
"""

import difflib
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from orchestration.errors import BillingError
from orchestration.project import PROJECT_DIR

CONTRACT_TABLES = (
    "customers",
    "facilities",
    "facility_identifiers",
    "contracts",
    "amendments",
    "contract_facilities",
    "contract_lines",
    "rate_cards",
    "commitments",
    "milestones",
    "baas",
)
RECEIVABLE_TABLES = ("payments", "credits", "disputes", "holds", "promises")
TABLE_SUFFIXES = (".csv", ".csv.gz", ".parquet")
PROMISE_SUFFIX = ".sha256"
# Stands for the hash of a file whose bytes cannot be read.
UNREAD = "unreadable"

_TABLES_OF_FOLDER = {"contracts": CONTRACT_TABLES, "receivables": RECEIVABLE_TABLES}
_FOLDERS = ("contracts", "usage", "receivables")
_NO_FILE = "it is no file, or a link that leads to none"
_NOT_WHOLE = (
    f"is not what the {PROMISE_SUFFIX} file beside it promises: it may still be on its "
    "way; land it whole, or mend that file"
)
# What a person may leave beside the data to explain it.
_NOTES = ("readme", "license", "licence", "notice")
_EXPECTED = (
    "It should hold contracts/ (customers.csv, facilities.csv, contracts.csv, "
    "contract_lines.csv, …) and usage/ with one folder for each feed"
)


class FileState(NamedTuple):
    """What tells that a file is as it was: bytes, nanoseconds of its times, inode."""

    size: int
    written_ns: int
    changed_ns: int
    inode: int


@dataclass(frozen=True)
class LandedFile:
    """A file of the landing directory.

    `name` is its path relative to the landing directory, with forward slashes, and what
    can't be printed of it escaped; `content_hash` the SHA-256 of its bytes as landed,
    in hex, or UNREAD; `promised` what its sender says that this is, None if nothing is
    said; `state` is how it lay there before its bytes were counted; `problem` is why
    it can't be used, with what to do.
    """

    path: Path
    name: str
    content_hash: str
    state: FileState
    promised: str | None = None
    problem: str | None = None

    @property
    def refusal(self) -> str | None:
        """Why no row of it is taken: its problem, or that more of it was promised."""
        is_whole = self.promised in (None, self.content_hash)
        return self.problem or (None if is_whole else _NOT_WHOLE)

    @property
    def is_unchanged(self) -> bool:
        """Whether nobody has written to it since its bytes were counted."""
        try:
            # As to its bytes: another name is no change.
            return _state(self.path)[:2] == self.state[:2]
        except FileNotFoundError:
            return False

    @property
    def discreet_name(self) -> str:
        """What logs call a usage file, whose own name may tell of a patient."""
        return discreet_name(self.name, self.content_hash)


def discreet_name(name: str, content_hash: str) -> str:
    """Folder and feed of a usage file's name, and the first of its hash."""
    return "/".join([*name.split("/")[:2], content_hash[:12]])


def check_landing(landing: Path) -> None:
    """Stop with what is expected there if the landing directory has nothing to read."""
    if not landing.exists():
        raise BillingError(
            f"There is no landing directory {landing}. {_EXPECTED}; "
            "name the right one with --landing DIR."
        )
    if not landing.is_dir():
        raise BillingError(
            f"{landing} is a file, not a landing directory. {_EXPECTED}; "
            "name the directory with --landing DIR."
        )
    if _is_empty(landing):
        raise BillingError(
            f"The landing directory {landing} is empty. {_EXPECTED}; "
            "put the exports there, or name another with --landing DIR."
        )


def _is_empty(landing: Path) -> bool:
    try:
        return not any(_all_files(landing))
    except BillingError:
        # Whoever reads what can't be listed names it.
        return False


def open_to_others(landing: Path) -> list[str]:
    """A warning if users of the machine other than owner and group can read usage.

    What lands is plain text with PHI in it. The shipped samples are invented.
    """
    usage = (landing / "usage").resolve()
    if not usage.is_dir() or usage == (PROJECT_DIR / "samples" / "usage").resolve():
        return []
    if not usage.stat().st_mode & 0o005:
        return []
    if not all(parent.stat().st_mode & 0o001 for parent in usage.parents):
        return []
    return [
        f"{landing}/usage can be read by every user of this machine, and may hold PHI "
        f"in plain text: chmod o-rwx {landing}, and keep it on an encrypted volume."
    ]


def table_files(
    landing: Path, table: str, folder: str = "contracts"
) -> list[LandedFile]:
    """Files of one table, by name: `{table}.csv`, `.csv.gz`, `.parquet`, `{table}/*`.

    Files in the table's own folder that end otherwise are left out;
    `unknown_entries` names them. An ending may be in capitals, as old systems write it.
    """
    check_landing(landing)
    beside = [
        path for path in _visible(landing / folder) if _table_of(path.name) == table
    ]
    within = [
        path
        for path in _visible(landing / folder / table)
        if _table_of(path.name) is not None
    ]
    files = [
        _landed(landing, path) for path in sorted(beside + within) if path.is_file()
    ]
    for file in files:
        if file.problem:
            raise BillingError(f"{file.name} {file.problem}, and run again.")
    return files


def feed_files(
    landing: Path, counted: Mapping[tuple[str, FileState], str] | None = None
) -> dict[str, list[LandedFile]]:
    """Files of every usage feed, at any depth, by name; feeds in order of name.

    A feed is an immediate subfolder of `usage/`; one without files has an empty list.
    `counted` has the hashes of files known by name and state, which are not read. A
    file with a `problem` is among them: whoever asks decides whether others go on.
    """
    check_landing(landing)
    return {
        _printable(feed.name): sorted(
            (
                _landed(landing, path, _promised(path), counted)
                for path in _all_files(feed)
                if path.suffix.lower() != PROMISE_SUFFIX
            ),
            key=lambda file: file.name,
        )
        for feed in _visible(landing / "usage")
        if feed.is_dir()
    }


def unknown_entries(landing: Path) -> list[str]:
    """Warnings, one for each entry that nothing will read, with the likely meaning."""
    check_landing(landing)
    warnings = []
    for entry in _visible(landing):
        if not entry.is_dir():
            warnings += _unknown(entry.name, entry.name, _FOLDERS, "/")
        elif entry.name not in _FOLDERS:
            warnings += _unknown(f"{entry.name}/", entry.name, _FOLDERS, "/")
    for folder, tables in _TABLES_OF_FOLDER.items():
        for entry in _visible(landing / folder):
            warnings += _unknown_table(folder, entry, tables)
    for entry in _visible(landing / "usage"):
        warnings += _unknown_feed(entry)
    return [_printable(warning) for warning in warnings]


def _unknown_table(folder: str, entry: Path, tables: tuple[str, ...]) -> list[str]:
    if entry.is_dir():
        if entry.name not in tables:
            return _unknown(f"{folder}/{entry.name}/", entry.name, tables, "/")
        return [
            f"{folder}/{entry.name}/{path.name} is not read: files of a table end in "
            f"{', '.join(TABLE_SUFFIXES)}."
            for path in _visible(entry)
            if not (path.is_file() and _table_of(path.name) is not None)
            and not _is_note(path.name)
        ]
    known = [f"{table}{suffix}" for table in tables for suffix in TABLE_SUFFIXES]
    if _table_of(entry.name) in tables:
        shown = f"{folder}/{entry.name} is not read: {_NO_FILE}."
        return [] if entry.is_file() else [shown]
    return _unknown(f"{folder}/{entry.name}", entry.name, known, "")


def _table_of(name: str) -> str | None:
    """What stands before the ending of a table's file; None if it ends otherwise."""
    for suffix in TABLE_SUFFIXES:
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return None


def _unknown_feed(entry: Path) -> list[str]:
    if not entry.is_dir():
        if _is_note(entry.name):
            return []
        return [
            f"usage/{entry.name} is not read: each feed has its own folder there; "
            "move the file into one."
        ]
    entries = list(_all_entries(entry))
    warnings = [
        f"usage/{path.relative_to(entry.parent).as_posix()} is not read: {_NO_FILE}."
        for path in entries
        if not path.is_file()
    ]
    if len(warnings) == len(entries):
        warnings.append(f"usage/{entry.name}/ is a feed without files.")
    return warnings


def _unknown(
    shown: str, name: str, known: tuple[str, ...] | list[str], ending: str
) -> list[str]:
    if _is_note(name):
        return []
    near = difflib.get_close_matches(name.lower(), known, n=1)
    meant = f" Did you mean {near[0]}{ending}?" if near else ""
    return [f"{shown} is not read: nothing here has that name.{meant}"]


def _is_note(name: str) -> bool:
    return name.lower().startswith(_NOTES)


def _visible(folder: Path, feed: Path | None = None) -> list[Path]:
    """Entries of a folder by name, hidden ones left out; empty if there is none.

    Raises BillingError if it can't be listed. Of one within a `feed` only that is
    named: a folder's name may tell of a patient.
    """
    if not folder.is_dir():
        return []
    try:
        entries = list(folder.iterdir())
    except OSError as error:
        raise BillingError(
            f"{feed or folder} cannot be listed, or a folder in it "
            f"({error.strerror}); make it readable and run again"
        ) from None
    return sorted(path for path in entries if not path.name.startswith("."))


def _all_files(folder: Path) -> Iterator[Path]:
    """Files below a folder, at any depth."""
    return (path for path in _all_entries(folder) if path.is_file())


def _all_entries(folder: Path) -> Iterator[Path]:
    """What is no directory below a folder; each directory there is walked once.

    Links to directories come after all that lies there itself: one that leads back, or
    to a neighbour, adds nothing.
    """
    walked, within, linked = set(), [folder], []
    while within or linked:
        place = within.pop() if within else linked.pop(0)
        for path in _visible(place, folder) if _is_new(place, walked) else ():
            if path.is_dir():
                (linked if path.is_symlink() else within).append(path)
            else:
                yield path


def _is_new(folder: Path, walked: set[tuple[int, int]]) -> bool:
    """Whether a directory was not walked under any name; it is counted as walked."""
    found = folder.stat()
    identity = found.st_dev, found.st_ino
    is_new = identity not in walked
    walked.add(identity)
    return is_new


def _promised(path: Path) -> str | None:
    """The hash that lies beside a file; empty if it is none, None if there is none."""
    beside = path.with_name(path.name + PROMISE_SUFFIX)
    if path.suffix.isupper() and not beside.exists():
        beside = path.with_name(path.name + PROMISE_SUFFIX.upper())
    if not beside.is_file():
        # A pipe would be waited on for ever.
        return "" if beside.exists() else None
    try:
        text = beside.read_text("ascii")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError):
        return ""
    return text.split()[0].lower() if text.strip() else ""


def _state(path: Path) -> FileState:
    found = path.stat()
    return FileState(found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)


def _landed(
    landing: Path,
    path: Path,
    promised: str | None = None,
    counted: Mapping[tuple[str, FileState], str] | None = None,
) -> LandedFile:
    sent = path.relative_to(landing).as_posix()
    name = _printable(sent)
    state, content_hash, problem = FileState(0, 0, 0, 0), UNREAD, None
    try:
        state = _state(path)
        content_hash = (counted or {}).get((name, state)) or _hash_of(path)
    except OSError as error:
        problem = f"cannot be read ({error.strerror}); make it readable"
    if name != sent:
        problem = "has a name that is not UTF-8 or can't be printed; rename it"
    return LandedFile(path, name, content_hash, state, promised, problem)


def _printable(name: str) -> str:
    """The name with escapes for line ends, other signs without shape and lone bytes."""
    return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in name)


def _hash_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
