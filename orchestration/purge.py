"""`billing purge`: what has outlived its term goes, and a certificate says so (HP-19).

Usage goes by whole files: their rows leave the restricted schema, the ledger books that
they did (the certificate, chained with all else) and that the usage is settled, and no
run reads those files again. Whoever keeps the landing directory deletes them there.
"""

from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import duckdb

from orchestration import usage_store
from orchestration.audit import AuditLog
from orchestration.errors import BillingError, UsageError
from orchestration.home import Home
from orchestration.keys import Keys
from orchestration.landed_files import feed_files
from orchestration.last_run import last_published_run, last_run
from orchestration.ledger import open_ledger
from orchestration.ledger_chain import (
    PURGED,
    SETTLED,
    append_record,
    next_number,
    rows_digest,
)
from orchestration.purge_plan import Plan, plan
from orchestration.retention import (
    REPORTS,
    USAGE,
    legal_holds,
    months_before,
    terms,
)
from orchestration.warehouse import open_files


@dataclass
class Purge:
    """What was purged, or would be; `landed` are files that still lie there, each by
    its own name and by what logs call it.
    """

    plan: Plan
    reports: list[Path] = field(default_factory=list)
    landed: dict[str, str] = field(default_factory=dict)
    number: int | None = None
    head: str = ""


def purge(
    home: Home,
    as_of: date,
    delete: bool = False,
    landing: Path | None = None,
    folder: Path | None = None,
    today: date | None = None,
) -> Purge:
    """Plan what has outlived its term on a day; with `delete` purge it.

    A hold keeps if it is in force on that day or today. Raises BillingError if the
    warehouse is not what the last good run left, if it isn't known whose usage is
    whose, or if terms or holds can't be read; UsageError if what is to be deleted has
    a day to come.
    """
    today = today or date.today()
    if delete and as_of > today:
        raise UsageError(
            f"--as-of {as_of} is to come: what is deleted has to have outlived its "
            f"term by today, {today}"
        )
    months = terms(folder)
    if not (home.warehouse.exists() and home.ledger.exists()):
        raise BillingError(f"{home.path}: nothing was billed here yet")
    last = last_run(home)
    if last is None or last != last_published_run(home):
        raise BillingError(
            "the last run did not come to its end, so that it is not known what is "
            "settled: run `billing run` first"
        )
    with home.lock("billing purge"):
        with open_files(home, Keys.of(home)) as connection:
            open_ledger(connection)
            _check_owners(connection)
            holds = [
                hold
                for hold in legal_holds(_customers(connection), folder)
                if hold.is_in_force(as_of, today)
            ]
            cutoff = months_before(as_of, months[USAGE])
            found = Purge(plan(connection, cutoff, holds))
            found.reports = _old_reports(home, months_before(as_of, months[REPORTS]))
            if any(hold.customer == "" for hold in holds):
                found.reports = []
            found.landed = _still_landed(landing or last.landing, found.plan)
            if delete and found.plan.purged:
                _book(connection, found, as_of)
            _note(home, found, as_of, delete)
            if delete:
                usage_store.forget_purged(connection)
                connection.execute("checkpoint warehouse")
        if delete:
            for path in found.reports:
                path.unlink()
    return found


def _check_owners(connection: duckdb.DuckDBPyConnection) -> None:
    """Stop while a row is rejected that says whose usage is whose.

    What is nobody's is held by no hold, and nothing of it is unpaid.
    """
    rejected = connection.execute("""
        select rejected.source_file, rejected.line
        from raw.rejected_rows as rejected
        inner join raw.contract_files as files using (source_file)
        where files.table_name in ('customers', 'facilities', 'facility_identifiers')
        order by all limit 1""").fetchone()
    if rejected:
        file, line = rejected
        raise BillingError(
            f"{file}, line {line} is rejected, so that it is not known whose usage is "
            "old: mend it (quality.rejected_rows says how) and run `billing run`. "
            "Nothing was purged"
        )


