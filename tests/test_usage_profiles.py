"""Each expectation of usage has a history that fails it; percentages by hand."""

from collections.abc import Iterator
from datetime import date, timedelta

import duckdb
import pytest

from orchestration import expectations
from orchestration.contract_expectations import CONTRACT_EXPECTATIONS
from orchestration.errors import BillingError
from orchestration.expectation_pages import in_one_line, page_path, write_page
from orchestration.expectations import is_blocking, judge, require_declared
from orchestration.home import Home
from orchestration.judgement import Judgement
from orchestration.profile_assets import silence
from orchestration.usage_profiles import PROFILE_EXPECTATIONS, usage_profiles

# The feed's latest day is 30 June: recent is from 3 June on, history 8 April to 2 June.
AS_OF = date(2026, 7, 1)
LAST = date(2026, 6, 30)
RECENT, PAST = range(28), range(28, 84)
BLOCKING = {"feed_names_its_facilities", "volume_is_not_multiplied"}


def usage(
    days: range,
    events: int,
    facility: str | None = "clinic",
    outcome: str = "billable",
    kind: str = "ambulatory",
) -> list[tuple]:
    """So many events on each of the days, counted back from the feed's latest."""
    return [
        ("ehr", facility, kind, outcome, events, LAST - timedelta(day)) for day in days
    ]


@pytest.fixture
def warehouse() -> Iterator[duckdb.DuckDBPyConnection]:
    """An empty warehouse with the tables that profiles read; `clinic` is covered."""
    with duckdb.connect() as connection:
        connection.execute("attach ':memory:' as warehouse")
        for schema in ("restricted", "billing", "quality"):
            connection.execute(f"create schema warehouse.{schema}")
        connection.execute(
            "create table warehouse.restricted.attributed_usage (feed varchar, "
            "facility_id varchar, class varchar, outcome varchar, events bigint, "
            "service_date date)"
        )
        connection.execute(
            "create table warehouse.billing.facility_contracts (facility_id varchar, "
            "contract_id varchar, valid_from date, valid_to date)"
        )
        connection.execute(
            "insert into warehouse.billing.facility_contracts values "
            "('clinic', 'deal', date '2026-01-01', date '2027-01-01')"
        )
        connection.execute(
            "create table warehouse.quality.feed_gaps (facility varchar, "
            "estimated_amount decimal(18, 2), currency varchar)"
        )
        yield connection


def land(warehouse: duckdb.DuckDBPyConnection, *rows: list[tuple]) -> None:
    warehouse.executemany(
        "insert into warehouse.restricted.attributed_usage values (?, ?, ?, ?, ?, ?)",
        [row for some in rows for row in some],
    )


def failing(warehouse: duckdb.DuckDBPyConnection) -> dict[str, list[str]]:
    outcomes = judge(PROFILE_EXPECTATIONS, usage_profiles(warehouse, AS_OF))
    assert [one.name for one in outcomes] == [one.name for one in PROFILE_EXPECTATIONS]
    return {one.name: one.places for one in outcomes if not one.success}


STEADY = usage(range(84), 10)

