"""The invented encounters of `billing sample`: skewed, seasonal, late and a bit dirty.

Made in SQL, each from its number and the seed alone, so that the same arguments give
the same bytes. Patients are numbers nobody ever had.
"""

from datetime import date, timedelta
from pathlib import Path

import duckdb

from orchestration.database import connect, quoted
from orchestration.sample_enterprise import (
    FEED,
    FIRST_DAY,
    LAST_DAY,
    LAST_OPEN_DAY,
    OPENS_ON,
    Enterprise,
    Facility,
)

# The feed of one hospital stops here and is made up for on the day in `_EVENTS`.
SILENT_FROM, SILENT_THROUGH = date(2025, 10, 10), date(2025, 10, 31)
# Encounters that a facility goes on to report after it closed.
_STRAGGLING_DAYS = 5

# Of 100 encounters on an average day, Monday to Sunday and January to December.
_WEEKDAYS = (122, 118, 116, 114, 106, 66, 58)
_MONTHS = (110, 107, 104, 99, 98, 95, 92, 94, 97, 100, 100, 104)
_HOLIDAYS = ((1, 1), (7, 4), (11, 27), (12, 25))

# Encounters of each class among 7,584 of a Synthea population.
_CLASSES = (
    ("ambulatory", 3171),
    ("wellness", 2366),
    ("outpatient", 1198),
    ("urgentcare", 523),
    ("emergency", 250),
    ("inpatient", 49),
    ("hospice", 14),
    ("snf", 12),
    ("virtual", 1),
)

# Of an encounter's 128 random bits each trait takes its own digits.
_EVENTS = """
    create temp table events as
    with drawn as (
        select
            number,
            md5_number_lower(seed || '/' || number) as one,
            md5_number_upper(seed || '/' || number) as other
        from range(1, $encounters + 1) as numbers(number),
            (select cast($seed as varchar) as seed)
    ),
    split as (
        select
            number,
            cast(one & 4294967295 as bigint) as place,
            cast(one >> 32 as bigint) as moment,
            cast(other % 10000 as integer) as kind,
            cast((other // 10000) % 7584 as integer) as class_draw,
            cast((other // 100000000) % 1440 as integer) as minute,
            cast((other // 144000000000) % 1000000 as integer) as lag,
            other % ($encounters // 3 + 1) as patient
        from drawn
    ),
    placed as (
        select
            split.*,
            facilities.identifier,
            facilities.is_silent,
            facilities.open_from
                + ((moment * (facilities.open_to - facilities.open_from)) >> 32)
                as day_draw
        from split
        asof join facilities
            on (place * (select max(until) from facilities)) >> 32
                >= facilities.since
    ),
    dated as (
        select
            placed.*,
            classes.class,
            days.day,
            days.day + to_minutes(
                case when classes.class in ('emergency', 'inpatient') then minute
                    else 420 + minute // 2 end
            ) as occurred_at
        from placed
        asof join days on day_draw >= days.since
        asof join classes on class_draw >= classes.since
    )
    select
        *,
        case
            when is_silent and day between $silent_from and $silent_through
                then timestamp '2025-11-12 06:00' + to_minutes(lag % 240)
            when lag < 20000 then occurred_at + to_days(5 + lag % 70)
            else occurred_at + to_minutes(lag % 2160)
        end as received_at
    from dated
"""
# What is wrong with one in a hundred, by `kind`, 0 to 9999: a place nobody owns, none,
# cancelled later, sent twice, corrected later, a year mistyped, a count below zero, no
# date.
_ROWS = """
    create temp table sent as
    with spoilt as (
        select
            'E' || lpad(cast(number as varchar), 9, '0') as event_id,
            case
                when kind < 10 then '999901' when kind < 20 then '999902'
                when kind >= 35 then identifier
            end as facility,
            'MRN' || lpad(cast(patient as varchar), 9, '0') as patient_id,
            case
                when kind between 85 and 89 then occurred_at + to_years(10)
                when kind not between 95 and 99 then occurred_at
            end as occurred_at,
            received_at,
            case when kind between 90 and 94 then -1 else 1 end as quantity,
            'final' as status,
            class,
            kind,
            lag
        from events
    ),
    again as (
        select
            event_id, facility, patient_id, occurred_at,
            case when kind between 55 and 69 then received_at
                else received_at + to_days(1 + lag % 5) end as received_at,
            quantity,
            case when kind < 55 then 'cancelled' else status end as status,
            case when kind >= 70 then 'outpatient' else class end as class,
            kind, lag
        from spoilt
        where kind between 35 and 84
    )
    select
        event_id, 'encounter' as event_type, facility, patient_id, occurred_at,
        received_at, quantity, status, class
    from (from spoilt union all from again)
"""


