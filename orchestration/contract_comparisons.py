"""What a row must mean beside other rows: keys, versions, rate cards, references.

Only rows known by the as-of day are compared. A rule yields the row it rejects.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal

from orchestration.contract_reading import Row
from orchestration.contract_rules import LARGEST_CHARGE, TIERED_MODELS, minor_unit
from orchestration.receivable_specs import LANDED_TABLES

Rejections = Iterator[tuple[Row, str | None, str]]
# The reason begins so where another row is the cause.
FOLLOWS = "refers to a rejected row"

_NEVER_CHANGES = {
    "contract_lines": (
        "contract_id",
        "charge_type",
        "meter",
        "pricing_model",
        "billing_frequency",
        "billing_timing",
        "tier_scope",
        "quantity_basis",
        "base_line_id",
    ),
    "commitments": ("contract_id", "kind", "line_id", "period", "true_up", "counts"),
}


class Book:
    """The known rows of all tables, found by a column's value."""

    def __init__(self, rows: list[Row]) -> None:
        self.rows = rows
        self._found: dict[tuple[str, str], dict[object, list[Row]]] = {}
        self._tables: dict[str, list[Row]] = defaultdict(list)
        for row in rows:
            self._tables[row.table].append(row)

    def table(self, name: str) -> list[Row]:
        return self._tables[name]

    def by(self, table: str, column: str) -> dict[object, list[Row]]:
        """Rows of a table by the value of a column; rows without one are left out."""
        if (table, column) not in self._found:
            found = self._found[table, column] = defaultdict(list)
            for row in self._tables[table]:
                if row[column] is not None:
                    found[row[column]].append(row)
        return self._found[table, column]

    def one(self, table: str, column: str, value: object) -> Row | None:
        """The first row with the value, or None."""
        found = self.by(table, column).get(value) if value is not None else None
        return found[0] if found else None

    def contract_of(self, row: Row) -> Row | None:
        return self.one("contracts", "contract_id", row["contract_id"])


def compare_rows(known: list[Row]) -> None:
    """Adds the problems of known rows that other known rows make."""
    book = Book(known)
    for rule in COMPARISONS:
        for row, column, reason in list(rule(book)):
            row.problems.append(row.problem(column, reason))
    _reject_with_their_cause(book)


def key_has_one_content(book: Book) -> Rejections:
    """Nobody knows which of two contents of a key holds, so neither does."""
    groups: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in book.rows:
        spec = LANDED_TABLES[row.table]
        if not row.unreadable.intersection(spec.key) and row[spec.key[0]] is not None:
            groups[row.table, row.key(spec.key)].append(row)
    for (table, _), rows in groups.items():
        if len(rows) == 1 or len({row.digest for row in rows}) == 1:
            continue
        spec = LANDED_TABLES[table]
        for row in rows:
            other = next(one for one in rows if one.digest != row.digest)
            yield (
                row,
                spec.key[0],
                f"has the same {', '.join(spec.key)} as {other.place} but says "
                f"something else ({spec.rule}); keep the one that holds",
            )


def amendment_is_of_the_contract(book: Book) -> Rejections:
    for table in ("contract_facilities", "contract_lines", "commitments"):
        for row in book.table(table):
            amendment = book.one("amendments", "amendment_id", row["amendment_id"])
            if amendment and _differ(row, amendment, "contract_id"):
                yield (
                    row,
                    "amendment_id",
                    f"is an amendment of contract {amendment['contract_id']}, not of "
                    f"{row['contract_id']} (T1); name one of the row's own contract",
                )


def facility_is_of_the_customer(book: Book) -> Rejections:
    for row in book.table("contract_facilities"):
        contract = book.contract_of(row)
        facility = book.one("facilities", "facility_id", row["facility_id"])
        if contract and facility and _differ(contract, facility, "customer_id"):
            yield (
                row,
                "facility_id",
                f"is a facility of customer {facility['customer_id']}, the contract is "
                f"one of {contract['customer_id']} (U1); mend the customer or leave "
                "the facility out",
            )


