"""The models of receivables over tables in memory: a day costs milliseconds.

dbt compiles them once; then they are run as they are, on another as-of day each time.
Landed rows, issued invoices and notices are written by the test.
"""

from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow

from orchestration import dbt_project, ledger
from orchestration.contract_specs import TEXT, WHOLE
from orchestration.home import Home
from orchestration.keys import Keys
from orchestration.receivable_specs import LANDED_TABLES
from orchestration.warehouse import open_files

# In the order in which they read each other.
MODELS = (
    *("stg_customers", "stg_receipts", "stg_disputes", "stg_pauses", "stg_notices"),
    *("stg_issued_invoices", "stg_issued_lines"),
    *("int_receipts", "int_applications", "applications", "disputes", "invoices"),
    *("receivables_aging", "int_next_steps", "dunning_status", "dunning_queue"),
)
_DAY = "1991-02-03"
_LANDED = ("customers", "payments", "credits", "disputes", "holds", "promises")
_SCHEMAS = ("raw", "staging", "seeds", "billing", "finance")


def compiled(place: Path) -> dict[str, tuple[str, str]]:
    """For each model its table and its SQL, as of the day that `Books` replaces."""
    home = Home(place)
    home.create()
    keys = Keys.of(home)
    keys.hand_to_dbt(home)
    with open_files(home, keys) as connection:
        ledger.open_ledger(connection)
    from dbt.cli.main import dbtRunner

    arguments = ["compile", "--no-write-json", "--select", *MODELS]
    arguments += ["--vars", f'{{"as_of": "{_DAY}", "issue_through": ""}}']
    with home.lock("compile"):
        runner = dbtRunner(manifest=dbt_project.manifest())
        results = dbt_project._invoke(runner, arguments, None).result.results
    return {
        result.node.name: (result.node.relation_name, result.node.compiled_code)
        for result in results
        if result.node.name in MODELS
    }


class Books:
    """Tables in memory, and the models over them."""

    def __init__(self, models: dict[str, tuple[str, str]]) -> None:
        self.models = models
        self.connection = duckdb.connect()
        run = self.connection.execute
        run("attach ':memory:' as warehouse; attach ':memory:' as ledger")
        for schema in _SCHEMAS:
            run(f"create schema warehouse.{schema}")
        for path in ledger._VERSIONS:
            run(path.read_text(encoding="utf-8"))
        for name in _LANDED:
            columns = {c.name: c.type.stored for c in LANDED_TABLES[name].columns}
            columns |= {"source_file": TEXT.stored, "line": WHOLE.stored}
            empty = pyarrow.table({n: pyarrow.array([], t) for n, t in columns.items()})
            self.connection.register("empty", empty)
            run(f"create table warehouse.raw.{name} as from empty")
            self.connection.unregister("empty")
        run(
            "create table warehouse.billing.draft_invoices as "
            "select invoice_number as draft_id, * from ledger.book.invoices"
        )
        run(
            "create table warehouse.seeds.dunning_policies (dunning_tier varchar, "
            "step integer, days_past_due integer, quiet_days integer, action varchar, "
            "channel varchar, minimum_balance decimal(18, 2), needs_approval boolean, "
            "pause_on_dispute varchar)"
        )
        run("create table warehouse.seeds.holidays (holiday date, name varchar)")

    def land(self, table: str, **row: object) -> None:
        """A row of a landed table."""
        self._insert(f"warehouse.raw.{table}", row)

    def policy(self, **row: object) -> None:
        self._insert("warehouse.seeds.dunning_policies", row)

    def holiday(self, day: date) -> None:
        self._insert("warehouse.seeds.holidays", {"holiday": day})

    def resolve(self, dispute_id: str, day: date, resolution: str) -> None:
        """A dispute's row, landed again with its resolution."""
        self.connection.execute(
            "update warehouse.raw.disputes set resolved_on = $2, resolution = $3 "
            "where dispute_id = $1",
            [dispute_id, day, resolution],
        )

    def issue(
        self,
        number: str,
        customer: str,
        total: Decimal,
        day: date,
        due: date,
        currency: str = "USD",
        lines: tuple[tuple[Decimal, str, bool], ...] = (),
    ) -> None:
        """An issued invoice; below 0 a credit memo.

        Of a line: its amount, the line_id it charges, whether it is an adjustment.
        """
        for place, (amount, line_id, is_adjustment) in enumerate(lines, start=1):
            line = {
                "invoice_number": number,
                "line_number": place,
                "charge_key": line_id,
                "contract_id": customer,
                "line_id": line_id,
                "line_type": "usage",
                "is_adjustment": is_adjustment,
                "reverses": False,
                "description": line_id,
                "service_start": date(2026, 1, 1),
                "service_end": date(2026, 1, 31),
                "quantity": 1,
                "amount": amount,
            }
            self._insert("ledger.book.invoice_lines", line)
        row = {
            "issue_no": 1,
            "invoice_number": number,
            "document_type": "invoice" if total > 0 else "credit_memo",
            "customer_id": customer,
            "customer_name": customer,
            "bill_to_name": customer,
            "tax_exempt": False,
            "seller_name": "seller",
            "invoice_group": customer,
            "currency": currency,
            "invoice_date": day,
            "due_date": due,
            "payment_terms_days": 30,
            "total": total,
            "issued_at": day,
            "previous_hash": "",
            "content_hash": "",
        }
        self._insert("ledger.book.invoices", row)

    def sent(self, notice_id: str, number: str, step: int, day: date) -> None:
        """A notice that went out."""
        (seq,) = self.connection.execute(
            "select count(*) + 1 from ledger.book.notice_events"
        ).fetchone()
        row = {
            "seq": seq,
            "notice_id": notice_id,
            "event": "sent",
            "as_of": day,
            "customer_id": "",
            "invoice_number": number,
            "step": step,
            "action": "",
            "channel": "",
            "previous_hash": "",
            "hash": "",
        }
        self._insert("ledger.book.notice_events", row)

    def rows(self, day: date, sql: str) -> list[tuple]:
        """Rows of a query over the models, built as of a day."""
        for name in MODELS:
            relation, code = self.models[name]
            kind = "view" if name.startswith("stg_") else "table"
            code = code.replace(f"cast('{_DAY}' as date)", f"cast('{day}' as date)")
            self.connection.execute(f"create or replace {kind} {relation} as {code}")
        return self.connection.execute(sql).fetchall()

    def _insert(self, table: str, row: dict[str, object]) -> None:
        names = ", ".join(row)
        marks = ", ".join("?" * len(row))
        self.connection.execute(
            f"insert into {table} ({names}) values ({marks})", list(row.values())
        )
