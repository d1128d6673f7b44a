"""Format `synthea`: encounters and procedures of a Synthea CSV export, any generation.

Procedures have START, in older exports DATE. Encounters without ORGANIZATION name the
organization in PROVIDER. Synthea writes no status and no mark of receipt. The other
tables of an export (patients, organizations, …) lie beside and are never opened.
"""

from pathlib import Path

import duckdb

from orchestration.readers import landed_columns, sent_rows, values
from orchestration.readers.csv_lines import UnreadableFile
from orchestration.readers.landed_columns import Columns

SUFFIXES = landed_columns.SUFFIXES
OTHER_TABLES = frozenset(
    (
        "allergies",
        "careplans",
        "claims",
        "claims_transactions",
        "conditions",
        "devices",
        "imaging_studies",
        "immunizations",
        "medications",
        "observations",
        "organizations",
        "patients",
        "patient_expenses",
        "payer_transitions",
        "payers",
        "providers",
        "supplies",
    )
)
_NO_TEXT = "cast(null as varchar)"


def is_beside(path: Path) -> bool:
    """Whether the name is that of a table of the export that is not usage."""
    return path.name.lower().split(".")[0] in OTHER_TABLES


def is_format(columns: Columns) -> bool:
    """Whether name and header are those of encounters or of procedures."""
    return is_procedures(columns) or _is_encounters(columns)


def is_procedures(columns: Columns) -> bool:
    """Whether it is a file of procedures: by its name, for half the tables of an
    export have the same columns.
    """
    return _is_named(columns.path, "procedure") and _has(
        columns, "patient", "encounter", "code"
    )


def is_told_when(path: Path) -> bool:
    """Nothing beside a file tells of its rows."""
    return False


def order(columns: Columns) -> int:
    """A procedure's facility is that of its encounter, so encounters come first."""
    return int(is_procedures(columns))


def open_rows(
    connection: duckdb.DuckDBPyConnection, columns: Columns, time_zone: str | None
) -> sent_rows.Opened:
    """The rows as relations; raises UnreadableFile."""
    if not is_format(columns):
        raise UnreadableFile(
            "is neither encounters.csv nor procedures.csv of a Synthea export"
        )
    return sent_rows.open_rows(connection, columns, selection(columns, time_zone))


def selection(columns: Columns, time_zone: str | None) -> dict[str, str]:
    """SQL of what is kept of a row, by name; raises UnreadableFile, see `require`."""
    if is_procedures(columns):
        return _procedures(columns, time_zone)
    return _encounters(columns, time_zone)


def _is_encounters(columns: Columns) -> bool:
    return _has(columns, "id", "patient", "encounterclass") or (
        _is_named(columns.path, "encounter") and _has(columns, "id", "patient")
    )


def _is_named(path: Path, start: str) -> bool:
    return any(name.lower().startswith(start) for name in (path.name, path.parent.name))


def _has(columns: Columns, *names: str) -> bool:
    return all(name in columns.names for name in names)


def _encounters(columns: Columns, time_zone: str | None) -> dict[str, str]:
    start = columns.first_of("start", "date")
    organization = columns.first_of("organization", "provider")
    columns.require(("id", organization, "patient", start, "encounterclass", "code"))
    return _row(columns, start, time_zone) | {
        "event_id": columns.text("id"),
        "event_type": "'encounter'",
        "facility": columns.text(organization),
        "encounter_id": _NO_TEXT,
        "class": columns.text("encounterclass"),
        "broken_column": f"case when {columns.text('id')} is null then 'Id' end",
    }


def _procedures(columns: Columns, time_zone: str | None) -> dict[str, str]:
    start = columns.first_of("start", "date")
    key = ("encounter", "code", start)
    columns.require((*key, "patient"))
    broken = " ".join(
        f"when {columns.text(name)} is null then '{name.upper()}'" for name in key
    )
    return _row(columns, start, time_zone) | {
        "event_id": " || '|' || ".join(columns.text(name) for name in key),
        "event_type": "'procedure'",
        "facility": _NO_TEXT,
        "encounter_id": columns.text("encounter"),
        "class": _NO_TEXT,
        "broken_column": f"case {broken} end",
    }


def _row(columns: Columns, start: str, time_zone: str | None) -> dict[str, str]:
    return {
        "patient_id": columns.text("patient"),
        "service_date": values.service_day(*columns.of(start), time_zone),
        "received_at": "cast(null as timestamp)",
        "quantity": "1.0000",
        "status": "'final'",
        "code": columns.text("code"),
    }
