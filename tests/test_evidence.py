"""What the pages for auditors name exists, and no safeguard is left out."""

import re
from functools import cache

import pytest
import typer

from orchestration.cli import app
from orchestration.project import PROJECT_DIR

PAGES = ["compliance", "threat-model", "baa", "breach"]
NAMED = re.compile(r"`([^`\n]+)`")
TEST = re.compile(r"(tests/[\w/]+\.py)::(test_\w+)")
# Beginnings of the names of files of the project.
FOLDERS = (
    *("tests/", "docs/", "orchestration/", "seeds/", "models/", "retention/"),
    ".ci/",
)

# Standards and implementation specifications of the rule: the paragraphs that ask for
# something of their own. Those not here only head them.
CFR = {
    "164.308": """(a)(1)(ii)(A) (a)(1)(ii)(B) (a)(1)(ii)(C) (a)(1)(ii)(D) (a)(2)
        (a)(3)(ii)(A) (a)(3)(ii)(B) (a)(3)(ii)(C) (a)(4)(ii)(A) (a)(4)(ii)(B)
        (a)(4)(ii)(C) (a)(5)(ii)(A) (a)(5)(ii)(B) (a)(5)(ii)(C) (a)(5)(ii)(D)
        (a)(6)(ii) (a)(7)(ii)(A) (a)(7)(ii)(B) (a)(7)(ii)(C) (a)(7)(ii)(D)
        (a)(7)(ii)(E) (a)(8) (b)(1)-(3)""",
    "164.310": """(a)(2)(i) (a)(2)(ii) (a)(2)(iii) (a)(2)(iv) (b) (c) (d)(2)(i)
        (d)(2)(ii) (d)(2)(iii) (d)(2)(iv)""",
    "164.312": """(a)(1) (a)(2)(i) (a)(2)(ii) (a)(2)(iii) (a)(2)(iv) (b) (c)(1) (c)(2)
        (d) (e)(2)(i) (e)(2)(ii)""",
    "164.314": "(a)(2)(i) (a)(2)(ii) (a)(2)(iii) (b)",
    "164.316": "(a) (b)(1) (b)(2)(i) (b)(2)(ii) (b)(2)(iii)",
}
SOC = {
    "CC6": "CC6.1 CC6.2 CC6.3 CC6.4 CC6.5 CC6.6 CC6.7 CC6.8",
    "CC7": "CC7.1 CC7.2 CC7.3 CC7.4 CC7.5",
    "CC8": "CC8.1",
    "A1": "A1.1 A1.2 A1.3",
    "C1": "C1.1 C1.2",
    "PI1": "PI1.1 PI1.2 PI1.3 PI1.4 PI1.5",
}


@cache
def page(name: str) -> str:
    return (PROJECT_DIR / "docs" / f"{name}.md").read_text(encoding="utf-8")


def is_there(name: str) -> bool:
    """Whether a test, file, command or make target exists; True for other words."""
    if test := TEST.fullmatch(name):
        path = PROJECT_DIR / test[1]
        return path.exists() and f"def {test[2]}(" in path.read_text(encoding="utf-8")
    words = name.split()
    if words[0] == "billing":
        return is_command(words[1:])
    if words[0] == "make":
        makefile = (PROJECT_DIR / "Makefile").read_text(encoding="utf-8")
        return re.search(rf"^{words[1]}:", makefile, re.MULTILINE) is not None
    if name.startswith(FOLDERS) or (name.endswith(".md") and "/" not in name):
        return (PROJECT_DIR / name).exists()
    return True


def is_command(words: list[str]) -> bool:
    """Whether `billing` has the command, with the options that are named."""
    command = typer.main.get_command(app)
    while words and hasattr(command, "commands"):
        if words[0] not in command.commands:
            return False
        command = command.commands[words.pop(0)]
    options = {option for one in command.params for option in one.opts}
    return {word for word in words if word.startswith("--")} <= options


@pytest.mark.parametrize("name", PAGES)
def test_every_test_file_and_command_that_is_named_exists(name: str) -> None:
    named = NAMED.findall(page(name))
    assert len(named) > 5
    assert [one for one in named if not is_there(one)] == []
    assert not re.search(r"`tests/[^`]*\n", page(name)), "a name is torn by a line end"


def test_what_is_not_there_would_be_found() -> None:
    for name in (
        "tests/test_evidence.py::test_of_nothing",
        "tests/test_nothing.py::test_what_is_not_there_would_be_found",
        "billing conjure",
        "billing keys forget",
        "billing verify --expects",
        "make gold",
        "docs/nothing.md",
    ):
        assert not is_there(name), name
    for name in ("billing keys rotate", "billing verify --expect HEAD", "make sbom"):
        assert is_there(name), name


def rows(heading: str) -> dict[str, list[str]]:
    """Rows of the table below a heading of compliance.md, by its paragraph."""
    (found,) = [
        part for part in page("compliance").split("\n## ")[1:] if heading in part[:24]
    ]
    cells = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in found.splitlines()
        if line.startswith("| ")
    ]
    return {row[0].split()[0]: row for row in cells[2:]}


@pytest.mark.parametrize("part", [*CFR, *SOC])
def test_every_safeguard_has_a_row(part: str) -> None:
    heading, wanted = (
        (f" {part}:", CFR[part]) if part in CFR else (f", {part}:", SOC[part])
    )
    found = rows(heading)
    assert list(found) == wanted.split()
    for row in found.values():
        _, does, shown, remains = row
        assert does
        # Who does nothing shows nothing, and leaves it to the organisation.
        assert shown or remains or does.startswith("not one")
        if does == "nothing":
            assert remains and not shown


def test_every_rule_has_a_row() -> None:
    found = rows("The project's rules")
    assert len(found) == 26
    assert [row[0] for row in found.values()] == [f"HP-{n}" for n in range(1, 27)]
    for rule, _, shown in found.values():
        assert shown, rule


def test_addressable_safeguards_are_built_HP_26() -> None:
    """What is called addressable has evidence as if required, or is not software's."""
    people = {"(a)(3)(ii)(B)", "(a)(2)(ii)", "(a)(2)(iii)"}
    for part in CFR:
        for name, row in rows(f" {part}:").items():
            if row[0].endswith(", A") and not row[2]:
                assert name in people, row