def base_is_of_the_contract(book: Book) -> Rejections:
    for row in book.table("contract_lines"):
        base = book.one("contract_lines", "line_id", row["base_line_id"])
        if base and _differ(row, base, "contract_id"):
            yield (
                row,
                "base_line_id",
                f"is a line of contract {base['contract_id']}, not of "
                f"{row['contract_id']} (R4); name a line of the same contract",
            )
        if base and base["pricing_model"] == "percentage":
            yield (
                row,
                "base_line_id",
                "is a percentage line itself (R4); name the line that it is a share of",
            )


def line_is_of_the_contract(book: Book) -> Rejections:
    for row in book.table("commitments"):
        line = book.one("contract_lines", "line_id", row["line_id"])
        if line and _differ(row, line, "contract_id"):
            yield (
                row,
                "line_id",
                f"is a line of contract {line['contract_id']}, not of "
                f"{row['contract_id']} (M2); name a line of the same contract",
            )


def quantity_is_of_a_usage_line(book: Book) -> Rejections:
    for row in book.table("commitments"):
        line = book.one("contract_lines", "line_id", row["line_id"])
        # A rerate's line is judged by itself, one of another contract is refused.
        if row["kind"] != "quantity" or row["true_up"] == "rerate" or not line:
            continue
        if line["charge_type"] == "recurring" and not _differ(row, line, "contract_id"):
            yield (
                row,
                "line_id",
                "is a recurring line, which counts no units (M2); name the usage line "
                "whose units are committed, or make the commitment one to spend",
            )


def versions_stay_what_they_are(book: Book) -> Rejections:
    for table, columns in _NEVER_CHANGES.items():
        key = LANDED_TABLES[table].key[0]
        for versions in book.by(table, key).values():
            first, *later = _in_order(versions)
            for row in later:
                for column in columns:
                    if _differ(first, row, column):
                        yield (
                            row,
                            column,
                            f"was {first[column] or 'empty'} in {first.place} and "
                            f"never changes (T3); repeat it, or end the "
                            f"{_noun(table)} and start another",
                        )


def rate_card_tiers_rise(book: Book) -> Rejections:
    for card in book.by("rate_cards", "rate_card_id").values():
        if any(row.problems for row in card):
            continue
        reached = Decimal(0)
        for number, row in enumerate(sorted(card, key=lambda row: row["tier"]), 1):
            up_to, is_last = row["up_to"], number == len(card)
            if row["tier"] != number:
                reason = f"stands where tier {number} is due (U6); number from 1 on"
                yield row, "tier", reason
            elif is_last and up_to is not None:
                yield row, "up_to", "bounds the last tier (U6); leave it empty there"
            elif not is_last and up_to is None:
                yield (
                    row,
                    "up_to",
                    "is empty before the last tier (U6); write its bound",
                )
            elif not is_last and up_to <= reached:
                reason = f"does not rise above {reached} before it (U6); tiers overlap"
                yield row, "up_to", reason
            reached = reached if up_to is None else up_to


def rate_card_is_whole(book: Book) -> Rejections:
    """A card with any wrong tier is rejected whole: its bounds hang together."""
    for card in book.by("rate_cards", "rate_card_id").values():
        wrong = next((row for row in card if row.problems), None)
        for row in card:
            if wrong and not row.problems:
                yield (
                    row,
                    "rate_card_id",
                    f"is rejected whole because of {wrong.place} (U6); mend that tier",
                )


