"""How far a run would adjust what was billed before, customer by customer.

The guard against a merged model or an edited seed that silently prices the past anew.
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb

from orchestration.changed_inputs import changed_inputs
from orchestration.errors import BillingError
from orchestration.project import DBT_PROJECT_DIR
from orchestration.wording import figure, money, plain

_NAMED = 5

# Reversals and what is charged in their place meet: each line counts with what it
# changes by, whatever the sign. Billed: the twelve months up to the last closed day.
_ADJUSTED = """
    with
    closing as (
        select max(issue_no) as issue_no, max(issue_through) as closed_through
        from ledger.book.issues),
    billed as (
        select customer_id, currency, sum(total) as billed
        from ledger.book.invoices, closing
        where invoice_date > closed_through - interval 12 months
            and invoice_date <= closed_through
        group by customer_id, currency)
    select
        customer_id, currency, contract_id,
        coalesce(commitment_id, milestone_id, line_id) as subject,
        sum(amount) as adjusted,
        min(service_start) as first_day, max(service_end) as last_day,
        string_agg(distinct amendment_id, ', ' order by amendment_id) as amendments,
        coalesce(any_value(billed), 0.00) as billed,
        any_value(issue_no) as issue_no
    from warehouse.billing.draft_lines
    cross join closing
    left join billed using (customer_id, currency)
    where is_adjustment
    group by customer_id, currency, contract_id, subject
    having sum(amount) <> 0
    order by customer_id, currency, abs(sum(amount)) desc, contract_id, subject
"""


@dataclass(frozen=True)
class AdjustedLine:
    """A contract line, commitment or milestone that drafts adjust, and by how much."""

    contract_id: str
    subject: str
    adjusted: Decimal
    days: tuple[date, date]
    amendments: str | None


@dataclass
class AdjustedCustomer:
    """What drafts adjust for a customer in a currency, beside twelve months' bills."""

    customer_id: str
    currency: str
    billed: Decimal
    last_issue: int
    lines: list[AdjustedLine]

    @property
    def adjusted(self) -> Decimal:
        """The sum of its lines' changes, each without its sign."""
        return sum((abs(line.adjusted) for line in self.lines), Decimal(0))

    def exceeds(self, percent: Decimal) -> bool:
        """Whether more than that share is adjusted; of nothing billed, anything is."""
        return 100 * self.adjusted > percent * self.billed


def adjusted_customers(
    connection: duckdb.DuckDBPyConnection,
) -> list[AdjustedCustomer]:
    """The customers whose closed periods the drafts adjust, as last built."""
    found: dict[tuple[str, str], AdjustedCustomer] = {}
    for row in connection.execute(_ADJUSTED).fetchall():
        customer_id, currency, contract_id, subject, adjusted, *rest = row
        first_day, last_day, amendments, billed, issue_no = rest
        customer = found.setdefault(
            (customer_id, currency),
            AdjustedCustomer(customer_id, currency, billed, issue_no, []),
        )
        customer.lines.append(
            AdjustedLine(
                contract_id, subject, adjusted, (first_day, last_day), amendments
            )
        )
    return list(found.values())


def check_adjustments(
    connection: duckdb.DuckDBPyConnection,
    percent: Decimal,
    project: Path = DBT_PROJECT_DIR,
) -> None:
    """Raises BillingError naming customers adjusted by more than `percent`, and why.

    `project` is the dbt project by which the warehouse was built.
    """
    above = [c for c in adjusted_customers(connection) if c.exceeds(percent)]
    if above:
        raise BillingError(
            f"closed periods would be adjusted by more than {plain(percent)} % of the "
            "last twelve months' billing; nothing was issued. "
            + "; ".join(_in_words(connection, customer, project) for customer in above)
            + ". Look at each with `billing what-if`; if they are right, run again "
            "with a higher --max-adjustment"
        )


def _in_words(
    connection: duckdb.DuckDBPyConnection, customer: AdjustedCustomer, project: Path
) -> str:
    lines = [
        f"{line.subject} of {line.contract_id} by {line.adjusted:,}"
        + (f" (amendment {line.amendments})" if line.amendments else "")
        for line in customer.lines
    ]
    causes: dict[str, None] = {}
    for line in customer.lines:
        for change in changed_inputs(
            connection,
            line.contract_id,
            line.days,
            customer.last_issue,
            project=project,
        ):
            causes[str(change)] = None
    return (
        f"{customer.customer_id}: {money(customer.adjusted, customer.currency)} of "
        f"{figure(customer.billed, customer.currency)}: {_some(lines)}; changed since: "
        f"{_some(list(causes)) or 'no input but the program itself'}"
    )


def _some(names: list[str]) -> str:
    """The first of them, and how many more there are."""
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
