"""What all tests share: one book of scenarios, billed once."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from command_line import billing_command, copied_book  # noqa: F401
from feed_landing import feeds_of_no_seed  # noqa: F401
from scenarios import CLOSES, book
from usage_landing import (  # noqa: F401 (fixtures)
    usage_landing_directory,
    usage_warehouse,
)

from orchestration.cli import app
from orchestration.database import load_encryption

# Files of the longest tests. They come first, so that of several processes none is left
# alone with one of them in the end.
LONGEST = (
    *("test_cli", "test_crash", "test_purge", "test_hostile_text", "test_canaries"),
    *("test_tour", "test_property", "test_metamorphic", "test_audit", "test_breach"),
    *("test_close", "test_offline", "test_real_feeds", "test_sample", "test_what_if"),
    *("test_health_system", "test_close_report", "test_dunning", "test_models"),
)


def pytest_configure(config: pytest.Config) -> None:
    """Install DuckDB's ciphers before several processes would at the same moment.

    Each process parses the project in a home of its own, not in the one in use here.
    """
    if not hasattr(config, "workerinput"):
        with duckdb.connect() as connection:
            load_encryption(connection)
    home = tempfile.mkdtemp(prefix="billing-tests-")
    config.add_cleanup(lambda: shutil.rmtree(home))
    os.environ["BILLING_HOME"] = home


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The files of the longest tests first, all others as they are."""
    place = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path.stem, len(LONGEST)))


def finance_tables(publication: Path) -> dict[str, list[tuple]]:
    """Every row of every finance table of a publication."""
    with duckdb.connect(str(publication), read_only=True) as connection:
        tables = connection.execute(
            "select table_name from duckdb_tables() where schema_name = 'finance'"
        ).fetchall()
        return {
            table: connection.execute(
                f"select * from finance.{table} order by all"
            ).fetchall()
            for (table,) in tables
        }


@dataclass(frozen=True)
class Close:
    """What one close of the shared book published."""

    publication: Path

    def rows(self, sql: str, *parameters: object) -> list[tuple]:
        """Rows of a query over the published schemas."""
        with duckdb.connect(str(self.publication), read_only=True) as connection:
            return connection.execute(sql, parameters).fetchall()

    def invoices(self, customer: str) -> dict[str, Decimal]:
        """Issued documents of a customer: date and group, and subtotal."""
        return {
            f"{day} {group}" if group != customer else str(day): total
            for day, group, total in self.rows(
                "select invoice_date, invoice_group, subtotal from finance.invoices "
                "where customer_id = $1 and status <> 'draft' order by all",
                customer,
            )
        }

    def lines(self, customer: str, day: str) -> list[tuple]:
        """Lines of a customer's issued document of a day, in order.

        Each is (first service day, last, tier, quantity, unit price, amount, words),
        where words are 'adjustment' and 'reversal' where it is one.
        """
        return [
            (
                f"{start:%m-%d}",
                f"{end:%m-%d}",
                tier,
                *(None if n is None else n.normalize() for n in numbers),
                " ".join(
                    word
                    for word, holds in zip(
                        ("adjustment", "reversal"), marks, strict=True
                    )
                    if holds
                ),
            )
            for start, end, tier, *numbers, in_adjustment, reverses in self.rows(
                "select service_start, service_end, tier, quantity, unit_price, "
                "lines.amount, is_adjustment, reverses "
                "from finance.invoice_lines as lines "
                "join finance.invoices using (invoice_id) "
                "where customer_id = $1 and invoices.invoice_date = $2 "
                "and status <> 'draft' order by line_number",
                customer,
                date.fromisoformat(day),
            )
            for marks in [(in_adjustment, reverses)]
        ]

    def shares(self, customer: str, day: str, line_number: int) -> dict[str, tuple]:
        """Quantity and amount of each facility in a line."""
        return {
            facility.removeprefix(f"{customer}-"): (quantity, amount)
            for facility, quantity, amount in self.rows(
                "select facility_id, quantity, amount "
                "from finance.invoice_line_facilities "
                "join finance.invoices using (invoice_id) "
                "where customer_id = $1 and invoices.invoice_date = $2 "
                "and status <> 'draft' and line_number = $3",
                customer,
                date.fromisoformat(day),
                line_number,
            )
        }


@dataclass(frozen=True)
class BilledBook:
    """The shared book after its last close; `closes` are numbered from 1."""

    home: Path
    landing: Path
    closes: dict[int, Close]


def billing(*arguments: object) -> None:
    """Run the command in this process, as a person would type it."""
    app([str(argument) for argument in arguments], standalone_mode=False)


@pytest.fixture(scope="session")
def billed_book(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BilledBook]:
    """The scenarios, landed and closed three times in turn."""
    place = tmp_path_factory.mktemp("book")
    home, landing = place / "home", place / "landing"
    closes = {}
    for step, day in CLOSES.items():
        shutil.rmtree(landing, ignore_errors=True)
        book().write(landing, step)
        month = day - timedelta(days=1)
        billing("close", f"{month:%Y-%m}", "--home", home, "--landing", landing)
        kept = place / f"close{step}.duckdb"
        shutil.copy(home / "published" / "billing.duckdb", kept)
        closes[step] = Close(kept)
    yield BilledBook(home, landing, closes)


@pytest.fixture(scope="session")
def dunning_sql(
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, tuple[str, str]]:
    """The models of receivables, compiled once: table and SQL of each."""
    from dunning_models import compiled

    return compiled(tmp_path_factory.mktemp("compiled"))


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[object]:
    """One PostgreSQL for all tests of serving; `served.py` empties it for each."""
    import postgres

    missing = postgres.why_not()
    if missing:
        pytest.skip(missing)
    with postgres.running() as server:
        yield server
