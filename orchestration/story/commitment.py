"""A commitment's period: what was committed, what counted, what that comes to."""

from collections.abc import Iterator
from decimal import Decimal

from orchestration.story.book import MODELS, Line, Row, amendment, day_before
from orchestration.wording import ends, plain, wrapped

_PERIODS = {
    "contract_year": "contract year",
    "monthly": "month",
    "quarterly": "quarter",
    "annual": "year",
}


def commitment(line: Line) -> Iterator[str]:
    """The period as last built, its versions, and how its charge follows (M1–M4)."""
    booked = line.booked
    yield from ("", "Commitment, as last built")
    period = line.book.row(
        "select months.*, versions.frequency, versions.is_prorated "
        f"from {MODELS}.int_commitment_months as months "
        f"join {MODELS}.commitment_versions as versions "
        "using (commitment_id, version_start) "
        "where commitment_id = $id and period_start = $start "
        "and counted_to = period_end",
        id=booked["commitment_id"],
        start=booked["service_start"],
    )
    if period is None:
        yield f"  {booked['commitment_id']} has no such period now"
        return
    kind = "money" if period["kind"] == "spend" else "a quantity"
    yield (
        f"  {booked['commitment_id']}: {kind} per {_PERIODS[period['frequency']]}"
        f"{', rerated' if period['true_up'] == 'rerate' else ''}"
    )
    yield from _versions(line, period)
    yield (
        f"  {period['period_start']} – {day_before(period['period_end'])}: committed "
        f"{plain(period['committed'])}, counted {plain(period['actual'])}"
    )
    if period["kind"] == "spend":
        yield from _spent(line, period)
    yield from wrapped("  ", _true_up(line, period))


def _versions(line: Line, period: Row) -> Iterator[str]:
    """What each version commits, by days of the full period if it is prorated."""
    versions = line.book.rows(
        "select versions.*, periods.full_days, "
        "greatest(versions.valid_from, periods.period_start) as slice_start, "
        "least(versions.valid_to, periods.period_end) as slice_end "
        f"from {MODELS}.commitment_versions as versions "
        f"join {MODELS}.billing_periods as periods using (contract_id, frequency) "
        "where commitment_id = $id and valid_from < $end and valid_to > $start "
        "and periods.period_start <= $start and periods.period_end > $start "
        "order by valid_from",
        id=period["commitment_id"],
        start=period["period_start"],
        end=period["period_end"],
    )
    for version in versions:
        days = (version["slice_end"] - version["slice_start"]).days
        words = f"version of {version['version_start']}: {plain(version['committed'])}"
        if not period["is_prorated"]:
            words += ", not prorated"
        elif days != version["full_days"]:
            words += f" × {days}/{version['full_days']} days"
        yield f"  {words}"
        yield from amendment(line.book, version["amendment_id"])


def _spent(line: Line, period: Row) -> Iterator[str]:
    """The charges that count, by contract line (M4)."""
    for row in line.book.rows(
        f"select line_id, sum(amount) as amount from {MODELS}.line_charges "
        "where contract_id = $contract and service_from >= $start "
        "and service_from < $end and (line_id = $line or ($line is null "
        "and ($counts = 'all' or line_type = 'usage'))) "
        "group by line_id having sum(amount) <> 0 order by line_id",
        contract=period["contract_id"],
        line=period["line_id"],
        counts=period["counts"],
        start=period["period_start"],
        end=period["period_end"],
    ):
        yield ends(f"      line {row['line_id']}", f"{row['amount']:,}")


def _true_up(line: Line, period: Row) -> str:
    if period["true_up"] == "rerate":
        return _rerated(line, period)
    missing = max(period["committed"] - period["actual"], Decimal(0))
    to_what = "to reach the minimum" if period["kind"] == "spend" else "units short"
    return (
        f"{plain(period['committed'])} − {plain(period['actual'])}: "
        f"{plain(missing)} {to_what}"
    )


def _rerated(line: Line, period: Row) -> str:
    rerated = line.book.row(
        "select rerated.tier, sum(charges.amount) as charged "
        f"from {MODELS}.int_rerated_usage as rerated "
        f"join {MODELS}.usage_charges as charges on charges.line_id = $line "
        "and charges.service_from >= $start and charges.service_from < $end "
        "where commitment_id = $id and period_start = $start group by all",
        line=period["line_id"],
        start=period["period_start"],
        end=period["period_end"],
        id=period["commitment_id"],
    )
    if rerated is None:
        return "no unit was charged"
    due = rerated["charged"] + line.due_now
    return (
        f"its units reached tier {rerated['tier']} and were charged "
        f"{rerated['charged']:,} as they came; at that tier's prices they are due "
        f"{due:,}"
    )
