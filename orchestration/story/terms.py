"""The contract of a line, its version, its amendments and its prices."""

from collections.abc import Iterator

from orchestration.contract_rules import TIERED_MODELS
from orchestration.story.book import MODELS, Line, Row, amendment, day_before, place
from orchestration.wording import plain, price, wrapped

# Above any quantity: the bound of a tier without one (macros/money.sql).
_UNBOUNDED = 10**13


def contract(line: Line) -> Iterator[str]:
    """Who agreed to it, for which days, where that was landed, what moved its end."""
    contract_id = line.booked["contract_id"]
    now = line.book.row(
        f"select valid_from, valid_to - 1 as last from {MODELS}.contracts "
        "where contract_id = $id",
        id=contract_id,
    )
    landed = line.book.row(
        "select * from warehouse.raw.contracts where contract_id = $id",
        id=contract_id,
    )
    yield from ("", "Contract")
    yield f"  {contract_id} of {line.header['customer_name']}"
    if landed is None or now is None:
        yield "  not among the contracts known now"
        return
    yield f"  signed {landed['signed_on']}, runs {now['valid_from']} – {now['last']}"
    yield f"  landed in {place(landed)}"
    # Of several amendments that move the end to one day the last signed holds (C2).
    ended_by = line.book.row(
        "select amendment_id from warehouse.staging.stg_amendments "
        "where contract_id = $id and new_ends_on = $last "
        "order by signed_on desc, effective_on desc, amendment_id desc limit 1",
        id=contract_id,
        last=now["last"],
    )
    if ended_by:
        yield from amendment(line.book, ended_by["amendment_id"])


def terms(line: Line) -> Iterator[str]:
    """The version of the contract line, where it was landed, its amendments."""
    booked, version = line.booked, line.version
    if booked["line_id"] is None:
        return
    yield from ("", "Terms")
    if version is None:
        yield f"  line {booked['line_id']}, version of {booked['version_start']}"
        yield "  not in force any more: below stands what was booked"
        yield from amendment(line.book, booked["amendment_id"])
        return
    yield f"  line {booked['line_id']}, version of {version['version_start']}"
    yield (
        f"  in force {version['valid_from']} – {day_before(version['valid_to'])}"
        f"{'' if version['is_active'] else ', ended'}"
    )
    yield from wrapped("  ", _terms_in_words(version))
    for landed in line.book.rows(
        "select * from warehouse.raw.contract_lines where line_id = $line "
        "and effective_on = $start and amendment_id is not distinct from $by",
        line=version["line_id"],
        start=version["version_start"],
        by=version["amendment_id"],
    ):
        yield f"  landed in {place(landed)}"
    # A commitment's own amendment stands with the commitment.
    by = None if booked["commitment_id"] else booked["amendment_id"]
    for amendment_id in dict.fromkeys((version["amendment_id"], by)):
        yield from amendment(line.book, amendment_id)


def prices(line: Line) -> Iterator[str]:
    """Its price or the tiers of its rate card, the line's own tier marked."""
    # A version that has ended may have no price.
    if not line.version or not line.tiers:
        return
    # Prices without tiers leave a card that is named unread (U6).
    is_tiered = line.version["pricing_model"] in TIERED_MODELS
    card = line.version["rate_card_id"] if is_tiered else None
    yield from ("", f"Price, rate card {card}" if card else "Price")
    for tier in line.tiers:
        mark = ">" if tier["tier"] and tier["tier"] == line.booked["tier"] else " "
        yield from wrapped(f"  {mark} ", _tier_in_words(tier, line.version))


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
    elif version["pricing_model"] == "percentage":
        words.append("of each recurring line")
    return ", ".join(words)


def _tier_in_words(tier: Row, version: Row) -> str:
    words = []
    if tier["tier"] is not None:
        bounds = f"above {plain(tier['above'])}"
        if tier["up_to"] < _UNBOUNDED:
            bounds += f", up to {plain(tier['up_to'])}"
        words.append(f"tier {tier['tier']} ({bounds})")
    model = version["pricing_model"]
    if model == "percentage":
        words.append(f"{plain(100 * tier['list_price'])} %")
    else:
        listed = "flat fee" if model == "stairstep" else "list price"
        words.append(f"{listed} {price(tier['list_price'])}")
    net = tier["flat_fee"] if model == "stairstep" else tier["unit_price"]
    if tier["discount_percent"]:
        words.append(f"less {plain(tier['discount_percent'])} %")
        in_percent = model == "percentage"
        words.append(f"net {plain(100 * net)} %" if in_percent else f"net {price(net)}")
    if tier["flat_fee"] and model != "stairstep":
        words.append(f"flat fee {price(tier['flat_fee'])}")
    return ", ".join(words)
