"""Judgements of revenue that the project leaves to a company, and what they touch.

Each is a choice that ASC 606 and IFRS 15 ask for and no rule of the project makes: it
says what is done as shipped, and a query what of a month's numbers hangs on it. A query
gives rows of (what, currency, number, amount) and knows the variables `month` and
`since`, the as-of day of the close before; an amount is empty where it is not money.
"""

from typing import NamedTuple


class Judgement(NamedTuple):
    """An open judgement: its name, what is done as shipped, what else a company may
    have to do, and the query of what it touches; `of` says what it counts.
    """

    name: str
    shipped: str
    instead: str
    source: str
    query: str
    of: str = "contracts"


_POSTED = """
    (select * from ledger.book.posted_revenue
    where accounting_month = getvariable('month')) as posted
"""
_LINES = """
    (select distinct line_id, version_start, pricing_model, scope_frequency
    from warehouse.billing.line_versions) as lines
"""


def _recognized(conditions: str, joined: str = "") -> str:
    return (
        "select 'recognized', posted.currency, count(distinct posted.contract_id), "
        f"sum(posted.amount) from {_POSTED} {joined} where {conditions} "
        "group by posted.currency"
    )


def _usage_priced(pricing_model: str) -> str:
    """Usage of the month on lines of a pricing model counted over the contract year."""
    return _recognized(
        "posted.line_type = 'usage' and posted.line_id in (select line_id from "
        f"{_LINES} where pricing_model = '{pricing_model}' "
        "and scope_frequency = 'contract_year')"
    )


JUDGEMENTS = (
    Judgement(
        "What is unbilled",
        "Recognized above billed is presented as unbilled receivable.",
        "The part that waits for something other than time is a contract asset.",
        "ASC 606-10-45-3 and 45-4",
        "select 'unbilled', currency, count(*), sum(unbilled_closing) "
        "from warehouse.finance.contract_balances "
        "where month = getvariable('month') and unbilled_closing > 0 group by currency",
    ),
    Judgement(
        "Tiers that get cheaper over the contract year",
        "Recognized as priced: the cheaper units are taken to be no material right.",
        "Recognize at an estimated rate over the year.",
        "ASC 606-10-55-42 and 32-8",
        _usage_priced("graduated"),
    ),
    Judgement(
        "Discounts that price past units again",
        "Priced at the tier reached or, with a rerate commitment, the one committed.",
        "Price at an estimate of the final tier, and hold what is billed above it as "
        "refund liability.",
        "ASC 606-10-32-5 to 32-14",
        _usage_priced("volume"),
    ),
    Judgement(
        "Shortfalls of commitments",
        "Recognized on the last day of their period.",
        "Recognize a minimum by time, or breakage in proportion to what is used, where "
        "a shortfall is reliably expected.",
        "ASC 606-10-55-46 to 55-49",
        _recognized("posted.line_type in ('true_up', 'minimum_spend')")
        + """
        union all
        select 'projected, not recognized', contracts.currency,
            count(distinct progress.contract_id), sum(progress.projected_true_up)
        from warehouse.finance.commitment_progress as progress
        join warehouse.billing.contracts using (contract_id)
        where progress.month = getvariable('month') and progress.true_up is null
            and progress.projected_true_up > 0
        group by contracts.currency
        """,
    ),
    Judgement(
        "Implementation",
        "A milestone is earned when it is complete, or by day to the contract's end.",
        "Where control passes over time, recognize by a measure of progress applied to "
        "the allocated price.",
        "ASC 606-10-55-20",
        _recognized("posted.line_type = 'milestone'")
        + """
        union all
        select 'on hold', currency, count(distinct contract_id), sum(amount)
        from warehouse.finance.revenue_schedule where status = 'on_hold'
        group by currency
        """,
    ),
    Judgement(
        "Several products in one contract",
        "The stated prices are taken as standalone selling prices.",
        "Allocate a bundle's price by relative standalone selling prices; a discount "
        "to one part only on evidence.",
        "ASC 606-10-32-31 to 32-41",
        _recognized(
            "posted.contract_id in (select contract_id from ledger.book.posted_revenue "
            "where accounting_month = getvariable('month') group by contract_id "
            "having count(distinct coalesce(product_id, milestone_id)) > 1)"
        ),
    ),
    Judgement(
        "Changes to work that is half done",
        "What an amendment changes is spread from its effective date.",
        "A change to a single obligation that is partly satisfied catches up: revised "
        "price × progress − recognized.",
        "ASC 606-10-25-13(b)",
        _recognized(
            "posted.line_type = 'milestone' and posted.contract_id in ("
            "select contract_id from warehouse.staging.stg_amendments "
            "where signed_on > getvariable('since') "
            "or effective_on >= getvariable('month'))"
        ),
    ),
    Judgement(
        "Minimums in remaining obligations",
        "finance.remaining_obligations leaves committed minimums out.",
        "What a customer must pay in any case is fixed, and belongs in.",
        "ASC 606-10-32-6 and 50-13 to 50-14A",
        """
        select
            case kind when 'spend' then 'committed, not spent yet'
                else 'commitments to quantities' end,
            contracts.currency, count(distinct progress.contract_id),
            sum(greatest(progress.committed - progress.actual_to_date, 0))
                filter (kind = 'spend')
        from warehouse.finance.commitment_progress as progress
        join warehouse.billing.contracts using (contract_id)
        join (select distinct commitment_id, kind
            from warehouse.billing.commitment_versions) using (commitment_id)
        where progress.month = getvariable('month') and progress.true_up is null
        group by kind, contracts.currency
        """,
    ),
    Judgement(
        "Invoices not yet due",
        "An issued invoice is a receivable, and what it bills ahead a liability.",
        "Where the customer may still cancel, neither until it is due or paid.",
        "ASC 606-10-45-2",
        "select 'open and not yet due', currency, count(*), "
        "sum(balance) from warehouse.finance.invoices where status <> 'draft' "
        "and balance > 0 and invoice_date < getvariable('month') + interval 1 month "
        "and due_date >= getvariable('month') + interval 1 month "
        "group by currency",
        of="invoices",
    ),
)
