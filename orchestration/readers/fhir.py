"""Format `fhir`: R4 Encounter and Procedure as NDJSON, as bulk exports write it.

One resource a line, in files of one type or of several. Location says which
organization an encounter was at that names only its location; Patient says who was
merged with whom; a Bundle of DELETE requests (the export's `deleted` files) cancels.
Lines are parsed by DuckDB, a batch at a time; only what is selected is kept of them.
"""

import re
from collections import Counter
from pathlib import Path

import duckdb

from orchestration.readers import document_rows, fhir_manifest, landed_lines, values
from orchestration.readers.csv_lines import UnreadableFile
from orchestration.readers.fhir_references import referred
from orchestration.readers.landed_columns import Columns
from orchestration.readers.sent_rows import (
    MERGES,
    PARSED,
    PLACES,
    READ,
    REFUSED,
    Opened,
)

SUFFIXES = (".ndjson", ".ndjson.gz", ".jsonl", ".jsonl.gz")
_USED = ("Location", "Encounter", "Procedure", "Patient", "Bundle")
_PROBLEMS = "OperationOutcome"
_OTHER_TYPE = re.compile(r"(?:\d+\.)?([A-Z][A-Za-z]+)\b")
_TYPE = re.compile(rb'"resourceType"\s*:\s*"([A-Za-z]{1,64})"')
_STATUS = {
    "finished": "final",
    "completed": "final",
    "cancelled": "cancelled",
    "entered-in-error": "cancelled",
    "not-done": "cancelled",
} | dict.fromkeys(
    (
        "planned",
        "arrived",
        "triaged",
        "in-progress",
        "onleave",
        "preparation",
        "on-hold",
        "stopped",
        "unknown",
    ),
    "not_yet_usage",
)
_FIELDS = {
    "resource_type": "$.resourceType",
    "id": "$.id",
    "updated": "$.meta.lastUpdated",
    "sent_status": "$.status",
    "class": "$.class.code",
    "type_code": "$.type[0].coding[0].code",
    "code": "$.code.coding[0].code",
    "period_start": "$.period.start",
    "performed_at": "$.performedDateTime",
    "performed_start": "$.performedPeriod.start",
    "subject": "$.subject.reference",
    "subject_value": "$.subject.identifier.value",
    "provider": "$.serviceProvider.reference",
    "provider_value": "$.serviceProvider.identifier.value",
    "encounter": "$.encounter.reference",
    "encounter_value": "$.encounter.identifier.value",
    "location": "$.location[0].location.reference",
    "location_value": "$.location[0].location.identifier.value",
    "manager": "$.managingOrganization.reference",
    "manager_value": "$.managingOrganization.identifier.value",
}

_OCCURRED = ("period_start", "performed_at", "performed_start")


def is_beside(path: Path) -> bool:
    """Whether it is an export's manifest, or named for another type and begins so."""
    if fhir_manifest.is_manifest(path):
        return True
    named = _OTHER_TYPE.match(path.name)
    if named is None or named[1] in (*_USED, _PROBLEMS):
        return False
    try:
        return _first_type(path) == named[1]
    except UnreadableFile:
        return False


def is_format(columns: Columns) -> bool:
    """Whether one of the first lines is a resource."""
    return _first_type(columns.path) is not None


def is_told_when(path: Path) -> bool:
    """Whether it is a list of deletions and its export's manifest is there."""
    try:
        is_deletions = _first_type(path) == "Bundle"
    except UnreadableFile:
        return False
    return is_deletions and fhir_manifest.exported_at(path) is not None


def order(columns: Columns) -> int:
    """Places before encounters, those before procedures, all before who was merged."""
    first = _first_type(columns.path)
    return _USED.index(first) if first in _USED else len(_USED)


