"""What each table of `receivables/` holds, and all landed tables by name.

Made of the same parts as the contract tables; no row is a contract's own, so that none
holds a contract. A row is known from its own day.
"""

from orchestration.contract_specs import (
    CUSTOMER,
    DATE,
    MONEY,
    TABLES,
    WHOLE,
    Column,
    TableSpec,
    needed,
)

_FOLDER = "receivables"
_CURRENCY = Column("currency", default="USD")

RECEIVABLES = {
    spec.name: spec
    for spec in (
        TableSpec(
            "payments",
            (
                needed("payment_id"),
                CUSTOMER,
                needed("received_on", DATE),
                needed("amount", MONEY),
                _CURRENCY,
                Column("invoice_number"),
                Column("method"),
                Column("reference"),
            ),
            key=("payment_id",),
            known_on="received_on",
            folder=_FOLDER,
        ),
        TableSpec(
            "credits",
            (
                needed("credit_id"),
                CUSTOMER,
                needed("issued_on", DATE),
                needed("amount", MONEY),
                _CURRENCY,
                Column("invoice_number"),
                Column("reason"),
            ),
            key=("credit_id",),
            known_on="issued_on",
            folder=_FOLDER,
        ),
        TableSpec(
            "disputes",
            (
                needed("dispute_id"),
                needed("invoice_number"),
                needed("opened_on", DATE),
                Column("line_number", WHOLE),
                Column("amount", MONEY),
                Column("reason"),
                Column("resolved_on", DATE),
                Column("resolution", allowed=("accepted", "rejected")),
            ),
            key=("dispute_id",),
            known_on="opened_on",
            folder=_FOLDER,
        ),
        TableSpec(
            "holds",
            (
                CUSTOMER,
                needed("from_date", DATE),
                Column("through_date", DATE),
                Column("reason"),
            ),
            # Two holds of one customer are both in force: none says what another is.
            key=("customer_id", "from_date", "through_date", "reason"),
            known_on="from_date",
            folder=_FOLDER,
        ),
        TableSpec(
            "promises",
            (
                needed("promise_id"),
                needed("invoice_number"),
                needed("made_on", DATE),
                needed("pay_by", DATE),
                Column("amount", MONEY),
            ),
            key=("promise_id",),
            known_on="made_on",
            folder=_FOLDER,
        ),
    )
}

LANDED_TABLES = TABLES | RECEIVABLES
