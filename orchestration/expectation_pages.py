"""Data documents: a page for each run of what was expected of its data and found.

A page stands alone and opens without a network; those of Great Expectations itself load
scripts and images from other people's servers, and print values. Here are counts and
places only.
"""

import html
import os
from collections.abc import Iterable
from datetime import date
from pathlib import Path

from orchestration.errors import BillingError
from orchestration.expectations import Expectation, ExpectationOutcome, is_blocking
from orchestration.home import PRIVATE_DIRECTORY, PRIVATE_FILE, Home

# Of more places a page shows the first; a warning on the screen fewer.
_PLACES_ON_PAGE, _PLACES_ON_SCREEN = 200, 3

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Expectations as of {as_of}</title>
<style>
body {{ font: 16px/1.4 sans-serif; margin: 2rem auto; max-width: 70rem; }}
table {{ border-collapse: collapse; width: 100%; }}
th, td {{ border-bottom: 1px solid #bbb; padding: 0.3rem 0.6rem; text-align: left;
    vertical-align: top; }}
.number {{ text-align: right; }}
</style>
</head>
<body>
<h1>Expectations as of {as_of}</h1>
<p>{summary}</p>
{sections}
</body>
</html>
"""
_SECTION = """<h2>{table}</h2>
<table>
<thead><tr><th>expectation</th><th>judged by</th><th>if it fails</th><th>result</th>
<th class="number">rows</th><th class="number">fail</th><th>where</th></tr></thead>
<tbody>
{rows}
</tbody>
</table>
"""
_ROW = """<tr><td>{name}</td><td>{rule}</td><td>{severity}</td><td>{result}</td>
<td class="number">{rows}</td><td class="number">{failing}</td><td>{places}</td></tr>"""


def page_path(home: Home, as_of: date) -> Path:
    """Where a run that begins now keeps its page: no earlier one gives way to it."""
    number = 1
    while (path := home.expectations / f"{as_of}-{number:03}.html").exists():
        number += 1
    return path


def write_page(
    path: Path,
    as_of: date,
    expectations: Iterable[Expectation],
    outcomes: list[ExpectationOutcome],
) -> None:
    """Write what was judged so far; the next stage of the run writes it again.

    Raises BillingError if the file can't be written.
    """
    rules = {one.name: _rule(one) for one in expectations}
    sections = []
    for table in dict.fromkeys(one.table for one in outcomes):
        rows = [
            _row(one, rules.get(one.name, "")) for one in outcomes if one.table == table
        ]
        sections.append(_SECTION.format(table=_text(table), rows="\n".join(rows)))
    failing = sum(not one.success for one in outcomes)
    summary = f"{len(outcomes)} expectations were judged, {failing} of them fail."
    text = _PAGE.format(as_of=as_of, summary=summary, sections="".join(sections))
    try:
        path.parent.mkdir(mode=PRIVATE_DIRECTORY, parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.new")
        temporary.write_text(text, encoding="utf-8")
        temporary.chmod(PRIVATE_FILE)
        os.replace(temporary, path)
    except OSError as error:
        raise BillingError(
            f"{path}: can't be written ({error.strerror}); make room or mend its "
            "permissions and run again"
        ) from None


def in_one_line(outcome: ExpectationOutcome, meaning: str) -> str:
    """What fails and where first, for the screen."""
    shown = "; ".join(outcome.places[:_PLACES_ON_SCREEN])
    more = len(outcome.places) - _PLACES_ON_SCREEN
    where = f"{shown}; and {more} more" if more > 0 else shown or outcome.table
    return f"{outcome.name} fails: {f'{meaning}: ' if meaning else ''}{where}"


def _row(outcome: ExpectationOutcome, rule: str) -> str:
    shown = outcome.places[:_PLACES_ON_PAGE]
    more = len(outcome.places) - len(shown)
    places = "<br>".join([_text(one) for one in shown])
    return _ROW.format(
        name=_text(outcome.name),
        rule=rule,
        severity="stops the run" if is_blocking(outcome.name) else "warns",
        result="holds" if outcome.success else "<strong>fails</strong>",
        rows=outcome.rows,
        failing=outcome.unexpected_count,
        places=f"{places}<br>and {more} more" if more else places,
    )


def _rule(expectation: Expectation) -> str:
    arguments = ", ".join(
        f"{name} {value}" for name, value in expectation.arguments.items()
    )
    return _text(f"{expectation.type} ({arguments})")


def _text(value: object) -> str:
    return html.escape(str(value))