FAILING = {
    # 12 June: 10 of 190 events name no facility, 5.26 %; but 10 of 200 are 5 %.
    "days_name_their_facilities": (
        [
            *STEADY,
            *usage(range(17, 19), 170, None, "unmetered"),
            *usage(range(18, 19), 10, None, "missing_facility"),
            *usage(range(17, 18), 9, None, "missing_facility"),
        ],
        ["ehr on 2026-06-12"],
    ),
    # Before, 2 of 12 events a day at places nobody owns, 16 %; on 30 June 11 of 40,
    # 27 %: 11 points more.
    "facilities_are_known_as_before": (
        [
            *STEADY,
            *usage(PAST, 2, None, "unknown_facility"),
            *usage(range(1), 19, None, "unmetered"),
            *usage(range(1), 11, None, "unknown_facility"),
        ],
        ["ehr on 2026-06-30"],
    ),
    # 28 × 10 events with a facility, 296 without: 51.4 %. One day of 9 alone is none.
    "feed_names_its_facilities": (
        [*STEADY, *usage(range(1, 28), 9, None, "missing_facility")]
        + usage(range(1), 53, None, "missing_facility"),
        ["ehr"],
    ),
    # 280 expected; 28 × 2 = 56 are 20 %.
    "volume_is_not_far_below_history": (
        [*usage(PAST, 10), *usage(RECENT, 2)],
        ["ehr, clinic"],
    ),
    # 280 expected; 28 × 21 = 588 are 210 %, no day above 300 %.
    "volume_is_not_far_above_history": (
        [*usage(PAST, 10), *usage(RECENT, 21)],
        ["ehr, clinic"],
    ),
    # 112 + 49 in 56 days: 80.5 expected; 28 × 29 = 812 are 1,008 %. The busiest day
    # had 9, which count as ten: 290 %.
    "volume_is_not_multiplied": (
        [*usage(PAST, 2), *usage(range(30, 37), 7), *usage(RECENT, 29)],
        ["ehr, clinic"],
    ),
    # 31 are 310 % of ten.
    "no_day_is_far_above_history": (
        [*STEADY, *usage(range(5, 6), 21)],
        ["ehr, clinic"],
    ),
    # Before, 100 % ambulatory; then 7 of 10 on each day, 70 %: 30 points less and more.
    "class_mix_is_as_before": (
        [
            *usage(PAST, 10),
            *usage(RECENT, 7),
            *usage(RECENT, 3, kind="emergency"),
        ],
        ["ehr, ambulatory", "ehr, emergency"],
    ),
}


def test_steady_usage_meets_every_expectation(warehouse) -> None:
    land(warehouse, STEADY)
    profiles = usage_profiles(warehouse, AS_OF)
    assert failing(warehouse) == {}
    assert profiles["facility_volumes"].to_dict("records") == [
        {
            "place": "ehr, clinic",
            "events": 280,
            "expected_events": 280,
            "percent_of_history": 100,
            "busiest_day": 10,
            "past_busiest_day": 10,
            "percent_of_busiest_day": 100,
        }
    ]
    assert len(profiles["usage_days"]) == 28


def test_no_usage_meets_every_expectation(warehouse) -> None:
    assert failing(warehouse) == {}


@pytest.mark.parametrize("name", FAILING)
def test_usage_unlike_its_history_fails_its_expectation(warehouse, name) -> None:
    rows, places = FAILING[name]
    land(warehouse, rows)
    failed = failing(warehouse)
    assert failed[name] == places
    # Ten times is more than twice too; what has lost its facilities lacks them daily.
    implied = {
        "volume_is_not_multiplied": {"volume_is_not_far_above_history"},
        "feed_names_its_facilities": {"days_name_their_facilities"},
    }
    assert set(failed) == {name} | implied.get(name, set())


def test_every_expectation_of_usage_has_a_history_that_fails_it() -> None:
    assert set(FAILING) == {one.name for one in PROFILE_EXPECTATIONS}
    assert {name for name in FAILING if is_blocking(name)} == BLOCKING


@pytest.mark.parametrize(
    "rows",
    [
        # 27 days of history.
        [*usage(range(28, 55), 10), *usage(RECENT, 100)],
        # 43 + 55 in 56 days: 49 expected, and 50 are there at most.
        [*usage(range(83, 84), 43), *usage(range(28, 83), 1), *usage(range(5), 1)],
        [*usage(range(83, 84), 1), *usage(range(5), 10)],
        # A feed whose latest day is 63 days ago is none any more.
        [
            (*row[:5], row[5] - timedelta(62))
            for row in [*usage(PAST, 10), *usage(RECENT, 100)]
        ],
    ],
    ids=["young", "quiet", "busier", "gone"],
)
def test_too_little_is_not_judged(warehouse, rows) -> None:
    land(warehouse, rows)
    assert failing(warehouse) == {}


def test_a_facility_that_is_covered_no_more_is_not_missed(warehouse) -> None:
    # Covered on 14 of the last 28 days, 140 are expected: 14 × 10.
    warehouse.execute(
        "update warehouse.billing.facility_contracts set valid_to = date '2026-06-17'"
    )
    land(warehouse, usage(range(14, 84), 10), usage(range(14), 1, "other"))
    assert failing(warehouse) == {}
    profile = usage_profiles(warehouse, AS_OF)["facility_volumes"]
    assert list(profile["expected_events"]) == [140]


