"""What is found in a landing directory, and what is said of the rest."""

import hashlib
import os
import tempfile
from pathlib import Path

import pytest

from orchestration.errors import BillingError
from orchestration.landed_files import (
    feed_files,
    open_to_others,
    table_files,
    unknown_entries,
)
from orchestration.project import PROJECT_DIR


def put(landing: Path, *names: str) -> None:
    for name in names:
        (landing / name).parent.mkdir(parents=True, exist_ok=True)
        (landing / name).write_text(name, encoding="utf-8")


def test_a_table_may_be_split_over_files_of_every_kind(tmp_path):
    put(
        tmp_path,
        "contracts/customers.csv",
        "contracts/customers.csv.gz",
        "contracts/customers.parquet",
        "contracts/customers/b.csv",
        "contracts/customers/a.parquet",
        "contracts/customers/.hidden.csv",
        "contracts/customers/notes.txt",
        "contracts/facilities.csv",
    )
    assert [file.name for file in table_files(tmp_path, "customers")] == [
        "contracts/customers/a.parquet",
        "contracts/customers/b.csv",
        "contracts/customers.csv",
        "contracts/customers.csv.gz",
        "contracts/customers.parquet",
    ]
    assert table_files(tmp_path, "baas") == []


def test_the_ending_of_a_tables_file_may_be_in_capitals(tmp_path):
    put(
        tmp_path,
        "contracts/customers.CSV",
        "contracts/baas/a.Parquet",
        "contracts/baas/b.CSV.GZ",
        "receivables/payments.CSV",
        # The name of the table may not.
        "contracts/CONTRACTS.CSV",
    )
    assert [file.name for file in table_files(tmp_path, "customers")] == [
        "contracts/customers.CSV"
    ]
    assert [file.name for file in table_files(tmp_path, "baas")] == [
        "contracts/baas/a.Parquet",
        "contracts/baas/b.CSV.GZ",
    ]
    (file,) = table_files(tmp_path, "payments", "receivables")
    assert file.name == "receivables/payments.CSV"
    assert table_files(tmp_path, "contracts") == []
    assert unknown_entries(tmp_path) == [
        "contracts/CONTRACTS.CSV is not read: nothing here has that name. "
        "Did you mean contracts.csv?"
    ]


def test_a_file_is_known_by_its_bytes(tmp_path):
    put(tmp_path, "contracts/baas.csv")
    (file,) = table_files(tmp_path, "baas")
    assert file.path == tmp_path / "contracts/baas.csv"
    assert file.content_hash == hashlib.sha256(b"contracts/baas.csv").hexdigest()


def test_a_feed_is_a_folder_of_usage_with_files_at_any_depth(tmp_path):
    put(
        tmp_path,
        "usage/vendor/2026/02/b.csv",
        "usage/vendor/2026/01/a.csv",
        "usage/vendor/.part",
        "usage/another/x.parquet",
        "usage/loose.csv",
    )
    (tmp_path / "usage/waiting").mkdir()
    feeds = feed_files(tmp_path)
    assert {feed: [file.name for file in files] for feed, files in feeds.items()} == {
        "another": ["usage/another/x.parquet"],
        "vendor": ["usage/vendor/2026/01/a.csv", "usage/vendor/2026/02/b.csv"],
        "waiting": [],
    }
    assert list(feeds) == ["another", "vendor", "waiting"]


def test_each_directory_is_walked_once_however_links_lead_to_it(tmp_path):
    # Followed without memory, two links back would double with every step.
    put(
        tmp_path,
        "landing/usage/vendor/may/a.csv",
        "landing/usage/vendor/june/b.csv",
        "elsewhere/c.csv",
    )
    vendor = tmp_path / "landing/usage/vendor"
    for link, target in [
        ("x", "."),
        ("y", "."),
        ("a_month", "may"),
        ("june/sibling", "../may"),
        ("may/sibling", "../june"),
        ("archive", tmp_path / "elsewhere"),
    ]:
        (vendor / link).symlink_to(target)
    assert [file.name for file in feed_files(tmp_path / "landing")["vendor"]] == [
        "usage/vendor/archive/c.csv",
        "usage/vendor/june/b.csv",
        "usage/vendor/may/a.csv",
    ]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("contracts/custmers.csv", "Did you mean customers.csv?"),
        ("contracts/Contract_Lines.csv", "Did you mean contract_lines.csv?"),
        ("contracts/contracts.tsv", "Did you mean contracts.csv?"),
        ("contracts/facilites/part.csv", "Did you mean facilities/?"),
        ("contracts/zzz.bin", "contracts/zzz.bin is not read"),
        ("contracts/customers/part.txt", "contracts/customers/part.txt is not read"),
        (
            "contract/customers.csv",
            "contract/ is not read: nothing here has that name. "
            "Did you mean contracts/?",
        ),
        ("receivables/payment.csv", "Did you mean payments.csv?"),
        ("usage/encounters.csv", "each feed has its own folder"),
        ("stray.csv", "stray.csv is not read"),
    ],
)
def test_what_nothing_reads_is_named_with_its_likely_meaning(tmp_path, name, said):
    put(tmp_path, "contracts/customers.csv", name)
    (warning,) = unknown_entries(tmp_path)
    assert name.split("/")[0] in warning
    assert said in warning


