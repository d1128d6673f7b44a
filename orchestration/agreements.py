"""Business associate agreements (BAAs) that end: said before they do (HP-6, HP-7)."""

from collections.abc import Iterable
from datetime import date, timedelta

import duckdb

# Days before and after an agreement's last day in which every run speaks of it.
NOTICE = timedelta(days=60)
_DAY = timedelta(days=1)
_WAY = "docs/baa.md says what to do"


def ending_agreements(connection: duckdb.DuckDBPyConnection, as_of: date) -> list[str]:
    """Warnings, one for each customer whose agreements end, or ended, near `as_of`.

    Agreements that follow each other without a day between are one; a renewal that is
    landed counts from now on, though it begins later. Reads `raw.baas`.
    """
    rows = connection.execute(
        "select customer_id, effective_on, coalesce(ends_on, date '9999-12-31'), "
        "coalesce(reference, '') from raw.baas order by customer_id, effective_on"
    ).fetchall()
    of_customer: dict[str, list[tuple[date, date, str]]] = {}
    for customer, *agreement in rows:
        of_customer.setdefault(customer, []).append(tuple(agreement))
    told = (
        _told(customer, _joined(agreements), as_of)
        for customer, agreements in of_customer.items()
    )
    return [warning for warning in told if warning]


def _joined(
    agreements: Iterable[tuple[date, date, str]],
) -> list[tuple[date, date, str]]:
    """Agreements in order of their first day, as spans without a day in common."""
    spans: list[tuple[date, date, str]] = []
    for first, last, reference in agreements:
        if not spans or first - _DAY > spans[-1][1]:
            spans.append((first, last, reference))
        elif last > spans[-1][1]:
            spans[-1] = (spans[-1][0], last, reference)
    return spans


def _told(
    customer: str, spans: list[tuple[date, date, str]], as_of: date
) -> str | None:
    begun = [span for span in spans if span[0] <= as_of]
    if not begun:
        return None
    _, last, reference = begun[-1]
    if abs((last - as_of).days) > NOTICE.days:
        return None
    name = f"{customer}'s agreement (BAA){f' {reference}' if reference else ''}"
    to_come = spans[len(begun) :]
    if to_come:
        gap = f" The next one begins on {to_come[0][0]}."
    else:
        gap = " No other follows."
    if last < as_of:
        return (
            f"{name} ended on {last}.{gap} Its usage with PHI received since is "
            f"rejected (no_baa); what is kept of it is to be returned or destroyed: "
            f"{_WAY}."
        )
    days = (last - as_of).days
    return (
        f"{name} ends on {last}, in {days} day{'' if days == 1 else 's'}.{gap} Usage "
        f"with PHI received after it will be rejected (no_baa): {_WAY}."
    )
