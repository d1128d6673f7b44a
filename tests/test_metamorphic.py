"""What must not matter, over random terms and usage: order, rhythm, empty changes.

No expected amounts: two ways to the same bill are compared, to the row. The scenarios
are those of `tests/reference`, all landed at once; BILLING_PROPERTY_SEED draws others.
"""

import os
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from operator import itemgetter
from pathlib import Path
from random import Random
from zlib import crc32

import duckdb
import pytest
from reference.generator import random_scenario
from reference.scenarios import Scenario, Step, write_landing

from orchestration.run import Settings, run_billing

SEED = os.environ.get("BILLING_PROPERTY_SEED", "4")
DAY = date(2024, 5, 15)
HELD_DAY = DAY + timedelta(days=20)
LAST_DAY = DAY + timedelta(days=42)
CANCELLED = (LAST_DAY - timedelta(days=1)).isoformat()
COUNT = 12
UNDONE = {
    "contract_lines": ("line_id", {"status": "ended"}),
    "commitments": ("commitment_id", {"committed": "0"}),
}


def batch() -> list[Scenario]:
    """Random scenarios, and one customer's events at one facility and at ten."""
    found = [
        random_scenario(Random(f"{SEED}/{i}"), [Step(DAY, DAY)], f"m{i:02d}-")
        for i in range(COUNT)
    ]
    return [*found, of_facilities("one-", 1), of_facilities("ten-", 10)]


def of_facilities(prefix: str, count: int) -> Scenario:
    """The same hundred encounters of a graduated year, spread over facilities."""
    it = Scenario(prefix, [Step(DAY, DAY)])
    rng = Random(SEED)

    def add(table: str, **row: str) -> None:
        it.rows.append((0, table, row))

    own = {"customer_id": f"{prefix}customer"}
    contract = {"contract_id": f"{prefix}contract"}
    add("customers", customer_name="Example", dunning_tier="standard", **own)
    add("baas", effective_on="2020-01-01", **own)
    term = {"signed_on": "2023-12-01", "starts_on": "2024-01-01"}
    add("contracts", ends_on="2024-12-31", **term, **contract, **own)
    for number in range(count):
        facility = {"facility_id": f"{prefix}{number}"}
        add("facilities", facility_name="Example", **facility, **own)
        since = {"effective_on": "2024-01-01", "covered": "true"}
        add("contract_facilities", **facility, **contract, **since)
    card = {"rate_card_id": f"{prefix}card"}
    for tier, up_to, unit_price in (
        ("1", "30", "3"),
        ("2", "70", "2.125"),
        ("3", "", "1"),
    ):
        add("rate_cards", tier=tier, up_to=up_to, unit_price=unit_price, **card)
    line = {"charge_type": "usage", "meter": "encounter", "pricing_model": "graduated"}
    scope = {"tier_scope": "contract_year", "effective_on": "2024-01-01"}
    name = {"line_id": f"{prefix}visits", "product_id": "visits"}
    add("contract_lines", **name, **contract, **line, **scope, **card)
    for number in range(100):
        day = date(2024, 1, 1) + timedelta(days=rng.randrange(130))
        event = {
            "event_id": f"E{number}",
            "event_type": "encounter",
            "facility": f"{prefix}{number % count}",
            "patient_id": f"P{number}",
            "occurred_at": day.isoformat(),
        }
        it.events.append((0, f"{prefix}feed", "events.csv", event))
    return it


