"""`billing what-if` and `run --max-adjustment`, worked by hand on one customer.

`joins` pays 90 for each facility: two in January, two and from 15 February three, three
from March. It was billed 180, 180, 315 and 270, which is 945, through 1 April 2026. At
99 January would be 198, February 2 × 99 × 14/28 + 3 × 99 × 14/28 = 247.50, each later
month 297: 18, 22.50, 27 and 27 more for what is billed, 94.50, which is 10 % of 945.
"""

import hashlib
import shutil
from datetime import date
from decimal import Decimal as D
from pathlib import Path

import duckdb
import pytest
from conftest import BilledBook

from orchestration.errors import BillingError, UsageError
from orchestration.home import Home
from orchestration.keys import Keys
from orchestration.ledger import closed_through
from orchestration.project import PROJECT_DIR
from orchestration.run import Settings, run_billing
from orchestration.warehouse import open_files
from orchestration.what_if import (
    _REVENUE,
    Change,
    Comparison,
    _copy,
    print_comparison,
    what_if,
)

APRIL, MAY = date(2026, 4, 1), date(2026, 5, 1)


@pytest.fixture
def home(billed_book: BilledBook, tmp_path: Path) -> Path:
    """A copy of the home that was billed through April."""
    return Path(shutil.copytree(billed_book.home, tmp_path / "home"))


@pytest.fixture
def dearer(billed_book: BilledBook, tmp_path: Path) -> Path:
    """The landing directory in which a facility of `joins` costs 99."""
    landing = Path(shutil.copytree(billed_book.landing, tmp_path / "dearer"))
    terms = landing / "contracts" / "contract_lines" / "joins.csv"
    terms.write_text(terms.read_text().replace(",90", ",99"))
    return landing


