"""Whom a breach may have reached, what of them, by when to notify (HP-20, HP-21)."""

from datetime import date
from pathlib import Path

import pytest
from conftest import billing

from orchestration import notices
from orchestration.audit import AuditLog
from orchestration.breach import RAW, TOKENS, Reached, breach
from orchestration.breach_report import clocks, in_words
from orchestration.errors import BillingError, UsageError
from orchestration.files import file_digest
from orchestration.home import Home
from orchestration.keys import Keys
from orchestration.usage_intake import load_usage
from orchestration.warehouse import open_files

HEADER = "event_id,event_type,facility,patient_id,occurred_at,received_at\n"
DAY = date(2026, 3, 31)
EVER = (date(2000, 1, 1), date(2999, 12, 31))


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Lakeside has three patients in two feeds, Hill one of the same, Vale none."""
    made = Home(tmp_path / "home")
    made.create()
    usage = tmp_path / "landing" / "usage"
    for feed, rows in {
        "ehr": [
            "e1,encounter,north,p1,2026-03-01,2026-03-01",
            "e2,encounter,north,p1,2026-03-02,2026-03-02",
            "e3,encounter,south,p2,2026-03-03,2026-03-20",
            "e4,encounter,hilltop,p1,2026-03-03,2026-03-03",
            "e5,encounter,valley,p9,2026-03-03,2026-03-03",
        ],
        "lab": ["l1,encounter,N1,p3,2026-03-03,2026-03-03"],
    }.items():
        (usage / feed).mkdir(parents=True)
        (usage / feed / "march.csv").write_text(HEADER + "\n".join(rows) + "\n")
    with open_files(made, Keys.of(made)) as connection:
        connection.execute("""
            create schema raw;
            create table raw.customers as select unnest(['lakeside', 'hill', 'vale'])
                as customer_id, unnest(['Lakeside', 'Hill', 'Vale']) as customer_name;
            create table raw.facilities as
                select unnest(['north', 'south', 'hilltop', 'valley']) as facility_id,
                    unnest(['lakeside', 'lakeside', 'hill', 'vale']) as customer_id;
            create table raw.facility_identifiers as
                select 'lab' as feed, 'N1' as identifier, 'north' as facility_id;
            create table raw.baas as
                select unnest(['lakeside', 'hill']) as customer_id,
                    date '2025-01-01' as effective_on, null::date as ends_on,
                    'BAA-1' as reference;
        """)
        load_usage(connection, tmp_path / "landing", date(2026, 6, 30), "a key")
    return made


def log(home: Home, action: str, target: str = "x", **detail: object) -> None:
    AuditLog(home.audit).append(action, target, detail=detail)


def individuals(home: Home, **options: object) -> dict[str, int]:
    found = breach(home, *options.pop("days", EVER), **options)
    return {one.customer_id: one.individuals for one in found.customers}


def test_a_run_may_have_reached_every_patient_that_is_kept(home: Home) -> None:
    log(home, "run", "landing")
    found = breach(home, *EVER)
    # p1, p2, p3 of Lakeside; p1 again of Hill, another token; Vale has no agreement,
    # so that nothing of p9 is kept.
    assert [(one.customer_id, one.individuals) for one in found.customers] == [
        ("hill", 1),
        ("lakeside", 3),
    ]
    assert found.individuals == 4
    assert found.classes == [RAW, TOKENS]
    assert found.secured.startswith("not secured")
    assert {one.agreement for one in found.customers} == {"BAA-1"}


def test_an_explanation_reached_the_customers_it_names(home: Home) -> None:
    log(home, "explain", "INV-2026-000001", customers=["hill"])
    assert individuals(home) == {"hill": 1}
    assert breach(home, *EVER).classes == [TOKENS]
    # What says nothing of its customers may have been about any.
    log(home, "explain", "INV-2026-000002")
    assert individuals(home) == {"hill": 1, "lakeside": 3}


def test_what_reads_nothing_of_a_patient_reached_nobody(home: Home) -> None:
    log(home, "publish", "billing.duckdb")
    log(home, "invoice", "INV-2026-000001", customers=["hill"])
    found = breach(home, *EVER)
    assert found.customers == [] and found.classes == []
    assert "None of it reads or holds anything of a patient" in in_words(found)
    # An action that nobody has judged yet counts as if it had read everything.
    log(home, "something new")
    assert individuals(home) == {"hill": 1, "lakeside": 3}


@pytest.mark.parametrize(
    ("action", "target", "classes"),
    [
        # New tokens are made of the identifiers as they were sent.
        ("key_rotation", "token", [RAW, TOKENS]),
        ("purge_preview", "usage", [TOKENS]),
    ],
)
def test_no_less_than_what_an_action_reads_is_told_HP_20(
    home: Home, action: str, target: str, classes: list[str]
) -> None:
    log(home, action, target)
    assert breach(home, *EVER).classes == classes


def test_letters_that_went_out_reached_no_patient(home: Home) -> None:
    for event in notices.EVENTS:
        log(home, f"notice_{event}", "INV-2026-000001-1", customers=["hill"])
    found = breach(home, *EVER)
    assert len(found.done) == 5
    assert found.customers == [] and found.classes == []


def test_actor_and_days_limit_what_was_done(home: Home) -> None:
    log(home, "run")
    assert individuals(home, actor="nobody") == {}
    assert individuals(home, days=(date(2000, 1, 1), date(2000, 1, 2))) == {}


def test_rows_received_after_the_window_were_not_there_yet(home: Home) -> None:
    """Of what was lost by 19 March, p2's row, received on the 20th, was no part."""
    log(home, "run", "landing")
    days = (date(2026, 3, 1), date(2026, 3, 19))
    found = individuals(home, days=days, target="warehouse.duckdb")
    assert found == {"hill": 1, "lakeside": 2}


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("lakeside", {"lakeside": 3}),
        ("lab", {"lakeside": 1}),
        ("usage/lab/march.csv", {"lakeside": 1}),
        ("warehouse.duckdb", {"hill": 1, "lakeside": 3}),
        ("landing", {"hill": 1, "lakeside": 3}),
        ("published", {}),
        ("ledger.duckdb", {}),
    ],
)
def test_an_object_limits_whom_it_holds(
    home: Home, target: str, expected: dict[str, int]
) -> None:
    log(home, "run", "landing")
    assert individuals(home, target=target) == expected


