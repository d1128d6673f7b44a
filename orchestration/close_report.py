"""The report of a close: what the month brought, and what a person should look at.

A markdown file beside the publication that the close kept, and metadata in Dagster. It
is free of PHI: customers, contracts, facilities and feeds, no event and no value of a
rejected row.
"""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb

from orchestration import close_causes
from orchestration.closing import Closing, kept_publication
from orchestration.contract_comparisons import FOLLOWS
from orchestration.errors import BillingError
from orchestration.files import write_text
from orchestration.home import Home
from orchestration.open_judgements import JUDGEMENTS
from orchestration.wording import money, plain

# Of longer lists the first rows are shown, and how many there are.
_SHOWN = 20
_MOVEMENTS = 10

_FIGURES = """
    select
        balances.currency, sum(deferred_opening), sum(billed), sum(recognized),
        coalesce(any_value(catch_up.amount), 0.00),
        sum(deferred_closing), sum(unbilled_closing)
    from warehouse.finance.contract_balances as balances
    left join (
        select currency, sum(amount) as amount from ledger.book.posted_revenue
        where accounting_month = $1 and revenue_month < $1 group by currency
    ) as catch_up on balances.currency = catch_up.currency
    where month = $1 group by balances.currency order by balances.currency
"""
_ACCOUNTS = """
    select currency, account, account_name, sum(debit), sum(credit)
    from warehouse.finance.journal_entries where accounting_month = $1
    group by currency, account, account_name order by currency, account
"""
# Held contracts: why, and the last month in which they were billed. Where the row of
# the contract itself is rejected, what is booked knows its customer and currency.
_HELD = """
    with booked as (
        select contract_id, any_value(customer_id) as customer_id
        from warehouse.finance.contract_balances group by contract_id
    ),
    billed as (
        select
            contract_id, max(month) as month, max_by(billed, month) as amount,
            max_by(currency, month) as currency
        from warehouse.finance.contract_balances
        where month <= $1 and billed <> 0 group by contract_id
    )
    select
        contract_id, coalesce(contracts.customer_id, booked.customer_id), source_file,
        line, column_name, reason, billed.month, billed.amount, billed.currency
    from (
        select *, row_number() over (
            partition by contract_id order by starts_with(reason, $2),
            source_file like 'contracts/contracts%' desc, source_file, line, column_name
        ) as place
        from warehouse.quality.rejected_rows where contract_id is not null
    ) as problems
    left join warehouse.billing.contracts using (contract_id)
    left join booked using (contract_id)
    left join billed using (contract_id)
    where place = 1 order by contract_id
"""
_GAPS = """
    select
        feed, facility, contract_id, silent_since, silent_through,
        coalesce(estimated_quantity, 0), coalesce(estimated_amount, 0.00), currency
    from warehouse.quality.feed_gaps where silent_since < $1
    order by estimated_amount desc nulls last, feed, facility, silent_since
"""


def report_path(home: Home, month: date) -> Path:
    """Where the report of a month's close lies."""
    return kept_publication(home, month).with_suffix(".md")


def write_report(
    connection: duckdb.DuckDBPyConnection, home: Home, closing: Closing
) -> str:
    """Write the report of the latest closing and return its text.

    Raises BillingError if it can't be written; the month is closed all the same.
    """
    before = kept_publication(home, closing.month - timedelta(days=1))
    close_causes.prepare(
        connection,
        closing.closing_no,
        closing.month,
        before if before.exists() else None,
    )
    text = "\n".join(_report(connection, closing, before.exists()))
    path = report_path(home, closing.month)
    try:
        write_text(path, text)
    except OSError as error:
        raise BillingError(
            f"{path} could not be written ({error.strerror}); {closing.month:%Y-%m} is "
            "closed, and the next run writes its report"
        ) from None
    return text


