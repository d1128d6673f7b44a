"""An agreement (BAA) that ends is spoken of sixty days before and after (HP-6)."""

from datetime import date

import duckdb
import pytest

from orchestration.agreements import ending_agreements

ENDS = "2026-06-30"


def warnings(as_of: str, *agreements: tuple[str, str | None, str | None]) -> list[str]:
    """What is said of lakeside's agreements: first day, last day, reference."""
    connection = duckdb.connect()
    connection.execute(
        "create schema raw; create table raw.baas (customer_id varchar, "
        "effective_on date, ends_on date, reference varchar)"
    )
    for agreement in agreements:
        connection.execute(
            "insert into raw.baas values ('lakeside', $1, $2, $3)", agreement
        )
    return ending_agreements(connection, date.fromisoformat(as_of))


# 30 June less 60 days is 1 May (30 days of June, 30 of May's 31); 60 days on from it
# is 29 August (31 of July, 29 of August).
@pytest.mark.parametrize(
    ("as_of", "said"),
    [
        ("2026-04-30", None),
        ("2026-05-01", "ends on 2026-06-30, in 60 days. No other follows."),
        ("2026-06-29", "ends on 2026-06-30, in 1 day. "),
        ("2026-06-30", "ends on 2026-06-30, in 0 days. "),
        ("2026-07-01", "ended on 2026-06-30. No other follows."),
        ("2026-08-29", "ended on 2026-06-30. "),
        ("2026-08-30", None),
    ],
)
def test_sixty_days_before_and_after_its_last_day(as_of: str, said: str | None) -> None:
    told = warnings(as_of, ("2025-07-01", ENDS, "BAA-7"))
    if said is None:
        assert told == []
    else:
        (warning,) = told
        assert warning.startswith(f"lakeside's agreement (BAA) BAA-7 {said}")
        assert "no_baa" in warning
        assert "docs/baa.md" in warning


@pytest.mark.parametrize(
    "renewal",
    [("2026-07-01", None, None), ("2026-05-01", "2027-04-30", "BAA-8")],
    ids=["the next day", "meanwhile"],
)
def test_one_that_is_renewed_is_no_warning(renewal: tuple) -> None:
    assert warnings("2026-06-01", ("2025-07-01", ENDS, "BAA-7"), renewal) == []


def test_a_day_without_agreement_is_told() -> None:
    (told,) = warnings(
        "2026-06-01", ("2025-07-01", ENDS, None), ("2026-07-02", None, None)
    )
    assert "ends on 2026-06-30, in 29 days. The next one begins on 2026-07-02." in told


def test_a_shorter_one_within_another_ends_nothing() -> None:
    pilot = ("2026-01-01", "2026-06-10", "pilot")
    assert warnings("2026-06-01", ("2025-07-01", None, None), pilot) == []


def test_open_ones_and_ones_to_come_are_no_warning() -> None:
    assert warnings("2026-06-01", ("2025-07-01", None, "BAA-7")) == []
    assert warnings("2026-06-01", ("2026-06-02", "2026-06-30", None)) == []
