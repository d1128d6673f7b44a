"""What `seeds/usage_feeds.csv` says of feeds, and the formats a feed may have."""

from dataclasses import dataclass

import duckdb

from orchestration.errors import BillingError
from orchestration.landed_files import LandedFile
from orchestration.project import read_seed
from orchestration.readers import events, fhir, hl7v2, synthea

FORMATS = {"events": events, "synthea": synthea, "fhir": fhir, "hl7v2": hl7v2}
# What a person may leave beside the files to explain them.
NOTES = ("readme", "license", "licence", "notice")


@dataclass(frozen=True)
class Feed:
    """A feed as `seeds/usage_feeds.csv` has it; `format` None: by content."""

    name: str
    format: str | None = None
    time_zone: str | None = None
    has_phi: bool = True


def is_named_as(file: LandedFile, format_name: str | None) -> bool:
    """Whether the name is that of a file of the format; None: of any but plain text."""
    name = file.path.name.lower()
    if format_name:
        is_note = name.endswith(".txt") and name.startswith(NOTES)
        return name.endswith(FORMATS[format_name].SUFFIXES) and not is_note
    return not name.endswith((".txt", ".txt.gz")) and any(
        name.endswith(reader.SUFFIXES) for reader in FORMATS.values()
    )


def suffixes_of(format_name: str | None) -> list[str]:
    """How names of a format's files end; None: of any, and what plain text must be."""
    if format_name:
        return list(FORMATS[format_name].SUFFIXES)
    suffixes = dict.fromkeys(
        suffix for reader in FORMATS.values() for suffix in reader.SUFFIXES
    )
    return [
        f"{suffix} (if a file of the feed begins with MSH)"
        if suffix.startswith(".txt")
        else suffix
        for suffix in suffixes
    ]


def feeds_of_seed(connection: duckdb.DuckDBPyConnection) -> dict[str, Feed]:
    """Feeds of the seed by name; a mistake there is named with its line."""
    feeds = {}
    for line, row in enumerate(read_seed("usage_feeds"), start=2):
        sent = {name: (row.get(name) or "").strip() for name in row if name}
        place = f"seeds/usage_feeds.csv, line {line}"
        if sent["format"] not in ("", *FORMATS):
            raise BillingError(
                f"{place}: format {sent['format']!r} is none of {', '.join(FORMATS)}."
            )
        if sent["has_phi"].lower() not in ("", "true", "false"):
            raise BillingError(
                f"{place}: has_phi {sent['has_phi']!r} is neither true nor false."
            )
        if sent["time_zone"] and not _is_time_zone(connection, sent["time_zone"]):
            raise BillingError(
                f"{place}: time_zone {sent['time_zone']!r} is not known; write it as "
                "in America/Chicago."
            )
        feeds[sent["feed"]] = Feed(
            name=sent["feed"],
            format=sent["format"] or None,
            time_zone=sent["time_zone"] or None,
            has_phi=sent["has_phi"].lower() != "false",
        )
    return feeds


def _is_time_zone(connection: duckdb.DuckDBPyConnection, name: str) -> bool:
    found = connection.execute(
        "select count(*) from pg_timezone_names() where name = ?", [name]
    ).fetchone()
    return found[0] > 0
