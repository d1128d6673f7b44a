"""Random lines, coverage and amendments of a contract, all rows valid."""

from datetime import date, timedelta

from reference.builder import METERS, PRICING_MODELS, Builder
from reference.random_commitments import CommitmentTerms

PRODUCTS = ("platform", "module", "support")


class ContractTerms:
    """Lines, coverage and amendments of one contract."""

    def __init__(
        self,
        builder: Builder,
        contract_id: str,
        starts: date,
        ends: date,
        facilities: list[str],
        step: int,
        currency: str,
    ):
        self.builder = builder
        self.rng = builder.rng
        self.contract_id = contract_id
        self.starts = starts
        self.ends = ends
        self.facilities = facilities
        self.step = step
        self.lines: dict[str, dict[str, object]] = {}
        self.line_steps: dict[str, int] = {}
        self.line_amendments: dict[str, str] = {}
        self.commitments = CommitmentTerms(builder, contract_id, starts, ends, currency)
        self.effective: dict[str, list[date]] = {}
        self.signed: date | None = None
        self.is_moving_end = False

    def begin(self) -> None:
        """What the contract itself says, later changes agreed beforehand included."""
        rng, builder = self.rng, self.builder
        for facility_id in self.facilities:
            if rng.random() < 0.85:
                since = rng.choice(
                    (
                        self.starts,
                        self.starts,
                        date(2019, 1, 1),
                        builder.some_day(self.starts, self.ends),
                    )
                )
                self._cover(self.step, facility_id, since, "true", "")
            if rng.random() < 0.15:
                since = builder.some_day(self.starts, self.ends)
                step = builder.landed(since, self.step)
                covered = rng.choice(("true", "false"))
                self._cover(step, facility_id, since, covered, "")
        for _ in range(rng.choice((1, 2, 2, 3, 4))):
            since = rng.choice(
                (
                    self.starts,
                    self.starts,
                    self.starts,
                    self.starts - timedelta(days=10),
                    builder.some_day(self.starts, self.ends),
                )
            )
            line_id = self._new_line(self.step, since, "")
            if rng.random() < 0.2:
                since = builder.some_day(self.starts, self.ends)
                self._change(self.step, line_id, since, "")
        for _ in range(rng.choice((0, 1, 1, 2))):
            self._commit(self.step, self._beginning(), "")
        if self.commitments.rows and rng.random() < 0.3:
            since = builder.some_day(self.starts, self.ends)
            self.commitments.change(self.step, since, "")

    def _beginning(self) -> date:
        """Mostly the contract's start, else a day on which it runs."""
        a_day = self.builder.some_day(self.starts, self.ends)
        return self.rng.choice((self.starts, self.starts, self.starts, a_day))

    def _commit(self, step: int, since: date, amendment_id: str) -> None:
        """A new commitment, to a line that is landed and known when it is."""
        lines = {
            line_id: line
            for line_id, line in self.lines.items()
            if self.line_steps[line_id] <= step
            and self.line_amendments[line_id] in ("", amendment_id)
        }
        self.commitments.add(step, since, amendment_id, lines)

    def amend(self, contract_signed: date) -> None:
        """An amendment and the rows that came with it."""
        rng, builder = self.rng, self.builder
        first, last = contract_signed, max(contract_signed, builder.last_day)
        if rng.random() < 0.7:
            first = min(max(first, builder.first_day + timedelta(days=120)), last)
        signed = builder.some_day(first, last)
        if self.signed and rng.random() < 0.25:
            signed = self.signed
        self.signed = signed
        moved = rng.choice((0, 1, rng.randrange(-90, 60), rng.randrange(-60, 1)))
        effective = max(signed + timedelta(days=moved), self.starts)
        step = builder.landed(signed, self.step)
        amendment_id = builder.new_id("am")
        kind = rng.choice(
            (
                "facility_added",
                "facility_removed",
                "module_added",
                "quantity_changed",
                "price_changed",
                "price_changed",
                "quantity_changed",
                "renewed",
                "terminated",
                "other",
            )
        )
        if rng.random() < 0.25:
            kind = "commitment_changed"
        if self.is_moving_end:
            kind = rng.choice((kind, "renewed", "terminated"))
        self.is_moving_end = kind in ("renewed", "terminated")
        new_end = None
        if kind == "renewed":
            new_end = self.ends + timedelta(
                days=rng.choice((365, rng.randrange(1, 400)))
            )
        elif kind == "terminated":
            new_end = builder.some_day(self.starts, self.ends)
            if rng.random() < 0.6:
                new_end = max(effective, self.starts)
            elif rng.random() < 0.1:
                new_end = self.starts - timedelta(days=1)
        builder.add(
            step,
            "amendments",
            amendment_id=amendment_id,
            contract_id=self.contract_id,
            signed_on=signed,
            effective_on=effective,
            kind=kind,
            new_ends_on=new_end,
            invoicing=rng.choice(("", "next_invoice", "immediate")),
        )
        rows_from = effective
        if rng.random() < 0.15:
            rows_from = builder.some_day(self.starts, self.ends)
        if kind in ("facility_added", "facility_removed"):
            covered = "true" if kind == "facility_added" else "false"
            self._cover(
                step, rng.choice(self.facilities), rows_from, covered, amendment_id
            )
        elif kind == "module_added":
            self._new_line(step, rows_from, amendment_id)
            if rng.random() < 0.5:
                self._commit(step, rows_from, amendment_id)
        elif kind == "commitment_changed":
            if self.commitments.rows and rng.random() < 0.8:
                self.commitments.change(step, rows_from, amendment_id)
            else:
                self._commit(step, rows_from, amendment_id)
        elif kind not in ("terminated", "renewed") or rng.random() < 0.2:
            for line_id in rng.sample(
                sorted(self.lines), rng.choice((1, 1, 2)) % (len(self.lines) + 1) or 1
            ):
                # Of two rows from the same day the one signed later holds (T1).
                again = rng.random() < 0.35
                since = rng.choice(self.effective[line_id]) if again else rows_from
                self._change(step, line_id, since, amendment_id)

    def _cover(
        self, step: int, facility_id: str, since: date, covered: str, amendment_id: str
    ) -> None:
        key = ("cover", self.contract_id, facility_id, since, amendment_id)
        if self.builder.is_new(*key):
            self.builder.add(
                step,
                "contract_facilities",
                contract_id=self.contract_id,
                facility_id=facility_id,
                effective_on=since,
                covered=covered,
                amendment_id=amendment_id,
            )

    # -- lines -------------------------------------------------------------------

    def _new_line(self, step: int, since: date, amendment_id: str) -> str:
        rng = self.rng
        line_id = self.builder.new_id("line")
        model = rng.choice(PRICING_MODELS)
        is_usage = not self.lines or rng.random() < 0.5
        if is_usage and rng.random() < 0.4:
            model = "graduated"
        if is_usage and rng.random() < 0.25:
            model = "volume"
        line: dict[str, object] = {
            "line_id": line_id,
            "contract_id": self.contract_id,
            "charge_type": "recurring",
            "product_id": rng.choice(PRODUCTS),
            "pricing_model": model,
            "billing_frequency": rng.choice(("", "monthly", "quarterly", "annual")),
        }
        if is_usage:
            line["charge_type"] = "usage"
            line["meter"] = rng.choice((METERS[0], *METERS))
            if model not in ("flat", "stairstep", "package"):
                line["tier_scope"] = rng.choice(
                    ("", "billing_period", "contract_year", "contract_year")
                )
            line["included_quantity"] = rng.choice(("", "", "", "2", "4.5"))
            line["revenue_rule"] = rng.choice(("", "", "as_used", "ratable"))
        elif rng.random() < 0.2:
            # One of an amendment signed later is not known yet: that is refused.
            bases = [
                i
                for i, ln in self.lines.items()
                if ln["pricing_model"] != "percentage"
                and self.line_steps[i] <= step
                and self.line_amendments[i] in ("", amendment_id)
            ]
            line["pricing_model"] = "percentage"
            line["percentage"] = rng.choice(("18", "2.5", "7.3333", "0.0001", "100"))
            line["base_line_id"] = rng.choice(["", *bases])
        else:
            line["billing_timing"] = rng.choice(("", "advance", "arrears"))
            if model != "flat":
                line["quantity_basis"] = rng.choice(("", "fixed", "covered_facilities"))
                line["included_quantity"] = rng.choice(("", "", "", "1"))
            if model != "flat" and line["quantity_basis"] != "covered_facilities":
                line["quantity"] = rng.choice(("", "1", "3", "12", "7.25", "1000.0001"))
        line["discount_percent"] = rng.choice(("", "", "0", "10", "33.3333", "100"))
        self._price(line)
        self.lines[line_id] = line
        self.line_steps[line_id] = step
        self.line_amendments[line_id] = amendment_id
        self._line_row(step, line, since, amendment_id)
        return line_id

    def _price(self, line: dict[str, object]) -> None:
        """New prices, or a new rate card: a card never changes."""
        rng = self.rng
        model = line["pricing_model"]
        if model == "percentage":
            return
        line["unit_price"] = rng.choice(
            (
                *("1", "0.5", "2.125", "99.99", "1250", "0.33333333", "17.005", "0"),
                "0.00000001",
            )
        )
        if model == "package":
            line["package_size"] = rng.choice(("1", "5", "2.5"))
        if model in ("graduated", "volume", "stairstep"):
            line["rate_card_id"] = self._rate_card(model)

    def _rate_card(self, model: str) -> str:
        rng = self.rng
        card = self.builder.new_id("card")
        bounds = sorted(
            rng.sample(
                ("1", "1.5", "2", "3", "4.25", "7", "12"),
                rng.choice((0, 1, 2, 2, 3, 4)),
            ),
            key=float,
        )
        for tier, up_to in enumerate([*bounds, ""], start=1):
            row: dict[str, object] = {
                "rate_card_id": card,
                "tier": tier,
                "up_to": up_to,
            }
            if model != "stairstep":
                if rng.random() < 0.7:
                    row["unit_price"] = rng.choice(("3", "2.5", "1.3333", "0.875", "0"))
                else:
                    row["discount_percent"] = rng.choice(("0", "15", "12.3456"))
            if model == "stairstep" or rng.random() < 0.45:
                row["flat_fee"] = rng.choice(("10", "25.5", "0", "99.99", "0.005"))
            self.builder.add(self.step, "rate_cards", **row)
        return card

    def _change(self, step: int, line_id: str, since: date, amendment_id: str) -> None:
        """A later version: other terms, or ended, or active again."""
        rng = self.rng
        line = dict(self.lines[line_id])
        kind = rng.random()
        if line.get("status") == "ended":
            line["status"] = "active"
        elif kind < 0.2:
            line["status"] = "ended"
        elif kind < 0.55:
            self._price(line)
        elif kind < 0.6 and "revenue_rule" in line:
            line["revenue_rule"] = rng.choice(("as_used", "ratable"))
        elif kind < 0.7:
            line["discount_percent"] = rng.choice(("0", "5", "50"))
        elif kind < 0.75:
            line["product_id"] = rng.choice(PRODUCTS)
        elif line.get("quantity"):
            line["quantity"] = rng.choice(("0", "1", "2", "5", "20"))
        elif "included_quantity" in line:
            line["included_quantity"] = rng.choice(("0", "1", "3", "6.75"))
        elif "percentage" in line:
            line["percentage"] = rng.choice(("15", "20"))
        if self._line_row(step, line, since, amendment_id):
            self.lines[line_id] = line

    def _line_row(
        self, step: int, line: dict[str, object], since: date, amendment_id: str
    ) -> bool:
        is_new = self.builder.is_new("line", line["line_id"], since, amendment_id)
        if is_new:
            self.effective.setdefault(str(line["line_id"]), []).append(since)
            row = line | {"effective_on": since, "amendment_id": amendment_id}
            self.builder.add(step, "contract_lines", **row)
        return is_new