def _report(
    connection: duckdb.DuckDBPyConnection, closing: Closing, has_before: bool
) -> list[str]:
    month = closing.month
    (digest,) = connection.execute(
        "select digest from ledger.book.kept_publications where closing_no = $1",
        [closing.closing_no],
    ).fetchone()
    return [
        f"# Close of {month:%B %Y}",
        "",
        f"Closed as of {closing.as_of}; {closing.posted_rows:,} amounts of revenue "
        f"were posted. The publication of this close is `{month:%Y-%m}.duckdb`, "
        f"SHA-256 `{digest}`.",
        "",
        *_figures(connection, month),
        *_catch_up(connection, closing, has_before),
        *_movements(connection),
        *_held(connection, month),
        *_gaps(connection, closing),
        *_judgements(connection),
        *_accounts(connection, month),
    ]


def _figures(connection: duckdb.DuckDBPyConnection, month: date) -> list[str]:
    rows = connection.execute(_FIGURES, [month]).fetchall()
    return _section(
        "In figures",
        "Opening (deferred less unbilled) + billed − recognized = deferred − unbilled. "
        "finance.contract_balances has it by contract.",
        ("Currency", "Opening", "Billed", "Recognized", "of it catch-up", "Deferred",
         "Unbilled"),
        [(currency, *_amounts(amounts, currency)) for currency, *amounts in rows],
        none="Nothing was billed or recognized yet.",
    )  # fmt: skip


def _catch_up(
    connection: duckdb.DuckDBPyConnection, closing: Closing, has_before: bool
) -> list[str]:
    missing = (
        ""
        if has_before or closing.closing_no == 1
        else " The publication of the close before is not there, so that late usage "
        "and contracts held then can't be told from corrections."
    )
    text = _section(
        "Catch-up by cause",
        f"What belongs to closed months and was posted in this one.{missing}",
        ("Cause", "Contracts", "Amount"),
        [
            (cause, f"{contracts:,}", money(amount, currency))
            for cause, currency, contracts, amount in close_causes.by_cause(connection)
        ],
        none="None.",
    )
    details = close_causes.catch_up(connection)
    if details:
        text += _table(
            ("Contract", "Of", "Cause", "Amount"),
            [
                (
                    contract,
                    f"{_words(line_type)} {subject or ''}",
                    f"{cause} {amendment}" if amendment else cause,
                    money(amount, currency),
                )
                for (
                    cause,
                    contract,
                    subject,
                    line_type,
                    amendment,
                    currency,
                    amount,
                ) in details
            ],
        )
    late = close_causes.late_usage(connection)
    if late:
        text += [
            "Late usage by feed and facility (units more or less than the close before "
            "knew, and what they come to):",
            "",
            *_table(
                ("Feed", "Facility", "Contract", "Meter", "Months", "Units", "Amount"),
                [
                    (*keys, _span(first, last), plain(units), money(amount, currency))
                    for *keys, first, last, units, currency, amount in late
                ],
            ),
        ]
    return text


def _movements(connection: duckdb.DuckDBPyConnection) -> list[str]:
    held = {
        contract
        for (contract,) in connection.execute(
            "select distinct contract_id from warehouse.quality.rejected_rows"
        ).fetchall()
    }
    rows = []
    for found, parts, amendments, feeds in close_causes.movements(
        connection, _MOVEMENTS
    ):
        contract, customer, currency, before, now = found
        before, now = before or Decimal("0.00"), now or Decimal("0.00")
        why = ["held"] if contract in held else []
        for line_type, change in parts:
            by_what = []
            if line_type == "usage":
                by_what = feeds
            elif line_type == "recurring":
                by_what = amendments
            names = f" ({', '.join(by_what)})" if by_what else ""
            why.append(f"{_words(line_type)} {change:+,}{names}")
        rows.append(
            (contract, customer, *_amounts((before, now, now - before), currency),
             "; ".join(why))
        )  # fmt: skip
    return _section(
        "Largest movements",
        "Recognized revenue beside the month before, with amendments and feeds.",
        ("Contract", "Customer", "Month before", "This month", "Change", "Of it"),
        rows,
        none="No contract's revenue changed.",
    )


