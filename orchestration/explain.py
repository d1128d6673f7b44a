"""From an invoice line back to what it rests on: terms, price, counts, causes.

Read from the ledger (what was booked) and the warehouse as it was last built (what is
due now). Nothing here names an event or a patient: usage is counts by facility and day.
"""

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from orchestration.arithmetic import in_figures
from orchestration.audit import AuditLog
from orchestration.changed_inputs import changed_inputs
from orchestration.errors import BillingError
from orchestration.home import Home
from orchestration.keys import Keys
from orchestration.ledger import open_ledger
from orchestration.ledger_chain import LINE, SHARE
from orchestration.warehouse import open_files
from orchestration.wording import WIDTH, ends, plain, price, wrapped

Row = dict[str, Any]
_MODELS = "warehouse.billing"


def explain(home_path: Path, number: str, line_number: int | None = None) -> str:
    """The story of an invoice, or of one of its lines, as text 100 columns wide.

    Raises BillingError if there is no such invoice or line, if the warehouse was not
    built yet, or while a run writes.
    """
    home = Home(home_path)
    if not home.ledger.exists():
        raise BillingError(f"{home.path}: nothing was issued here yet")
    if not home.warehouse.exists():
        raise BillingError(
            f"{home.warehouse} is missing: run `billing run`, which makes it again"
        )
    with home.lock("billing explain"):
        keys = Keys.of(home)
        with open_files(home, keys) as connection:
            open_ledger(connection)
        with open_files(home, keys, read_only=True) as connection:
            AuditLog(home.audit).append(
                "key_use", "warehouse, ledger", detail={"explain": number}
            )
            book = _Book(connection)
            text = book.invoice(number, line_number)
    return "\n".join(text) + "\n"


