"""What the project stands on: pinned by hash, listed, and named by no address."""

import json
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from orchestration.project import PROJECT_DIR

LOCKS = ["requirements.lock", "requirements-supply.lock"]
PINNED = re.compile(r"^([a-z0-9.-]+)(\[[a-z0-9,.-]+\])?==(\S+)( ; .*)? \\$")
HASH = re.compile(r"^    --hash=sha256:([0-9a-f]{64})( \\)?$")


def packages(lock: str) -> dict[str, tuple[str, set[str]]]:
    """Version and hashes of each package; fails on a line that is neither."""
    found: dict[str, tuple[str, set[str]]] = {}
    for line in (PROJECT_DIR / lock).read_text(encoding="ascii").splitlines():
        if pinned := PINNED.match(line):
            hashes: set[str] = set()
            found[pinned[1]] = (pinned[3], hashes)
        else:
            named = HASH.match(line)
            assert named, f"{lock}: {line}"
            hashes.add(named[1])
    return found


@pytest.mark.parametrize("lock", LOCKS)
def test_every_package_has_a_version_and_hashes(lock: str) -> None:
    found = packages(lock)
    assert len(found) > 20
    assert [name for name, (_, hashes) in found.items() if not hashes] == []


def test_what_is_asked_for_is_in_a_lock() -> None:
    asked = tomllib.loads((PROJECT_DIR / "pyproject.toml").read_text(encoding="utf-8"))
    project, groups = asked["project"], asked["dependency-groups"]
    for lock, wanted in (
        (LOCKS[0], project["dependencies"]),
        (LOCKS[0], project["optional-dependencies"]["test"]),
        (LOCKS[1], groups["supply"]),
    ):
        names = {re.match("[A-Za-z0-9_.-]+", one)[0].lower() for one in wanted}
        assert names <= set(packages(lock)), lock


def test_benchmarks_add_packages_and_change_none() -> None:
    """What both locks have is the same version by the same hashes."""
    own, more = packages(LOCKS[0]), packages("benchmarks/requirements.txt")
    added = set(more) - set(own)
    assert {name: more[name] for name in set(more) & set(own)}.items() <= own.items()
    assert added == {"polars", "polars-runtime-32"}
    assert all(more[name][1] for name in added)


def test_the_bill_of_materials_is_the_lock(tmp_path: Path) -> None:
    tool = PROJECT_DIR / ".venv-supply" / "bin" / "python"
    if not tool.exists():
        pytest.skip("the tool is not installed: `make sbom` installs it")
    made = tmp_path / "sbom.cdx.json"
    subprocess.run(
        ["make", "--no-print-directory", "sbom", f"SBOM={made}"],
        cwd=PROJECT_DIR,
        check=True,
        capture_output=True,
    )
    bill = json.loads(made.read_text(encoding="utf-8"))
    assert bill["bomFormat"] == "CycloneDX"
    listed = {
        part["name"]: (
            part["version"],
            {one["content"] for one in part["externalReferences"][0]["hashes"]},
        )
        for part in bill["components"]
    }
    assert listed == packages(LOCKS[0])
