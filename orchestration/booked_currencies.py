"""The currency of a contract is that of what is booked of it: the two never mix."""

import duckdb

from orchestration.contract_reading import Row


def refuse_changed_currencies(
    connection: duckdb.DuckDBPyConnection, rows: list[Row]
) -> None:
    """Reject known rows of contracts that are booked in another currency.

    What is due is compared with what is booked by amount, which says nothing across
    currencies (A2). Without a ledger nothing is booked.
    """
    booked = _booked(connection)
    for row in rows:
        if row.table != "contracts" or not row.is_known or row["currency"] is None:
            continue
        before = booked.get(row["contract_id"], row["currency"])
        if before != row["currency"]:
            row.problems.append(
                row.problem(
                    "currency",
                    f"is not {before}, in which the contract is booked: give that, and "
                    "land what is agreed in another currency as a contract of its own",
                )
            )


def _booked(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    is_there = connection.execute(
        "select count(*) from duckdb_tables() "
        "where database_name = 'ledger' and table_name = 'journal_lines'"
    ).fetchone()[0]
    if not is_there:
        return {}
    return dict(
        connection.execute(
            "select contract_id, min(currency) from ledger.book.journal_lines "
            "where contract_id is not null group by contract_id"
        ).fetchall()
    )
