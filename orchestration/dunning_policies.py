"""Is `seeds/dunning_policies.csv`, or `seeds/holidays.csv`, what a run can go by (N3)?

Both are edited by hand. What is wrong is told with its file and line before anything is
loaded: a tier that lost a step must not pass for one that has no more to say.
"""

import re
from collections.abc import Iterator
from datetime import date

from orchestration.errors import BillingError
from orchestration.project import read_seed

ACTIONS = ("reminder", "statement", "call", "escalate", "final_notice")
CHANNELS = ("email", "task")
PAUSES = ("amount", "invoice", "customer", "none")

# A tier is a folder of templates, and part of what a person types.
_TIER = re.compile(r"[a-z0-9][a-z0-9_-]*")
_ALLOWED = {
    "action": ACTIONS,
    "channel": CHANNELS,
    "needs_approval": ("true", "false"),
    "pause_on_dispute": PAUSES,
}
_NUMBERS = {
    "step": (r"[1-9]\d{0,3}", "a number from 1"),
    "days_past_due": (r"-?\d{1,4}", "a whole number of days"),
    "quiet_days": (r"\d{1,4}", "a whole number of days from 0"),
    "minimum_balance": (r"\d{1,12}(\.\d{1,2})?", "an amount of at most 2 decimals"),
}


def check_policies() -> None:
    """Raises BillingError naming every row of the two lists that can't be right."""
    problems = [*_policy_problems(), *_holiday_problems()]
    if problems:
        raise BillingError("; ".join(problems) + ". Nothing was loaded")


def _policy_problems() -> Iterator[str]:
    last: dict[str, tuple[int, int]] = {}
    for line, row in enumerate(read_seed("dunning_policies"), start=2):
        found = list(_row_problems(row))
        for column, why in found:
            yield f"seeds/dunning_policies.csv, line {line}, {column} {why} (N3)"
        if found:
            continue
        tier, step, days = (
            row["dunning_tier"],
            int(row["step"]),
            int(row["days_past_due"]),
        )
        before, days_before = last.get(tier, (0, days))
        if step != before + 1:
            yield (
                f"seeds/dunning_policies.csv, line {line}, step {step} comes after "
                f"{before or 'none'}: write the steps of {tier} in order, 1, 2, 3 (N3)"
            )
        elif days < days_before:
            yield (
                f"seeds/dunning_policies.csv, line {line}, days_past_due {days} is "
                f"before that of step {before}, {days_before}: steps go in order (N3)"
            )
        last[tier] = step, max(days, days_before)


def _row_problems(row: dict[str, str]) -> Iterator[tuple[str, str]]:
    tier = row.get("dunning_tier") or ""
    if not _TIER.fullmatch(tier):
        yield (
            "dunning_tier",
            f"{tier!r} is no name: write small letters, digits, - and _",
        )
    if not row.get("step"):
        yield "step", f"is empty: a tier has steps; write 1, or delete {tier}"
        return
    for column, (pattern, wanted) in _NUMBERS.items():
        if not re.fullmatch(pattern, row.get(column) or ""):
            yield column, f"{row.get(column)!r} is not {wanted}; write one"
    for column, allowed in _ALLOWED.items():
        if row.get(column) not in allowed:
            yield column, f"{row.get(column)!r} is unknown; use {', '.join(allowed)}"
    if row.get("action") == "call" and row.get("channel") == "email":
        yield "channel", "'email' can't make a call; use task"


def _holiday_problems() -> Iterator[str]:
    for line, row in enumerate(read_seed("holidays"), start=2):
        try:
            date.fromisoformat(row.get("holiday") or "")
        except ValueError:
            yield (
                f"seeds/holidays.csv, line {line}, holiday {row.get('holiday')!r} is "
                "no day; write it as YYYY-MM-DD (N4)"
            )
