"""`billing keys rotate token`: new tokens, the same patients, the same bill (HP-3)."""

import hashlib
import hmac
import shutil
from datetime import date
from pathlib import Path

import duckdb
import pytest
from conftest import BilledBook, billing, finance_tables

from orchestration import keys, rotation, token_rotation
from orchestration.audit import AuditLog
from orchestration.errors import BillingError
from orchestration.home import Home
from orchestration.keys import Keys, key_id
from orchestration.token_rotation import rotate_token, told
from orchestration.usage_intake import load_usage
from orchestration.warehouse import open_files

HEADER = "event_id,event_type,facility,patient_id,occurred_at\n"
AS_OF = date(2026, 6, 30)
ADMITTED = (
    "MSH|^~\\&|EHR|north|B||20260502||ADT^A01|1|P|2.5\rPID|1||p1\r"
    "PV1|1|I|||||||||||||||||V1|||||||||||||||||||||||||20260501\r"
)
MERGED = "MSH|^~\\&|EHR|north|B||20260502||ADT^A40|2|P|2.5\rPID|1||p1\rMRG|p7\r"


def token(key: str, customer: str, patient: str) -> str:
    """A token, made without the project."""
    own = hmac.new(key.encode(), customer.encode(), hashlib.sha256).digest()
    return hmac.new(own, patient.encode(), hashlib.sha256).hexdigest()


@pytest.fixture
def landing(tmp_path: Path) -> Path:
    usage = tmp_path / "landing" / "usage"
    for name, rows in {
        "clinic/a.csv": ["1,encounter,north,p1,2026-05-01", "2,encounter,hilltop,p1,"],
        "clinic/gone.csv": [
            "3,encounter,north,p1,2026-05-03",
            "4,encounter,north,p9,2026-05-04",
        ],
    }.items():
        (usage / name).parent.mkdir(parents=True, exist_ok=True)
        (usage / name).write_text(HEADER + "\n".join(rows) + "\n")
    (usage / "adt").mkdir()
    (usage / "adt" / "visits.hl7").write_text(ADMITTED + MERGED)
    return tmp_path / "landing"


@pytest.fixture
def home(tmp_path: Path, landing: Path) -> Home:
    """Lakeside owns north, Hill hilltop; both have p1. gone.csv is landed no more."""
    made = Home(tmp_path / "home")
    made.create()
    with open_files(made, Keys.of(made)) as connection:
        connection.execute("""
            create schema raw;
            create table raw.facilities as
                select unnest(['north', 'hilltop']) as facility_id,
                    unnest(['lakeside', 'hill']) as customer_id;
            create table raw.facility_identifiers (
                feed varchar, identifier varchar, facility_id varchar
            );
            create table raw.baas as select unnest(['lakeside', 'hill']) as customer_id,
                date '2020-01-01' as effective_on, null::date as ends_on;
        """)
        load_usage(connection, landing, AS_OF, keys.given(made, "token"))
    (landing / "usage" / "clinic" / "gone.csv").unlink()
    AuditLog(made.audit).append("run", str(landing), detail={"as_of": str(AS_OF)})
    return made


def stored(home: Home) -> dict[str, tuple[str, str]]:
    """Token and key id of each event."""
    with open_files(home, Keys.of(home), read_only=True) as connection:
        rows = connection.execute(
            "select event_id, patient_token, token_key from restricted.usage_rows"
        ).fetchall()
    return {event: (token, key) for event, token, key in rows}


def test_tokens_are_made_again_from_landing(home: Home) -> None:
    old = keys.given(home, "token")
    assert stored(home)["1"] == (token(old, "lakeside", "p1"), key_id("token", old))
    done = rotate_token(home)
    new = keys.given(home, "token")
    assert new != old
    rows, by_new = stored(home), key_id("token", new)
    assert rows["1"] == (token(new, "lakeside", "p1"), by_new)
    assert rows["2"] == (token(new, "hill", "p1"), by_new)
    assert rows["V1"] == (token(new, "lakeside", "p1"), by_new)
    # The same patient in a file that is gone is still the same patient.
    assert rows["3"] == rows["1"]
    # Nobody knows p9's identifier any more.
    assert rows["4"] == (token(old, "lakeside", "p9"), key_id("token", old))
    assert done.changed == 2
    assert list(done.kept.values()) == [1]
    assert all(name.startswith("usage/clinic/") for name in done.kept)
    assert "gone.csv" not in told(done) and old not in told(done)
    assert new not in told(done)


