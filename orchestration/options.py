"""What commands have in common: options, and how they are read."""

import contextlib
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from orchestration.errors import Interrupted, UsageError, is_interruption
from orchestration.home import Home
from orchestration.project import PROJECT_DIR

HomeOption = Annotated[
    Path,
    typer.Option(
        "--home", envvar="BILLING_HOME", metavar="DIR", help="Where the state lies."
    ),
]
AsOfOption = Annotated[
    str | None,
    typer.Option(
        "--as-of", metavar="DATE", help="What was known by the end of this day."
    ),
]
DEFAULT_HOME = PROJECT_DIR / ".billing"


@contextlib.contextmanager
def stopped_in_words() -> Iterator[None]:
    """Say in words that a person or the system stopped the command."""
    try:
        yield
    except (KeyboardInterrupt, RuntimeError) as error:
        if not is_interruption(error):
            raise
        raise Interrupted(
            "stopped; nothing is left half done: run it again to go on"
        ) from None


def billed_home(path: Path) -> Home:
    """The home as typed. Raises UsageError if nothing was ever billed there.

    Looking into a mistyped home would make it, and find it in the best of order.
    """
    home = Home(path)
    if not home.is_made:
        raise UsageError(
            f"--home {home.path}: nothing was billed there; give the directory that "
            "`billing run` works with"
        )
    return home


def there(option: str, folder: Path) -> Path:
    """A directory as typed. Raises UsageError naming the option if it isn't there."""
    if not folder.is_dir():
        raise UsageError(
            f"{option} {folder}: there is no such directory; look for a typing error"
        )
    return folder


def day_of(option: str, text: str) -> date:
    """A day as typed. Raises UsageError naming the option if it is none."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{option} {text}: give a day as YYYY-MM-DD") from None