def tiers_have_prices(book: Book) -> Rejections:
    for row in book.table("contract_lines"):
        model = row["pricing_model"]
        if model not in TIERED_MODELS or row["status"] == "ended":
            continue
        card = book.by("rate_cards", "rate_card_id").get(row["rate_card_id"], ())
        needed = "flat_fee" if model == "stairstep" else "unit_price"
        if needed == "unit_price" and not row.lacks("unit_price"):
            continue
        missing = sorted({tier["tier"] for tier in card if tier.lacks(needed)} - {None})
        if missing:
            also = "" if needed == "flat_fee" else " or the line its own"
            yield (
                row,
                "rate_card_id",
                f"has no {needed} in tier {', '.join(map(str, missing))} (U6); a line "
                f"priced {model} needs one in every tier{also}",
            )


def shortfall_has_a_price(book: Book) -> Rejections:
    for row in book.table("commitments"):
        line = book.one("contract_lines", "line_id", row["line_id"])
        if row["kind"] != "quantity" or row["true_up"] != "shortfall" or not line:
            continue
        model = line["pricing_model"]
        if model in ("flat", "package", "stairstep", "percentage") and row.lacks(
            "shortfall_price"
        ):
            yield (
                row,
                "shortfall_price",
                f"is empty; of a line priced {model} no price follows (M2); write it",
            )


def amounts_fit_the_currency(book: Book) -> Rejections:
    for table, column in (("milestones", "amount"), ("commitments", "committed")):
        for row in book.table(table):
            contract = book.contract_of(row)
            is_money = table == "milestones" or row["kind"] == "spend"
            if contract and is_money and row[column] is not None:
                reason = minor_unit(contract["currency"], row[column])
                if reason:
                    yield row, column, reason


def recurring_charge_is_within_bounds(book: Book) -> Rejections:
    for row in book.table("contract_lines"):
        if row["charge_type"] != "recurring" or row["status"] == "ended":
            continue
        quantity = Decimal(1) if row["quantity"] is None else row["quantity"]
        quantity = max(quantity - (row["included_quantity"] or 0), Decimal(0))
        if row["pricing_model"] == "package" and row["package_size"]:
            packages, rest = divmod(quantity, row["package_size"])
            quantity = packages + bool(rest)
        elif row["pricing_model"] == "flat":
            quantity = Decimal(1)
        price, fees = _dearest(book, row)
        charge = quantity * price + fees
        if charge >= LARGEST_CHARGE:
            yield (
                row,
                "unit_price" if row.lacks("quantity") else "quantity",
                f"makes a charge of up to {charge:,.2f}; one is to stay below "
                f"{LARGEST_CHARGE:,} (R1); mend the quantity or the price",
            )


def shortfall_is_within_bounds(book: Book) -> Rejections:
    for row in book.table("commitments"):
        if row["kind"] != "quantity" or row["true_up"] != "shortfall":
            continue
        price = row["shortfall_price"]
        if price is None:
            versions = book.by("contract_lines", "line_id").get(row["line_id"], ())
            price = max((_dearest(book, one)[0] for one in versions), default=0)
        shortfall = (row["committed"] or 0) * abs(price)
        if shortfall >= LARGEST_CHARGE:
            yield (
                row,
                "committed",
                f"makes a shortfall of up to {shortfall:,.2f}; a charge is to stay "
                f"below {LARGEST_CHARGE:,} (M2); mend it or the price",
            )


def _dearest(book: Book, line: Row) -> tuple[Decimal, Decimal]:
    """The largest price of one unit of a line, and all flat fees, without signs."""
    prices, fees = [line["unit_price"]], [Decimal(0)]
    if line["pricing_model"] in TIERED_MODELS:
        card = book.by("rate_cards", "rate_card_id").get(line["rate_card_id"], ())
        prices += [tier["unit_price"] for tier in card]
        fees += [abs(tier["flat_fee"] or 0) for tier in card]
        if line["pricing_model"] == "stairstep":
            prices = []
    largest = max((abs(price or 0) for price in prices), default=Decimal(0))
    return Decimal(largest), sum(fees, Decimal(0))


