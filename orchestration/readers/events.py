"""Format `events`: one row per event, in columns of the project's own names."""

from pathlib import Path

import duckdb

from orchestration.readers import landed_columns, sent_rows, values
from orchestration.readers.landed_columns import Columns

SUFFIXES = landed_columns.SUFFIXES
REQUIRED = ("event_id", "event_type", "facility", "occurred_at")


def is_format(columns: Columns) -> bool:
    """Whether a file's header could be one of `events`."""
    return "event_id" in columns.names and "event_type" in columns.names


def is_beside(path: Path) -> bool:
    """Every table of the feed is usage."""
    return False


def is_told_when(path: Path) -> bool:
    """Nothing beside a file tells of its rows."""
    return False


def order(columns: Columns) -> int:
    """No file waits for another."""
    return 0


def open_rows(
    connection: duckdb.DuckDBPyConnection, columns: Columns, time_zone: str | None
) -> sent_rows.Opened:
    """The rows as relations; raises UnreadableFile."""
    return sent_rows.open_rows(connection, columns, selection(columns, time_zone))


def selection(columns: Columns, time_zone: str | None) -> dict[str, str]:
    """SQL of what is kept of a row, by name; raises UnreadableFile, see `require`."""
    columns.require(REQUIRED)
    status = values.enumerated(*columns.of("status"), default="final")
    return {
        "event_id": columns.text("event_id"),
        "event_type": columns.text("event_type"),
        "facility": columns.text("facility"),
        "encounter_id": "cast(null as varchar)",
        "patient_id": columns.text("patient_id"),
        "service_date": values.service_day(*columns.of("occurred_at"), time_zone),
        "received_at": values.received_mark(*columns.of("received_at")),
        "quantity": values.quantity(*columns.of("quantity")),
        "status": status,
        "class": columns.text("class"),
        "code": columns.text("code"),
        "broken_column": f"""case
            when {columns.text("event_id")} is null then 'event_id'
            when {columns.text("event_type")} is null then 'event_type'
            when {status} not in ('final', 'cancelled') then 'status'
        end""",
    }
