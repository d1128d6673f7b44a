"""Great Expectations in a process of its own, imported while dbt is.

Its import takes as long as billing a month; beside the rest of the start it costs a
run nothing on two cores. The process ends with the one that started it.
"""

import atexit
import functools
import multiprocessing
import signal
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection

import pandas

from orchestration.errors import BillingError
from orchestration.expectations import Expectation, ExpectationOutcome, judge

_STOPS = (signal.SIGINT, signal.SIGTERM)


class ExpectationsProcess:
    """A process that judges tables, one call at a time."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs,), daemon=True)
        self._start()
        theirs.close()
        # Hung up on, it ends by itself and leaves nothing behind.
        atexit.register(self._hang_up)

    def judge(
        self,
        expectations: tuple[Expectation, ...],
        tables: dict[str, pandas.DataFrame],
    ) -> list[ExpectationOutcome]:
        """As `expectations.judge`, there. Raises BillingError as that does."""
        try:
            self._connection.send((expectations, tables))
            outcome = self._connection.recv()
        except (EOFError, OSError):
            raise BillingError(
                "Great Expectations ended before it had judged the tables; "
                "run again, and look at the memory of the machine if it does again"
            ) from None
        if isinstance(outcome, BillingError):
            raise outcome
        return outcome

    def _start(self) -> None:
        """Start it deaf to what stops this one, which hangs up on it when it ends.

        A terminal sends Ctrl-C to both; stopped in an import it would say where, and
        leave semaphores behind. Blocked signals stay so in a process that is started.
        """
        # Started later, by `start`, the tracker would let the signals in again.
        resource_tracker.ensure_running()
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _STOPS)
        try:
            self._process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def _hang_up(self) -> None:
        self._connection.close()
        self._process.join(timeout=5)


@functools.cache
def expectations_process() -> ExpectationsProcess:
    """The one process of this one, started by the first call."""
    return ExpectationsProcess()


def _serve(connection: Connection) -> None:
    import great_expectations  # noqa: F401

    while True:
        try:
            expectations, tables = connection.recv()
            connection.send(_judged(expectations, tables))
        except (EOFError, OSError):
            return


def _judged(
    expectations: tuple[Expectation, ...], tables: dict[str, pandas.DataFrame]
) -> list[ExpectationOutcome] | BillingError:
    try:
        return judge(expectations, tables)
    except BillingError as error:
        return error
