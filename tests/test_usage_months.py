"""Only months of usage that changed are made again, and that changes no result.

A warehouse that grew through landings, corrections and as-of days in any order holds
the same rows as one that was made at once, and as one made again in full.
"""

import hashlib
import os
import random
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import dagster as dg
import pytest
from usage_home import Usage

from orchestration.billing_run import BillingRun
from orchestration.errors import BillingError
from orchestration.intake_assets import judge_failed
from orchestration.usage_intake import UsageIntake
from orchestration.warehouse import open_files

FIRST = date(2026, 1, 1)
# More of them, as in BILLING_SEEDS=3,4,5, try more histories.
SEEDS = [int(seed) for seed in os.environ.get("BILLING_SEEDS", "1").split(",")]


@pytest.fixture
def usage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Usage]:
    usage = Usage(tmp_path)
    monkeypatch.setenv("BILLING_HOME", str(usage.home.path))
    with usage.home.lock("test"):
        yield usage


def _day(offset: int) -> date:
    return FIRST + timedelta(days=offset)


def _row(chance: random.Random, day: date) -> str:
    """An event of about a day: dirt, corrections and late ones among them."""
    occurred = day - timedelta(days=chance.choice((0, 0, 1, 9, 40)))
    received = day + timedelta(days=chance.choice((0, 0, 0, 5, 45)))
    return ",".join(
        (
            f"e{chance.randrange(60)}",
            chance.choice(("encounter", "encounter", "procedure", "note")),
            chance.choice(("clinic-north", "clinic-south", "clinic-south", "", "x")),
            chance.choice(("", "p1", "p2", "p3")),
            chance.choice((str(occurred), str(occurred), "")),
            chance.choice((str(received), "")),
            chance.choice(("1", "2.5", "0")),
            chance.choice(("final", "final", "cancelled")),
            chance.choice(("EMER", "AMB", "")),
        )
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_what_grew_is_what_is_made_at_once(usage: Usage, seed: int) -> None:
    chance = random.Random(seed)
    landed: list[str] = []
    as_of = 20
    for step in range(6):
        as_of = max(0, as_of + chance.choice((30, 30, 5, -20)))
        if landed and chance.random() < 0.2:
            # By its name a tie between two files is decided.
            name = f"ehr/{chance.choice('az')}{step}.csv"
            usage.rename(landed.pop(), name)
            landed = sorted({*landed, name})
        else:
            for _ in range(chance.choice((0, 1, 2))):
                again = landed and chance.random() < 0.4
                name = chance.choice(landed) if again else f"ehr/{len(landed)}.csv"
                landed = sorted({*landed, name})
                day = _day(chance.randrange(as_of + 30))
                usage.land(name, *(_row(chance, day) for _ in range(25)))
        grown = usage.build(_day(as_of))
        if step in (2, 5):
            assert usage.build_anew(_day(as_of)) == grown, step
    assert usage.build_models(_day(as_of), "--full-refresh") == grown


def test_only_months_that_changed_are_made_again(usage: Usage) -> None:
    february, march = date(2026, 2, 1), date(2026, 3, 1)
    usage.land("ehr/1.csv", "a,encounter,clinic-north,,2026-01-10,2026-01-11,1,final,")
    usage.land("ehr/2.csv", "b,encounter,clinic-north,,2026-02-10,2026-02-11,1,final,")
    # Received in March; of February. It is not known before.
    usage.land("ehr/3.csv", "c,encounter,clinic-north,,2026-02-12,2026-03-02,1,final,")
    usage.build(date(2026, 2, 28))
    # The as-of day alone: one row of February is known now.
    assert usage.remade(date(2026, 3, 31)) == {february}
    # A day on which nothing comes costs nothing.
    assert usage.remade(date(2026, 4, 1)) == set()
    assert usage.read() == ["null to null"]
    # A new event, and an old one sent again with a date in March: it leaves February.
    usage.land(
        "ehr/4.csv",
        "d,encounter,clinic-north,,2026-03-05,2026-03-06,1,final,",
        "b,encounter,clinic-north,,2026-03-07,2026-03-08,1,final,",
    )
    assert usage.remade(date(2026, 4, 2)) == {february, march}
    assert usage.read() == ["date '2026-02-01' to date '2026-03-01'"]
    # Encounters of 12 February and 5 and 7 March, one of 10 January.
    days = [row[3] for row in usage.results()["restricted.billable_usage"]]
    assert sorted(days) == [
        date(2026, 1, 10),
        date(2026, 2, 12),
        date(2026, 3, 5),
        date(2026, 3, 7),
    ]
    # One of January and one of March; February stands and is not read.
    usage.land(
        "ehr/5.csv",
        "e,encounter,clinic-north,,2026-01-05,2026-03-06,1,final,",
        "f,encounter,clinic-north,,2026-03-06,2026-03-08,1,final,",
    )
    assert usage.remade(date(2026, 4, 3)) == {date(2026, 1, 1), march}
    assert usage.read() == [
        "date '2026-01-01' to date '2026-01-01'",
        "date '2026-03-01' to date '2026-03-01'",
    ]
    # Without a facility and an encounter that has one, they have nothing in common.
    usage.land("ehr/6.csv", "g,encounter,,,2026-01-05,2026-03-09,1,final,")
    usage.build(date(2026, 4, 4))
    usage.land("ehr/7.csv", "h,encounter,,,2026-03-05,2026-03-09,1,final,")
    assert usage.remade(date(2026, 4, 5)) == {march}


def test_many_months_are_made_three_at_a_time_and_the_last_two_apart(
    usage: Usage,
) -> None:
    usage.land(
        "ehr/1.csv",
        *(
            f"{month},encounter,clinic-north,,2026-0{month}-10,2026-0{month}-11,1,final,"
            for month in range(1, 7)
        ),
    )
    made = usage.build(date(2026, 6, 30))
    assert usage.read() == [
        "date '2026-01-01' to date '2026-03-01'",
        "date '2026-04-01' to date '2026-04-01'",
        "date '2026-05-01' to date '2026-06-01'",
    ]
    days = [row[3] for row in made["restricted.billable_usage"]]
    assert sorted(days) == [date(2026, month, 10) for month in range(1, 7)]
    # Three months together are one run.
    usage.land(
        "ehr/2.csv",
        *(
            f"late-{month},encounter,clinic-north,,2026-0{month}-10,2026-07-01,1,final,"
            for month in (4, 5, 6)
        ),
    )
    usage.build(date(2026, 7, 1))
    assert usage.read() == ["date '2026-04-01' to date '2026-06-01'"]


def test_rows_that_another_engine_hashed_are_hashed_anew(usage: Usage) -> None:
    usage.land("ehr/1.csv", "a,encounter,clinic-north,,2026-01-10,2026-01-11,1,final,")
    usage.land("ehr/2.csv", "a,encounter,clinic-north,,2026-01-10,2026-01-12,1,final,")
    made = usage.build(date(2026, 1, 31))
    with open_files(usage.home, usage.keys) as connection:
        connection.execute(
            "update restricted.usage_rows set event_hash = line, is_repeated = false"
        )
        connection.execute("update raw.usage_hashing set engine = '0.1'")
    # Sent a third time, cancelled: it is the same event still.
    usage.land(
        "ehr/3.csv", "a,encounter,clinic-north,,2026-01-10,2026-01-13,1,cancelled,"
    )
    assert len(made["restricted.billable_usage"]) == 1
    grown = usage.build(date(2026, 1, 31))
    assert len(grown["restricted.usage_events"]) == 1
    assert grown["restricted.billable_usage"] == []


def test_what_terms_mend_is_rejected_no_more_and_the_rest_of_the_month_is(
    usage: Usage,
) -> None:
    usage.land(
        "ehr/1.csv",
        "a,encounter,old-north,,2026-01-10,2026-01-11,1,final,",
        "b,encounter,nowhere,,2026-01-10,2026-01-11,1,final,",
    )
    rejected = usage.build(date(2026, 1, 31))["restricted.rejected_usage"]
    assert {row[1] for row in rejected} == {"a", "b"}
    # No usage came, so its month is not made again.
    (usage.landing / "contracts" / "facility_identifiers.csv").write_text(
        "feed,identifier,facility_id\nehr,old-north,clinic-north\n"
    )
    grown = usage.build(date(2026, 1, 31))
    assert [row[1] for row in grown["restricted.rejected_usage"]] == ["b"]
    assert usage.build_anew(date(2026, 1, 31)) == grown


def test_what_is_rejected_for_another_reason_says_so(usage: Usage) -> None:
    """Its facility is known now, but was under no contract yet; no usage came."""
    usage.land("ehr/1.csv", "a,encounter,old-north,,2025-12-10,2025-12-11,1,final,")
    (row,) = usage.build(date(2026, 1, 31))["restricted.rejected_usage"]
    assert "unknown_facility" in row
    (usage.landing / "contracts" / "facility_identifiers.csv").write_text(
        "feed,identifier,facility_id\nehr,old-north,clinic-north\n"
    )
    (row,) = usage.build(date(2026, 1, 31))["restricted.rejected_usage"]
    assert "no_contract" in row


def test_usage_is_attributed_anew_in_the_months_whose_terms_are_others(
    usage: Usage,
) -> None:
    january, february = date(2026, 1, 1), date(2026, 2, 1)
    as_of = date(2026, 3, 1)
    places = ("clinic-north", "clinic-south", "clinic-west", "pole")
    for number, day in enumerate(("01-05", "01-25", "02-05", "02-25")):
        # The last ones without a patient, so that an agreement has no part in rows.
        told = f"{'p' if number < 3 else ''},2026-{day},2026-{day},1,final,EMER"
        usage.land(
            f"ehr/{number}.csv",
            *(f"{place}{number},encounter,{place},{told}" for place in places),
        )
    clinic = usage.clinic
    changes = (
        # A price: another term to charge in (U3).
        lambda: clinic.line(
            *("encounter", 2),
            **{"meter": "encounter", "unit_price": "2", "effective_on": "2026-02-15"},
        ),
        # A facility leaves; another comes, not covered; one has another name.
        lambda: clinic.cover("south", "2026-02-10", "false", since=3),
        lambda: clinic.land(
            *("facilities", 4),
            **{"facility_id": "clinic-west", "customer_id": "clinic"},
            facility_name="West",
        ),
        lambda: clinic.land(
            *("facility_identifiers", 5),
            **{"feed": "ehr", "identifier": "pole", "facility_id": "clinic-north"},
        ),
        # The contract ends in February; January stands.
        lambda: clinic.land(
            *("amendments", 6),
            **{"amendment_id": "parted", "contract_id": "clinic"},
            **{"signed_on": "2026-02-20", "effective_on": "2026-02-21"},
            **{"kind": "terminated", "new_ends_on": "2026-02-20"},
        ),
        # The agreement ended before the last day's events came (HP-6).
        lambda: next(
            row for *_, path, _, row in clinic.book.rows if "/baas/" in path
        ).update(ends_on="2026-02-24"),
    )
    both = {january, february}
    remade = ({february}, {february}, both, both, {february}, both)
    grown = usage.build(as_of)
    for step, (change, months) in enumerate(zip(changes, remade, strict=True), start=2):
        before, attributed = grown, usage.attributed()
        change()
        clinic.book.write(usage.landing, step)
        grown = usage.build(as_of)
        now = usage.attributed()
        assert grown != before, step
        assert {month for month in now if now[month] != attributed[month]} == months
        if step in (3, 7):
            assert usage.build_anew(as_of) == grown, step


def test_a_warehouse_of_an_earlier_version_is_completed(usage: Usage) -> None:
    # An event that moved to another month, and one sent again.
    usage.land("ehr/1.csv", "a,encounter,clinic-north,,2026-01-10,2026-01-11,1,final,")
    usage.land(
        "ehr/2.csv",
        "a,encounter,clinic-north,,2026-02-10,2026-02-11,1,final,",
        "b,encounter,clinic-north,,2026-02-10,2026-02-11,1,final,",
    )
    usage.land("ehr/3.csv", "b,encounter,clinic-north,,2026-02-10,2026-02-12,2,final,")
    made = usage.build(date(2026, 2, 28))
    with open_files(usage.home, usage.keys) as connection:
        for column in ("event_hash", "encounter_hash", "event_month", "is_repeated"):
            connection.execute(f"alter table restricted.usage_rows drop {column}")
        connection.execute("alter table raw.usage_files drop time_zone")
        for table in (
            *("usage_receipts", "usage_files_to_place", "usage_hashing"),
            *("usage_file_names", "usage_customers"),
        ):
            connection.execute(f"drop table raw.{table}")
    assert usage.build(date(2026, 2, 28)) == made


def test_a_day_is_metered_while_some_line_counts_it_U1(usage: Usage) -> None:
    """One line runs from 10 to 14 January, another from the 20th to the 31st."""
    for line, since, until in (
        ("first", "2026-01-10", "2026-01-15"),
        ("second", "2026-01-20", "2026-02-01"),
    ):
        for status, day in (("active", since), ("ended", until)):
            usage.other.line(
                line, meter="encounter", unit_price="1", status=status, effective_on=day
            )
    usage.other.book.write(usage.landing, 1)
    days = (1, 9, 10, 14, 15, 19, 20, 31)
    usage.land(
        "ehr/1.csv",
        *(
            f"e{day},encounter,other-east,,2026-01-{day:02d},2026-02-01,1,final,"
            for day in days
        ),
    )
    usage.build(date(2026, 2, 1))
    with open_files(usage.home, usage.keys) as connection:
        billable = connection.execute(
            "select day(service_date) from restricted.attributed_usage "
            "where outcome = 'billable' order by 1"
        ).fetchall()
    assert billable == [(10,), (14,), (20,), (31,)]


def test_a_procedure_goes_with_its_encounter_across_months(usage: Usage) -> None:
    """UE-16: the facility is the encounter's, and mended when that is."""
    header = "Id,START,STOP,PATIENT,ORGANIZATION,ENCOUNTERCLASS,CODE"
    usage.land(
        "lab/procedures.csv",
        "2026-02-01T00:10:00Z,,p1,v1,77",
        header="START,STOP,PATIENT,ENCOUNTER,CODE",
    )
    usage.land(
        "lab/encounters.csv",
        "v1,2026-01-31T23:00:00Z,,p1,clinic-north,ambulatory,1",
        header=header,
    )
    units = usage.build(date(2026, 2, 2))["restricted.billable_usage"]
    assert {row[1] for row in units} == {"clinic-north"}
    usage.land(
        "lab/encounters.csv",
        "v1,2026-01-31T23:00:00Z,,p1,clinic-south,ambulatory,1",
        header=header,
    )
    grown = usage.build(date(2026, 2, 2))
    assert {row[1] for row in grown["restricted.billable_usage"]} == {"clinic-south"}
    assert usage.build_anew(date(2026, 2, 2)) == grown


def test_what_is_sent_again_after_something_else_holds(usage: Usage) -> None:
    """The third file says again what the first did, byte by byte."""
    north, south = (
        f"e,encounter,clinic-{place},,2026-01-10,,1,final,"
        for place in ("north", "south")
    )
    usage.land("ehr/1.csv", north)
    usage.land("ehr/2.csv", south)
    held = "restricted.usage_events"
    assert [row[5] for row in usage.build(date(2026, 2, 1))[held]] == ["clinic-south"]
    usage.land("ehr/3.csv", north)
    grown = usage.build(date(2026, 2, 1))
    assert [row[5] for row in grown[held]] == ["clinic-north"]
    assert usage.build_anew(date(2026, 2, 1)) == grown


def test_a_file_that_cannot_be_read_is_listed_and_the_others_are_billed(
    usage: Usage,
) -> None:
    usage.land("ehr/1.csv", "a,encounter,clinic-north,,2026-01-10,2026-01-11,1,final,")
    usage.land("ehr/2.csv", "b", header="event_id,when")
    results = usage.build(date(2026, 1, 31), unread=1)
    assert len(results["restricted.billable_usage"]) == 1
    with open_files(usage.home, usage.keys) as connection:
        rejected = connection.execute(
            "select source_file, line, reason from staging.stg_rejected_rows"
        ).fetchall()
    # A feed may be of patients, and a file called after one.
    content = (usage.landing / "usage" / "ehr" / "2.csv").read_bytes()
    name = "ehr/" + hashlib.sha256(content).hexdigest()[:12]
    ((source_file, line, reason),) = rejected
    assert (source_file, line) == (name, None)
    assert reason.startswith("the file has no column event_type, facility")


def test_invoices_are_issued_without_a_file_only_if_that_was_accepted() -> None:
    context = dg.build_asset_context()
    both = {"usage/ehr/a.csv": "is empty", "usage/lab/b.csv": "is UTF-16"}

    def intake(*names: str) -> UsageIntake:
        return UsageIntake(
            failed=[(name, both[name]) for name in names],
            discreet={name: f"usage/{number}" for number, name in enumerate(names)},
        )

    judge_failed(context, BillingRun(), intake(*both))  # Drafts.
    accepted = ["usage/ehr/a.csv"]
    run = BillingRun(issue_through="2026-01-31", accept_missing=accepted)
    with pytest.raises(BillingError) as stopped:
        judge_failed(context, run, intake(*both))
    assert '--accept-missing "usage/lab/b.csv"' in stopped.value.told()
    assert '--accept-missing "usage/ehr/a.csv"' not in stopped.value.told()
    # Logs have the names by which the audit log calls them.
    assert "lab" not in str(stopped.value)
    judge_failed(context, run, intake(*accepted))