@dataclass
class Billed:
    """A home and what it published last."""

    place: Path
    landings: int = 0

    def run(
        self,
        scenarios: list[Scenario],
        as_of: date,
        split: int = 1,
        closes: date | None = None,
    ) -> "Billed":
        """Land the scenarios afresh, issue through the as-of day, close a month."""
        self.landings += 1
        landing = self.place / f"landing{self.landings}"
        write_landing(scenarios, 0, landing)
        if split > 1:
            for path in landing.glob("contracts/*.csv"):
                _split(path, split)
        home = self.place / "home"
        run_billing(Settings(home, landing, as_of, as_of, close_month=closes))
        return self

    def rows(self, sql: str) -> list[tuple]:
        path = self.place / "home" / "published" / "billing.duckdb"
        with duckdb.connect(str(path), read_only=True) as connection:
            return connection.execute(sql).fetchall()

    def lines(self) -> Counter:
        """Every issued line with the document's number and the line's shares."""
        return Counter(
            self.rows(
                "select lines.* exclude (invoice_id), (select list(shares "
                "order by facility_id) from finance.invoice_line_facilities as shares "
                "where shares.invoice_id = lines.invoice_id "
                "and shares.line_number = lines.line_number)::varchar "
                "from finance.invoice_lines as lines where invoice_number is not null"
            )
        )

    def sums(self) -> dict[str, tuple[Decimal, Decimal]]:
        """Quantity and amount of each charge that is not undone: what is issued, and
        the adjustments to come with a later invoice.
        """
        return {
            key: (quantity, amount)
            for key, quantity, amount in self.rows(
                "select charge_key, sum(quantity), sum(amount) "
                "from finance.invoice_lines "
                "where invoice_number is not null or is_adjustment "
                "group by charge_key having sum(quantity) <> 0 or sum(amount) <> 0"
            )
        }


def _split(path: Path, parts: int) -> None:
    """Turn a table's file into several, in a folder of its name."""
    header, *rows = path.read_text().splitlines(keepends=True)
    path.unlink()
    path.with_suffix("").mkdir()
    for part in range(parts):
        name = path.with_suffix("") / f"{part}.csv"
        name.write_text("".join([header, *rows[part::parts]]))


@pytest.fixture(scope="module")
def billed(tmp_path_factory: pytest.TempPathFactory) -> Billed:
    """The batch, issued at once."""
    return Billed(tmp_path_factory.mktemp("once")).run(batch(), DAY)


def changed(change: Callable[[Scenario], None]) -> list[Scenario]:
    """The batch with each scenario changed."""
    scenarios = deepcopy(batch())
    for scenario in scenarios:
        change(scenario)
    return scenarios


def test_the_batch_is_valid_and_has_every_kind_of_line(billed: Billed) -> None:
    rejected = billed.rows(
        "select contract_id, reason from quality.rejected_rows "
        "where contract_id is not null"
    )
    assert rejected == []
    kinds = {
        kind
        for (kind,) in billed.rows(
            "select distinct line_type from finance.invoice_lines"
        )
    }
    assert kinds == {"recurring", "usage", "true_up", "minimum_spend", "milestone"}


def test_one_facility_or_ten_come_to_the_same_lines(billed: Billed) -> None:
    one, ten = (
        billed.rows(
            "select service_start, tier, quantity, unit_price, amount "
            f"from finance.invoice_lines where contract_id = '{prefix}-contract' "
            "and invoice_number is not null order by all"
        )
        for prefix in ("one", "ten")
    )
    assert len(one) > 4
    assert one == ten


def test_the_order_of_rows_and_files_does_not_matter(
    billed: Billed, tmp_path: Path
) -> None:
    def shuffle(scenario: Scenario) -> None:
        rng = Random(SEED)
        rng.shuffle(scenario.rows)
        # Rows of one event with the same mark are known by their order alone (P4).
        sent = defaultdict(deque)
        for step, feed, file, row in sorted(scenario.events, key=itemgetter(2)):
            sent[feed, row["event_id"]].append((step, feed, file, row))
        places = [key for key, rows in sent.items() for _ in rows]
        rng.shuffle(places)
        scenario.events = []
        for key in places:
            step, feed, _, row = sent[key].popleft()
            file = f"{crc32(key[1].encode()) % 3}.csv"
            scenario.events.append((step, feed, file, row))

    scenarios = changed(shuffle)
    Random(SEED).shuffle(scenarios)
    shuffled = Billed(tmp_path).run(scenarios, DAY, split=3)
    assert shuffled.lines() == billed.lines()


