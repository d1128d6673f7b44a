"""The settings of one run, given to every asset as a resource."""

import contextlib
import os
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import dagster as dg
from pydantic import Field, PrivateAttr

from orchestration import ledger, progress
from orchestration.audit import AuditLog
from orchestration.closing import Closing, check_order, following, last_closing
from orchestration.code_version import package_versions
from orchestration.errors import BillingError, UsageError
from orchestration.home import Home
from orchestration.issued_scope import scope
from orchestration.judgement import Judgement
from orchestration.keys import Keys
from orchestration.ledger_chain import FIRST_HASH, ledger_head
from orchestration.project import PROJECT_DIR
from orchestration.warehouse import open_files


class Booked(NamedTuple):
    """Where the ledger stands: its head, and what was issued and closed last."""

    head: str
    closed_through: date | None
    closing: Closing | None


class BillingRun(dg.ConfigurableResource):
    """Which files are billed, as of which day, and what is issued."""

    home: str = Field(
        default_factory=lambda: os.environ.get(
            "BILLING_HOME", str(PROJECT_DIR / ".billing")
        ),
        description="BILLING_HOME: the directory that holds the state.",
    )
    landing: str = Field(
        default_factory=lambda: os.environ.get(
            "BILLING_LANDING", str(PROJECT_DIR / "samples")
        ),
        description="The landing directory: contracts/, usage/, receivables/.",
    )
    as_of: str = Field(
        default_factory=lambda: date.today().isoformat(),
        description="What was known by the end of this day; today by default.",
    )
    issue_through: str = Field(
        default="",
        description="Issue every draft dated up to and including this day; "
        "empty: issue nothing.",
    )
    close_month: str = Field(
        default="",
        description="The month to close, as YYYY-MM, after issuing through the first "
        "day after it; empty: close nothing.",
    )
    accept_missing: list[str] = Field(
        default_factory=list,
        description="Inputs of earlier issues that may be gone, by name.",
    )
    max_adjustment: str = Field(
        default="",
        description="Issue nothing if closed periods of a customer are adjusted by "
        "more than this percentage of its last twelve months; empty: no limit.",
    )
    dbt_target: str | None = Field(
        default=None, description="Target of profiles.yml; its own default if none."
    )

    _built: bool = PrivateAttr(default=False)
    _checked: bool = PrivateAttr(default=False)
    _judgement: Judgement | None = PrivateAttr(default=None)

    @property
    def state(self) -> Home:
        """The home, its lock not yet held."""
        return Home(self.home)

    @property
    def keyring(self) -> Keys:
        """The keys of the home."""
        return Keys.of(self.state)

    @property
    def landing_dir(self) -> Path:
        """The landing directory as a path."""
        return Path(self.landing)

    @property
    def as_of_day(self) -> date:
        """The as-of day."""
        return date.fromisoformat(self.as_of)

    @property
    def issue_day(self) -> date | None:
        """The day through which to issue; None when nothing is issued."""
        return date.fromisoformat(self.issue_through) if self.issue_through else None

    @property
    def closing_month(self) -> date | None:
        """First day of the month to close; None when none is closed."""
        return (
            date.fromisoformat(f"{self.close_month}-01") if self.close_month else None
        )

    @property
    def adjustment_limit(self) -> Decimal | None:
        """The largest share of adjustments, in percent; None without a limit."""
        return Decimal(self.max_adjustment) if self.max_adjustment else None

    @property
    def variables(self) -> dict[str, str]:
        """The run as variables of the dbt project."""
        month = self.closing_month
        return {
            "as_of": self.as_of,
            "issue_through": self.issue_through,
            "close_month": month.isoformat() if month else "",
        }

    @contextlib.contextmanager
    def yield_for_execution(
        self, context: dg.InitResourceContext
    ) -> Iterator["BillingRun"]:
        """Hold the lock while the run lasts, and refuse what must not begin."""
        with self.state.lock("billing run"):
            self._built = self._checked = False
            self._judgement = None
            self._begin()
            yield self

    def _begin(self) -> None:
        if self.issue_day is not None and self.issue_day > self.as_of_day:
            raise UsageError(
                f"--issue-through {self.issue_day} is after --as-of {self.as_of}: "
                "what happens until then is not known yet"
            )
        month = self.closing_month
        if month is not None and self.as_of_day < following(month):
            raise UsageError(
                f"--as-of {self.as_of} is before {following(month)}: "
                f"{self.close_month} can be closed when it is over"
            )
        home = self.state
        booked = self.check_ledger()
        log = AuditLog(home.audit)
        log.append("key_use", "warehouse, ledger, token", ledger_head=booked.head)
        log.append(
            "run",
            str(self.landing_dir),
            detail={
                "as_of": self.as_of,
                "issue_through": self.issue_through or None,
                "close": self.close_month or None,
                "packages": package_versions(),
            },
        )
        closed = booked.closed_through
        if closed is not None and self.as_of_day < closed:
            raise BillingError(
                f"invoices are issued through {closed}; a run as of {self.as_of} "
                "would not know what they rest on. Run as of that day or later (C6)"
            )
        closing = booked.closing
        if closing is not None and self.as_of_day < closing.as_of:
            raise BillingError(
                f"{closing.month:%Y-%m} was closed as of {closing.as_of}; a run as of "
                f"{self.as_of} would not know what was posted. Run as of that day or "
                "later"
            )
        if month is not None:
            check_order(closing, month)

    def check_ledger(self) -> Booked:
        """What is booked.

        Raises BillingError if the ledger is gone or older than the audit log. What a
        crash kept out of the log is put into it.
        """
        home = self.state
        log = AuditLog(home.audit)
        heads = log.ledger_heads()
        if not home.ledger.exists() and heads not in ([], [FIRST_HASH]):
            raise BillingError(
                f"{home.ledger} is gone, and invoices were issued from it; "
                f"restore it, together with {home.audit.name}, from one backup"
            )
        with open_files(home, self.keyring) as connection:
            ledger.open_ledger(connection)
            last = ledger.last_issue(connection)
            closed = ledger.closed_through(connection)
            closing = last_closing(connection)
            head = ledger_head(connection)
        if heads and head in heads[:-1]:
            raise BillingError(
                f"{home.ledger} is older than {home.audit.name}: an issue that the log "
                "names is not in it. Restore both from one backup, the newest"
            )
        if head != FIRST_HASH and head not in heads:
            # A crash between the ledger and its row in the log, or the log is lost:
            # the row of a run stands before anything is booked.
            if not heads:
                progress.warn(
                    f"{home.audit} is gone or empty, though invoices were issued: what "
                    "was done so far can't be shown any more. Restore it, together "
                    "with the ledger, from one backup. Else this run begins it anew, "
                    "and `billing verify` names what it lacks"
                )
            self._log_recovered(last, closing, head)
        return Booked(head, closed, closing)

    def log_issue(self, issue: ledger.Issue, recovered: bool = False) -> None:
        """Say in the audit log what was issued and where the ledger stands now."""
        with open_files(self.state, self.keyring, read_only=True) as connection:
            issued = scope(connection, issue.invoices)
        AuditLog(self.state.audit).append(
            "issue",
            f"issue {issue.issue_no}",
            detail={
                "issue_through": issue.issue_through.isoformat(),
                "invoices": issue.invoices,
                "recovered": recovered,
                **issued,
            },
            rows=len(issue.invoices),
            ledger_head=issue.head,
        )

    @property
    def judgement(self) -> Judgement:
        """What Great Expectations found in this run so far, and its page."""
        if self._judgement is None:
            self._judgement = Judgement(self.state, self.as_of_day)
        return self._judgement

    def mark_built(self) -> None:
        """Every model was built and every test passed, in this run."""
        self._built = True

    def log_closing(self, closing: Closing, recovered: bool = False) -> None:
        """Say in the audit log what was closed and where the ledger stands now."""
        AuditLog(self.state.audit).append(
            "close",
            f"{closing.month:%Y-%m}",
            detail={
                "closing": closing.closing_no,
                "as_of": closing.as_of.isoformat(),
                "recovered": recovered,
            },
            rows=closing.posted_rows,
            ledger_head=closing.head,
        )

    def _log_recovered(
        self, issue: ledger.Issue | None, closing: Closing | None, head: str
    ) -> None:
        """Say in the audit log what the ledger holds and the log does not tell of."""
        log = AuditLog(self.state.audit)
        actions = {(row["action"], row["object"]) for row in log.rows()}
        if issue and ("issue", f"issue {issue.issue_no}") not in actions:
            self.log_issue(issue, recovered=True)
        if closing and ("close", f"{closing.month:%Y-%m}") not in actions:
            self.log_closing(closing, recovered=True)
        if head not in log.ledger_heads():
            log.append("recovered", "ledger", ledger_head=head)

    def mark_checked(self) -> None:
        """What was built is plausible too: nothing that blocks fails."""
        self._checked = self._built

    def require_checked(self) -> None:
        """Raises BillingError unless this run itself built and checked every model.

        Without it a step started on its own would issue or publish what an earlier run
        left, built as of another day or with a check that failed.
        """
        if not self._checked:
            raise BillingError(
                "issuing and publishing follow the build and its checks in one run: "
                "run the whole job `billing`"
            )