def write_usage(
    folder: Path, enterprise: Enterprise, encounters: int, seed: int
) -> int:
    """Write so many encounters of 2025, a Parquet file for each month of receipt.

    Returns the rows: encounters that were sent twice, cancelled or corrected have two.
    """
    folder.mkdir(parents=True)
    with connect() as connection:
        # One thread writes the same bytes on every machine.
        connection.execute("set threads = 1")
        _make_lists(connection, enterprise)
        connection.execute(
            _EVENTS,
            {
                "encounters": encounters,
                "seed": seed,
                "silent_from": SILENT_FROM,
                "silent_through": SILENT_THROUGH,
            },
        )
        (rows,) = connection.execute(_ROWS).fetchone()
        months = connection.execute(
            "select distinct strftime(received_at, '%Y-%m') from sent order by 1"
        ).fetchall()
        for (month,) in months:
            path = quoted(folder / f"{month}.parquet")
            connection.execute(
                f"""copy (
                    from sent where strftime(received_at, '%Y-%m') = '{month}'
                    order by received_at, event_id, status desc, class
                ) to {path} (format parquet, compression zstd)"""
            )
    return rows


def _make_lists(connection: duckdb.DuckDBPyConnection, enterprise: Enterprise) -> None:
    """Facilities, days and classes, each with where its share of all draws begins."""
    days = [FIRST_DAY + timedelta(n) for n in range((LAST_DAY - FIRST_DAY).days + 1)]
    begins, year = {}, 0
    for day in days:
        begins[day] = year
        year += _day_weight(day)
    begins[LAST_DAY + timedelta(1)] = year
    facilities, total = [], 0
    for facility in enterprise.facilities:
        first, last = _open_days(facility, enterprise)
        opened, closed = begins[first], begins[last + timedelta(1)]
        share = max(1, facility.weight * (closed - opened) // year)
        facilities.append(
            (
                facility.identifier,
                facility == enterprise.silent,
                opened,
                closed,
                total,
                total + share,
            )
        )
        total += share
    classes, drawn = [], 0
    for name, weight in _CLASSES:
        classes.append((name, drawn))
        drawn += weight
    connection.execute(
        "create temp table facilities (identifier varchar, is_silent boolean, "
        "open_from bigint, open_to bigint, since bigint, until bigint)"
    )
    connection.executemany(
        "insert into facilities values (?, ?, ?, ?, ?, ?)", facilities
    )
    connection.execute("create temp table days (day timestamp, since bigint)")
    connection.executemany(
        "insert into days values (?, ?)", [(day, begins[day]) for day in days]
    )
    connection.execute("create temp table classes (class varchar, since bigint)")
    connection.executemany("insert into classes values (?, ?)", classes)


def _day_weight(day: date) -> int:
    if (day.month, day.day) in _HOLIDAYS:
        return 40 * _MONTHS[day.month - 1]
    return _WEEKDAYS[day.weekday()] * _MONTHS[day.month - 1]


def _open_days(facility: Facility, enterprise: Enterprise) -> tuple[date, date]:
    if facility == enterprise.opening:
        return OPENS_ON, LAST_DAY
    if facility == enterprise.closing:
        return FIRST_DAY, LAST_OPEN_DAY + timedelta(_STRAGGLING_DAYS)
    return FIRST_DAY, LAST_DAY


def feed_folder(out: Path) -> Path:
    """Where the feed's files lie in a landing directory."""
    return out / "usage" / FEED
