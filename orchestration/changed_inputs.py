"""Which inputs changed between an issue and a later one, or the last build (C8)."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb

from orchestration.ledger_inputs import inputs_to_book
from orchestration.project import DBT_PROJECT_DIR

# Rows that name no contract, but bear on those of their customer or of their card.
_WHOSE = """
    select 'customers ' || customer_id as name, contract_id
    from warehouse.raw.contracts
    union all
    select 'baas ' || rows.row_key, contracts.contract_id
    from warehouse.raw.contract_rows as rows
    join warehouse.raw.contracts
        on starts_with(rows.row_key, customer_id || '|')
    where rows.table_name = 'baas'
    union all
    select 'rate_cards ' || cards.rate_card_id || '|' || cards.tier, contract_id
    from warehouse.raw.rate_cards as cards
    join warehouse.raw.contract_lines using (rate_card_id)
    union all
    select 'facilities ' || facility_id, contract_id
    from warehouse.raw.contract_facilities
    union all
    select 'facility_identifiers ' || feed || '|' || identifier, contract_id
    from warehouse.raw.facility_identifiers
    join warehouse.raw.contract_facilities using (facility_id)
"""

# The number of the issue that would book what is not booked yet.
_LATEST = 2**31 - 1


@dataclass(frozen=True)
class ChangedInput:
    """An input by kind (contract_row, usage_file, seed, model) and name.

    `change` is new, changed or gone.
    """

    kind: str
    name: str
    change: str

    def __str__(self) -> str:
        kind = self.kind.replace("_", " ")
        return f"{kind} {self.name} ({self.change})"


def changed_inputs(
    connection: duckdb.DuckDBPyConnection,
    contract_id: str,
    days: tuple[date, date],
    since_issue: int,
    through_issue: int | None = None,
    project: Path = DBT_PROJECT_DIR,
) -> list[ChangedInput]:
    """What changed after an issue, up to another or, by default, to the last build.

    Only what bears on the contract: its rows, those of its customer, facilities and
    rate cards, usage files with events of its facilities on these days (both
    included), seeds and models of the dbt project. The connection has warehouse and
    ledger attached.
    """
    source = (
        "select issue_no, kind, name, contract_id, digest from ledger.book.issue_inputs"
    )
    if through_issue is None:
        waiting = inputs_to_book(connection, project)
        source += f" union all select {_LATEST}, * from ({waiting})"
    rows = connection.execute(
        f"""
        with
        inputs as ({source}),
        later as (
            select kind, name, any_value(contract_id) as contract_id,
                max_by(coalesce(digest, ''), issue_no) as digest
            from inputs
            where issue_no > $since and issue_no <= $through
            group by kind, name),
        earlier as (
            select kind, name, max_by(coalesce(digest, ''), issue_no) as digest
            from inputs where issue_no <= $since group by kind, name)
        select later.kind, later.name,
            case
                when later.digest = '' then 'gone'
                when coalesce(earlier.digest, '') = '' then 'new'
                else 'changed'
            end
        from later left join earlier using (kind, name)
        where
            later.digest is distinct from earlier.digest
            and (
                later.kind in ('seed', 'model')
                or later.contract_id = $contract
                or (later.kind = 'contract_row' and exists (
                    select 1 from ({_WHOSE}) as whose
                    where whose.name = later.name and whose.contract_id = $contract))
                or (later.kind = 'usage_file' and exists (
                    select 1 from warehouse.restricted.attributed_usage as usage
                    join warehouse.raw.usage_files as files using (file_id)
                    where files.source_file = later.name
                        and usage.contract_id = $contract
                        and usage.service_date between $first and $last)))
        order by all
        """,
        {
            "since": since_issue,
            "through": _LATEST if through_issue is None else through_issue,
            "contract": contract_id,
            "first": days[0],
            "last": days[1],
        },
    ).fetchall()
    return [ChangedInput(*row) for row in rows]