def test_month_by_month_comes_to_what_all_at_once_does(
    billed: Billed, tmp_path: Path
) -> None:
    monthly = Billed(tmp_path)
    for days in (70, 35, 0):
        monthly.run(batch(), DAY - timedelta(days=days))
    assert monthly.sums() == billed.sums()


def test_what_changes_nothing_adds_no_line_then_held_then_cancelled(
    billed: Billed,
) -> None:
    # In one test, for each goes on where the one before ended.
    before = billed.lines()
    billed.run(changed(amend_nothing), DAY)
    assert billed.lines() == before

    contracts = sorted({row[3] for row in before})
    contract = max(contracts, key=lambda c: sum(row[3] == c for row in before))

    def break_a_line(scenario: Scenario) -> None:
        for _, table, row in scenario.rows:
            if table == "contract_lines" and row["contract_id"] == contract:
                row["effective_on"] += "x"

    billed.run(changed(break_a_line), HELD_DAY, closes=date(2024, 5, 1))
    new = billed.lines() - before
    assert new
    assert contract not in {row[3] for row in new}

    billed.run(changed(cancel), LAST_DAY)
    assert billed.sums() == {}
    assert (
        billed.rows(
            "select customer_id, sum(subtotal) from finance.invoices "
            "where status <> 'draft' group by customer_id having sum(subtotal) <> 0"
        )
        == []
    )

    # What was posted and booked of it is taken back by the next close (V3, V4).
    posted = (
        "select contract_id, sum(amount) from finance.revenue_schedule "
        "where status = 'posted' group by contract_id having sum(amount) <> 0"
    )
    assert billed.rows(posted)
    billed.run(changed(cancel), date(2024, 7, 1), closes=date(2024, 6, 1))
    assert billed.rows(posted) == []
    assert (
        billed.rows(
            "select contract_id, account, sum(debit - credit) "
            "from finance.journal_entries where contract_id is not null "
            "group by contract_id, account having sum(debit - credit) <> 0"
        )
        == []
    )


def amend_nothing(scenario: Scenario) -> None:
    """Cover each facility once more that is covered for good."""
    covering = [
        row for _, table, row in scenario.rows if table == "contract_facilities"
    ]
    count = Counter((row["contract_id"], row["facility_id"]) for row in covering)
    for number, row in enumerate(covering):
        if count[row["contract_id"], row["facility_id"]] > 1:
            continue
        amendment_id = f"{scenario.prefix}nothing{number}"
        later = date.fromisoformat(row["effective_on"]) + timedelta(days=10)
        again = row | {"effective_on": later.isoformat(), "amendment_id": amendment_id}
        amendment = {
            "amendment_id": amendment_id,
            "contract_id": row["contract_id"],
            "signed_on": DAY.isoformat(),
            "effective_on": later.isoformat(),
            "kind": "other",
        }
        scenario.rows += [
            (0, "amendments", amendment),
            (0, "contract_facilities", again),
        ]


def cancel(scenario: Scenario) -> None:
    """End every line as it began, commit to nothing, undo milestones and events."""
    by = {}
    for _, table, row in list(scenario.rows):
        if table == "contracts":
            by[row["contract_id"]] = amendment_id = f"{row['contract_id']}-cancel"
            amendment = {
                "amendment_id": amendment_id,
                "contract_id": row["contract_id"],
                "signed_on": CANCELLED,
                "effective_on": row["starts_on"],
                "kind": "other",
            }
            scenario.rows.append((0, "amendments", amendment))
    undone = {}
    for _, table, row in scenario.rows:
        if table in UNDONE:
            key, changes = UNDONE[table]
            changes = changes | {"amendment_id": by[row["contract_id"]]}
            undone[table, row[key], row["effective_on"]] = row | changes
        elif table == "milestones":
            row["completed_on"] = ""
    scenario.rows += [(0, table, row) for (table, *_), row in undone.items()]
    for _, feed, _, row in list(scenario.events):
        void = {"status": "cancelled", "received_at": f"{CANCELLED}T00:00:00Z"}
        scenario.events.append((0, feed, "cancelled.csv", row | void))
