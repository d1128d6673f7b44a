"""Random commitments of a contract and their later versions, all rows valid."""

from datetime import date, timedelta

from reference.builder import Builder
from reference.values import day_in_month

WHOLE_UNITS = ("1", "2", "3", "5", "8", "12", "12", "40", "400", "0")
TIER_BOUNDS = ("0", "1", "2", "3", "7", "12", "20")
WHOLE_MONEY = ("1", "50", "500", "2500", "20000", "0")
NO_UNIT_PRICE = ("flat", "package", "stairstep")
Row = dict[str, object]


class CommitmentTerms:
    """The commitments of one contract; `currency` is that of its row."""

    def __init__(
        self,
        builder: Builder,
        contract_id: str,
        starts: date,
        ends: date,
        currency: str,
    ):
        self.builder = builder
        self.rng = builder.rng
        self.contract_id = contract_id
        self.starts = starts
        self.ends = ends
        self.has_cents = currency != "JPY"
        self.rows: dict[str, Row] = {}
        self.models: dict[str, object] = {}
        self.begins: dict[str, date] = {}
        self.came_with: dict[str, tuple[int, str]] = {}
        self.rerated: set[object] = set()

    def add(
        self, step: int, since: date, amendment_id: str, lines: dict[str, Row]
    ) -> None:
        """A new commitment to one of the lines, or to the contract's spend."""
        rng = self.rng
        usage = {i: ln for i, ln in lines.items() if ln["charge_type"] == "usage"}
        volume = [
            line_id
            for line_id, line in usage.items()
            if line["pricing_model"] == "volume"
            and line["tier_scope"] == "contract_year"
            and line_id not in self.rerated
        ]
        row: Row = {
            "commitment_id": self.builder.new_id("commit"),
            "contract_id": self.contract_id,
        }
        if volume and rng.random() < 0.6:
            since = self._year_start(since)
            row |= {
                "kind": "quantity",
                "line_id": rng.choice(sorted(volume)),
                "true_up": "rerate",
                "period": rng.choice(("", "contract_year")),
            }
            self.rerated.add(row["line_id"])
        elif usage and rng.random() < 0.55:
            row |= {
                "kind": "quantity",
                "line_id": rng.choice(sorted(usage)),
                "true_up": rng.choice(("", "shortfall")),
                "period": rng.choice(("", "billing_period", "billing_period")),
            }
        else:
            row |= {
                "kind": "spend",
                "line_id": rng.choice(("", *sorted(lines))),
                "period": rng.choice(("contract_year", "billing_period")),
            }
            if not row["line_id"]:
                row["counts"] = rng.choice(("", "all", "usage"))
        commitment_id = str(row["commitment_id"])
        line = lines.get(str(row["line_id"]), {})
        self.models[commitment_id] = line.get("pricing_model")
        self.begins[commitment_id] = since
        self.came_with[commitment_id] = step, amendment_id
        self._version(row)
        self._land(step, row, since, amendment_id)

    def change(self, step: int, since: date, amendment_id: str) -> None:
        """A later row of a commitment: another figure, price or proration.

        Its first row is landed and known when this is: a rerate commitment would else
        begin within a year, and a line be named that is not there yet.
        """
        known = [
            commitment_id
            for commitment_id, (landed, with_amendment) in self.came_with.items()
            if landed <= step and with_amendment in ("", amendment_id)
        ]
        if not known:
            return
        commitment_id = self.rng.choice(sorted(known))
        row = dict(self.rows[commitment_id])
        if row.get("true_up") == "rerate" or self.rng.random() < 0.8:
            since = max(since, self.begins[commitment_id])
        self._version(row)
        self._land(step, row, since, amendment_id)

    def _year_start(self, since: date) -> date:
        """The contract's start, a day before it, or an anniversary (M3)."""
        starts = self.starts
        if since > starts and self.rng.random() < 0.5:
            return day_in_month(starts.year + 1, starts.month, starts.day)
        return self.rng.choice((starts, starts, starts - timedelta(days=40)))

    def _version(self, row: Row) -> None:
        """What may change between versions (T3)."""
        rng = self.rng
        row["prorate"] = rng.choice(("", "true", "true", "false"))
        if row["kind"] == "spend":
            cents = ("99.99", "1250.5") if self.has_cents else ()
            row["committed"] = rng.choice((*WHOLE_MONEY, *cents))
            return
        # A part of a unit is whole again once it is prorated.
        parts = () if row["prorate"] == "false" else ("7.5", "30.0001")
        if row["true_up"] == "rerate":
            row["committed"] = rng.choice((*TIER_BOUNDS, *parts))
        else:
            row["committed"] = rng.choice((*WHOLE_UNITS, *parts))
            prices = ["1.5", "0.33333333", "12", "0"]
            if self.models[str(row["commitment_id"])] not in NO_UNIT_PRICE:
                prices += [""] * 5
            row["shortfall_price"] = rng.choice(prices)

    def _land(self, step: int, row: Row, since: date, amendment_id: str) -> None:
        if self.builder.is_new("commitment", row["commitment_id"], since, amendment_id):
            self.rows[str(row["commitment_id"])] = row
            written = row | {"effective_on": since, "amendment_id": amendment_id}
            self.builder.add(step, "commitments", **written)
