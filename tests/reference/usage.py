"""What becomes of each usage row, and what each usage line counts (U1, U8)."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from fractions import Fraction

from reference.periods import period_of_each_day
from reference.records import Landing, Outcome, Rows
from reference.terms import Contract, Line
from reference.values import day, text

WRITTEN_DATE = re.compile(r"(\d{4}-\d\d-\d\d)([T ].*)?")
BEFORE_ANY = datetime(1, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Event:
    """A readable row of usage; what could not be read is None."""

    feed: str
    file: str
    line: int
    event_id: str
    event_type: str
    facility: str
    patient: str
    service_date: date | None
    received: datetime | None
    quantity: Fraction | None
    is_cancelled: bool
    event_class: str
    code: str


@dataclass(frozen=True)
class Units:
    """So many units of one facility on one day."""

    when: date
    facility_id: str
    quantity: Fraction


def judge(
    landing: Landing, contracts: dict[str, Contract], as_of: date
) -> tuple[list[Outcome], dict[str, list[Units]]]:
    """Every known row's outcome, and what each line counts, by line id, in order."""
    outcomes = []
    counted: dict[str, list[tuple[Event, str]]] = {}
    lines = {ln.line_id: (c, ln) for c in contracts.values() for ln in c.lines}
    latest: dict[tuple[str, str], Event] = {}
    known = [event for event in _events(landing) if _is_known(event, as_of)]
    for event in known:
        key = (event.feed, event.event_id)
        if key not in latest or _mark(event) > _mark(latest[key]):
            latest[key] = event
    for event in known:
        if event is not latest[event.feed, event.event_id]:
            outcome, reason = "replaced", None
        elif event.is_cancelled:
            outcome, reason = "void", None
        else:
            outcome, reason, facility_id, charged = _place(
                event, landing, contracts, as_of
            )
            for line in charged:
                counted.setdefault(line.line_id, []).append((event, facility_id))
        outcomes.append(
            Outcome(
                event.feed, event.file, event.line, event.service_date, outcome, reason
            )
        )
    units = {
        line_id: _units(*lines[line_id], events, landing)
        for line_id, events in counted.items()
    }
    return outcomes, units


def _events(landing: Landing) -> list[Event]:
    """Every readable row: one without an event id is none."""
    return [
        Event(
            feed=feed,
            file=file,
            line=line,
            event_id=row["event_id"],
            event_type=text(row, "event_type"),
            facility=text(row, "facility"),
            patient=text(row, "patient_id"),
            service_date=_service_date(text(row, "occurred_at")),
            received=_received(text(row, "received_at")),
            quantity=_event_quantity(text(row, "quantity", "1")),
            is_cancelled=text(row, "status", "final") == "cancelled",
            event_class=text(row, "class"),
            code=text(row, "code"),
        )
        for feed, files in landing.usage.items()
        for file, rows in _known_by_content(files).items()
        for line, row in enumerate(rows, start=2)
        if text(row, "event_id")
    ]


def _known_by_content(files: dict[str, Rows]) -> dict[str, Rows]:
    """Of a feed's files with the same content one: sent again it is not read again."""
    names = {
        tuple(tuple(sorted((k, v) for k, v in row.items() if v)) for row in rows): name
        for name, rows in sorted(files.items(), reverse=True)
    }
    return {name: files[name] for name in names.values()}


def _service_date(written: str) -> date | None:
    """The calendar date written in the event, whatever its offset."""
    match = WRITTEN_DATE.fullmatch(written)
    if not match:
        return None
    try:
        return date.fromisoformat(match[1])
    except ValueError:
        return None


def _received(written: str) -> datetime | None:
    """The sender's mark; without an offset it is UTC, a date alone is its start."""
    if not written:
        return None
    mark = datetime.fromisoformat(written)
    return mark.replace(tzinfo=UTC) if mark.tzinfo is None else mark.astimezone(UTC)


def _event_quantity(written: str) -> Fraction | None:
    """A number above 0 with at most 4 decimals, else None."""
    try:
        quantity = Decimal(written)
    except InvalidOperation:
        return None
    if not quantity.is_finite() or quantity <= 0 or quantity.as_tuple().exponent < -4:
        return None
    return Fraction(quantity)


