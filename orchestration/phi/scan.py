"""`billing phi-scan`: identifiers looked for in everything that was written (HP-1).

What is looked for: every identifier of the landing directory and of the restricted
schema, and what looks like one. What contract tables, seeds and the program themselves
say can't be told from a patient's and is left out; how many values that is, is said.
"""

import importlib.util
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from orchestration.audit import AuditLog
from orchestration.errors import BillingError
from orchestration.home import Home
from orchestration.keys import Keys
from orchestration.landed_files import UNREAD, feed_files
from orchestration.last_run import last_run
from orchestration.phi import identifiers as kinds
from orchestration.phi import kept, landed
from orchestration.phi.identifiers import Wanted, patterns_in, words
from orchestration.phi.landed import Found
from orchestration.phi.written import Written, texts_of, written
from orchestration.project import DBT_PROJECT_DIR, read_seed
from orchestration.warehouse import open_files

_OF_PROGRAM = ("models", "macros", "seeds", "data_tests", "orchestration")
# Noise in files that are not text may look like a short word.
_SHORTEST_IN_NOISE = 12


@dataclass
class Scan:
    """What was looked for and where; `found` counts values by place and kind."""

    looked_for: int = 0
    too_short: int = 0
    explained: int = 0
    places: int = 0
    found: Counter[tuple[str, str]] = field(default_factory=Counter)
    unread: list[str] = field(default_factory=list)

    def in_words(self) -> list[str]:
        """What was found, and how far the scan can see; never a value."""
        lines = [
            f"{place}: {number} × {kind}"
            for (place, kind), number in sorted(self.found.items())
        ]
        lines += [f"{place}: could not be looked into" for place in self.unread]
        if not self.looked_for:
            lines.append(
                "There was nothing to look for: neither the landing directory nor the "
                "home has an identifier of a patient that can be told from all else"
            )
        return [
            *lines,
            f"Looked in {self.places:,} places for {self.looked_for:,} identifiers and "
            f"{len(kinds.PATTERNS)} patterns",
            f"Not looked for, as they can't be told from anything else: "
            f"{self.too_short:,} that are too short or a day bills may name, "
            f"{self.explained:,} that contract tables or the program say as well",
        ]


def phi_scan(
    home: Home, landing: Path | None = None, also: Sequence[Path] = ()
) -> Scan:
    """Scan a home, and what else was written; `landing` by default the last run's.

    The audit log gets a row. Raises BillingError if there is nothing to scan.
    """
    if not home.path.is_dir():
        raise BillingError(f"{home.path} is not there: nothing was written yet")
    last = last_run(home)
    landing = landing or (last.landing if last else None)
    found = scan(home, landing, also)
    AuditLog(home.audit).append(
        "phi_scan",
        home.path.name,
        detail={
            "places": found.places,
            "identifiers": found.looked_for,
            "found": dict(Counter(kind for _, kind in found.found)),
            "unread": len(found.unread),
        },
        rows=found.found.total(),
    )
    return found


def scan(home: Home, landing: Path | None, also: Sequence[Path] = ()) -> Scan:
    """As `phi_scan`, without a word in the log."""
    result = Scan()
    with home.lock("billing phi-scan"):
        said: set[str] = set()
        for piece in written(home, also, lambda place: None):
            said.update(words(piece.text))
        wanted = Wanted(said)
        since = _first_day(landing)
        for kind, value in _identifiers(home, landing):
            wanted.add(kind, value, since)
        explained = {match for text in _own_texts(landing) for match in _seen(text)}
        result.explained = wanted.forget(_own_texts(landing))
        places = set()
        for piece in written(home, also, result.unread.append):
            places.add(piece.place)
            for kind in _kinds_in(piece, wanted, explained):
                result.found[piece.place, kind] += 1
    result.looked_for, result.too_short = wanted.looked_for, wanted.too_short
    result.places = len(places)
    return result


def _kinds_in(piece: Written, wanted: Wanted, explained: set[str]) -> Iterator[str]:
    for value in wanted.found(piece.text):
        kind = wanted.kinds[value]
        if piece.is_binary and sum(map(len, value)) < _SHORTEST_IN_NOISE:
            continue
        yield kind
    if not piece.is_binary:
        for kind, match in patterns_in(piece.text):
            if match not in explained:
                yield f"what looks like a {kind}"


def _seen(text: str) -> Iterator[str]:
    return (match for _, match in patterns_in(text))


def _identifiers(home: Home, landing: Path | None) -> Iterator[Found]:
    without_phi = {
        row["feed"]
        for row in read_seed("usage_feeds")
        if (row.get("has_phi") or "").strip().lower() == "false"
    }
    if landing is not None and landing.is_dir() and any(landing.iterdir()):
        for path in landing.glob("usage/*"):
            if path.is_file():
                yield from landed.of_name("", path.name)
        for feed, its_files in feed_files(landing).items():
            if feed in without_phi:
                continue
            for file in its_files:
                if file.content_hash == UNREAD:
                    raise BillingError(f"{file.discreet_name} {file.problem}.")
                yield from landed.of_name(
                    feed, file.name.removeprefix(f"usage/{feed}/")
                )
                yield from landed.identifiers(file.path)
    if home.warehouse.exists() and home.ledger.exists():
        with open_files(home, Keys.of(home), read_only=True) as connection:
            yield from kept.identifiers(connection)


def _own_texts(landing: Path | None) -> Iterator[str]:
    """What is said for good reasons: terms, seeds, the program, names of feeds."""
    tops = [DBT_PROJECT_DIR / folder for folder in _OF_PROGRAM]
    for package in ("dbt.include.global_project", "dbt.include.duckdb"):
        tops += [Path(place) for place in _places_of(package)]
    if landing is not None:
        tops += [landing / "contracts", landing / "receivables"]
        yield str(landing)
        for feed in landing.glob("usage/*"):
            if feed.is_dir():
                yield feed.name
    for top in tops:
        for path in sorted(top.rglob("*")):
            if path.is_file() and path.suffix not in (".pyc", ".so"):
                for piece in _pieces(path):
                    yield piece.text


def _places_of(package: str) -> list[str]:
    """Where a package lies, without importing it."""
    found = importlib.util.find_spec(package)
    return list(found.submodule_search_locations or ()) if found else []


def _pieces(path: Path) -> Iterator[Written]:
    if path.suffix == ".parquet":
        for _, value in landed.all_values(path):
            yield Written("", value)
    else:
        yield from texts_of(path, "")


def _first_day(landing: Path | None) -> date | None:
    """The first day that contract tables name: from there on days are billed."""
    days = []
    if landing is not None:
        for top in (landing / "contracts", landing / "receivables"):
            for path in sorted(top.rglob("*")):
                if path.is_file():
                    for piece in _pieces(path):
                        days += kinds.days_in(piece.text)
    return min(days, default=None)