def rerate_is_of_a_volume_line(book: Book) -> Rejections:
    for row in book.table("commitments"):
        line = book.one("contract_lines", "line_id", row["line_id"])
        if row["true_up"] != "rerate" or not line:
            continue
        model, scope = line["pricing_model"], line["tier_scope"]
        if model is not None and (model, scope) != ("volume", "contract_year"):
            yield (
                row,
                "line_id",
                "is no volume line with tier_scope contract_year, which rerate needs "
                "(M3); name such a line or make the true_up a shortfall",
            )


def rerate_begins_with_a_year(book: Book) -> Rejections:
    for versions in book.by("commitments", "commitment_id").values():
        first = _in_order(versions)[0]
        contract = book.contract_of(first)
        begins = first["effective_on"]
        if first["true_up"] != "rerate" or not contract or not begins:
            continue
        starts = contract["starts_on"]
        if starts and begins > starts and begins != _anniversary(starts, begins.year):
            yield (
                first,
                "effective_on",
                f"is neither the contract's start {starts} or before it nor an "
                "anniversary (M3); rerate prices whole contract years",
            )


def rerate_is_one_for_a_line(book: Book) -> Rejections:
    for rows in book.by("commitments", "line_id").values():
        rerates = _in_order([row for row in rows if row["true_up"] == "rerate"])
        for row in rerates:
            first = rerates[0]
            if row["commitment_id"] != first["commitment_id"]:
                yield (
                    row,
                    "line_id",
                    f"has a rerate commitment already, {first['commitment_id']} in "
                    f"{first.place} (M3); a line has at most one",
                )


# In this order: a card is judged once its keys are, lines once their cards are.
COMPARISONS: tuple[Callable[[Book], Rejections], ...] = (
    key_has_one_content,
    rate_card_tiers_rise,
    rate_card_is_whole,
    amendment_is_of_the_contract,
    facility_is_of_the_customer,
    base_is_of_the_contract,
    line_is_of_the_contract,
    quantity_is_of_a_usage_line,
    versions_stay_what_they_are,
    tiers_have_prices,
    shortfall_has_a_price,
    amounts_fit_the_currency,
    recurring_charge_is_within_bounds,
    shortfall_is_within_bounds,
    rerate_is_of_a_volume_line,
    rerate_begins_with_a_year,
    rerate_is_one_for_a_line,
)


def _reject_with_their_cause(book: Book) -> None:
    """Rejects what refers to nothing or to a rejected row, until nothing changes."""
    told: set[tuple[int, str]] = set()
    changes = True
    while changes:
        changes = False
        for row in book.rows:
            for column in LANDED_TABLES[row.table].columns:
                if not column.refers_to or row[column.name] is None:
                    continue
                reason = _broken(book, row, column.refers_to, row[column.name])
                if reason and (id(row), column.name) not in told:
                    told.add((id(row), column.name))
                    row.problems.append(row.problem(column.name, reason))
                    changes = True


def _broken(book: Book, row: Row, target: tuple[str, str], value: object) -> str | None:
    table, column = target
    found = book.by(table, column).get(value, ())
    if not found:
        return f"is not in {table} (as known by the as-of day); add it there or mend it"
    if any(one is row or not one.problems for one in found):
        return None
    if LANDED_TABLES[row.table].folder == "receivables":
        # Money that came in did, whatever is wrong with the row of its customer.
        return None
    return f"{FOLLOWS}, {found[0].place}; mend that row"


def _differ(one: Row, other: Row, column: str) -> bool:
    readable = column not in one.unreadable and column not in other.unreadable
    return readable and one[column] != other[column]


def _in_order(rows: list[Row]) -> list[Row]:
    return sorted(
        rows,
        key=lambda row: (
            row["effective_on"] or date.max,
            row["amendment_id"] or "",
            row.source_file,
            row.line,
        ),
    )


def _noun(table: str) -> str:
    return "line" if table == "contract_lines" else "commitment"


def _anniversary(starts: date, year: int) -> date:
    """29 February falls on the 28th in common years (C2)."""
    try:
        return starts.replace(year=year)
    except ValueError:
        return date(year, 2, 28)
