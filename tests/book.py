"""A landing directory that grows step by step, for scenarios worked by hand.

Each scenario is a customer of its own with files of its own, so that one run of the
command bills all of them. A row is landed from one step on, and may be taken away
or broken at a later one.
"""

import csv
from dataclasses import dataclass, field
from pathlib import Path

Row = dict[str, str]


@dataclass
class Book:
    """Rows of all tables by the step at which they land (1, 2, …)."""

    rows: list[tuple[int, int, str, str, Row]] = field(default_factory=list)
    files: list[tuple[int, str, str]] = field(default_factory=list)

    def land(self, path: str, *rows: Row, since: int = 1, until: int = 99) -> "Book":
        """Land rows in `{path}.csv`, e.g. contracts/contracts/clinic, at some steps."""
        for row in rows:
            self.rows.append((since, until, path, row.get("event_id", ""), row))
        return self

    def land_file(self, path: str, text: str, since: int = 1) -> None:
        """Land a file that is no table, as it is, from a step on."""
        self.files.append((since, path, text))

    def write(self, landing: Path, step: int) -> None:
        """Write the landing directory as it is at a step."""
        by_path: dict[str, list[Row]] = {}
        for since, until, path, _, row in self.rows:
            if since <= step <= until:
                by_path.setdefault(path, []).append(row)
        for path, rows in by_path.items():
            file = landing / f"{path}.csv"
            file.parent.mkdir(parents=True, exist_ok=True)
            columns = list(dict.fromkeys(name for row in rows for name in row))
            with file.open("w", encoding="utf-8", newline="") as out:
                writer = csv.DictWriter(out, columns, restval="")
                writer.writeheader()
                writer.writerows(rows)
        for since, path, text in self.files:
            if since <= step:
                file = landing / path
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text, encoding="utf-8", newline="")


class Scenario:
    """One customer of a book, named for what it shows."""

    def __init__(
        self,
        book: Book,
        name: str,
        facilities: str = "",
        agreed_since: str = "2020-01-01",
        agreement_lands: int = 1,
        agreed_until: str = "",
    ) -> None:
        self.book = book
        self.name = name
        self.land(
            "customers",
            customer_id=name,
            customer_name=f"{name.title()} Example",
            dunning_tier="standard",
        )
        self.land(
            "baas",
            agreement_lands,
            customer_id=name,
            effective_on=agreed_since,
            ends_on=agreed_until,
        )
        for facility in facilities.split():
            self.land(
                "facilities",
                facility_id=f"{name}-{facility}",
                customer_id=name,
                facility_name=facility.title(),
            )

    def land(self, table: str, since: int = 1, until: int = 99, **row: str) -> None:
        """Land a row of a contract table in the scenario's own file of it."""
        self.book.land(f"contracts/{table}/{self.name}", row, since=since, until=until)

    def contract(self, contract_id: str = "", covers: str = "", **terms: str) -> str:
        """A contract, by default of 2026, that covers facilities from its start."""
        terms = {
            "signed_on": "2025-12-01",
            "starts_on": "2026-01-01",
            "ends_on": "2026-12-31",
        } | terms
        contract_id = contract_id or self.name
        self.land("contracts", contract_id=contract_id, customer_id=self.name, **terms)
        for facility in covers.split():
            self.cover(facility, terms["starts_on"], contract_id=contract_id)
        return contract_id

    def cover(
        self,
        facility: str,
        effective_on: str,
        covered: str = "true",
        contract_id: str = "",
        since: int = 1,
        **more: str,
    ) -> None:
        """Cover a facility from a day on, or no more."""
        self.land(
            "contract_facilities",
            since,
            contract_id=contract_id or self.name,
            facility_id=f"{self.name}-{facility}",
            effective_on=effective_on,
            covered=covered,
            **more,
        )

    def line(
        self,
        line_id: str,
        since: int = 1,
        until: int = 99,
        contract_id: str = "",
        **terms: str,
    ) -> None:
        """A contract line: recurring, or usage if it has a meter."""
        terms = {
            "effective_on": "2026-01-01",
            "charge_type": "usage" if "meter" in terms else "recurring",
            "product_id": line_id,
            "pricing_model": "per_unit",
        } | terms
        self.land(
            "contract_lines",
            since,
            until,
            line_id=f"{self.name}-{line_id}",
            contract_id=contract_id or self.name,
            **terms,
        )

    def amend(self, amendment_id: str, since: int = 1, **terms: str) -> str:
        """An amendment of the scenario's contract; returns its id."""
        amendment_id = f"{self.name}-{amendment_id}"
        terms = {"contract_id": self.name, "kind": "other"} | terms
        self.land("amendments", since, amendment_id=amendment_id, **terms)
        return amendment_id

    def event(
        self, event_id: str, facility: str, occurred_at: str, step: int = 1, **more: str
    ) -> None:
        """An encounter in the scenario's own feed; its file is that of the step."""
        row = {
            "event_id": event_id,
            "event_type": "encounter",
            "facility": f"{self.name}-{facility}" if facility else "",
            "patient_id": f"PATIENT-CANARY-{self.name}-{event_id}",
            "occurred_at": occurred_at,
            "received_at": "",
            "status": "",
            "quantity": "",
        } | more
        self.book.land(f"usage/{self.name}/step{step}", row, since=step)
