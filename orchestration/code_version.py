"""Which code, and which packages, did something (HP-13, HP-25)."""

import functools
import hashlib
import platform
import subprocess
from importlib import metadata

from orchestration.project import PROJECT_DIR

_PROJECT = "healthcare-billing"
_LOCK = PROJECT_DIR / "requirements.lock"


@functools.cache
def code_version() -> str:
    """The commit, with `-dirty` if files differ; without one the package version."""
    if (PROJECT_DIR / ".git").exists():
        describe = ["git", "-C", str(PROJECT_DIR), "describe", "--always"]
        describe += ["--abbrev=40", "--exclude=*", "--dirty"]
        try:
            told = subprocess.run(
                describe, capture_output=True, text=True, timeout=30, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            told = None
        if told is not None and told.returncode == 0:
            return told.stdout.strip()
    return package_version()


def package_version() -> str:
    """The project's version, as it was installed."""
    try:
        return metadata.version(_PROJECT)
    except metadata.PackageNotFoundError:
        return "unknown"


@functools.cache
def package_versions() -> dict[str, str]:
    """Versions of Python and of what the project asks for, and the lock's SHA-256.

    The lock says the version and the hash of every other package.
    """
    versions = {"python": platform.python_version()}
    for name in _asked_for():
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    if _LOCK.exists():
        versions["lock"] = hashlib.sha256(_LOCK.read_bytes()).hexdigest()
    return versions


def _asked_for() -> list[str]:
    import tomllib

    text = (PROJECT_DIR / "pyproject.toml").read_text(encoding="utf-8")
    asked = tomllib.loads(text)["project"]["dependencies"]
    names = []
    for requirement in asked:
        end = next(
            (i for i, letter in enumerate(requirement) if letter in "<>=!~[; "),
            len(requirement),
        )
        names.append(requirement[:end])
    return sorted(names)
