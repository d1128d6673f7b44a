"""Daily profiles of usage: each feed and facility against its own history.

Made in SQL from daily rows, small whatever the number of events (at most a row for
each feed and facility), and judged by Great Expectations. A profile compares the 28
days through the feed's latest with the 56 days before: whole weeks, so that weekends
weigh the same. How much a row has to hold before it is judged is said here, in SQL;
what is then too much, in PROFILE_EXPECTATIONS. A percentage is empty where there is too
little to judge. It is of counts and may be a binary fraction: no amount comes from it.
"""

from datetime import date
from typing import Any

import duckdb
import pandas

from orchestration.expectations import Expectation


def _between(
    table: str, name: str, column: str, meaning: str, **bounds: Any
) -> Expectation:
    return Expectation(
        table,
        name,
        "ExpectColumnValuesToBeBetween",
        {"column": column, **bounds},
        meaning,
    )


PROFILE_EXPECTATIONS = (
    _between(
        "usage_days",
        "days_name_their_facilities",
        "nameless_percent",
        "more than 5 % of a feed's events of a day name no facility",
        max_value=5,
    ),
    _between(
        "usage_days",
        "facilities_are_known_as_before",
        "unknown_points",
        "the share of a feed's events of a day at facilities nobody owns is more than "
        "10 points above its history",
        max_value=10,
    ),
    _between(
        "usage_feeds",
        "feed_names_its_facilities",
        "nameless_percent",
        "more than half of a feed's events of four weeks name no facility",
        max_value=50,
    ),
    _between(
        "facility_volumes",
        "volume_is_not_far_below_history",
        "percent_of_history",
        "four weeks at a facility have less than a quarter of what its history expects",
        min_value=25,
    ),
    _between(
        "facility_volumes",
        "volume_is_not_far_above_history",
        "percent_of_history",
        "four weeks at a facility have more than twice what its history expects",
        max_value=200,
    ),
    _between(
        "facility_volumes",
        "volume_is_not_multiplied",
        "percent_of_history",
        "four weeks at a facility have more than ten times what its history expects",
        max_value=1000,
    ),
    _between(
        "facility_volumes",
        "no_day_is_far_above_history",
        "percent_of_busiest_day",
        "a day at a facility has more than three times its busiest before",
        max_value=300,
    ),
    _between(
        "class_mix",
        "class_mix_is_as_before",
        "points_moved",
        "the share of a class in a feed's events moved by more than 15 points",
        max_value=15,
    ),
)

# Classes that are shown by name; anything else a feed sends might be anything.
_CLASSES = (
    # Synthea
    *("ambulatory", "emergency", "hospice", "inpatient", "outpatient", "snf"),
    *("urgentcare", "virtual", "wellness"),
    # HL7 v3 ActEncounterCode
    *("ACUTE", "AMB", "EMER", "FLD", "HH", "IMP", "NONAC", "OBSENC", "PRENC", "SS"),
    "VR",
    # HL7 v2 table 0004
    *("B", "C", "E", "I", "N", "O", "P", "R", "U"),
)

# What took place, and has a facility or should have one.
_OUTCOMES = (
    *("billable", "unmetered", "no_baa", "no_contract", "facility_not_covered"),
    *("missing_facility", "unknown_facility"),
)

# Of those the 84 days through a feed's latest. A feed whose latest is more than 62 days
# ago is none any more.
_USAGE = """
    create or replace temp table profiled_usage as
    with latest as (
        select feed, max(service_date) as last_date
        from warehouse.restricted.attributed_usage
        where service_date >= $as_of - 62 and service_date < $as_of
            and list_contains($outcomes, outcome)
        group by feed
    )
    select
        usage.feed,
        usage.facility_id,
        usage.outcome,
        case when usage.class = '' or list_contains($classes, usage.class)
            then usage.class else '(other)' end as class,
        usage.service_date,
        latest.last_date,
        usage.service_date > latest.last_date - 28 as is_recent,
        cast(sum(usage.events) as bigint) as events
    from warehouse.restricted.attributed_usage as usage
    inner join latest on usage.feed = latest.feed
    where usage.service_date >= $as_of - 146
        and usage.service_date > latest.last_date - 84
        and usage.service_date <= latest.last_date
        and list_contains($outcomes, usage.outcome)
    group by all
"""

