"""Backup and restore of what can't be made again: ledger, audit log, closes (HP-24).

A backup is a directory of its own. `ledger.<key id>.duckdb` is the ledger's encrypted
file; `files.<key id>.duckdb`, encrypted with the same key, holds the audit log, the
publications of each close and the manifest. `manifest.json` says the same for those
without the key. No key is in it: keys are kept elsewhere.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from orchestration import keys as key_files
from orchestration.audit import AuditLog
from orchestration.database import attach, connect, load_encryption, quoted
from orchestration.errors import BillingError, UsageError
from orchestration.files import file_digest, to_disk
from orchestration.home import PRIVATE_DIRECTORY, PRIVATE_FILE, Home
from orchestration.ledger_chain import FIRST_HASH, ledger_head, record_hashes
from orchestration.whole import read_whole, tables

FORMAT = 1
MANIFEST = "manifest.json"
_PART = 1 << 20  # bytes of a row; a publication may be larger than a value can be


def back_up(home: Home, directory: Path) -> Path:
    """Make a backup below a directory and return where it is.

    It is consistent: no run works meanwhile, and the ledger is read block by block
    before it counts as saved. Raises BillingError if there is no ledger, if it is
    damaged or if the place can't be written; nothing half done is left there.
    """
    with home.lock("billing backup"):
        if not home.ledger.exists():
            raise BillingError(f"{home.ledger} is not there yet: nothing to back up")
        key = _ledger_key(home)
        key_id = key_files.key_id("ledger", key)
        now = datetime.now(UTC)
        place = directory / f"{now:%Y-%m-%dT%H%M%S.%fZ}-ledger-{key_id}"
        partial = directory / f".{place.name}.partial"
        try:
            partial.mkdir(PRIVATE_DIRECTORY, parents=True)
            manifest = _save(home, key, key_id, now, partial)
            os.rename(partial, place)
            to_disk(directory)
        except OSError as error:
            raise BillingError(
                f"{directory}: the backup can't be written ({error.strerror}); "
                "choose another directory, or make room"
            ) from None
        finally:
            # And what a killed one left: under the lock nobody else of this key writes.
            for left in directory.glob(f".*-ledger-{key_id}.partial"):
                shutil.rmtree(left, ignore_errors=True)
        AuditLog(home.audit).append(
            "backup",
            str(place),
            detail={
                "ledger_key": key_id,
                "files": {name: file["sha256"] for name, file in _files(manifest)},
            },
            rows=sum(manifest["ledger"]["rows"].values()),
        )
        return place


def restore(home: Home, directory: Path, force: bool = False) -> Path:
    """Put the ledger, audit log and closes of a backup into a home.

    `directory` is a backup or holds some, of which the newest is taken; returns the
    one used. What the home had is kept beside, under `replaced/`. Raises BillingError
    before anything is changed if a hash differs, if the key is another one, or, unless
    forced, if the home has booked what the backup does not know.
    """
    place = _backup_in(directory)
    with home.lock("billing restore"):
        key = _ledger_key(home)
        manifest = _checked_manifest(place, key)
        ledger = place / manifest["ledger"]["file"]
        if read_rows(ledger, key) != manifest["ledger"]["rows"]:
            raise BillingError(f"{ledger} does not hold the rows of {place / MANIFEST}")
        if not force:
            _refuse_what_is_newer(home, key, ledger, manifest)
        try:
            kept = _replace(home, key, place, manifest)
        except OSError as error:
            raise BillingError(
                f"{home.path} can't be written ({error.strerror}); make room and "
                "restore again"
            ) from None
        finally:
            shutil.rmtree(_incoming(home), ignore_errors=True)
        AuditLog(home.audit).append(
            "restore",
            str(place),
            detail={
                "ledger_key": manifest["ledger_key"],
                "made_at": manifest["made_at"],
                "forced": force,
                "replaced": kept,
            },
            rows=sum(manifest["ledger"]["rows"].values()),
        )
        return place


def read_rows(path: Path, key: str) -> dict[str, int]:
    """Rows of each table of a ledger file, every block of it read."""
    return {table: rows for table, (rows, _) in read_whole(path, "ledger", key).items()}


def _ledger_key(home: Home) -> str:
    key = key_files.given(home, "ledger")
    if key is None:
        raise BillingError(
            f"the ledger key is not there: give it as {key_files.variable('ledger')} "
            f"or put it back as {home.keys / 'ledger'}"
        )
    return key


def _save(
    home: Home, key: str, key_id: str, now: datetime, directory: Path
) -> dict[str, Any]:
    with connect() as connection:
        load_encryption(connection)
        attach(connection, home.ledger, "ledger", key)
        # What a crash left in the write-ahead log goes into the file first.
        connection.execute("checkpoint ledger")
        head = ledger_head(connection)
    ledger = directory / f"ledger.{key_id}.duckdb"
    shutil.copyfile(home.ledger, ledger)
    log = list(AuditLog(home.audit).rows())
    manifest = {
        "format": FORMAT,
        "made_at": now.isoformat(timespec="seconds"),
        "ledger_key": key_id,
        "ledger": {
            "file": ledger.name,
            "sha256": file_digest(ledger),
            "rows": read_rows(ledger, key),
            "head": head,
        },
        "audit": {
            "rows": len(log),
            "head": log[-1]["hash"] if log else FIRST_HASH,
        },
        "contents": {},
        "files": {"file": f"files.{key_id}.duckdb"},
    }
    files = directory / manifest["files"]["file"]
    with connect() as connection:
        load_encryption(connection)
        attach(connection, files, "files", key)
        connection.execute(
            "create table files.parts (name varchar, part bigint, content blob)"
        )
        connection.execute("create table files.manifest (manifest varchar)")
        for path in (home.audit, *sorted(home.closes.glob("[!.]*"))):
            if path.exists():
                name = path.relative_to(home.path).as_posix()
                manifest["contents"][name] = _store(connection, name, path)
        connection.execute(
            "insert into files.manifest values ($1)", [_canonical(manifest)]
        )
        connection.execute("checkpoint files")
    manifest["files"]["sha256"] = file_digest(files)
    (directory / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n")
    for path in directory.iterdir():
        path.chmod(PRIVATE_FILE)
        to_disk(path)
    to_disk(directory)
    return manifest


def _store(connection: duckdb.DuckDBPyConnection, name: str, path: Path) -> str:
    """Put a file's bytes into the container and return their SHA-256.

    They are hashed as they are read: the audit log may be added to meanwhile.
    """
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for part, content in enumerate(iter(lambda: file.read(_PART), b"")):
            digest.update(content)
            connection.execute(
                "insert into files.parts values ($1, $2, $3)", [name, part, content]
            )
    return digest.hexdigest()


def _canonical(manifest: dict[str, Any]) -> str:
    """The manifest without the hash of the file that holds it."""
    told = {**manifest, "files": {"file": manifest["files"]["file"]}}
    return json.dumps(told, sort_keys=True)


def _files(manifest: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [(manifest[kind]["file"], manifest[kind]) for kind in ("ledger", "files")]


def _backup_in(directory: Path) -> Path:
    if (directory / MANIFEST).is_file():
        return directory
    # Their names begin with the time: the last by name is the newest.
    found = sorted(path.parent for path in directory.glob(f"*/{MANIFEST}"))
    if not found:
        raise UsageError(f"{directory}: there is no backup (no {MANIFEST})")
    return found[-1]


def _checked_manifest(place: Path, key: str) -> dict[str, Any]:
    """The manifest, once all that it names is there and as it was saved."""
    path = place / MANIFEST
    try:
        manifest = json.loads(path.read_bytes())
        known = manifest["format"] == FORMAT
        files, needed = _files(manifest), manifest["ledger_key"]
        told = [(place / Path(name).name, file["sha256"]) for name, file in files]
    except (OSError, ValueError, KeyError, TypeError):
        raise BillingError(f"{path} is no manifest of a backup") from None
    if not known:
        raise BillingError(f"{path} is of another program version's format")
    for file, digest in told:
        if not file.is_file() or file_digest(file) != digest:
            raise BillingError(
                f"{file} is missing or not what was saved; nothing was changed. "
                "Use another copy of this backup, or another backup"
            )
    given = key_files.key_id("ledger", key)
    if given != needed:
        raise BillingError(
            f"{place} was made with the ledger key {needed}, the key given is {given}; "
            f"nothing was changed. Give that key as {key_files.variable('ledger')}"
        )
    with _container(place, manifest, key) as connection:
        (inside,) = connection.execute("select manifest from files.manifest").fetchone()
    if inside != _canonical(manifest):
        raise BillingError(
            f"{path} was changed after the backup was made; nothing was changed here"
        )
    return manifest


def _container(
    place: Path, manifest: dict[str, Any], key: str
) -> duckdb.DuckDBPyConnection:
    connection = connect()
    load_encryption(connection)
    file = place / manifest["files"]["file"]
    attach(connection, file, "files", key, read_only=True)
    return connection


def _contents_of(connection: duckdb.DuckDBPyConnection, name: str) -> Iterator[bytes]:
    parts = connection.execute(
        "select content from files.parts where name = $1 order by part", [name]
    )
    while (row := parts.fetchone()) is not None:
        yield row[0]


def _refuse_what_is_newer(
    home: Home, key: str, ledger: Path, manifest: dict[str, Any]
) -> None:
    """Raises BillingError if the home booked, or logged, what the backup lacks."""
    problem = None
    if home.ledger.exists():
        problem = _rows_not_in(home.ledger, ledger, key)
    heads = AuditLog(home.audit).ledger_heads()
    if (
        problem is None
        and heads
        and heads[-1]
        not in (
            FIRST_HASH,
            *_heads(ledger, key),
        )
    ):
        problem = f"{home.audit.name} names an issue that the backup does not have"
    if problem is not None:
        raise BillingError(
            f"{home.path} is newer than the backup of {manifest['made_at']}: "
            f"{problem}; restoring would forget it, and its numbers would be given "
            "again. Use a newer backup, or --force"
        )


def _rows_not_in(current: Path, saved: Path, key: str) -> str | None:
    """What the current ledger has booked and the saved one lacks, in words.

    A damaged ledger tells nothing: for that it is being restored.
    """
    with connect() as connection:
        load_encryption(connection)
        attach(connection, saved, "saved", key, read_only=True)
        try:
            connection.execute(
                f"attach {quoted(current)} as current_ledger "
                f"(encryption_key {quoted(key)}, read_only)"
            )
            known = set(tables(connection, "saved"))
            for table in tables(connection, "current_ledger"):
                query = f"from current_ledger.{table}"
                if table in known:
                    query += f" except all from saved.{table}"
                (rows,) = connection.execute(
                    f"select count(*) from ({query})"
                ).fetchone()
                if rows:
                    name = table.replace('"', "")
                    return f"{rows} rows of {name} are not in the backup"
        except duckdb.Error as error:
            if "encryption key" in str(error).lower():
                return f"{current.name} is under another key and can't be compared"
            return None
    return None


def _heads(ledger: Path, key: str) -> list[str]:
    with connect() as connection:
        load_encryption(connection)
        attach(connection, ledger, "ledger", key, read_only=True)
        return record_hashes(connection)


def _incoming(home: Home) -> Path:
    return home.path / ".restoring"


def _replace(home: Home, key: str, place: Path, manifest: dict[str, Any]) -> str | None:
    """Swap the backup's files in; returns where the old ones are kept, if any were."""
    stamp = f"{datetime.now(UTC):%Y-%m-%dT%H%M%S.%fZ}"
    incoming, kept = _incoming(home), home.replaced / stamp
    shutil.rmtree(incoming, ignore_errors=True)
    incoming.mkdir(PRIVATE_DIRECTORY)
    shutil.copyfile(place / manifest["ledger"]["file"], incoming / home.ledger.name)
    with _container(place, manifest, key) as connection:
        for name, digest in manifest["contents"].items():
            path = incoming / name
            if not path.resolve().is_relative_to(incoming.resolve()):
                raise BillingError(f"{place}: {name} would lie outside the home")
            path.parent.mkdir(PRIVATE_DIRECTORY, parents=True, exist_ok=True)
            with path.open("wb") as file:
                for content in _contents_of(connection, name):
                    file.write(content)
            if file_digest(path) != digest:
                raise BillingError(f"{place}: {name} in it is not what was saved")
    # The ledger first: a log that is newer than it stops every run, so that a crash
    # in between can't go unseen. Restoring again goes on from there.
    names = [home.ledger.name, *manifest["contents"]]
    for name in names:
        source, target = incoming / name, home.path / name
        source.chmod(PRIVATE_FILE)
        to_disk(source)
        for old in (target, target.with_name(target.name + ".wal")):
            if old.exists():
                (kept / name).parent.mkdir(
                    PRIVATE_DIRECTORY, parents=True, exist_ok=True
                )
                os.rename(old, (kept / name).with_name(old.name))
        target.parent.mkdir(PRIVATE_DIRECTORY, parents=True, exist_ok=True)
        os.replace(source, target)
        to_disk(target.parent)
    return str(kept.relative_to(home.path)) if kept.exists() else None