def test_a_class_that_might_be_anything_is_not_shown(warehouse) -> None:
    land(warehouse, usage(PAST, 10), usage(RECENT, 10, kind="Jane Roe"))
    assert failing(warehouse) == {
        "class_mix_is_as_before": ["ehr, (other)", "ehr, ambulatory"]
    }


def test_a_page_tells_places_and_escapes_them(tmp_path) -> None:
    home = Home(tmp_path)
    path = page_path(home, AS_OF)
    assert path.name == "2026-07-01-001.html"
    outcome = expectations.ExpectationOutcome(
        "facility_volumes",
        "volume_is_not_far_below_history",
        False,
        9,
        4,
        ["ehr, <b>", "ehr, c", "ehr, d", "ehr, e"],
    )
    write_page(path, AS_OF, PROFILE_EXPECTATIONS, [outcome])
    text = path.read_text(encoding="utf-8")
    assert "1 expectations were judged, 1 of them fail." in text
    assert "ehr, &lt;b&gt;<br>ehr, c<br>ehr, d<br>ehr, e" in text
    assert "(column percent_of_history, min_value 25)" in text
    # Nothing is loaded from anywhere.
    assert "http" not in text and "src=" not in text
    assert page_path(home, AS_OF).name == "2026-07-01-002.html"
    assert in_one_line(outcome, "too few") == (
        "volume_is_not_far_below_history fails: too few: "
        "ehr, <b>; ehr, c; ehr, d; and 1 more"
    )


class Judge:
    """In the place of the process: judges here, as that does."""

    judge = staticmethod(judge)


@pytest.mark.parametrize("factor", [3, 12])
def test_what_blocks_stops_the_run_and_what_warns_is_told(
    warehouse, tmp_path, monkeypatch, capsys, factor
) -> None:
    # 280 expected; three times as many warn, twelve times as many stop.
    land(warehouse, usage(PAST, 10), usage(RECENT, 10 * factor))
    monkeypatch.setattr("orchestration.judgement.expectations_process", Judge)
    results = Judgement(Home(tmp_path), AS_OF).results(
        PROFILE_EXPECTATIONS, usage_profiles(warehouse, AS_OF), "profiles"
    )
    checks = {}
    stopped = ""
    try:
        for result in results:
            checks[result.check_name] = (result.passed, result.severity.value)
    except BillingError as error:
        stopped = str(error)
    assert len(checks) == len(PROFILE_EXPECTATIONS)
    assert checks["volume_is_not_far_above_history"] == (False, "WARN")
    assert checks["volume_is_not_multiplied"] == (factor == 3, "ERROR")
    page = tmp_path / "work/expectations/2026-07-01-001.html"
    warned = " ".join(capsys.readouterr().err.split())
    assert (
        "Warning: volume_is_not_far_above_history fails: four weeks at a facility have "
        "more than twice what its history expects: ehr, clinic (all: "
    ) in warned
    assert ("volume_is_not_multiplied fails: " in stopped) == (factor == 12)
    assert "volume_is_not_multiplied" not in warned
    assert "<strong>fails</strong>" in page.read_text(encoding="utf-8")


def test_only_what_is_expected_can_block(monkeypatch) -> None:
    names = [one.name for one in (*CONTRACT_EXPECTATIONS, *PROFILE_EXPECTATIONS)]
    require_declared(names)
    monkeypatch.setattr(expectations, "_blocking", lambda: frozenset({"misspelt"}))
    with pytest.raises(BillingError, match="no expectation: misspelt"):
        require_declared(names)


def test_the_silent_are_told_in_one_line(warehouse) -> None:
    assert silence(warehouse) is None
    warehouse.execute(
        "insert into warehouse.quality.feed_gaps values ('a', 1200.10, 'USD')"
    )
    assert silence(warehouse) == (
        "1 facility was silent for longer than history makes plausible, "
        "1,200.10 USD at stake (quality.feed_gaps)"
    )
    # 1,200.10 + 0.05 USD for two gaps of two facilities; a third owes in euros.
    warehouse.execute(
        "insert into warehouse.quality.feed_gaps values "
        "('a', 0.05, 'USD'), ('b', 0, 'USD'), ('c', 7, 'EUR')"
    )
    assert silence(warehouse) == (
        "3 facilities were silent for longer than history makes plausible, "
        "7.00 EUR, 1,200.15 USD at stake (quality.feed_gaps)"
    )
