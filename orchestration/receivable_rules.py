"""What a row of `receivables/` must mean by itself; `contract_rules.py` says how.

Whether an invoice is issued, and what it still owes, is known when the ledger is read:
`models/receivables/` judges that.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from orchestration.contract_reading import Row
from orchestration.contract_rules import Reasons, Rules, currency_is_known, minor_unit


def payment_is_not_nothing(row: Row) -> Reasons:
    if row["amount"] == 0:
        yield "amount", "is 0 (N1); write what was received, below 0 what was returned"


def amount_is_above_nothing(row: Row) -> Reasons:
    if row["amount"] is not None and row["amount"] <= 0:
        yield "amount", "is not above 0 (N1); write the amount without a sign"


def amount_fits_its_currency(row: Row) -> Reasons:
    if row["amount"] is not None:
        reason = minor_unit(row["currency"], row["amount"])
        if reason:
            yield "amount", reason


def dispute_is_resolved_after_it_opened(row: Row) -> Reasons:
    opened, resolved = row["opened_on"], row["resolved_on"]
    if opened and resolved and resolved < opened:
        yield "resolved_on", f"is before opened_on {opened} (N4); mend one of them"


def resolution_has_a_day_and_an_outcome(row: Row) -> Reasons:
    if row["resolved_on"] and row.lacks("resolution"):
        yield (
            "resolution",
            "is empty though the dispute is resolved (N4); write accepted or rejected",
        )
    if row["resolution"] and row.lacks("resolved_on"):
        yield (
            "resolved_on",
            f"is empty though the dispute is {row['resolution']} (N4); write the day",
        )


def disputed_line_is_a_line(row: Row) -> Reasons:
    if row["line_number"] is not None and row["line_number"] < 1:
        yield "line_number", "is no line of an invoice (N4); they count from 1"


def hold_ends_after_it_begins(row: Row) -> Reasons:
    begins, ends = row["from_date"], row["through_date"]
    if begins and ends and ends < begins:
        yield "through_date", f"is before from_date {begins} (C1); mend one of them"


def promise_is_for_later(row: Row) -> Reasons:
    made, pay_by = row["made_on"], row["pay_by"]
    if made and pay_by and pay_by < made:
        yield (
            "pay_by",
            f"was over when the promise was made on {made} (N4); mend one of them",
        )


RECEIVABLE_RULES: Rules = {
    "payments": (payment_is_not_nothing, currency_is_known, amount_fits_its_currency),
    "credits": (amount_is_above_nothing, currency_is_known, amount_fits_its_currency),
    "disputes": (
        amount_is_above_nothing,
        dispute_is_resolved_after_it_opened,
        resolution_has_a_day_and_an_outcome,
        disputed_line_is_a_line,
    ),
    "holds": (hold_ends_after_it_begins,),
    "promises": (amount_is_above_nothing, promise_is_for_later),
}


def overlapping_holds(rows: Iterable[Row]) -> Iterator[str]:
    """A warning for each valid hold that begins while another of the customer runs.

    Both are in force: to leave one out could let a letter go that was to be held.
    """
    by_customer: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row.table == "holds" and row.is_known and not row.problems:
            by_customer[row["customer_id"]].append(row)
    for holds in by_customer.values():
        holds.sort(key=lambda row: (row["from_date"], row.source_file, row.line))
        longest = holds[0]
        for row in holds[1:]:
            ends = longest["through_date"]
            if ends is None or row["from_date"] <= ends:
                yield (
                    f"{row.place}: overlaps the hold of {longest.place} on the same "
                    "customer; both are in force."
                )
            if ends is not None and (
                row["through_date"] is None or row["through_date"] > ends
            ):
                longest = row