def open_rows(
    connection: duckdb.DuckDBPyConnection, columns: Columns, time_zone: str | None
) -> Opened:
    """The rows as relations; raises UnreadableFile."""
    document_rows.make(connection)
    left_out: Counter[str] = Counter()
    deleted_at = values.text_literal(fhir_manifest.exported_at(columns.path) or "")
    resources, has_deletions = 0, False
    start = landed_lines.opening(columns.path).lstrip()
    if start.startswith(b"["):
        raise UnreadableFile("is a JSON array; send NDJSON, one resource a line")
    for lines in landed_lines.batches(columns.path):
        document_rows.refuse(
            connection, [(line, None, reason) for line, reason in lines.refused]
        )
        connection.register("usage_lines", lines.table)
        try:
            connection.execute(
                f"create or replace temp table usage_parsed as {_parsed()}"
            )
        finally:
            connection.unregister("usage_lines")
        if lines.is_cut and not _ends_whole(connection):
            raise UnreadableFile(
                "ends in the middle of a line: it is cut off; send it again, complete"
            )
        types = dict(
            connection.execute(
                f"select resource_type, count(*) from {PARSED} group by resource_type"
            ).fetchall()
        )
        resources += sum(count for name, count in types.items() if name)
        has_deletions = has_deletions or "Bundle" in types
        left_out.update(_others(types))
        _fill(connection, types, time_zone, deleted_at)
    if not resources:
        raise UnreadableFile(
            "holds no FHIR resource in any line; send it as NDJSON, one resource a line"
        )
    warnings = _unmarked(connection) if has_deletions else []
    if problems := left_out.pop(_PROBLEMS, 0):
        warnings.append(
            f"holds {problems:,} notices of the server that exported the feed "
            f"({_PROBLEMS}): something may be missing; look at them, export again."
        )
    return document_rows.opened(connection, left_out, warnings)


def _first_type(path: Path) -> str | None:
    for line in landed_lines.opening(path).split(b"\n"):
        # The opening may end within a line, and a type stands early in it.
        found = _TYPE.search(line) if line.lstrip()[:1] == b"{" else None
        if found:
            return found[1].decode()
    return None


def _parsed() -> str:
    """SQL of the lines' fields; of what is no JSON object every field is null."""
    paths = ", ".join(values.text_literal(path) for path in _FIELDS.values())
    listed = {
        name: f"nullif(found[{index}], '')"
        for index, name in enumerate(_FIELDS, start=1)
    }
    occurred = ", ".join(listed.pop(name) for name in _OCCURRED)
    updated = listed.pop("updated")
    fields = ", ".join(f"{sql} as {name}" for name, sql in listed.items())
    return f"""
        with lines as (
            select line, text, try(json_extract_string(text, [{paths}])) as found
            from usage_lines
        )
        select
            line,
            case
                when found[1] in ('Location', 'Patient', 'Bundle') then text
            end as text,
            found is null as is_broken,
            regexp_full_match(text, '\\s*') as is_blank,
            trim({updated}) as updated,
            trim(coalesce({occurred})) as occurred,
            {fields}
        from lines"""


def _ends_whole(connection: duckdb.DuckDBPyConnection) -> bool:
    found = connection.execute(
        f"select not is_broken or is_blank from {PARSED} order by line desc limit 1"
    ).fetchone()
    return found is None or found[0]


def _others(types: dict[str | None, int]) -> dict[str, int]:
    """Resources that are neither usage nor say anything of it, by their type."""
    return {
        name if re.fullmatch("[A-Z][A-Za-z]{1,40}", name) else "(other)": count
        for name, count in types.items()
        if name and name not in _USED
    }


def _fill(
    connection: duckdb.DuckDBPyConnection,
    types: dict[str | None, int],
    time_zone: str | None,
    deleted_at: str,
) -> None:
    statuses = " ".join(
        f"when {values.text_literal(sent)} then {values.text_literal(status)}"
        for sent, status in _STATUS.items()
    )
    status = f"case sent_status {statuses} end"
    connection.execute(f"""
        insert into {REFUSED}
        select
            line,
            case
                when is_broken then null
                when resource_type is null then 'resourceType'
                when id is null then 'id'
                else 'status'
            end,
            case
                when is_broken then 'the line is not JSON'
                when resource_type is null or id is null or sent_status is null
                    then 'is empty'
                else 'is no status of FHIR R4'
            end
        from {PARSED}
        where not is_blank and (
            resource_type is null
            or resource_type in ('Encounter', 'Procedure')
            and (id is null or {status} is null)
        )""")
    if types.get("Encounter") or types.get("Procedure"):
        _fill_usage(connection, status, time_zone)
    if types.get("Location"):
        _fill_places(connection)
    if types.get("Patient"):
        _fill_merges(connection)
    if types.get("Bundle"):
        _fill_deleted(connection, deleted_at)


