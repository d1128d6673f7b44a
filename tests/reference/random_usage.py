"""Random usage of a scenario: late, sent again, cancelled, moved, broken."""

from datetime import date, timedelta
from random import Random

from reference.scenarios import Scenario

BROKEN_DATES = ("2024-02-30", "31/03/2024", "", "soon")
BROKEN_QUANTITIES = ("0", "-1", "two", "1.00001")


def add_usage(rng: Random, scenario: Scenario, facilities: list[str]) -> None:
    """Events of one or two feeds at the facilities, landed over the steps."""
    first = scenario.schedule[0].as_of - timedelta(days=rng.choice((45, 90, 180)))
    last = scenario.schedule[-1].as_of + timedelta(days=5)
    # Few days, so that units of several facilities meet on one and fill tiers.
    span = (last - first).days
    some_days = [
        first + timedelta(days=rng.randrange(span))
        for _ in range(rng.choice((8, 15, 25)))
    ]
    feeds = [f"{scenario.prefix}feed{n}" for n in range(1, rng.choice((1, 1, 2)) + 1)]
    for feed in feeds:
        sent_as = _identifiers(rng, scenario, feed, facilities)
        for number in range(rng.randrange(20, 80) // len(feeds)):
            _event(rng, scenario, feed, f"e{number}", some_days, sent_as)


def _identifiers(
    rng: Random, scenario: Scenario, feed: str, facilities: list[str]
) -> list[str]:
    """What the feed calls each facility; some names are mapped only later."""
    sent_as = []
    for number, facility_id in enumerate(facilities):
        if rng.random() < 0.25:
            identifier = f"{scenario.prefix}ward{number}"
            step = rng.choice((0, 0, len(scenario.schedule) - 1))
            row = {"feed": feed, "identifier": identifier, "facility_id": facility_id}
            scenario.rows.append((step, "facility_identifiers", row))
            sent_as.append(identifier)
        else:
            sent_as.append(facility_id)
    return sent_as


def _event(
    rng: Random,
    scenario: Scenario,
    feed: str,
    event_id: str,
    some_days: list[date],
    sent_as: list[str],
) -> None:
    """One event and what is sent of it afterwards."""
    when = rng.choice(some_days)
    row = {
        "event_id": event_id if rng.random() < 0.99 else "",
        "event_type": rng.choice(("encounter",) * 6 + ("procedure",) * 4 + ("note",)),
        "facility": _facility(rng, sent_as),
        "patient_id": rng.choice(("", "p1", "p2", "p3", "p4", "p5")),
        "occurred_at": _occurred(rng, when),
        "quantity": rng.choice(
            ("", "", "1", "2", "3.5", "0.25", "1.0001", "1234.5678")
        ),
        "status": rng.choice(("", "", "final")),
        "class": rng.choice(("", "AMB", "IMP", "EMER")),
        "code": rng.choice(("", "99213", "70450")),
    }
    received = when + timedelta(days=rng.choice((0, 0, 0, 1, 2, rng.randrange(90))))
    _send(rng, scenario, feed, row, when, received)
    while rng.random() < 0.22:
        row = row | rng.choice(
            (
                {"status": "cancelled"},
                {"facility": _facility(rng, sent_as)},
                {"quantity": rng.choice(("1", "4", "2.75"))},
                {"status": "final"},
                {"patient_id": rng.choice(("p1", "p6"))},
                {"occurred_at": _occurred(rng, rng.choice(some_days))},
                {},
            )
        )
        received += timedelta(days=rng.choice((0, 0, 1, 30, rng.randrange(-5, 100))))
        _send(rng, scenario, feed, row, when, received)


def _facility(rng: Random, sent_as: list[str]) -> str:
    kind = rng.random()
    if kind < 0.01:
        return ""
    if kind < 0.03:
        return "nowhere"
    return rng.choice(sent_as)


def _occurred(rng: Random, when: date) -> str:
    kind = rng.random()
    if kind < 0.02:
        return rng.choice(BROKEN_DATES)
    clock = rng.choice(("", "T08:15:00Z", "T23:30:00-05:00", "T00:10:00+02:00"))
    return f"{when}{clock}"


def _send(
    rng: Random,
    scenario: Scenario,
    feed: str,
    row: dict[str, str],
    when: date,
    received: date,
) -> None:
    """Put a row into a file of the step at which it is landed."""
    kind = rng.random()
    if kind < 0.2:
        mark, known_from = "", when
    elif kind < 0.35:
        mark, known_from = str(received), received
    else:
        clock = rng.choice(("T06:00:00Z", "T06:00:00", "T23:30:00-05:00"))
        mark, known_from = f"{received}{clock}", received
    steps = len(scenario.schedule)
    step = rng.randrange(steps)
    if rng.random() < 0.8:
        by_then = [n for n, s in enumerate(scenario.schedule) if s.as_of >= known_from]
        step = by_then[0] if by_then else steps - 1
    if rng.random() < 0.02:
        row = row | {"quantity": rng.choice(BROKEN_QUANTITIES)}
    file = f"{rng.choice('ab')}-{step}.csv"
    scenario.events.append((step, feed, file, row | {"received_at": mark}))
