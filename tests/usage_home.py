"""A home that bills usage of one clinic, built again and again by tests."""

import re
from datetime import date
from pathlib import Path

from book import Book, Scenario

from orchestration import dbt_project, ledger
from orchestration.contract_tables import load_contract_tables
from orchestration.home import Home
from orchestration.keys import Keys
from orchestration.usage_intake import load_usage
from orchestration.warehouse import open_files

HEADER = (
    "event_id,event_type,facility,patient_id,occurred_at,received_at,quantity,status,"
    "class"
)
# What is told of usage beyond the months it is worked on in.
RESULTS = {
    "quality.usage_outcomes": "*",
    "quality.intake_files": "*",
    "quality.rejected_usage": "*",
    "restricted.rejected_usage": "* exclude (inputs, event_month)",
    "restricted.billable_usage": "*",
    "restricted.int_patient_units": "*",
    "restricted.usage_events": "* exclude (event_month)",
}
MODELS = {"restricted.rejected_usage": "rejected_events"}


class Usage:
    """A landing directory with one contract, and a home that bills it."""

    def __init__(self, place: Path) -> None:
        self.landing = place / "landing"
        self.home = Home(place / "home")
        self.home.create()
        self.keys = Keys.of(self.home)
        self.clinic = Scenario(Book(), "clinic", "north south")
        self.clinic.contract(covers="north south")
        for meter in ("encounter", "emergency", "patient", "procedure"):
            self.clinic.line(meter, meter=meter, unit_price="1.00")
        # A contract without a line, for tests that have their own.
        self.other = Scenario(self.clinic.book, "other", "east")
        self.other.contract(covers="east")
        self.clinic.book.write(self.landing, 1)

    def land(self, name: str, *rows: str, header: str = HEADER) -> None:
        path = self.landing / "usage" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join((header, *rows)) + "\n")

    def rename(self, name: str, new_name: str) -> None:
        folder = self.landing / "usage"
        (folder / name).rename(folder / new_name)

    def build(self, as_of: date, unread: int = 0) -> dict[str, list]:
        """Load and build; gives what the results hold."""
        with open_files(self.home, self.keys) as connection:
            ledger.open_ledger(connection)
            load_contract_tables(connection, self.landing, as_of)
            intake = load_usage(connection, self.landing, as_of, self.keys.token)
            assert len(intake.failed) == unread
        return self.build_models(as_of)

    def build_anew(self, as_of: date) -> dict[str, list]:
        """The same in a warehouse that begins empty; the one that grew stays."""
        kept = self.home.path / "kept.duckdb"
        self.home.warehouse.rename(kept)
        results = self.build(as_of)
        kept.replace(self.home.warehouse)
        return results

    def build_models(self, as_of: date, *options: str) -> dict[str, list]:
        self.keys.hand_to_dbt(self.home)
        names = " ".join(
            "+" + MODELS.get(table, table.rpartition(".")[2]) for table in RESULTS
        )
        variables = {"as_of": str(as_of), "issue_through": ""}
        results = dbt_project.build(
            f"{names} stg_rejected_rows usage_rows_are_accounted_for",
            variables,
            options=("--indirect-selection", "cautious", *options),
        )
        assert dbt_project.failure_message(results) is None
        return self.results()

    def results(self) -> dict[str, list]:
        with open_files(self.home, self.keys) as connection:
            return {
                table: connection.execute(
                    f"select {columns} from {table} order by all"
                ).fetchall()
                for table, columns in RESULTS.items()
            }

    def attributed(self) -> dict[date, str]:
        """By what each month was attributed."""
        with open_files(self.home, self.keys) as connection:
            months = connection.execute(
                "select distinct event_month, inputs from restricted.attributed_usage"
            ).fetchall()
        return dict(months)

    def remade(self, as_of: date) -> set[date]:
        """Build and give the months that were made again."""
        with open_files(self.home, self.keys) as connection:
            connection.execute("update restricted.daily_usage set code = 'stood'")
        self.build(as_of)
        with open_files(self.home, self.keys) as connection:
            months = connection.execute(
                "select distinct event_month from restricted.daily_usage "
                "where code <> 'stood'"
            ).fetchall()
        return {month for (month,) in months}

    def read(self) -> list[str]:
        """The runs of months that the last build read for daily usage."""
        (made,) = self.home.path.glob("work/**/run/**/usage/daily_usage.sql")
        runs = re.findall(r"event_month between (.*) and (.*)\n", made.read_text())
        # Told twice: of the months, and of their events.
        assert runs[0::2] == runs[1::2]
        return [f"{first} to {last}" for first, last in runs[0::2]]