def test_who_was_merged_stays_merged(home: Home) -> None:
    def merged() -> list[tuple]:
        with open_files(home, Keys.of(home), read_only=True) as connection:
            return connection.execute(
                "select from_token, to_token, token_key from restricted.patient_merges"
            ).fetchall()

    old = keys.given(home, "token")
    made = [token(old, "lakeside", patient) for patient in ("p7", "p1")]
    assert merged() == [(*made, key_id("token", old))]
    rotate_token(home)
    new = keys.given(home, "token")
    made = [token(new, "lakeside", patient) for patient in ("p7", "p1")]
    assert merged() == [(*made, key_id("token", new))]
    with open_files(home, Keys.of(home), read_only=True) as connection:
        pairs = connection.execute("from restricted.merged_patients").fetchall()
    assert {patient for pair in pairs for patient in pair} == set(made)


def test_the_next_load_takes_the_new_key_and_refuses_the_old(
    home: Home, landing: Path
) -> None:
    old = keys.given(home, "token")
    rotate_token(home)
    (landing / "usage" / "clinic" / "b.csv").write_text(
        HEADER + "5,encounter,north,p1,2026-05-05\n"
    )
    with open_files(home, Keys.of(home)) as connection:
        with pytest.raises(BillingError, match="token key"):
            load_usage(connection, landing, AS_OF, old)
        intake = load_usage(connection, landing, AS_OF, keys.given(home, "token"))
    assert intake.files_read == 1
    assert stored(home)["5"] == stored(home)["1"]


def test_cut_short_after_the_tokens_it_is_finished(
    home: Home, landing: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = keys.given(home, "token")

    def cut(*arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(rotation, "hand_over", cut)
        with pytest.raises(KeyboardInterrupt):
            rotate_token(home)
    assert keys.given(home, "token") == old
    waiting = keys.read(rotation.next_file(home, "token"))
    assert stored(home)["1"][0] == token(waiting, "lakeside", "p1")
    with (
        open_files(home, Keys.of(home)) as connection,
        pytest.raises(BillingError, match="finish it with `billing keys rotate token`"),
    ):
        load_usage(connection, landing, AS_OF, old)
    rotate_token(home)
    assert keys.given(home, "token") == waiting
    assert stored(home)["1"][0] == token(waiting, "lakeside", "p1")


def test_a_file_that_cant_be_read_changes_nothing(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, old = stored(home), keys.given(home, "token")

    def broken(*arguments: object) -> None:
        raise duckdb.ConversionException("p1 is no number")

    monkeypatch.setattr(token_rotation.usage_terms, "place_rows", broken)
    with pytest.raises(BillingError, match="No token was changed") as stopped:
        rotate_token(home)
    assert "p1" not in str(stopped.value) and "a.csv" not in str(stopped.value)
    assert stored(home) == before
    assert keys.given(home, "token") == old


def test_a_key_of_the_environment_is_changed_for_a_given_one(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BILLING_TOKEN_KEY", keys.given(home, "token"))
    with pytest.raises(BillingError, match="BILLING_NEW_TOKEN_KEY"):
        rotate_token(home)
    monkeypatch.setenv("BILLING_NEW_TOKEN_KEY", "another key for tests")
    rotate_token(home)
    assert stored(home)["1"][0] == token("another key for tests", "lakeside", "p1")


def test_nothing_is_billed_again(billed_book: BilledBook, tmp_path: Path) -> None:
    """The shared book counts patients, has feeds of every format, and merges."""
    home = Home(tmp_path / "home")
    shutil.copytree(billed_book.home, home.path)

    def run() -> dict[str, list[tuple]]:
        (as_of,) = [
            row["detail"]["as_of"]
            for row in AuditLog(home.audit).rows()
            if row["action"] == "run"
        ][-1:]
        billing(
            *("run", "--home", home.path, "--landing", billed_book.landing),
            *("--as-of", as_of),
        )
        return finance_tables(home.publication)

    before = run()
    tokens = {row[0] for row in stored(home).values() if row[0]}
    done = rotate_token(home, billed_book.landing)
    assert done.changed > 0
    after_tokens = {row[0] for row in stored(home).values() if row[0]}
    assert len(after_tokens) == len(tokens)
    # Every file of the book is still landed.
    assert done.kept == {}
    assert not tokens & after_tokens
    assert run() == before
