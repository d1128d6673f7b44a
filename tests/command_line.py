"""The command as a person would type it, and copies of the billed book to go on with.

Its fixtures are those of conftest.py.
"""

import shutil
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pytest

from orchestration import cli
from orchestration.audit import AuditLog
from orchestration.home import Home
from orchestration.keys import Keys
from orchestration.warehouse import open_files

if TYPE_CHECKING:
    from conftest import BilledBook


@dataclass(frozen=True)
class Told:
    """What a command said, and its exit status."""

    status: int
    out: str
    err: str


Command = Callable[..., Told]


@pytest.fixture(name="billing")
def billing_command(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Command:
    """Run the command in this process, up to its exit status."""

    def run(*arguments: object) -> Told:
        monkeypatch.setattr(sys, "argv", ["billing", *map(str, arguments)])
        status = 0
        before = signal.getsignal(signal.SIGTERM)
        capfd.readouterr()
        try:
            cli.main()
        except SystemExit as end:
            status = int(end.code or 0)
        finally:
            signal.signal(signal.SIGTERM, before)
        captured = capfd.readouterr()
        return Told(status, captured.out, captured.err)

    return run


@dataclass(frozen=True)
class Copy:
    """A copy of the billed book, to go on with."""

    home: Path
    landing: Path

    @property
    def publication(self) -> Path:
        return Home(self.home).publication

    def arguments(self, as_of: str, issue: bool = True) -> list[object]:
        through = ["--issue-through", as_of] if issue else []
        places = ["--home", self.home, "--landing", self.landing]
        return ["run", *places, "--as-of", as_of, *through]

    def ledger(self, sql: str) -> list[tuple]:
        home = Home(self.home)
        with open_files(home, Keys.of(home), read_only=True) as connection:
            return connection.execute(sql).fetchall()

    def issued(self) -> list[tuple]:
        return self.ledger(
            "select invoice_number, content_hash from ledger.book.invoices order by 1"
        )

    def closed(self) -> tuple[int, int]:
        """How many months were closed, and how many rows posted."""
        (rows,) = self.ledger(
            "select (select count(*) from ledger.book.closings), "
            "(select count(*) from ledger.book.posted_revenue)"
        )
        return rows

    def published(self) -> dict[str, list[tuple]]:
        with duckdb.connect(str(self.publication), read_only=True) as connection:
            names = connection.execute(
                "select schema_name || '.' || table_name "
                "from duckdb_tables() order by 1"
            ).fetchall()
            return {
                name: connection.execute(f"from {name} order by all").fetchall()
                for (name,) in names
            }

    def files(self) -> dict[str, bytes]:
        """Content of what must not change when a run is refused."""
        home = Home(self.home)
        kept = (home.warehouse, home.ledger, home.publication)
        return {path.name: path.read_bytes() for path in kept}

    def refusals(self) -> list[str]:
        log = AuditLog(Home(self.home).audit)
        assert log.problems() == []
        return [
            row["detail"]["why"] for row in log.rows() if row["action"] == "refusal"
        ]


@pytest.fixture(name="copy")
def copied_book(billed_book: "BilledBook", tmp_path: Path) -> Copy:
    shutil.copytree(billed_book.home, tmp_path / "home")
    shutil.copytree(billed_book.landing, tmp_path / "landing")
    return Copy(tmp_path / "home", tmp_path / "landing")
