"""Which run built the warehouse, and whether it came to its end: as the log tells."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from orchestration.audit import AuditLog
from orchestration.home import Home


@dataclass(frozen=True)
class LastRun:
    """A run's landing directory and as-of day; `is_published`: it did not fail."""

    landing: Path
    as_of: date
    is_published: bool


def last_run(home: Home) -> LastRun | None:
    """The last run of a home; None before the first."""
    return _runs(home)[0]


def last_published_run(home: Home) -> LastRun | None:
    """The run that published last; None before the first."""
    return _runs(home)[1]


def _runs(home: Home) -> tuple[LastRun | None, LastRun | None]:
    run = published = None
    if home.audit.exists():
        for row in AuditLog(home.audit).rows():
            if row["action"] == "run":
                as_of = date.fromisoformat(row["detail"]["as_of"])
                run = LastRun(Path(row["object"]), as_of, False)
            elif row["action"] == "publish" and run is not None:
                run = published = LastRun(run.landing, run.as_of, True)
    return run, published
