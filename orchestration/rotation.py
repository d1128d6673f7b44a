"""`billing keys rotate`: an encrypted file under a new key, beside and then swapped.

Whenever it is cut short, one of two keys opens the file: the one in its place, or the
next one beside it; doing it again finishes it.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import duckdb

from orchestration import keys as key_files
from orchestration.audit import AuditLog
from orchestration.database import (
    attach,
    connect,
    load_encryption,
    prepare,
    quoted,
    remove_database,
)
from orchestration.errors import BillingError, UsageError
from orchestration.files import to_disk
from orchestration.home import PRIVATE_FILE, Home
from orchestration.whole import contents


@dataclass(frozen=True)
class Rotation:
    """What became of a key: ids of the old and the new, and where the old is kept."""

    name: str
    old: str
    new: str
    kept: Path | None


def rotate_file(home: Home, name: str) -> Rotation:
    """Write the warehouse or the ledger anew under a new key.

    The new key is made, or given as BILLING_NEW_<NAME>_KEY, as it must be where the
    environment gives the old one. Raises BillingError if the file is damaged, or if
    there is no room; it is then as it was.
    """
    path = home.warehouse if name == "warehouse" else home.ledger
    with home.lock(f"billing keys rotate {name}"):
        if not path.exists():
            raise BillingError(f"{path} is not there yet: no key to change")
        finished = _finished(home, name, path)
        if finished is not None:
            return finished
        old = key_files.given(home, name)
        if old is None:
            raise BillingError(
                f"the {name} key is not there: put it back as {home.keys / name} or "
                f"give it as {key_files.variable(name)}"
            )
        new = new_key(home, name, old)
        rows = _write_anew(home, name, path, old, new)
        rotation = hand_over(home, name, old, new)
        note(home, rotation, rows)
        return rotation


def new_variable(name: str) -> str:
    """The environment variable that gives a key to come."""
    return f"BILLING_NEW_{name.upper()}_KEY"


def next_file(home: Home, name: str) -> Path:
    """Where a key waits until what it opens is made."""
    return home.keys / f"{name}.next"


def _finished(home: Home, name: str, path: Path) -> Rotation | None:
    """Finish a change that was cut short after the file was swapped; forget others."""
    waiting = next_file(home, name)
    if not waiting.exists():
        return None
    new = key_files.read(waiting)
    if not _opens(path, new):
        waiting.unlink()
        return None
    old = key_files.given(home, name)
    rotation = hand_over(home, name, old or "", new)
    note(home, rotation, None)
    return rotation


def _opens(path: Path, key: str) -> bool:
    with connect() as connection:
        load_encryption(connection)
        try:
            connection.execute(
                f"attach {quoted(path)} as tried (encryption_key {quoted(key)}, "
                "read_only)"
            )
        except duckdb.Error:
            return False
    return True


def new_key(home: Home, name: str, old: str) -> str:
    """The key to come, given or made, and written beside if the old one is a file.

    Raises UsageError if it must be given and is not, or is the one in use.
    """
    given = os.environ.get(new_variable(name))
    if os.environ.get(key_files.variable(name)):
        if not given:
            raise UsageError(
                f"{key_files.variable(name)} gives the key, so that a new one must be "
                f"given as well: as {new_variable(name)}"
            )
        new = given
    elif given:
        key_files.write(next_file(home, name), given)
        new = given
    else:
        new = key_files.make(next_file(home, name))
    if new == old:
        raise UsageError(f"{new_variable(name)} is the key in use already")
    return new


def _write_anew(home: Home, name: str, path: Path, old: str, new: str) -> int:
    """Swap in a copy under the new key, once it is proven to hold the same rows."""
    temporary = path.with_name(f".{path.name}.new")
    remove_database(temporary)
    try:
        with connect() as connection:
            prepare(connection, home)
            attach(connection, path, name, old)
            attach(connection, temporary, "rotated", new)
            connection.execute(f"checkpoint {name}")
            before = contents(connection, name)
            connection.execute(f"copy from database {name} to rotated")
            connection.execute("checkpoint rotated")
            same = contents(connection, "rotated") == before
        if not same:
            raise BillingError(f"{path}: its copy under the new key differs from it")
        temporary.chmod(PRIVATE_FILE)
        to_disk(temporary)
        # A log of the old file must not be taken for one of the new.
        path.with_name(path.name + ".wal").unlink(missing_ok=True)
        os.replace(temporary, path)
        to_disk(path.parent)
    except (duckdb.Error, OSError) as error:
        raise BillingError(
            f"{path} could not be written under a new key ({type(error).__name__}: "
            "damaged, or no room?); it is as it was, under the key it had"
        ) from None
    finally:
        remove_database(temporary)
    return sum(rows for rows, _ in before.values())


def hand_over(home: Home, name: str, old: str, new: str) -> Rotation:
    """Put the next key in its place; that of the ledger is kept for its backups."""
    old_id, new_id = key_files.key_id(name, old), key_files.key_id(name, new)
    kept = None
    if next_file(home, name).exists():
        if name == "ledger" and (home.keys / name).exists():
            kept = home.keys / f"{name}.{old_id}"
            key_files.write(kept, old)
        os.replace(next_file(home, name), home.keys / name)
        to_disk(home.keys)
    return Rotation(name, old_id, new_id, kept)


def note(
    home: Home, rotation: Rotation, rows: int | None, more: dict[str, int] | None = None
) -> None:
    """Add the rotation to the audit log."""
    AuditLog(home.audit).append(
        "key_rotation",
        rotation.name,
        detail={"from": rotation.old, "to": rotation.new, **(more or {})},
        rows=rows,
    )


def told(rotation: Rotation) -> str:
    """A rotation as text, without any key."""
    lines = [
        f"The {rotation.name} key is {rotation.new} now, it was {rotation.old} "
        "(ids, not keys)"
    ]
    if rotation.kept is not None:
        lines.append(
            f"Backups made so far need the old key, kept as {rotation.kept}: make a "
            "backup now, and delete that file when no older one is needed"
        )
    if os.environ.get(key_files.variable(rotation.name)):
        lines.append(
            f"From now on give the new key as {key_files.variable(rotation.name)}"
        )
    return "\n".join(lines) + "\n"
