"""Encrypted at rest (HP-8): what is not as it was written is refused and named."""

import random
import shutil
from pathlib import Path

import duckdb
import pytest
from conftest import BilledBook

from orchestration.database import load_encryption
from orchestration.errors import BillingError
from orchestration.explain import explain
from orchestration.home import Home
from orchestration.keys import NAMES, Keys
from orchestration.ledger import open_ledger
from orchestration.warehouse import open_files
from orchestration.whole import read_on, read_whole

PLACES = 200
FILES = ("ledger", "warehouse")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A ledger and a warehouse of some blocks each, some of them free again."""
    made = Home(tmp_path_factory.mktemp("damage") / "home")
    made.create()
    with open_files(made, Keys.of(made)) as connection:
        open_ledger(connection)
        connection.execute("""
            create table warehouse.rows as
            select i, md5(i::varchar) as token from range(5000) as rows (i);
            create table warehouse.gone as from warehouse.rows;
            insert into ledger.book.billed_usage
            select 1, md5(i::varchar), 'f', date '2026-01-01', i
            from range(5000) as rows (i);
            checkpoint warehouse;
            checkpoint ledger;
            drop table warehouse.gone;
            checkpoint warehouse
        """)
    return made


def path_of(home: Home, name: str) -> Path:
    return home.warehouse if name == "warehouse" else home.ledger


@pytest.mark.parametrize("name", FILES)
def test_a_flipped_bit_is_refused_or_lies_where_nothing_is(
    home: Home, name: str, tmp_path: Path, record_property
) -> None:
    key, whole = getattr(Keys.of(home), name), path_of(home, name).read_bytes()
    connection = duckdb.connect()
    load_encryption(connection)
    rows = read_on(connection, path_of(home, name), name, key)
    copy = tmp_path / f"{name}.duckdb"
    chosen = random.Random(f"{name} of the ledger")
    unused = []
    for place in [0, len(whole) - 1, *chosen.sample(range(len(whole)), PLACES - 2)]:
        flipped = bytearray(whole)
        flipped[place] ^= 1 << chosen.randrange(8)
        copy.write_bytes(flipped)
        try:
            # Nothing in between: either what was written, or a refusal that names it.
            assert read_on(connection, copy, name, key) == rows, place
            unused.append(place)
        except BillingError as error:
            assert str(copy) in str(error)
        assert copy.read_bytes() == flipped
    connection.close()
    record_property("places that no block uses", len(unused))
    print(f"{name}: {len(unused)} of {PLACES} places are used by no block")
    # Most places hold something, else the test would show nothing.
    assert len(unused) < PLACES / 2


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("part", [0, 100, 4096 * 3, 0.5, -1])
def test_a_truncated_file_is_refused(
    home: Home, name: str, part: float, tmp_path: Path
) -> None:
    whole = path_of(home, name).read_bytes()
    size = int(len(whole) * part) if isinstance(part, float) else part
    copy = tmp_path / f"{name}.duckdb"
    copy.write_bytes(whole[:size])
    with pytest.raises(BillingError, match=f"{name}.duckdb"):
        read_whole(copy, name, getattr(Keys.of(home), name))
    assert copy.read_bytes() == whole[:size]


def test_a_command_names_the_damaged_file(
    billed_book: BilledBook, tmp_path: Path
) -> None:
    """Damage where the lines of invoices lie, found when one of them is asked for."""
    shutil.copytree(billed_book.home, tmp_path / "home")
    home = Home(tmp_path / "home")
    with open_files(home, Keys.of(home), read_only=True) as connection:
        (number,) = connection.execute(
            "select max(invoice_number) from ledger.book.invoices"
        ).fetchone()
        (block,) = connection.execute(
            "select min(block_id) from pragma_storage_info("
            "'ledger.book.invoice_lines') where block_id >= 0"
        ).fetchone()
    explain(home.path, number)  # the door
    content = bytearray(home.ledger.read_bytes())
    # Three headers of 4,096 bytes come before the blocks.
    place = 3 * 4096 + block * 262_144 + 1000
    content[place] ^= 1
    home.ledger.write_bytes(content)
    with pytest.raises(BillingError, match=r"ledger.duckdb is damaged: .* restore"):
        explain(home.path, number)
    assert home.ledger.read_bytes() == content


def test_keys_are_in_no_file_but_their_own(billed_book: BilledBook) -> None:
    """HP-10: not in logs, compiled SQL, artefacts, Dagster's storage, the audit log."""
    keys = {name: getattr(Keys.of(Home(billed_book.home)), name) for name in NAMES}
    own = billed_book.home / "keys"
    looked_at = 0
    for path in billed_book.home.rglob("*"):
        if path.is_file() and own not in path.parents:
            content = path.read_bytes()
            looked_at += 1
            for name, key in keys.items():
                assert key.encode() not in content, (name, path)
    assert looked_at > 5


def test_no_command_takes_a_key(capsys: pytest.CaptureFixture[str]) -> None:
    """HP-10: what stands on a command line can be read by everybody on the machine."""
    import typer

    from orchestration.cli import app

    def options(command) -> list[str]:
        own = [name for parameter in command.params for name in parameter.opts]
        for below in getattr(command, "commands", {}).values():
            own += options(below)
        return own

    found = options(typer.main.get_command(app))
    assert "--home" in found
    assert [name for name in found if "key" in name or "password" in name] == []


def test_damage_is_no_wrong_key(home: Home, tmp_path: Path) -> None:
    with duckdb.connect() as connection, pytest.raises(duckdb.Error):
        connection.execute(f"attach '{home.ledger}' as plain (read_only)")
    with pytest.raises(BillingError, match="the key does not open it"):
        read_whole(home.ledger, "ledger", "f" * 64)
