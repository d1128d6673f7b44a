"""What is booked of a contract binds its row: the currency, and that it is signed."""

from datetime import date

import duckdb

from orchestration.contract_reading import Row


def refuse_unbooking_rows(
    connection: duckdb.DuckDBPyConnection, rows: list[Row], as_of: date
) -> None:
    """Reject rows of booked contracts in another currency or not signed by `as_of`.

    What is due is compared with what is booked by amount, which says nothing across
    currencies (A2). A contract that is not known any more would be billed no more and
    nobody told. Without a ledger nothing is booked.
    """
    booked = _booked(connection)
    for row in rows:
        before = booked.get(row["contract_id"]) if row.table == "contracts" else None
        if before is None:
            continue
        if row["signed_on"] and row["signed_on"] > as_of:
            # The row must be known, else it would hold nothing.
            row.is_known = True
            row.problems.append(
                row.problem(
                    "signed_on",
                    "is after the as-of day, but the contract was billed before: mend "
                    "it, run as of a later day, or end the contract by an amendment",
                )
            )
        if row.is_known and row["currency"] not in (None, before):
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
