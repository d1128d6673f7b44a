"""What issued invoices rest on, and whether it is still there (C8)."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import duckdb

from orchestration.errors import BillingError
from orchestration.landed_files import discreet_name
from orchestration.project import DBT_PROJECT_DIR

# What the run rests on now, and the latest that the ledger says of each input. Nothing
# rests on a rejected row, nor on the rows of a held contract: one may have a key that
# can't be right.
_INPUTS = """
    select
        'contract_file' as kind,
        source_file as name,
        null as contract_id,
        content_hash as digest
    from warehouse.raw.contract_files
    union all
    select 'usage_file', source_file, null, file_id from warehouse.raw.usage_files
    union all
    select
        'contract_row',
        table_name || ' ' || row_key,
        min(contract_id),
        min(digest)
    from warehouse.raw.contract_rows
    where is_known and coalesce(contract_id not in (
        select contract_id from warehouse.raw.held_contracts), true)
        and not exists (
            select 1 from warehouse.raw.rejected_rows as rejected
            where rejected.source_file = contract_rows.source_file
                and rejected.line = contract_rows.line)
    group by table_name, row_key
    union all
    select kind, name, null, digest from temp.code_digests
"""
# A usage file is its content: of one name several may be in the warehouse.
_BOOKED_INPUTS = """
    select kind, name, contract_id, digest
    from ledger.book.issue_inputs as input
    where digest is not null and not exists (
        select 1 from ledger.book.issue_inputs as later
        where later.kind = input.kind and later.name = input.name
            and later.issue_no > input.issue_no
            and (later.digest is null or input.kind <> 'usage_file'))
"""
# What logs call a usage file.
_DISCREET = (
    "case when kind = 'usage_file' then array_to_string("
    "[split_part(name, '/', 1), split_part(name, '/', 2), digest[:12]], '/') end"
)


def append_inputs(
    connection: duckdb.DuckDBPyConnection, issue_no: int, accepted: Sequence[str]
) -> None:
    """Book what an issue rests on where it is new or changed; what is accepted as
    gone is booked without digest, so that nobody is asked again.
    """
    connection.execute(
        "insert into ledger.book.issue_inputs "
        f"select $1, * from ({inputs_to_book(connection)})",
        [issue_no],
    )
    connection.execute(
        "insert into ledger.book.issue_inputs "
        f"select $1, kind, name, contract_id, null from ({_BOOKED_INPUTS}) "
        f"where (name in (select unnest($2)) or {_DISCREET} in (select unnest($2))) "
        "and (kind, name) not in "
        f"(select kind, name from ({_INPUTS}))",
        [issue_no, list(accepted)],
    )


def inputs_to_book(
    connection: duckdb.DuckDBPyConnection, project: Path = DBT_PROJECT_DIR
) -> str:
    """A query for what is new or changed since the last issue that rests on it:
    kind, name, contract_id, digest. Valid on this connection; the SQL and the seeds
    are those of the dbt project.
    """
    _land_code_digests(connection, project)
    return (
        "select kind, name, contract_id, digest "
        f"from ({_INPUTS}) as present where not exists ("
        f"select 1 from ({_BOOKED_INPUTS}) as booked where booked.kind = present.kind "
        "and booked.name = present.name and booked.digest = present.digest)"
    )


def missing_inputs(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Names of what an earlier issue rests on and that is gone now (C8).

    A landed file counts as there while its name or its content is; a usage file also
    while its events are in the warehouse, and for good once they were purged under
    retention; a contract row while its key is, even if
    the row is rejected now, and while its contract is held, as its key may be what
    can't be read.
    """
    return list(_missing(connection))


def _missing(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """The names, and what logs call them: a usage file's may tell of a patient."""
    rows = connection.execute(f"""
        select name, kind, digest from ({_BOOKED_INPUTS}) as booked
        where
            (kind = 'contract_file' and not exists (
                select 1 from warehouse.raw.contract_files
                where source_file = booked.name or content_hash = booked.digest))
            or (kind = 'usage_file' and not exists (
                select 1 from warehouse.raw.usage_files
                where source_file = booked.name or file_id = booked.digest)
                and not exists (
                    select 1 from warehouse.raw.usage_file_names
                    where source_file = booked.name)
                and not exists (
                    select 1 from ledger.book.purged_files
                    where purged_files.file_id = booked.digest))
            or (kind = 'contract_row' and not exists (
                select 1 from warehouse.raw.contract_rows
                where table_name || ' ' || row_key = booked.name)
                and not exists (
                    select 1 from warehouse.raw.held_contracts
                    where held_contracts.contract_id = booked.contract_id))
        order by kind, name
    """).fetchall()
    return {
        name: discreet_name(name, digest) if kind == "usage_file" else name
        for name, kind, digest in rows
    }


def check_inputs(
    connection: duckdb.DuckDBPyConnection, accepted: Sequence[str]
) -> None:
    """Raises BillingError naming each input that is gone and was not accepted (C8)."""
    names = _missing(connection)
    gone = [name for name in names if not {name, names[name]} & set(accepted)]
    if gone:
        raise BillingError.naming_files(
            "issued invoices rest on what is gone: "
            + "; ".join(gone)
            + ". Put it back, or run again with "
            + " ".join(f'--accept-missing "{name}"' for name in gone),
            names,
        )


def _land_code_digests(connection: duckdb.DuckDBPyConnection, project: Path) -> None:
    """Digests of the seeds and of the SQL, in a temporary table `code_digests`."""
    rows = []
    for kind, folder in (("seed", "seeds"), ("model", "models"), ("model", "macros")):
        for path in sorted((project / folder).rglob("*.[cs][sq][vl]")):
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            rows.append((kind, path.relative_to(project).as_posix(), digest))
    connection.execute(
        "create or replace temp table code_digests as "
        "select unnest($1) as kind, unnest($2) as name, unnest($3) as digest",
        [list(column) for column in zip(*rows, strict=True)],
    )
