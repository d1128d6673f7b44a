"""Terms of keeping and legal holds, as `retention/` has them (HP-18, HP-19)."""

import shutil
from datetime import date
from pathlib import Path

import pytest

from orchestration import retention
from orchestration.errors import BillingError
from orchestration.retention import legal_holds, months_before, terms


@pytest.mark.parametrize(
    ("day", "months", "expected"),
    [
        ("2026-01-15", 24, "2024-01-15"),
        ("2026-02-28", 24, "2024-02-28"),
        ("2024-02-29", 12, "2023-02-28"),
        ("2026-05-31", 3, "2026-02-28"),
    ],
)
def test_a_term_is_in_calendar_months(day: str, months: int, expected: str) -> None:
    assert months_before(date.fromisoformat(day), months).isoformat() == expected


def test_the_shipped_terms_are_at_least_the_law_s() -> None:
    assert terms()["audit_log"] >= 72 and terms()["usage_events"] == 24
    assert legal_holds(()) == []


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("classes.csv", "class,months\naudit_log,71\n", "line 2, months '71' is below"),
        ("classes.csv", "class,months\nusage_events,two\n", "line 2, months 'two'"),
        ("classes.csv", "class,months\nall,1\n", "line 2, class 'all' is none of"),
        ("classes.csv", "class,months\nusage_events,24\n", "is missing"),
        ("legal_holds.csv", "hold,customer,from\nx,hill,soon\n", "approved_by ''"),
        (
            "legal_holds.csv",
            "hold,customer,from,approved_by\nx,hill,soon,me\n",
            "line 2, from 'soon' is no day",
        ),
        (
            "legal_holds.csv",
            "hold,customer,from,approved_by\nx,Hill,2026-01-01,me\n",
            "line 2, customer 'Hill' was never landed or billed",
        ),
    ],
)
def test_what_cant_be_read_purges_nothing(
    tmp_path: Path, file: str, text: str, message: str
) -> None:
    policy = tmp_path / "retention"
    shutil.copytree(retention.FOLDER, policy)
    (policy / file).write_text(text)
    with pytest.raises(BillingError, match=message) as stopped:
        terms(policy), legal_holds({"hill"}, policy)
    assert "Nothing was purged" in str(stopped.value)


def test_a_hold_on_all_keeps_everything() -> None:
    hold = retention.Hold("suit", "", date(2026, 1, 1), date(2026, 1, 31))
    assert hold.keeps("lake") and hold.keeps(None)
    assert hold.is_in_force(date(2026, 1, 15))
    assert not hold.is_in_force(date(2026, 2, 1))
    assert hold.is_in_force(date(2026, 2, 1), date(2026, 1, 31))
    other = retention.Hold("suit", "hill", date(2026, 1, 1), None)
    assert other.keeps("hill") and not other.keeps("lake") and not other.keeps(None)
