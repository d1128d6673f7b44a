"""The two lists that people edit: what is wrong is told with its line (N3, N4)."""

from pathlib import Path

import pytest

from orchestration import project
from orchestration.dunning_policies import check_policies
from orchestration.errors import BillingError

HEADER = (
    "dunning_tier,step,days_past_due,quiet_days,action,channel,minimum_balance,"
    "needs_approval,pause_on_dispute"
)
FIRST = "clinic,1,1,0,reminder,email,10.00,false,amount"
SECOND = "clinic,2,14,7,call,task,10.00,false,amount"


@pytest.fixture
def seeds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(project, "SEEDS_DIR", tmp_path)
    (tmp_path / "holidays.csv").write_text("holiday,name\n2026-07-03,Independence\n")
    return tmp_path


def land(seeds: Path, *rows: str) -> None:
    (seeds / "dunning_policies.csv").write_text("\n".join([HEADER, *rows]) + "\n")


def test_the_lists_that_are_shipped_are_right() -> None:
    check_policies()


def test_steps_in_order_are_right(seeds: Path) -> None:
    land(seeds, FIRST, SECOND, "other,1,-3,0,reminder,email,0,true,none")
    check_policies()


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (["gold,,,,,,,,"], "line 2, step is empty: a tier has steps"),
        ([FIRST, "clinic,3,20,7,call,task,1,false,none"], "line 3, step 3 comes after"),
        ([SECOND, FIRST], "line 2, step 2 comes after none"),
        ([FIRST, FIRST], "line 3, step 1 comes after 1"),
        (
            [FIRST, "clinic,2,0,7,call,task,1,false,none"],
            "line 3, days_past_due 0 is before that of step 1, 1",
        ),
        ([FIRST.replace("reminder", "sue")], "line 2, action 'sue' is unknown; use"),
        ([FIRST.replace("email", "fax")], "line 2, channel 'fax' is unknown; use"),
        ([FIRST.replace("reminder", "call")], "line 2, channel 'email' can't make"),
        ([FIRST.replace("amount", "line")], "line 2, pause_on_dispute 'line'"),
        ([FIRST.replace("false", "no")], "line 2, needs_approval 'no'"),
        ([FIRST.replace("10.00", "10.001")], "line 2, minimum_balance '10.001'"),
        ([FIRST.replace("10.00", "-1")], "line 2, minimum_balance '-1'"),
        ([FIRST.replace(",0,", ",-1,")], "line 2, quiet_days '-1'"),
        ([FIRST.replace("clinic", "../etc")], "line 2, dunning_tier"),
        ([FIRST.removesuffix(",amount")], "line 2, pause_on_dispute None"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(
    seeds: Path, rows: list[str], told: str
) -> None:
    land(seeds, *rows)
    with pytest.raises(BillingError) as error:
        check_policies()
    assert f"seeds/dunning_policies.csv, {told}" in str(error.value)


def test_a_holiday_that_is_no_day_is_told_with_its_line(seeds: Path) -> None:
    land(seeds, FIRST)
    (seeds / "holidays.csv").write_text("holiday,name\n2026-02-30,Never\n")
    with pytest.raises(BillingError, match=r"holidays.csv, line 2, holiday '2026-02-3"):
        check_policies()