def _fill_usage(
    connection: duckdb.DuckDBPyConnection, status: str, time_zone: str | None
) -> None:
    day = values.written_day("occurred", time_zone)
    is_encounter = "resource_type = 'Encounter'"
    connection.execute(f"""
        insert into {READ}
        select
            line,
            case when {is_encounter} then id else 'Procedure/' || id end,
            lower(resource_type),
            case when {is_encounter}
                then {referred("provider", "Organization")} end,
            case when {is_encounter}
                then {referred("location", "Location")} end,
            case when not {is_encounter}
                then {referred("encounter", "Encounter")} end,
            {referred("subject", "Patient")},
            {day},
            {values.written_mark("updated")},
            1.0000,
            {status},
            case when {is_encounter} then class end,
            case when {is_encounter} then type_code else code end
        from {PARSED}
        where resource_type in ('Encounter', 'Procedure')
            and id is not null and {status} is not null""")


def _fill_places(connection: duckdb.DuckDBPyConnection) -> None:
    """A location is referred to by its id or by any of its identifiers."""
    connection.execute(f"""
        insert into {PLACES}
        with named as (
            select
                line,
                unnest(
                    list_prepend(id, json_extract_string(text, '$.identifier[*].value'))
                ) as place,
                {referred("manager", "Organization")} as facility,
                {values.written_mark("updated")} as received_at
            from {PARSED}
            where resource_type = 'Location'
        )
        select distinct line, place, facility, received_at
        from named
        where place <> ''""")


def _fill_merges(connection: duckdb.DuckDBPyConnection) -> None:
    """`replaced-by`: this one is the other now; `replaces`: the other is this one."""
    connection.execute(f"""
        insert into {MERGES}
        with linked as (
            select
                line,
                id,
                {referred("manager", "Organization")} as facility,
                {values.written_mark("updated")} as received_at,
                unnest(json_extract(text, '$.link[*]')) as link
            from {PARSED}
            where resource_type = 'Patient' and id is not null
        ),
        named as (
            select
                *,
                link ->> '$.type' as link_type,
                link ->> '$.other.reference' as other,
                link ->> '$.other.identifier.value' as other_value
            from linked
        ),
        referred as (
            select *, {referred("other", "Patient")} as other_id from named
        )
        select
            line,
            facility,
            case link_type when 'replaces' then other_id else id end,
            case link_type when 'replaces' then id else other_id end,
            received_at
        from referred
        where link_type in ('replaces', 'replaced-by') and other_id is not null""")


def _fill_deleted(connection: duckdb.DuckDBPyConnection, deleted_at: str) -> None:
    """Deleted resources are cancelled rows with the mark of their export."""
    mark = f"coalesce(nullif({deleted_at}, ''), updated, bundle_time)"
    bundles = f"""
        with bundles as (
            select
                line,
                updated,
                json_extract_string(text, '$.timestamp') as bundle_time,
                json_extract(text, '$.entry[*].request') as requests,
                json_array_length(text, '$.entry') as entries,
                len(json_extract(text, '$.entry[*].resource')) as resources
            from {PARSED}
            where resource_type = 'Bundle'
        ),
        requests as (
            select
                line,
                {values.received_mark(mark, "VARCHAR")} as received_at,
                request ->> '$.method' as method,
                request ->> '$.url' as url
            from (
                select *, unnest(requests) as request from bundles
            ) as unnested
        )"""
    connection.execute(f"""
        insert into {REFUSED}
        {bundles}
        select line, 'entry', 'holds more than DELETE requests'
        from bundles
        where resources > 0 or len(requests) < coalesce(entries, 0)
            or line in (
                select line from requests where method is distinct from 'DELETE'
            )""")
    for resource_type, event_id in (
        ("Encounter", "deleted_id"),
        ("Procedure", "'Procedure/' || deleted_id"),
    ):
        connection.execute(f"""
            insert into {READ}
            {bundles},
            deleted as (
                select
                    line, received_at, {referred("url", resource_type, "null")}
                        as deleted_id
                from requests
            )
            select
                line, {event_id}, {values.text_literal(resource_type.lower())}, null,
                null, null, null, null, received_at, 1.0000, 'cancelled', null, null
            from deleted
            where deleted_id is not null
                and line not in (select line from {REFUSED})""")


def _unmarked(connection: duckdb.DuckDBPyConnection) -> list[str]:
    count = connection.execute(
        f"select count(*) from {READ} where status = 'cancelled' "
        "and service_date is null and facility is null and received_at is null"
    ).fetchone()[0]
    if not count:
        return []
    return [
        f"lists {count:,} deleted without saying when, so what carries a mark stays: "
        "the export's manifest, which has its transactionTime, belongs beside it."
    ]
