"""What `billing breach` says: who is concerned, what of them, the clocks (HP-21)."""

from datetime import date, timedelta

from orchestration.breach import Breach, Reached

# Calendar days, not moved for weekends.
TERM = timedelta(days=60)
_MANY = 500


def in_words(found: Breach) -> list[str]:
    """The assessment as lines of text."""
    lines = [
        f"What was done from {found.first} to {found.last} (UTC)"
        + (f" by {found.actor}" if found.actor else "")
        + (f" to {found.target}" if found.target else "")
    ]
    lines += [
        f"  {actor}: {action} {count} times"
        for (actor, action), count in sorted(found.done.items())
    ] or ["  nothing that the audit log knows of"]
    if not found.classes:
        return [*lines, "", "None of it reads or holds anything of a patient"]
    lines += ["", "What may have been reached, at the most"]
    lines += [f"  {one}" for one in found.classes]
    lines += [f"  It was {found.secured}", ""]
    if not found.customers:
        return [*lines, "No patients of a customer are kept there now"]
    lines += [f"{'customer':34}{'individuals':>12}  agreement"]
    lines += [
        f"{f'{one.customer_id} ({one.customer_name})'[:33]:34}"
        f"{one.individuals:>12,}  {one.agreement or '-'}"
        for one in found.customers
    ]
    lines += [
        f"{'all':34}{found.individuals:>12,}",
        "Individuals are tokens, made by customer: one with two customers counts "
        "twice. Those whose",
        "rows were withheld, or purged since, are not among them. The State of a "
        "patient's residence",
        "is not kept: the customer must count by State.",
        "",
    ]
    return [*lines, *clocks(found.discovered, found.customers)]


def clocks(discovered: date, customers: list[Reached]) -> list[str]:
    """By when to notify whom, if it was a breach of unsecured PHI."""
    year_end = date(discovered.year, 12, 31)
    lines = [
        f"If it was a breach of unsecured PHI: discovered {discovered} (the first day "
        "it was known, or",
        "should have been); calendar days, not moved for weekends; without delay, at "
        "the latest",
        f"  {discovered + TERM}  we to each customer, with names of the individuals; "
        "sooner where its",
        "              agreement says so (164.410)",
        f"  {discovered + TERM}  customers to individuals, where we are their agent; "
        "else 60 days from the",
        f"              day they are told, so by {discovered + 2 * TERM} (164.404)",
    ]
    for one in customers:
        name = one.customer_id
        if one.individuals > _MANY:
            media = (
                f"{name}: {one.individuals:,}: media too, if more than {_MANY} live in "
                "one State (164.406)"
            )
        else:
            media = f"{name}: {one.individuals:,}: no media, {_MANY} or fewer"
        if one.individuals >= _MANY:
            lines += [f"  with individuals  {media}"]
            lines += [f"  with individuals  {name}: HHS, {_MANY} or more (164.408)"]
        else:
            lines += [f"  {media}"]
            lines += [
                f"  {year_end + TERM}  {name}: HHS, in its list of the year "
                f"{discovered.year} (164.408)"
            ]
    return lines