class _Book:
    """Ledger and warehouse, open for reading."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection

    def rows(self, sql: str, **parameters: object) -> list[Row]:
        result = self.connection.execute(sql, parameters)
        names = [column[0] for column in result.description]
        return [dict(zip(names, row, strict=True)) for row in result.fetchall()]

    def row(self, sql: str, **parameters: object) -> Row | None:
        found = self.rows(sql, **parameters)
        return found[0] if found else None

    def invoice(self, number: str, line_number: int | None) -> list[str]:
        header = self.row(
            "select * from ledger.book.invoices join ledger.book.issues "
            "using (issue_no) where invoice_number = $number",
            number=number,
        )
        if header is None:
            raise BillingError(
                f"there is no invoice {number}; "
                "finance.invoices of the publication lists them"
            )
        lines = self.rows(
            f"select {LINE} from ledger.book.invoice_lines "
            "where invoice_number = $number order by line_number",
            number=number,
        )
        if line_number is None:
            return _overview(header, lines)
        chosen = [line for line in lines if line["line_number"] == line_number]
        if not chosen:
            raise BillingError(
                f"{number} has no line {line_number}: its lines are 1 to {len(lines)}"
            )
        return list(_Line(self, header, lines, chosen[0]).story())


def _overview(header: Row, lines: list[Row]) -> list[str]:
    text = [
        ends(
            f"{header['invoice_number']} of {header['invoice_date']}, "
            f"{header['customer_name']}",
            f"{header['currency']} {header['total']:,}",
        ),
        f"Issued as of {header['issued_at']}, in issue {header['issue_no']}.",
        "",
    ]
    for line in lines:
        words = line["description"]
        if line["is_adjustment"] and not line["reverses"]:
            words = f"Adjustment: {words}"
        *first, last = wrapped(f"{line['line_number']:>4} ", words[:240])
        amount = f"{line['amount']:,}"
        if len(last) + len(amount) >= WIDTH:
            first, last = [*first, last], ""
        text += [*first, ends(last, amount)]
    text += [
        "",
        f"Why a line is as it is: billing explain {header['invoice_number']} --line 1",
    ]
    return text


class _Line:
    """One booked line beside the warehouse's terms, counts and charges."""

    def __init__(self, book: _Book, header: Row, lines: list[Row], line: Row) -> None:
        self.book = book
        self.header = header
        self.lines = lines
        self.line = line
        self.days = (line["service_start"], line["service_end"])
        self.version = line["line_id"] and book.row(
            f"select * from {_MODELS}.line_versions "
            "where line_id = $line and version_start = $start",
            line=line["line_id"],
            start=line["version_start"],
        )

        self.tiers = book.rows(
            f"select * from {_MODELS}.price_tiers "
            "where line_id = $line and version_start = $start order by tier",
            line=line["line_id"],
            start=line["version_start"],
        )

    def story(self) -> Iterator[str]:
        line, header = self.line, self.header
        yield ends(
            f"{line['invoice_number']}, line {line['line_number']}, of "
            f"{header['invoice_date']}, issued as of {header['issued_at']}",
            f"{header['currency']} {line['amount']:,}",
        )
        yield from wrapped("  ", line["description"])
        yield from self._contract()
        yield from self._terms()
        yield from self._tiers()
        yield from self._amount()
        if line["milestone_id"]:
            yield from self._milestone()
        if line["commitment_id"]:
            yield from self._commitment()
        if line["line_type"] == "usage":
            yield from self._usage()
        yield from self._facilities()
        if line["is_adjustment"]:
            yield from self._adjustment()

    # -- terms ---------------------------------------------------------------------

    def _contract(self) -> Iterator[str]:
        contract_id = self.line["contract_id"]
        now = self.book.row(
            f"select valid_from, valid_to - 1 as last from {_MODELS}.contracts "
            "where contract_id = $id",
            id=contract_id,
        )
        landed = self.book.row(
            "select * from warehouse.raw.contracts where contract_id = $id",
            id=contract_id,
        )
        yield from ("", "Contract")
        yield f"  {contract_id} of {self.header['customer_name']}"
        if landed is None or now is None:
            yield "  not among the contracts known now"
            return
        yield (
            f"  signed {landed['signed_on']}, runs {now['valid_from']} – {now['last']}"
        )
        yield f"  landed in {_place(landed)}"

    def _terms(self) -> Iterator[str]:
        line, version = self.line, self.version
        if line["line_id"] is None:
            return
        yield from ("", "Terms")
        yield f"  line {line['line_id']}, version of {line['version_start']}"
        if version is None:
            yield "  not in force any more: below stands what was booked"
            yield from self._amendment(line["amendment_id"])
            return
        yield (
            f"  in force {version['valid_from']} – {_before(version['valid_to'])}"
            f"{'' if version['is_active'] else ', ended'}"
        )
        yield from wrapped("  ", _terms_in_words(version))
        for landed in self.book.rows(
            "select * from warehouse.raw.contract_lines where line_id = $line "
            "and effective_on = $start and amendment_id is not distinct from $by",
            line=line["line_id"],
            start=line["version_start"],
            by=version["amendment_id"],
        ):
            yield f"  landed in {_place(landed)}"
        for amendment_id in dict.fromkeys(
            (version["amendment_id"], line["amendment_id"])
        ):
            yield from self._amendment(amendment_id)

    def _amendment(self, amendment_id: str | None) -> Iterator[str]:
        if amendment_id is None:
            return
        landed = self.book.row(
            "select * from warehouse.raw.amendments where amendment_id = $id",
            id=amendment_id,
        )
        if landed is None:
            yield f"  amendment {amendment_id}, which is not landed now"
            return
        yield from wrapped(
            "  ",
            f"amendment {amendment_id}, {landed['kind'].replace('_', ' ')}: signed "
            f"{landed['signed_on']}, effective {landed['effective_on']}"
            + (f": {landed['description']}" if landed["description"] else ""),
        )
        yield f"  landed in {_place(landed)}"

    def _tiers(self) -> Iterator[str]:
        if not self.version:
            return
        card = self.version["rate_card_id"]
        yield from ("", f"Price, rate card {card}" if card else "Price")
        for tier in self.tiers:
            mark = ">" if tier["tier"] and tier["tier"] == self.line["tier"] else " "
            yield from wrapped(f"  {mark} ", _tier_in_words(tier))

    # -- amount --------------------------------------------------------------------

    def _amount(self) -> Iterator[str]:
        line = self.line
        yield from ("", "Amount")
        yield f"  service {line['service_start']} – {line['service_end']}"
        period = self.version and self.book.row(
            f"select * from {_MODELS}.billing_periods where contract_id = $contract "
            "and frequency = $frequency and period_start <= $day and period_end > $day",
            contract=line["contract_id"],
            frequency=self.version["billing_frequency"],
            day=line["service_start"],
        )
        if period:
            yield (
                f"  billing period {period['period_start']} – "
                f"{_before(period['period_end'])}; a full one has "
                f"{period['full_days']} days"
            )
        if line["is_adjustment"] and self._before() and not line["reverses"]:
            yield "  the difference of what is due to what was booked: see Adjustment"
            return
        yield from wrapped("  ", self._figures(period))

    def _figures(self, period: Row | None) -> str:
        cents = self.book.row(
            f"select cents_step from {_MODELS}.contracts where contract_id = $id",
            id=self.line["contract_id"],
        )
        return in_figures(
            self.line,
            model=self.version["pricing_model"] if self.version else None,
            package_size=self.version["package_size"] if self.version else None,
            tiers=self.tiers,
            full_days=period["full_days"] if period else None,
            cents_step=cents["cents_step"] if cents else 1,
        )

    def _milestone(self) -> Iterator[str]:
        landed = self.book.row(
            "select * from warehouse.raw.milestones where milestone_id = $id",
            id=self.line["milestone_id"],
        )
        yield from ("", "Milestone")
        if landed is None:
            yield f"  {self.line['milestone_id']} is not landed now"
            return
        yield (
            f"  {landed['milestone_id']}: {landed['milestone'].replace('_', '-')}, "
            f"completed {landed['completed_on'] or 'not yet'}, "
            f"worth {price(landed['amount'])}"
        )
        yield f"  landed in {_place(landed)}"

    def _commitment(self) -> Iterator[str]:
        line = self.line
        yield from ("", "Commitment")
        period = self.book.row(
            "select months.*, versions.frequency, versions.is_prorated "
            f"from {_MODELS}.int_commitment_months as months "
            f"join {_MODELS}.commitment_versions as versions "
            "using (commitment_id, version_start) "
            "where commitment_id = $id and period_start = $start "
            "and counted_to = period_end",
            id=line["commitment_id"],
            start=line["service_start"],
        )
        if period is None:
            yield f"  {line['commitment_id']} has no such period now"
            return
        yield (
            f"  {line['commitment_id']}, version of {period['version_start']}: "
            f"{period['kind']} per {period['frequency'].replace('_', ' ')}, "
            f"{period['true_up']}"
        )
        yield (
            f"  {period['period_start']} – {_before(period['period_end'])}: committed "
            f"{plain(period['committed'])}, counted {plain(period['actual'])}"
        )
        yield from wrapped("  ", self._true_up(period))
        yield from self._amendment(period["amendment_id"])

    def _true_up(self, period: Row) -> str:
        if period["kind"] == "spend":
            missing = period["committed"] - period["actual"]
            return (
                f"{plain(period['committed'])} − {plain(period['actual'])} = "
                f"{plain(max(missing, 0 * missing))} to reach the minimum"
            )
        if period["true_up"] == "shortfall":
            missing = period["committed"] - period["actual"]
            return (
                f"{plain(period['committed'])} − {plain(period['actual'])} = "
                f"{plain(max(missing, 0 * missing))} units short"
            )
        rerated = self.book.row(
            f"select tier, sum(charges.amount) as charged "
            f"from {_MODELS}.int_rerated_usage as rerated "
            f"join {_MODELS}.usage_charges as charges on charges.line_id = $line "
            "and charges.service_from >= $start and charges.service_from < $end "
            "where commitment_id = $id and period_start = $start group by all",
            line=period["line_id"],
            start=period["period_start"],
            end=period["period_end"],
            id=period["commitment_id"],
        )
        if rerated is None:
            return "no unit was charged"
        return (
            f"its units reached tier {rerated['tier']} and were charged "
            f"{rerated['charged']:,} as they came; at that tier's prices they are due "
            f"{rerated['charged'] + self._due_now():,}"
        )

    # -- usage ---------------------------------------------------------------------

    def _usage(self) -> Iterator[str]:
        """Units by facility and day, and what became of the events of these days."""
        line = self.line
        booked = self._units_booked(self.header["issue_no"])
        yield from ("", "Units booked, by facility and day")
        if not booked:
            yield "  none"
        by_facility: dict[str, list[Row]] = {}
        for row in booked:
            by_facility.setdefault(row["facility_id"], []).append(row)
        for facility_id, rows in by_facility.items():
            total = sum(row["units"] for row in rows)
            yield ends(f"  {facility_id}", plain(total))
            counts = (
                f"{row['service_date']:%b}\u00a0{row['service_date'].day}:\u00a0"
                f"{plain(row['units'])}"
                for row in rows
            )
            for text in wrapped("      ", ", ".join(counts)):
                yield text.replace("\u00a0", " ")
        yield from (
            "",
            "Events of these days at the contract's facilities, as last built",
        )
        for row in self.book.rows(
            """
            select outcome, sum(events) as events
            from warehouse.restricted.attributed_usage as usage
            join warehouse.seeds.meters on meters.event_type = usage.event_type
            where meters.meter = $meter and service_date between $first and $last
                and (contract_id = $contract or facility_id in (
                    select facility_id from warehouse.billing.facility_coverage
                    where contract_id = $contract))
            group by outcome order by outcome
            """,
            meter=line["meter"],
            contract=line["contract_id"],
            first=self.days[0],
            last=self.days[1],
        ):
            yield ends(f"  {row['outcome'].replace('_', ' ')}", f"{row['events']:,}")

    def _units_booked(self, through_issue: int) -> list[Row]:
        return self.book.rows(
            """
            select facility_id, service_date, sum(units) as units
            from ledger.book.billed_usage
            where line_id = $line and issue_no <= $through
                and service_date between $first and $last
            group by all having sum(units) <> 0
            order by facility_id, service_date
            """,
            line=self.line["line_id"],
            through=through_issue,
            first=self.days[0],
            last=self.days[1],
        )

    def _facilities(self) -> Iterator[str]:
        shares = self.book.rows(
            f"select {SHARE} from ledger.book.invoice_line_facilities "
            "where invoice_number = $number and line_number = $line "
            "order by facility_id",
            number=self.line["invoice_number"],
            line=self.line["line_number"],
        )
        if shares:
            yield from ("", f"{'Facilities':52}{'quantity':>22}{'amount':>26}")
        for share in shares:
            name = f"{share['facility_id']} {share['facility_name'] or ''}".strip()
            yield (
                f"  {name[:50]:50}{plain(share['quantity']):>22}{share['amount']:>26,}"
            )

    # -- adjustment ----------------------------------------------------------------

    def _before(self) -> list[Row]:
        """The lines of the same charge that were booked before this one."""
        return self.book.rows(
            f"select {LINE}, issue_no from ledger.book.invoice_lines "
            "join (select invoice_number, issue_no from ledger.book.invoices) "
            "using (invoice_number) "
            "where charge_key = $key and issue_no < $issue "
            "order by issue_no, invoice_number, line_number",
            key=self.line["charge_key"],
            issue=self.header["issue_no"],
        )

    def _adjustment(self) -> Iterator[str]:
        line, before = self.line, self._before()
        yield from ("", "Adjustment")
        for row in before:
            yield ends(
                f"  booked in {row['invoice_number']}, line {row['line_number']}: "
                f"quantity {plain(row['quantity'])}",
                f"{row['amount']:,}",
            )
        booked = sum(row["amount"] for row in before)
        if not before:
            yield "  nothing was booked under these terms and days before"
        yield ends("  due then", f"{booked + line['amount']:,}")
        yield ends("  this line, due less booked", f"{line['amount']:,}")
        yield ends("  due as last built", f"{self._due_now():,}")
        yield from self._counterparts()
        yield from self._changed_days()
        since = max((row["issue_no"] for row in before), default=None)
        yield from self._changed_inputs(since)

    def _due_now(self) -> Any:
        due = self.book.row(
            f"select coalesce(sum(amount), 0.00) as amount from {_MODELS}.charges "
            "where charge_key = $key",
            key=self.line["charge_key"],
        )
        return due["amount"]

    def _counterparts(self) -> Iterator[str]:
        """Other lines of the document for the same thing on some of the same days."""
        line = self.line
        subject = ("line_id", "commitment_id", "milestone_id", "contract_id")
        others = [
            f"line {other['line_number']} ({other['amount']:,})"
            for other in self.lines
            if other["line_number"] != line["line_number"]
            and all(other[name] == line[name] for name in subject)
            and other["is_adjustment"]
            and other["service_start"] <= line["service_end"]
            and line["service_start"] <= other["service_end"]
        ]
        if others:
            words = "charged again as" if line["reverses"] else "stands beside"
            yield from wrapped("  ", f"{words} {', '.join(others)}")

    def _changed_days(self) -> Iterator[str]:
        if self.line["line_type"] != "usage":
            return
        issue = self.header["issue_no"]
        was = {_day_key(row): row["units"] for row in self._units_booked(issue - 1)}
        now = {_day_key(row): row["units"] for row in self._units_booked(issue)}
        for key in sorted(was | now):
            if was.get(key, 0) != now.get(key, 0):
                facility_id, day = key
                yield (
                    f"  {facility_id} on {day}: {plain_or_none(was.get(key))} booked, "
                    f"{plain_or_none(now.get(key))} due"
                )

    def _changed_inputs(self, since_issue: int | None) -> Iterator[str]:
        if since_issue is None:
            since_issue = self.header["issue_no"] - 1
        found = changed_inputs(
            self.book.connection,
            self.line["contract_id"],
            self.days,
            since_issue,
            self.header["issue_no"],
        )
        yield (
            "  what changed since that was booked:"
            if found
            else ("  none of its inputs changed since that was booked")
        )
        for change in found:
            yield from wrapped("    ", str(change))