def _held(connection: duckdb.DuckDBPyConnection, month: date) -> list[str]:
    rows = connection.execute(_HELD, [month, FOLLOWS]).fetchall()
    return _section(
        "Held contracts",
        "Nothing of them is billed or posted until what is named here is mended.",
        ("Contract", "Customer", "Last billed", "Amount", "Because of"),
        [
            (
                contract,
                customer or "",
                f"{billed:%Y-%m}" if billed else "never",
                money(amount, currency) if billed else "",
                f"{file}, line {line}{f', {column}' if column else ''}: {reason}",
            )
            for (
                contract,
                customer,
                file,
                line,
                column,
                reason,
                billed,
                amount,
                currency,
            ) in rows
        ],
        none="None.",
    )


def _gaps(connection: duckdb.DuckDBPyConnection, closing: Closing) -> list[str]:
    rows = connection.execute(_GAPS, [closing.month + timedelta(days=31)]).fetchall()
    latest = closing.as_of - timedelta(days=1)
    return _section(
        "Open gaps of feeds",
        "Days that a facility's own history makes implausible; nothing is charged or "
        "recognized for them. quality.feed_gaps has them all.",
        ("Feed", "Facility", "Contract", "Silent", "Events missed", "Worth"),
        [
            (
                feed,
                facility,
                contract,
                f"since {since}"
                if through >= latest
                else f"{since} to {through}",
                plain(quantity),
                money(amount, currency),
            )
            for feed, facility, contract, since, through, quantity, amount, currency
            in rows
        ],
        none="None.",
    )  # fmt: skip


def _judgements(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Every open judgement that touches the month's numbers, with what it touches."""
    rows = []
    for judgement in JUDGEMENTS:
        touched = connection.execute(judgement.query).fetchall()
        if touched:
            rows.append(
                (
                    judgement.name,
                    judgement.shipped,
                    f"{judgement.instead} ({judgement.source})",
                    "; ".join(
                        f"{what} of {number:,} {judgement.of}"
                        + (f": {money(amount, currency)}" if amount is not None else "")
                        for what, currency, number, amount in sorted(touched, key=str)
                    ),
                )
            )
    return _section(
        "Open judgements that touch this month",
        "What the project decides one way and accounting may have to decide another.",
        ("Judgement", "As shipped", "It may have to be", "Touches"),
        rows,
        none="None.",
    )


def _accounts(connection: duckdb.DuckDBPyConnection, month: date) -> list[str]:
    rows = connection.execute(_ACCOUNTS, [month]).fetchall()
    return _section(
        "Journal",
        f"Totals of the month's entries; `billing journal {month:%Y-%m} --out FILE` "
        "writes them.",
        ("Currency", "Account", "Name", "Debit", "Credit"),
        [
            (currency, account, name or "", *_amounts(amounts, currency))
            for currency, account, name, *amounts in rows
        ],
        none="No entry.",
    )


def _section(
    title: str,
    words: str,
    headings: Sequence[str],
    rows: list[tuple],
    none: str,
) -> list[str]:
    if not rows:
        return [f"## {title}", "", none, ""]
    return [f"## {title}", "", words, "", *_table(headings, rows)]


def _table(headings: Sequence[str], rows: list[tuple]) -> list[str]:
    lines = [_row(headings), _row("---" for _ in headings)]
    lines += [_row(row) for row in rows[:_SHOWN]]
    if len(rows) > _SHOWN:
        lines += ["", f"… and {len(rows) - _SHOWN:,} more."]
    return [*lines, ""]


def _row(cells: Iterable[str]) -> str:
    """A row of a table; what would end a cell or a line is written otherwise."""
    texts = (" ".join(str(cell).split()).replace("|", "\\|") for cell in cells)
    return f"| {' | '.join(texts)} |"


def _amounts(amounts: Iterable[Decimal], currency: str) -> list[str]:
    return [money(amount, currency) for amount in amounts]


def _span(first: date, last: date) -> str:
    return f"{first:%Y-%m}" + (f" to {last:%Y-%m}" if last != first else "")


def _words(line_type: str) -> str:
    words = {"true_up": "true-up", "minimum_spend": "minimum spend"}
    return words.get(line_type, line_type)