def test_an_encrypted_file_is_secured_raw_files_and_keys_are_not(home: Home) -> None:
    log(home, "run", "landing")

    def secured(target: str) -> str:
        return breach(home, *EVER, target=target).secured.split(":")[0].split(",")[0]

    assert secured("warehouse.duckdb") == "secured"
    assert secured("backup") == "secured"
    assert secured("keys") == "not secured"
    assert secured("landing") == "not secured"


def test_clocks_run_in_calendar_days_from_discovery_HP_21() -> None:
    """31 March + 60 days: 30 to 30 April, 30 more to 30 May, a Saturday: not moved.

    Once more 60: 1 day to 31 May, 30 to 30 June, 29 to 29 July. The year's list: 31
    December + 60 days = 31 in January, 28 in February, 1 March 2027.
    """
    lines = clocks(DAY, [Reached("hill", "Hill", 499, "")])
    text = "\n".join(lines)
    assert "  2026-05-30  we to each customer" in text
    assert "by 2026-07-29" in text
    assert "  2027-03-01  hill: HHS" in text
    # 2028 has a 29 February: 31 in January and 29.
    late = "\n".join(clocks(date(2027, 5, 1), [Reached("hill", "Hill", 1, "")]))
    assert "  2028-02-29  hill: HHS" in late


@pytest.mark.parametrize(
    ("individuals", "hhs_with_individuals", "media"),
    [(499, False, False), (500, True, False), (501, True, True)],
)
def test_hhs_from_500_media_above_500_HP_21(
    individuals: int, hhs_with_individuals: bool, media: bool
) -> None:
    text = "\n".join(clocks(DAY, [Reached("hill", "Hill", individuals, "")]))
    assert ("with individuals  hill: HHS" in text) is hhs_with_individuals
    assert ("media too, if more than 500 live in one State" in text) is media


@pytest.mark.parametrize(
    ("target", "noted"),
    [
        ("lakeside", "lakeside"),
        ("lab", "lab"),
        ("landing", "landing"),
        ("INV-2026-000001", "INV-2026-000001"),
        # By its own name a file may tell of a patient; so may what nobody knows.
        ("usage/lab/march.csv", "usage/lab/{hash}"),
        ("Jane Doe.csv", "something unknown"),
    ],
)
def test_the_log_calls_a_file_by_its_hash_and_keeps_no_unknown_word_HP_1(
    home: Home, target: str, noted: str
) -> None:
    log(home, "explain", "INV-2026-000001", customers=["hill"])
    breach(home, *EVER, target=target)
    row = list(AuditLog(home.audit).rows())[-1]
    landed = home.path.parent / "landing/usage/lab/march.csv"
    assert row["object"] == noted.format(hash=file_digest(landed)[:12])
    assert "march.csv" not in str(row) and "Jane" not in str(row)


def test_the_command_leaves_a_row_and_says_what_it_cant_know(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    log(home, "run")
    billing(
        *("breach", "--home", home.path, "--from", "2026-01-01", "--to", "2999-12-31"),
        *("--discovered", "2026-03-31"),
    )
    told = capsys.readouterr().out
    assert "one with two customers counts twice" in told
    assert "residence" in told and "is not kept" in told
    row = list(AuditLog(home.audit).rows())[-1]
    assert (row["action"], row["rows"]) == ("breach", 4)
    assert row["detail"]["customers"] == ["hill", "lakeside"]
    assert row["detail"]["purpose"] == "breach assessment"


def test_what_cant_be_assessed_is_refused(tmp_path: Path, home: Home) -> None:
    with pytest.raises(UsageError, match="is after"):
        breach(home, DAY, date(2026, 3, 30))
    with pytest.raises(BillingError, match="restore it"):
        breach(Home(tmp_path / "none"), *EVER)