def test_known_names_and_notes_are_no_warning(tmp_path):
    put(
        tmp_path,
        "README.md",
        "contracts/customers/1.csv",
        "contracts/baas.parquet",
        "contracts/LICENSE",
        "receivables/payments.csv",
        "usage/README.txt",
        "usage/vendor/any.thing",
        ".cache/x",
    )
    assert unknown_entries(tmp_path) == []


def test_a_feed_without_files_is_named(tmp_path):
    put(tmp_path, "contracts/customers.csv")
    (tmp_path / "usage/vendor").mkdir(parents=True)
    assert unknown_entries(tmp_path) == ["usage/vendor/ is a feed without files."]


@pytest.mark.parametrize("closed", ["usage/ehr", "usage/ehr/Jane Roe", "usage"])
def test_a_folder_that_cant_be_listed_stops_by_name(tmp_path, monkeypatch, closed):
    put(tmp_path, "usage/ehr/Jane Roe/a.csv")
    listed = Path.iterdir

    def list_others(folder):
        if folder == tmp_path / closed:
            raise PermissionError(13, "Permission denied")
        return listed(folder)

    monkeypatch.setattr(Path, "iterdir", list_others)
    with pytest.raises(BillingError) as refused:
        feed_files(tmp_path)
    named = tmp_path / closed.removesuffix("/Jane Roe")
    assert str(refused.value).startswith(f"{named} cannot be listed")
    assert "Permission denied" in str(refused.value)
    assert "Jane" not in str(refused.value)


def test_what_is_no_file_is_named_and_never_opened(tmp_path):
    put(tmp_path, "usage/vendor/may/a.csv", "usage/vendor/b.csv", "contracts/x.md")
    vendor = tmp_path / "usage/vendor"
    (vendor / "gone.csv").symlink_to("nowhere.csv")
    (vendor / "may/itself.csv").symlink_to("itself.csv")
    (tmp_path / "contracts/customers.csv").symlink_to("nowhere.csv")
    (tmp_path / "usage/pipes").mkdir()
    for pipe in ("vendor/pipe.csv", "vendor/b.csv.sha256", "pipes/a.csv"):
        # Nobody writes to it: to open it would be to wait for ever.
        os.mkfifo(tmp_path / "usage" / pipe)
    files = feed_files(tmp_path)
    assert [(file.name, file.refusal is None) for file in files["vendor"]] == [
        ("usage/vendor/b.csv", False),
        ("usage/vendor/may/a.csv", True),
    ]
    told = [warning.split(" is ")[0] for warning in unknown_entries(tmp_path)]
    assert sorted(told) == [
        "contracts/customers.csv",
        "contracts/x.md",
        "usage/pipes/",
        "usage/pipes/a.csv",
        "usage/vendor/b.csv.sha256",
        "usage/vendor/gone.csv",
        "usage/vendor/may/itself.csv",
        "usage/vendor/pipe.csv",
    ]


@pytest.mark.parametrize("read", [feed_files, unknown_entries])
def test_a_landing_directory_without_files_says_what_belongs_there(tmp_path, read):
    (tmp_path / "contracts").mkdir()
    put(tmp_path.parent, "a_file")
    for landing, said in [
        (tmp_path, "is empty"),
        (tmp_path / "nowhere", "There is no landing directory"),
        (tmp_path.parent / "a_file", "is a file"),
    ]:
        with pytest.raises(BillingError, match=said) as stopped:
            read(landing)
        assert "contracts/ (customers.csv" in str(stopped.value)
        assert "--landing DIR" in str(stopped.value)


@pytest.mark.parametrize(
    ("sent", "shown"), [(b"\xff.csv", r"\udcff.csv"), (b"a\nb.csv", r"a\nb.csv")]
)
def test_a_table_with_a_name_that_is_no_text_is_refused(tmp_path, sent, shown):
    put(tmp_path, "contracts/customers.csv")
    folder = os.fsencode(tmp_path / "contracts") + b"/baas"
    os.mkdir(folder)
    with open(folder + b"/" + sent, "wb"):
        pass
    with pytest.raises(BillingError, match="rename it") as stopped:
        table_files(tmp_path, "baas")
    assert str(stopped.value).startswith(f"contracts/baas/{shown} has a name")


@pytest.fixture
def reachable():
    """A landing directory below which no directory keeps others out."""
    with tempfile.TemporaryDirectory(dir="/tmp") as place:
        os.chmod(place, 0o755)
        landing = Path(place) / "landing"
        (landing / "usage").mkdir(parents=True)
        landing.chmod(0o755)
        (landing / "usage").chmod(0o755)
        yield landing


def test_usage_that_others_can_read_is_warned_of(reachable):
    (told,) = open_to_others(reachable)
    assert "can be read by every user" in told
    assert f"chmod o-rwx {reachable}" in told


@pytest.mark.parametrize("closed", ["usage", ".", ".."])
def test_one_closed_directory_on_the_way_is_enough(reachable, closed):
    # The group may read: who is in it is somebody's decision.
    (reachable / closed).chmod(0o750)
    assert open_to_others(reachable) == []


def test_the_shipped_samples_are_nobodys_data():
    assert open_to_others(PROJECT_DIR / "samples") == []
