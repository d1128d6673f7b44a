"""Every command that is refused leaves a row in the audit log of its home (HP-14)."""

import contextlib
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

from typer.core import TyperGroup

from orchestration.errors import BillingError, Interrupted


class NotedCommands(TyperGroup):
    """The commands of `billing`, each with its refusals noted."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        _note(self.commands)


def _note(commands: dict[str, Any], prefix: str = "") -> None:
    for name, command in commands.items():
        if isinstance(command, TyperGroup):
            _note(command.commands, f"{prefix}{name} ")
        else:
            command.callback = _noted(f"{prefix}{name}", command.callback)


def _noted(name: str, callback: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(callback)
    def called(*arguments: Any, **options: Any) -> Any:
        try:
            return callback(*arguments, **options)
        except BillingError as error:
            if not error.is_noted:
                note_refusal(options.get("home"), name, error)
            raise

    return called


def note_refusal(home: Path | None, name: str, error: BillingError) -> None:
    """Add the row, where there is a home to hold it."""
    if home is None or not Path(home).is_dir():
        return
    from orchestration.audit import AuditLog
    from orchestration.home import Home

    action = "interruption" if isinstance(error, Interrupted) else "refusal"
    with contextlib.suppress(BillingError):
        AuditLog(Home(home).audit).append(action, name, detail={"why": str(error)})
        error.is_noted = True