def _customers(connection: duckdb.DuckDBPyConnection) -> set[str]:
    rows = connection.execute(
        "select customer_id from raw.customers "
        "union select customer_id from ledger.book.invoices"
    ).fetchall()
    return {customer for (customer,) in rows}


def _book(connection: duckdb.DuckDBPyConnection, found: Purge, as_of: date) -> None:
    """The certificate, in one transaction; nothing is deleted before it stands."""
    number = next_number(connection, "purges", "purge_no")
    purged = found.plan.purged
    connection.execute("begin")
    try:
        for table, rows in (
            ("settled_usage", list(found.plan.settled.items())),
            ("purged_files", [(file.feed, file.file_id) for file in purged]),
        ):
            connection.execute(
                f"insert into ledger.book.{table} select $1, unnest($2), unnest($3)",
                [number, [one for one, _ in rows], [other for _, other in rows]],
            )
        content = [number, as_of, len(purged), sum(file.rows for file in purged)]
        content += [found.plan.individuals]
        for table, columns in (("settled_usage", SETTLED), ("purged_files", PURGED)):
            content.append(rows_digest(connection, table, columns, "purge_no", number))
        found.head = append_record(connection, "purges", content)
        connection.execute("commit")
    except BaseException:
        connection.execute("rollback")
        raise
    found.number = number


def _note(home: Home, found: Purge, as_of: date, delete: bool) -> None:
    purged = found.plan.purged
    AuditLog(home.audit).append(
        "purge" if delete else "purge_preview",
        "usage" if found.number is None else f"purge {found.number}",
        detail={
            "as_of": as_of.isoformat(),
            "before": found.plan.cutoff.isoformat(),
            "files": [file.discreet_name for file in purged],
            "kept": len(found.plan.files) - len(purged),
            "individuals": found.plan.individuals,
            "reports": len(found.reports),
            "customers": sorted(found.plan.settled),
        },
        rows=sum(file.rows for file in purged),
        ledger_head=found.head or None,
    )


def _old_reports(home: Home, before: date) -> list[Path]:
    """Pages of expectations of runs as of days before; their names begin with it."""
    found = []
    for path in sorted(home.expectations.glob("*.html")):
        try:
            day = date.fromisoformat(path.name[:10])
        except ValueError:
            continue
        if day < before:
            found.append(path)
    return found


def _still_landed(landing: Path, planned: Plan) -> dict[str, str]:
    """Purged files that still lie in the landing directory."""
    if not landing.is_dir() or not any(landing.iterdir()):
        return {}
    gone = {(file.feed, file.file_id) for file in planned.purged}
    return {
        file.name: file.discreet_name
        for feed, files in feed_files(landing).items()
        for file in files
        if (feed, file.content_hash) in gone
    }


def told(found: Purge, is_terminal: bool = True) -> list[str]:
    """A purge or its preview as lines of text; names of usage files, which may tell of
    a patient, for a person at the terminal alone.
    """
    purged = found.plan.purged
    rows = sum(file.rows for file in purged)
    done = found.number is not None
    lines = [
        f"Usage settled and older than {found.plan.cutoff}: {len(purged):,} files, "
        f"{rows:,} rows, {found.plan.individuals:,} individuals "
        + ("were purged" if done else "may be purged")
    ]
    lines += [f"  {file.discreet_name}: {file.rows:,} rows" for file in purged]
    kept = [file for file in found.plan.files if file.because]
    lines += [f"Kept: {len(kept):,} files"] if kept else []
    lines += [f"  {file.discreet_name}: {file.because}" for file in kept]
    lines += [f"Reports of old runs: {len(found.reports):,}"]
    if done:
        lines += [
            f"Certificate: purge {found.number}, record {found.head} of the ledger",
            "Blocks that are free now may hold old rows, encrypted: `billing keys "
            "rotate warehouse` writes the file anew. Backups of landing are yours",
        ]
    if found.landed and done:
        lines += ["Delete them from the landing directory; no run reads them again:"]
        names = found.landed if is_terminal else found.landed.values()
        lines += [f"  {name}" for name in names]
    if not done:
        lines += ["Nothing was deleted: to do it, say --delete"]
    return lines
