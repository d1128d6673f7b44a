"""One small contract to work by hand."""

from datetime import date

from reference import Landing, Ledger, bill, close


class Case:
    """One customer, one contract of 2026 over facilities N and S; add what matters."""

    def __init__(self, **contract):
        base = {
            "contract_id": "C",
            "customer_id": "CUST",
            "signed_on": "2025-12-01",
            "starts_on": "2026-01-01",
            "ends_on": "2026-12-31",
        }
        self.tables = {
            "customers": [{"customer_id": "CUST"}],
            "facilities": [],
            "contracts": [base | contract],
            "contract_lines": [],
            "contract_facilities": [],
            "amendments": [],
            "rate_cards": [],
            "baas": [{"customer_id": "CUST", "effective_on": "2020-01-01"}],
            "commitments": [],
            "milestones": [],
        }
        self.files = {}
        for facility in ("N", "S"):
            self.facility(facility)
        self.ledger = Ledger()

    def facility(self, facility_id, effective_on="2020-01-01", **more):
        self.tables["facilities"].append(
            {"facility_id": facility_id, "customer_id": "CUST"}
        )
        self.cover(facility_id, effective_on, **more)

    def cover(self, facility_id, effective_on, covered="true", amendment_id=""):
        self.tables["contract_facilities"].append(
            {
                "contract_id": "C",
                "facility_id": facility_id,
                "effective_on": effective_on,
                "covered": covered,
                "amendment_id": amendment_id,
            }
        )

    def line(self, line_id="L", effective_on="2020-01-01", **more):
        base = {
            "line_id": line_id,
            "contract_id": "C",
            "effective_on": effective_on,
            "charge_type": "recurring",
            "product_id": "P",
            "pricing_model": "per_unit",
        }
        if more.get("meter"):
            base["charge_type"] = "usage"
        self.tables["contract_lines"].append(base | more)

    def commit(self, committed, effective_on="2020-01-01", **more):
        """Units of line L unless `kind` is spend."""
        base = {
            "commitment_id": "K",
            "contract_id": "C",
            "effective_on": effective_on,
            "kind": "quantity",
            "committed": committed,
        }
        if more.get("kind") != "spend":
            base["line_id"] = "L"
        self.tables["commitments"].append(base | more)

    def amend(self, amendment_id, signed_on, effective_on, **more):
        self.tables["amendments"].append(
            {
                "amendment_id": amendment_id,
                "contract_id": "C",
                "signed_on": signed_on,
                "effective_on": effective_on,
                "kind": "other",
            }
            | more
        )

    def card(self, *tiers):
        """Tiers as (up_to, unit_price, flat_fee)."""
        for tier, (up_to, unit_price, flat_fee) in enumerate(tiers, start=1):
            self.tables["rate_cards"].append(
                {
                    "rate_card_id": "CARD",
                    "tier": str(tier),
                    "up_to": up_to,
                    "unit_price": unit_price,
                    "flat_fee": flat_fee,
                }
            )

    def event(self, event_id, occurred_at, facility="N", file="a.csv", **more):
        self.files.setdefault(file, []).append(
            {
                "event_id": event_id,
                "event_type": "encounter",
                "facility": facility,
                "occurred_at": occurred_at,
                "patient_id": "p",
            }
            | more
        )

    def events(self, count, occurred_at, facility="N"):
        for number in range(count):
            self.event(f"{facility}{occurred_at}-{number}", occurred_at, facility)

    def bill(self, as_of, issue_through=None):
        return bill(
            Landing(self.tables, {"feed": self.files}),
            self.ledger,
            date.fromisoformat(as_of),
            date.fromisoformat(issue_through) if issue_through else None,
        )

    def milestone(self, milestone_id, milestone, amount, completed_on="", **more):
        self.tables["milestones"].append(
            {
                "milestone_id": milestone_id,
                "contract_id": "C",
                "milestone": milestone,
                "amount": amount,
                "completed_on": completed_on,
            }
            | more
        )

    def close(self, month, as_of=None, **more):
        """Close a month given as 2026-01; by default as of the day after it."""
        return close(
            Landing(self.tables, {"feed": self.files}),
            self.ledger,
            date.fromisoformat(f"{month}-01"),
            date.fromisoformat(as_of) if as_of else None,
            **more,
        )

    def lines(self, as_of, issue_through=None):
        """(invoice date, service start, service end, quantity, price, amount)."""
        return [
            (
                str(line.invoice_date),
                str(line.charge.service_start),
                str(line.charge.service_end),
                line.quantity,
                line.charge.unit_price,
                line.amount,
            )
            for document in self.bill(as_of, issue_through).documents
            for line in document.lines
        ]

    def owed(self, as_of):
        """What commitments owe: own date, service days, quantity, price, amount."""
        return [
            (
                str(charge.own_date),
                str(charge.service_start),
                str(charge.service_end),
                charge.quantity,
                charge.unit_price,
                charge.amount,
            )
            for charge in self.bill(as_of).charges
            if charge.commitment_id
        ]

    def outcome(self, as_of):
        """Outcome and reason of the rows, by line of the file."""
        outcomes = sorted(self.bill(as_of).outcomes, key=lambda o: (o.file, o.line))
        return [o.reason or o.outcome for o in outcomes]


def amounts(lines):
    return [line[-1] for line in lines]