def _is_known(event: Event, as_of: date) -> bool:
    """Received by the as-of day; without a mark, not dated after it."""
    if event.received is not None:
        return event.received.date() <= as_of
    return event.service_date is None or event.service_date <= as_of


def _mark(event: Event) -> tuple:
    """Of the rows of one event id the greatest holds."""
    return (event.received or BEFORE_ANY, event.is_cancelled, event.file, event.line)


def _place(
    event: Event, landing: Landing, contracts: dict[str, Contract], as_of: date
) -> tuple[str, str | None, str | None, list[Line]]:
    """Outcome, reason, facility and the lines that charge for an event."""

    def rejected(reason: str) -> tuple[str, str, None, list[Line]]:
        return "rejected", reason, None, []

    if event.service_date is None:
        return rejected("invalid_date")
    if event.quantity is None:
        return rejected("invalid_quantity")
    if not event.facility:
        return rejected("missing_facility")
    if event.service_date > as_of:
        return rejected("future_date")
    facility_id = _facility_of(event, landing)
    owners = {f["facility_id"]: f["customer_id"] for f in landing.rows("facilities")}
    if facility_id not in owners:
        return rejected("unknown_facility")
    customer_id = owners[facility_id]
    if event.feed not in landing.feeds_without_phi and not _has_agreement(
        landing, customer_id, event, as_of
    ):
        return rejected("no_baa")
    in_force = [
        contract
        for contract in contracts.values()
        if contract.customer_id == customer_id and contract.runs_on(event.service_date)
    ]
    if not in_force:
        return rejected("no_contract")
    covering = [c for c in in_force if c.covers(facility_id, event.service_date)]
    if not covering:
        return rejected("facility_not_covered")
    contract = min(covering, key=lambda c: (c.starts_on, c.contract_id))
    charged = [
        line
        for line in contract.lines
        if line.charge_type == "usage"
        and event.service_date in line.active
        and _matches(event, line.meter, landing)
    ]
    outcome = "billable" if charged else "unmetered"
    return outcome, None, facility_id, charged


def _facility_of(event: Event, landing: Landing) -> str:
    """What the feed's identifier stands for; without a row it is the id itself."""
    for row in landing.rows("facility_identifiers"):
        if row["feed"] == event.feed and row["identifier"] == event.facility:
            return row["facility_id"]
    return event.facility


def _has_agreement(
    landing: Landing, customer_id: str, event: Event, as_of: date
) -> bool:
    """An agreement in force on any day from receipt to the as-of day.

    A row without a mark may have been received at the earliest on its date of service.
    """
    receipt = event.received.date() if event.received else event.service_date
    for row in landing.rows("baas"):
        begins, ends = day(row["effective_on"]), day(text(row, "ends_on"))
        if (
            row["customer_id"] == customer_id
            and begins <= as_of
            and (ends is None or ends >= receipt)
        ):
            return True
    return False


def _matches(event: Event, meter_name: str, landing: Landing) -> bool:
    """Whether the meter counts the event."""
    meter = _meter(landing, meter_name)
    classes = [c for c in text(meter, "classes").split("|") if c]
    codes = [c for c in text(meter, "codes").split("|") if c]
    if meter["aggregation"] == "distinct_patients" and not event.patient:
        return False
    return (
        event.event_type == meter["event_type"]
        and (not classes or event.event_class in classes)
        and (not codes or event.code in codes)
    )


def _meter(landing: Landing, name: str) -> dict[str, str]:
    return next(meter for meter in landing.meters if meter["meter"] == name)


def _units(
    contract: Contract, line: Line, events: list[tuple[Event, str]], landing: Landing
) -> list[Units]:
    """What a line counts, in order of date of service, then facility (U2)."""
    aggregation = _meter(landing, line.meter)["aggregation"]
    units = []
    if aggregation == "distinct_patients":
        period_of = period_of_each_day(contract, line)
        first: dict[tuple, tuple[date, str]] = {}
        for event, facility_id in events:
            key = (event.patient, period_of[event.service_date])
            seen = (event.service_date, facility_id)
            first[key] = min(first.get(key, seen), seen)
        units = [Units(*place, Fraction(1)) for place in first.values()]
    else:
        for event, facility_id in events:
            quantity = event.quantity if aggregation == "sum" else Fraction(1)
            units.append(Units(event.service_date, facility_id, quantity))
    return sorted(units, key=lambda u: (u.when, u.facility_id))
