"""Making a failing scenario small: candidates are run side by side, a batch a round."""

from collections.abc import Callable
from pathlib import Path

from reference.comparison import Difference, RunBilling, compare
from reference.scenarios import Scenario

MAX_CANDIDATES = 60
Part = tuple[str, str]
"""What can be left out: ('contract', id), ('line', id), ('event', feed/id) …"""

Rows = list[tuple[int, str, dict[str, str]]]
"""(first step at which it is landed, table, row), as in a scenario."""

KEYS = {
    "customer": "customer_id",
    "contract": "contract_id",
    "line": "line_id",
    "commitment": "commitment_id",
    "milestone": "milestone_id",
    "amendment": "amendment_id",
    "facility": "facility_id",
}
"""Of each kind the column of its id, the large before the small."""


def parts_of(scenario: Scenario) -> list[Part]:
    """What can be left out of a scenario, the large before the small."""
    found: dict[Part, None] = {}
    for kind in KEYS:
        for _, _, row in scenario.rows:
            if row.get(KEYS[kind]):
                found[kind, row[KEYS[kind]]] = None
    for _, feed, _, row in scenario.events:
        found["event", f"{feed}/{row['event_id']}"] = None
    return list(found)


def without(scenario: Scenario, parts: set[Part]) -> Scenario:
    """The scenario without some parts and whatever refers to them."""
    gone = set(parts)
    for _, table, row in scenario.rows:
        if table in ("contracts", "facilities") and (
            ("customer", row["customer_id"]) in gone
        ):
            kind = "contract" if table == "contracts" else "facility"
            gone.add((kind, row[KEYS[kind]]))
    for _, table, row in scenario.rows:
        if table in ("contract_lines", "amendments") and (
            ("contract", row["contract_id"]) in gone
        ):
            kind = "line" if table == "contract_lines" else "amendment"
            gone.add((kind, row[KEYS[kind]]))

    gone |= _gone_with_amendments(scenario.rows, gone)

    def stays(row: dict[str, str]) -> bool:
        refers = [(kind, row.get(column, "")) for kind, column in KEYS.items()]
        refers.append(("line", row.get("base_line_id", "")))
        return not any(part in gone for part in refers)

    rows = [entry for entry in scenario.rows if stays(entry[2])]
    cards = {row.get("rate_card_id") for _, table, row in rows if table != "rate_cards"}
    rows = [
        entry
        for entry in rows
        if entry[1] != "rate_cards" or entry[2]["rate_card_id"] in cards
    ]
    events = [
        entry
        for entry in scenario.events
        if ("event", f"{entry[1]}/{entry[3]['event_id']}") not in gone
    ]
    return Scenario(scenario.prefix, scenario.schedule, rows, events, scenario.meters)


def _gone_with_amendments(rows: Rows, gone: set[Part]) -> set[Part]:
    """Lines that lose all rows with amendments, commitments that lose their first.

    What refers to such a line would be rejected, and so would what is left of a rerate
    commitment, if it began within a year (M3).
    """
    own: dict[Part, list[dict[str, str]]] = {}
    for _, table, row in rows:
        kind = {"contract_lines": "line", "commitments": "commitment"}.get(table)
        if kind:
            own.setdefault((kind, row[KEYS[kind]]), []).append(row)

    def is_gone(row: dict[str, str]) -> bool:
        return ("amendment", row.get("amendment_id", "")) in gone

    return {
        part
        for part, of_part in own.items()
        if all(map(is_gone, of_part))
        or part[0] == "commitment"
        and is_gone(min(of_part, key=lambda row: row["effective_on"]))
    }


def _proposals(parts: list[Part], fine: list[set[Part]]) -> list[set[Part]]:
    """Sets of parts to leave out: what was fine alone all at once, then chunks."""
    proposals: list[set[Part]] = []
    # Of two parts each may go and not both, so that the union of many is rarely fine.
    for pieces in (1, 2, 4, 8):
        if len(fine) > pieces:
            proposals += [set().union(*fine[n::pieces]) for n in range(pieces)]
    terms = [part for part in parts if part[0] != "event"]
    events = [part for part in parts if part[0] == "event"]
    if len(parts) + 1 < MAX_CANDIDATES:
        proposals += [{part} for part in parts]
    else:
        proposals += [{part} for part in terms]
        chunk = max(1, len(events) // 12)
        for start in range(0, len(events), chunk):
            proposals.append(set(events[start : start + chunk]))
    if events:
        proposals.append(set(events))
    # A landing directory without a customer is refused whole.
    customers = {part for part in parts if part[0] == "customer"}
    return [some for some in proposals if not customers <= some][:MAX_CANDIDATES]


def shrink(
    make: Callable[[str], Scenario],
    run_billing: RunBilling,
    directory: Path,
    rounds: int,
) -> tuple[Scenario, list[Difference]]:
    """The smallest failing scenario found, and how it differs.

    `make` gives the failing scenario with its ids under any prefix. Each round costs
    one run of the pipeline per step, whatever the number of candidates. A scenario
    that does not differ when it runs alone is given back whole, with no difference.
    """
    alone = make("x-")
    differing = compare(run_billing, directory / "alone", [alone])
    if not differing:
        return alone, []
    gone: set[Part] = set()
    fine: list[set[Part]] = []
    for number in range(rounds):
        parts = parts_of(without(alone, gone))
        proposals = _proposals(parts, fine)
        candidates = []
        for index, proposal in enumerate(proposals):
            prefix = f"c{index:02d}-"
            renamed = {(k, v.replace("x-", prefix, 1)) for k, v in gone | proposal}
            candidates.append(without(make(prefix), renamed))
        found = compare(run_billing, directory / f"round-{number}", candidates)
        failing = {difference.prefix for difference in found}
        fine = [
            proposal
            for index, proposal in enumerate(proposals)
            if f"c{index:02d}-" in failing
        ]
        size = without(alone, gone).size
        best = min(fine, key=lambda p: without(alone, gone | p).size, default=set())
        if without(alone, gone | best).size == size:
            break
        gone |= best
    smallest = without(alone, gone)
    return smallest, compare(run_billing, directory / "smallest", [smallest])