def contents(home: Path) -> dict[str, str]:
    """Digest of each file of the state but for the audit log."""
    return {
        str(path.relative_to(home)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(home.rglob("*"))
        if path.is_file() and path.name not in ("audit.jsonl", "lock")
    }


def test_other_terms_beside_todays(home: Path, dearer: Path) -> None:
    before = contents(home)
    compared = what_if(home, landing=dearer, max_adjustment=D(10))
    assert compared.drafts == [
        Change(("joins", "USD", MAY, "joins"), D("270.00"), D("391.50"))
    ]
    assert compared.due[:3] == [
        Change(("joins", "USD", "joins", date(2026, 1, 1)), D("180.00"), D("198.00")),
        Change(("joins", "USD", "joins", date(2026, 2, 1)), D("225.00"), D("247.50")),
        Change(("joins", "USD", "joins", date(2026, 3, 1)), D("270.00"), D("297.00")),
    ]
    # January to December, and nobody else.
    assert len(compared.due) == 12
    assert {change.difference for change in compared.due[2:]} == {D(27)}
    # January to March are closed: their 18, 22.50 and 27 catch up with April's 27.
    assert compared.revenue[:2] == [
        Change(("joins", "USD", "2026-04"), D("270.00"), D("364.50")),
        Change(("joins", "USD", "2026-05"), D("270.00"), D("297.00")),
    ]
    assert len(compared.revenue) == 9
    assert {change.difference for change in compared.revenue[1:]} == {D(27)}
    assert contents(home) == before


def test_a_copy_cut_short_leaves_no_key_HP_10(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.create()
    keys = Keys.of(home)
    with _copy(home) as copy:
        assert Keys.of(copy) == keys
        written = [path for path in copy.path.rglob("*") if path.is_file()]
        assert not any(path.parent.name == "keys" for path in written)
    assert not copy.path.exists()
    assert Keys.of(home) == keys


def test_a_damaged_file_is_named_where_it_is(home: Path) -> None:
    warehouse = Home(home).warehouse
    warehouse.write_bytes(warehouse.read_bytes()[:20_000])
    with pytest.raises(BillingError) as caught:
        what_if(home)
    assert str(caught.value).startswith(f"{warehouse} ")


def test_other_models_name_the_customers_and_the_cause(
    home: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    models = Path(shutil.copytree(PROJECT_DIR / "models", tmp_path / "sql" / "models"))
    staging = models / "staging" / "stg_contract_lines.sql"
    text = staging.read_text()
    price = "cast(landed.unit_price * 1.1 as decimal(19, 8)) as unit_price,"
    dearer = text.replace("landed.unit_price,", price)
    assert dearer != text
    staging.write_text(dearer)
    with pytest.raises(BillingError) as refusal:
        what_if(home, models=models, max_adjustment=D("9.99"))
    said = str(refusal.value)
    assert "more than 9.99 %" in said
    assert "joins: 94.50 USD of 945.00: joins-platform of joins by 94.50" in said
    assert "model models/staging/stg_contract_lines.sql (changed)" in said
    shown = capfd.readouterr().out
    assert "391.50" in shown
    assert not list((home / "work").glob("what-if-*"))


def test_a_model_that_fails_is_named_with_all_the_engine_says(
    home: Path, dearer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = Path(shutil.copytree(PROJECT_DIR / "models", tmp_path / "models"))
    (models / "staging" / "stg_contract_lines.sql").write_text("select 1 from\nnowhere")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BillingError) as refusal:
        what_if(home, landing=Path("dearer"), models=Path("models"))
    said = str(refusal.value)
    assert said.startswith("with the other models: model stg_contract_lines fails")
    assert "nowhere does not exist" in said
    assert not list((home / "work").glob("what-if-*"))


@pytest.mark.parametrize("percent", ["9.99", "10"])
def test_a_run_issues_nothing_above_its_limit(
    home: Path, dearer: Path, percent: str
) -> None:
    published = (home / "published" / "billing.duckdb").read_bytes()
    settings = Settings(home, dearer, MAY, MAY, max_adjustment=D(percent))
    state = Home(home)
    if percent == "10":
        assert run_billing(settings)
        return
    with pytest.raises(BillingError, match="joins: 94.50 USD of 945.00") as refusal:
        run_billing(settings)
    assert "contract row contract_lines joins-platform|2026-01-01| (changed)" in str(
        refusal.value
    )
    with open_files(state, Keys.of(state), read_only=True) as connection:
        assert closed_through(connection) == APRIL
    assert (home / "published" / "billing.duckdb").read_bytes() == published


@pytest.mark.parametrize(("closed", "first"), [(None, "2026-02"), (MAY, "2026-06")])
def test_what_is_on_hold_is_of_no_month_V1(closed: date | None, first: str) -> None:
    # 5 of February count for the first month that is open; 7 wait for a milestone.
    with duckdb.connect() as connection:
        connection.execute("""
            attach ':memory:' as warehouse; create schema warehouse.finance;
            attach ':memory:' as ledger; create schema ledger.book;
            create table ledger.book.closings (month date);
            create table warehouse.finance.revenue_schedule as
            from (values
                ('clinic', 'USD', date '2026-01-01', 'posted', 3.00),
                ('clinic', 'USD', date '2026-02-01', 'scheduled', 5.00),
                ('clinic', 'USD', null, 'on_hold', 7.00)
            ) as schedule(customer_id, currency, revenue_month, status, amount);
        """)
        if closed is not None:
            connection.execute("insert into ledger.book.closings values ($1)", [closed])
        found = connection.execute(f"from ({_REVENUE}) order by all").fetchall()
    assert found == [
        ("clinic", "USD", first, D(5)),
        ("clinic", "USD", "on hold", D(7)),
    ]


def test_nothing_changes_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    print_comparison(Comparison([], [], []), APRIL)
    assert capsys.readouterr().out == "Nothing changes, as of 2026-04-01.\n"


def test_what_can_not_be_compared(tmp_path: Path, home: Path) -> None:
    with pytest.raises(BillingError, match="nothing was billed here yet"):
        what_if(tmp_path / "empty", landing=tmp_path)
    assert not (tmp_path / "empty").exists()
    (tmp_path / "none").mkdir()
    with pytest.raises(UsageError, match="no SQL file in it"):
        what_if(home, models=tmp_path / "none")
    # What holds the home would be copied into itself without end.
    with pytest.raises(UsageError, match=f"{home} lies in it"):
        what_if(home, models=tmp_path)
    with pytest.raises(UsageError, match=f"give its folder of models, {PROJECT_DIR}"):
        what_if(home, models=PROJECT_DIR)
