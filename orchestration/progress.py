"""What a person sees while a run works: one line for each thing it does."""

import sys
from collections.abc import Callable

from rich.console import Console

_console = Console(stderr=True, highlight=False)
_status = None


def stage(text: str) -> None:
    """Say what begins now. On a terminal a spinner shows it until the next stage."""
    global _status
    finish()
    if _console.is_terminal:
        _status = _console.status(text)
        _status.start()
    else:
        print(text, file=sys.stderr, flush=True)


def warn(text: str, discreet: str | None = None) -> None:
    """Say what a person should look at, though the run goes on.

    What is no terminal may be kept: there the text without names of usage files.
    """
    if discreet is not None and not _console.is_terminal:
        text = discreet
    _console.print("Warning:", text, style="yellow", markup=False, soft_wrap=True)


def detail(text: str) -> None:
    """Say how far the stage is; shown on a terminal only."""
    if _status is not None:
        _status.update(text)


def finish() -> None:
    """End the stage that is shown."""
    global _status
    if _status is not None:
        _status.stop()
        _console.print(f"[green]✓[/green] {_status.status}")
        _status = None


def counter(text: str) -> Callable[[], None]:
    """A function that shows one more thing done each time it is called."""
    done = 0

    def count() -> None:
        nonlocal done
        done += 1
        detail(f"{text}: {done} done")

    return count
