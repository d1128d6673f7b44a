"""Intake of `contracts/` and `receivables/`: files to the raw tables, row by row.

A row that cannot be read or means nothing is rejected with its place and reason, and
holds its contract; every other contract goes on.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb
import pandas

from orchestration.booked_contracts import refuse_unbooking_rows
from orchestration.contract_comparisons import FOLLOWS, compare_rows
from orchestration.contract_reading import Problem, Row, read_rows
from orchestration.contract_rules import ROW_RULES, judge_row
from orchestration.contract_storage import valid_rows, write_tables
from orchestration.dunning_policies import check_policies
from orchestration.errors import BillingError
from orchestration.landed_files import (
    LandedFile,
    check_landing,
    table_files,
    unknown_entries,
)
from orchestration.receivable_rules import RECEIVABLE_RULES, overlapping_holds
from orchestration.receivable_specs import LANDED_TABLES

_RULES = ROW_RULES | RECEIVABLE_RULES
_FOLDERS = ("contracts", "receivables")

# By these a row without a contract_id is known to be of another row's contract.
_OWNED_BY = ("line_id", "commitment_id", "milestone_id", "amendment_id")


@dataclass(frozen=True)
class ContractIntake:
    """What one intake of the contract tables did.

    `rows` counts the valid rows of each table, `rejected` the rejected rows of all;
    `held` says why each held contract is; `tables` are the valid rows, typed, with
    `source_file` and `line`.
    """

    rows: dict[str, int]
    rejected: int
    held: dict[str, str]
    warnings: list[str]
    tables: dict[str, pandas.DataFrame]


def load_contract_tables(
    connection: duckdb.DuckDBPyConnection, landing: Path, as_of: date
) -> ContractIntake:
    """Replaces the raw tables of all that is landed but usage, in one transaction.

    Rows signed after `as_of` are read, but not compared, and hold nothing. Raises
    BillingError for a missing required table or a file of which no row can be
    trusted; the tables then stay as they were.
    """
    with _uncollected():
        return _load(connection, landing, as_of, _FOLDERS)


def load_receivables(
    connection: duckdb.DuckDBPyConnection, landing: Path, as_of: date
) -> ContractIntake:
    """Replaces the raw tables of `receivables/` alone, in one transaction.

    Rows are judged by the contract tables as they lie there now, which stay as they
    were loaded. Raises BillingError as `load_contract_tables` does.
    """
    with _uncollected():
        return _load(connection, landing, as_of, ("receivables",))


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without the search for cycles: millions of cells are looked at in vain."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _load(
    connection: duckdb.DuckDBPyConnection,
    landing: Path,
    as_of: date,
    folders: tuple[str, ...],
) -> ContractIntake:
    check_policies()
    check_landing(landing)
    warnings = unknown_entries(landing)
    files = {
        name: table_files(landing, name, spec.folder)
        for name, spec in LANDED_TABLES.items()
    }
    _check_required(files, warnings)
    rows: list[Row] = []
    read: list[tuple[LandedFile, str, list[Row]]] = []
    for name, of_table in files.items():
        for file in of_table:
            of_file, said = read_rows(file, LANDED_TABLES[name])
            warnings += said
            rows += of_file
            read.append((file, name, of_file))
    for row in rows:
        row.problems += judge_row(row, _RULES)
    _mark_known(rows, as_of)
    rows = _without_repeats(rows)
    refuse_unbooking_rows(connection, rows, as_of)
    compare_rows([row for row in rows if row.is_known])

    warnings += overlapping_holds(rows)

    owners = _owners(rows)
    rejected = [row for row in rows if row.problems]
    held, unowned = _held(rejected, owners)
    tables = {
        name: valid_rows(spec, rows)
        for name, spec in LANDED_TABLES.items()
        if spec.folder in folders
    }
    logs = {
        "rejected_rows": [
            (
                *(row.source_file, row.line, *_told(problem)),
                # A row that is not known yet holds no contract.
                owners.get(id(row)) if row.is_known else None,
            )
            for row in rejected
            for problem in row.problems
        ],
        "held_contracts": list(held.items()),
        "contract_rows": [
            (
                row.table,
                key,
                row.digest,
                row.is_known,
                owners.get(id(row)),
                row.source_file,
                row.line,
            )
            for row in rows
            if LANDED_TABLES[row.table].folder == "contracts"
            if (key := _key(row)) is not None
        ],
        "contract_files": [
            (
                file.name,
                file.content_hash,
                name,
                len(of_file),
                sum(bool(row.problems) for row in of_file),
            )
            for file, name, of_file in read
        ],
    }
    if folders == _FOLDERS:
        write_tables(connection, tables, logs)
    else:
        write_tables(connection, tables, {}, _of_folders(logs, folders))
    return ContractIntake(
        rows={name: len(frame) for name, frame in tables.items()},
        rejected=len(rejected),
        held=held,
        warnings=warnings + unowned,
        tables=tables,
    )


def _check_required(files: dict[str, list[LandedFile]], warnings: list[str]) -> None:
    for name, spec in LANDED_TABLES.items():
        if spec.required and not files[name]:
            near = [said for said in warnings if f"mean {name}" in said]
            raise BillingError(
                f"The required table {name} is missing: there is no "
                f"contracts/{name}.csv, .csv.gz or .parquet and no file in "
                f"contracts/{name}/. Land it and run again. {' '.join(near)}".rstrip()
            )


def _mark_known(rows: list[Row], as_of: date) -> None:
    """A row is known once its contract and its amendment are signed, one of
    receivables from its own day on; else from ever.

    What cannot be told, for want of a readable date or of the contract, is known.
    """
    signed: dict[tuple[str, str], date] = {}
    for row in rows:
        if row.table in ("contracts", "amendments") and row["signed_on"]:
            column = LANDED_TABLES[row.table].key[0]
            at = (column, row[column])
            signed[at] = min(signed.get(at, date.max), row["signed_on"])
    for row in rows:
        known_on = LANDED_TABLES[row.table].known_on
        days = [row[known_on]] if known_on else []
        if LANDED_TABLES[row.table].of_contract:
            days += [
                signed.get((column, row.values.get(column)))
                for column in ("contract_id", "amendment_id")
            ]
        row.is_known = all(day is None or day <= as_of for day in days)


def _without_repeats(rows: list[Row]) -> list[Row]:
    """A row repeated exactly is one row; broken ones are all kept, to be told."""
    seen: set[tuple[str, str]] = set()
    kept = []
    for row in rows:
        content = (row.table, row.digest)
        if row.problems or content not in seen:
            kept.append(row)
        if not row.problems:
            seen.add(content)
    return kept


def _owners(rows: list[Row]) -> dict[int, str]:
    """Contract of each row that is a contract's own, by the row's identity."""
    own = [row for row in rows if LANDED_TABLES[row.table].of_contract]
    contracts = {row["contract_id"] for row in own} - {None}
    by_other: dict[tuple[str, str], str] = {}
    for row in own:
        for column in _OWNED_BY:
            if row["contract_id"] and row.values.get(column):
                by_other.setdefault((column, row[column]), row["contract_id"])
    owners = {}
    for row in own:
        written = row.text.get("contract_id")
        found = row["contract_id"] or (written if written in contracts else None)
        for column in _OWNED_BY:
            found = found or by_other.get((column, row.text.get(column)))
        if found:
            owners[id(row)] = found
    return owners


def _held(
    rejected: list[Row], owners: dict[int, str]
) -> tuple[dict[str, str], list[str]]:
    """Held contracts with a rejection of each, and rows that are nobody's.

    Of several it is the first that another row is not the cause of; if each has such a
    cause, that of the contract's own row.
    """
    found: dict[str, list[tuple[Row, Problem]]] = {}
    unowned = []
    for row in rejected:
        if not LANDED_TABLES[row.table].of_contract or not row.is_known:
            continue
        if id(row) in owners:
            of_contract = found.setdefault(owners[id(row)], [])
            of_contract += [(row, problem) for problem in row.problems]
        else:
            unowned.append(
                f"{row.place}: it cannot be told whose contract this rejected row is "
                "of, so it holds none."
            )
    held = {
        contract_id: _in_words(*min(told, key=_distance))
        for contract_id, told in sorted(found.items())
    }
    return held, unowned


def _distance(told: tuple[Row, Problem]) -> tuple[bool, bool]:
    """How far a rejection is from its cause, for order."""
    row, problem = told
    follows = problem.reason.startswith(FOLLOWS)
    return follows, follows and row.table != "contracts"


def _in_words(row: Row, problem: Problem) -> str:
    where = f", {problem.column}" if problem.column else ""
    value = f" {problem.value!r}" if problem.value is not None else ""
    return f"{row.place}{where}{value}: {problem.reason}"


def _told(problem: Problem) -> tuple[str | None, str | None, str]:
    return problem.column, problem.value, problem.reason


def _key(row: Row) -> str | None:
    """The row's key for the ledger; None if a required column of it is empty."""
    spec = LANDED_TABLES[row.table]
    needed = [name for name in spec.key if spec.by_name[name].required]
    if any(row.text.get(name) is None for name in needed):
        return None
    return row.key(spec.key)


def _of_folders(
    logs: dict[str, list[tuple]], folders: tuple[str, ...]
) -> dict[str, list[tuple]]:
    """Rows of the logs that are of files of these folders, by the name of the file."""
    return {
        name: [row for row in logs[name] if row[0].split("/")[0] in folders]
        for name in ("rejected_rows", "contract_files")
    }