def plain_or_none(units: Any) -> str:
    """A count of units, or that there are none."""
    return "none" if units is None else plain(units)


def _day_key(row: Row) -> tuple[str, date]:
    return row["facility_id"], row["service_date"]


def _place(landed: Row) -> str:
    return f"{landed['source_file']}, line {landed['line']}"


def _before(day: date) -> date:
    return date.fromordinal(day.toordinal() - 1)


def _terms_in_words(version: Row) -> str:
    words = [f"{version['charge_type']}, {version['pricing_model'].replace('_', ' ')}"]
    if version["meter"]:
        words.append(f"meter {version['meter']}")
    words.append(
        f"billed {version['billing_frequency']} in {version['billing_timing']}"
    )
    if version["charge_type"] == "usage" and version["rate_card_id"]:
        is_yearly = version["scope_frequency"] == "contract_year"
        words.append(f"tiers over a {'contract year' if is_yearly else 'period'}")
    if version["quantity_basis"] == "covered_facilities":
        words.append("for each covered facility")
    elif version["charge_type"] == "recurring" and version["quantity"] is not None:
        words.append(f"quantity {plain(version['quantity'])}")
    if version["included_quantity"]:
        words.append(f"{plain(version['included_quantity'])} included")
    if version["package_size"]:
        words.append(f"packages of {plain(version['package_size'])}")
    if version["base_line_id"]:
        words.append(f"of line {version['base_line_id']}")
    return ", ".join(words)


def _tier_in_words(tier: Row) -> str:
    words = []
    if tier["tier"] is not None:
        is_open = tier["up_to"] >= 10**13
        bounds = f"above {plain(tier['above'])}"
        if not is_open:
            bounds += f", up to {plain(tier['up_to'])}"
        words.append(f"tier {tier['tier']} ({bounds})")
    words.append(f"list price {price(tier['list_price'])}")
    if tier["discount_percent"]:
        words.append(f"less {plain(tier['discount_percent'])} %")
        words.append(f"net {price(tier['unit_price'])}")
    if tier["flat_fee"]:
        words.append(f"flat fee {price(tier['flat_fee'])}")
    return ", ".join(words)
