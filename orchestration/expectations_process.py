"""Great Expectations in a process of its own, imported while dbt is.

Its import takes as long as billing a month; beside the rest of the start it costs a
run nothing on two cores. The process ends with the one that started it.
"""

import atexit
import functools
import multiprocessing
from multiprocessing.connection import Connection

import pandas

from orchestration.errors import BillingError
from orchestration.expectations import Expectation, ExpectationOutcome


class ExpectationsProcess:
    """A process that judges tables, one call at a time."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs,), daemon=True)
        self._process.start()
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

    def _hang_up(self) -> None:
        self._connection.close()
        self._process.join(timeout=5)


@functools.cache
def expectations_process() -> ExpectationsProcess:
    """The one process of this one, started by the first call."""
    return ExpectationsProcess()


def _serve(connection: Connection) -> None:
    import great_expectations  # noqa: F401

    from orchestration.expectations import judge

    while True:
        try:
            expectations, tables = connection.recv()
        except EOFError:
            return
        try:
            connection.send(judge(expectations, tables))
        except BillingError as error:
            connection.send(error)