_DAYS = """
    with days as (
        select feed, service_date, is_recent, sum(events) as events,
            coalesce(sum(events) filter (where outcome = 'missing_facility'), 0)
                as nameless,
            coalesce(sum(events) filter (where outcome = 'unknown_facility'), 0)
                as unknown
        from profiled_usage
        group by all
    ),
    history as (
        select feed, sum(events) as past_events, sum(unknown) as past_unknown
        from days
        where not is_recent
        group by feed
        having count(*) >= 14 and sum(events) >= 100
    )
    select
        days.feed || ' on ' || days.service_date as place,
        days.events,
        days.nameless,
        days.unknown,
        case when days.nameless >= 10 then 100 * days.nameless / days.events
            end as nameless_percent,
        case when days.unknown >= 10 then
            100 * (days.unknown * history.past_events
                - history.past_unknown * days.events)
            / (days.events * history.past_events)
        end as unknown_points
    from days
    left join history on days.feed = history.feed
    where days.is_recent
    order by days.feed, days.service_date
"""

_FEEDS = """
    with feeds as (
        select feed, sum(events) as events,
            coalesce(sum(events) filter (where outcome = 'missing_facility'), 0)
                as nameless
        from profiled_usage
        where is_recent
        group by feed
    )
    select feed as place, events, nameless,
        case when events >= 100 then 100 * nameless / events end as nameless_percent
    from feeds
    order by feed
"""

# Covered days, from the facility's first with usage on, say how much is to be expected;
# fewer than 50 events in four weeks are too few to say that there is more.
_VOLUMES = """
    with facilities as (
        select
            feed, facility_id, last_date,
            min(service_date) as first_date,
            coalesce(sum(events) filter (where is_recent), 0) as events,
            coalesce(sum(events) filter (where not is_recent), 0) as past_events
        from profiled_usage
        where outcome = 'billable'
        group by feed, facility_id, last_date
    ),
    busiest as (
        select feed, facility_id,
            max(events) filter (where is_recent) as busiest_day,
            max(events) filter (where not is_recent) as past_busiest_day
        from (
            select feed, facility_id, is_recent, service_date, sum(events) as events
            from profiled_usage
            where outcome = 'billable'
            group by feed, facility_id, is_recent, service_date
        )
        group by feed, facility_id
    ),
    covered as (
        select feed, facilities.facility_id,
            sum(greatest(0, least(valid_to, last_date + 1)
                - greatest(valid_from, last_date - 27))) as days,
            sum(greatest(0, least(valid_to, last_date - 27)
                - greatest(valid_from, first_date))) as past_days
        from facilities
        inner join warehouse.billing.facility_contracts as contracts
            on facilities.facility_id = contracts.facility_id
        group by feed, facilities.facility_id
    ),
    expected as (
        select feed, facility_id, events, busiest_day, past_busiest_day,
            past_events * days as expected_of_days, past_days,
            past_events * days // past_days as expected_events
        from facilities
        inner join busiest using (feed, facility_id)
        inner join covered using (feed, facility_id)
        where past_days >= 28 and days >= 14
    )
    select
        feed || ', ' || facility_id as place,
        events,
        expected_events,
        case
            when expected_events >= 50
                then 100 * events * past_days / expected_of_days
            when events > 50 then 100 * events / 50
        end as percent_of_history,
        coalesce(busiest_day, 0) as busiest_day,
        past_busiest_day,
        case when busiest_day >= 10 then
            100 * busiest_day / greatest(past_busiest_day, 10)
        end as percent_of_busiest_day
    from expected
    order by feed, facility_id
"""

_CLASS_MIX = """
    with classes as (
        select feed, class,
            coalesce(sum(events) filter (where is_recent), 0) as events,
            coalesce(sum(events) filter (where not is_recent), 0) as past_events
        from profiled_usage
        where class <> ''
        group by feed, class
    ),
    shares as (
        select *,
            sum(events) over (partition by feed) as feed_events,
            sum(past_events) over (partition by feed) as past_feed_events
        from classes
    )
    select
        feed || ', ' || class as place,
        events,
        past_events,
        case when feed_events >= 200 and past_feed_events >= 200 then
            100 * abs(events * past_feed_events - past_events * feed_events)
                / (feed_events * past_feed_events)
        end as points_moved
    from shares
    order by feed, class
"""

_PROFILES = {
    "usage_days": _DAYS,
    "usage_feeds": _FEEDS,
    "facility_volumes": _VOLUMES,
    "class_mix": _CLASS_MIX,
}


def usage_profiles(
    connection: duckdb.DuckDBPyConnection, as_of: date
) -> dict[str, pandas.DataFrame]:
    """The profiles of what is known by a day, by name, from a warehouse that is built.

    Each has `place` (feed, and day, facility or class) and numbers.
    """
    connection.execute(
        _USAGE,
        {"as_of": as_of, "classes": list(_CLASSES), "outcomes": list(_OUTCOMES)},
    )
    profiles = {
        name: connection.execute(query).df() for name, query in _PROFILES.items()
    }
    connection.execute("drop table profiled_usage")
    return profiles
