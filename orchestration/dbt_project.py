"""dbt in this process: parsed once, then built as often as a run needs it."""

import functools
import gc
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.artifacts.resources.types import NodeType
from dbt.artifacts.schemas.results import NodeStatus
from dbt.cli.main import dbtRunner, dbtRunnerResult
from dbt.contracts.graph.manifest import Manifest
from dbt_common.events.base_types import BaseEvent, EventLevel, EventMsg
from dbt_common.events.event_manager import EventManager
from dbt_common.events.event_manager_client import ctx_set_event_manager

from orchestration.errors import BillingError
from orchestration.home import Home
from orchestration.project import DBT_PROJECT_DIR

# The event that tells that a node is done; dbt has it among those for debugging.
_NODE_DONE = "NodeFinished"
# What DuckDB calls a failure, of those that a run may meet, and what helps.
_KINDS_OF_FAILURE = {
    "Out of Memory Error": "give it more by BILLING_MEMORY_LIMIT, such as 8GB",
    "IO Error": "is there room on the disk?",
    "Out of Range Error": "",
    "Conversion Error": "",
    "Constraint Error": "",
    "Binder Error": "",
    "Catalog Error": "",
    "Parser Error": "",
    "Internal Error": "",
}
_PASSED = {NodeStatus.Success, NodeStatus.Pass, NodeStatus.Warn, NodeStatus.NoOp}


@dataclass(frozen=True)
class NodeResult:
    """What became of one node of a build."""

    unique_id: str
    name: str
    resource_type: str
    status: str
    seconds: float
    failures: int | None
    message: str | None

    @property
    def passed(self) -> bool:
        """Whether what depends on the node may go on."""
        return self.status in _PASSED

    @property
    def skipped(self) -> bool:
        """Whether the node was held back by one that failed."""
        return self.status == NodeStatus.Skipped


class _HeardEvents(EventManager):
    """Events of dbt without those for debugging, which nobody here reads.

    A node makes some forty of them, and to write them up takes a tenth of a build.
    """

    def fire_event(
        self,
        e: BaseEvent,
        level: EventLevel | None = None,
        node: Any = None,
        force_warn_or_error_handling: bool = False,
    ) -> None:
        """Pass it on if it is a warning or more, or says that a node is done."""
        is_heard = (
            force_warn_or_error_handling
            or (level or e.level_tag()) is not EventLevel.DEBUG
            or type(e).__name__ == _NODE_DONE
        )
        if is_heard:
            super().fire_event(e, level, node, force_warn_or_error_handling)


@functools.cache
def manifest() -> Manifest:
    """The project, parsed once in this process; the same for every home.

    The environment must hold a home and its keys (Keys.hand_to_dbt).
    """
    # What dbt kept of a parse holds paths of seeds, and would be used by a project that
    # stands elsewhere as well; not if it was parsed with other variables.
    variables = json.dumps({"project_dir": str(DBT_PROJECT_DIR)})
    return _invoke(dbtRunner(), ["parse", "--vars", variables], None).result


def build(
    select: str | None,
    variables: dict[str, str],
    on_node: Callable[[], None] = lambda: None,
    target: str | None = None,
    options: Sequence[str] = (),
) -> list[NodeResult]:
    """Build models and run their data tests; unit tests are left out.

    The home is the one in the environment. A node that fails holds back what depends
    on it; the caller reads the results. Raises BillingError if dbt itself can't run.
    """

    def follow(event: EventMsg) -> None:
        if event.info.name == _NODE_DONE:
            on_node()

    arguments = ["build", "--no-write-json", "--exclude-resource-type", "unit_test"]
    arguments += options
    if select is not None:
        arguments += ["--select", *select.split()]
    arguments += ["--vars", json.dumps(variables)]
    runner = dbtRunner(manifest=manifest(), callbacks=[follow])
    result = _invoke(runner, arguments, target)
    return [_node_result(node) for node in result.result.results]


def run_unit_tests() -> list[NodeResult]:
    """Run the unit tests of the models against the warehouse in the environment."""
    arguments = [
        "test",
        "--select",
        "test_type:unit",
        "--vars",
        json.dumps({"as_of": "2026-01-01", "issue_through": "", "close_month": ""}),
    ]
    result = _invoke(dbtRunner(manifest=manifest()), arguments, None)
    return [_node_result(node) for node in result.result.results]


def _invoke(
    runner: dbtRunner, arguments: list[str], target: str | None
) -> dbtRunnerResult:
    ctx_set_event_manager(_HeardEvents())
    work = Home(os.environ["BILLING_HOME"]).work
    options = {
        "--log-level": "none",
        "--log-level-file": "none",
        "--log-path": str(work / "logs"),
        "--target-path": str(work / "target"),
        "--project-dir": str(DBT_PROJECT_DIR),
        "--profiles-dir": str(DBT_PROJECT_DIR),
    }
    if target is not None:
        options["--target"] = target
    # What dbt makes it keeps till the end; to look for garbage takes it a twentieth.
    gc.disable()
    try:
        result = runner.invoke(
            arguments + [x for pair in options.items() for x in pair]
        )
    finally:
        gc.enable()
        # dbt keeps its files open; nobody else could connect to them.
        DuckDBConnectionManager.close_all_connections()
    if result.result is None:
        if not isinstance(result.exception, Exception):
            raise KeyboardInterrupt
        raise BillingError(f"dbt could not run: {result.exception}")
    return result


def _node_result(result: Any) -> NodeResult:
    return NodeResult(
        unique_id=result.node.unique_id,
        name=result.node.name,
        resource_type=str(result.node.resource_type),
        status=result.status,
        seconds=result.execution_time,
        failures=result.failures,
        message=(
            _kind_of_failure(result.message)
            if _is_restricted(result.node)
            else result.message
        ),
    )


def _kind_of_failure(message: str | None) -> str | None:
    """What may be told of a failure on a restricted table: DuckDB may quote a row."""
    for kind, remedy in _KINDS_OF_FAILURE.items():
        if f"{kind}:" in (message or ""):
            return f"{kind}; {remedy}" if remedy else kind
    return None


def _is_restricted(node: Any) -> bool:
    """Whether a node is, or reads, a table of the restricted schema.

    A unit test reads the rows that are written in it, whatever it is a test of.
    """
    if node.resource_type == NodeType.Unit:
        return False
    if node.schema == "restricted":
        return True
    for parent_id in getattr(node, "depends_on_nodes", ()):
        parent = manifest().expect(parent_id)
        is_view = getattr(parent, "config", None) and (
            parent.config.get("materialized") == "view"
        )
        # What a view reads is read by those who read the view.
        if parent.schema == "restricted" or (is_view and _is_restricted(parent)):
            return True
    return False


def failure_message(results: list[NodeResult]) -> str | None:
    """What failed, in words without any value of a row; None if nothing did."""
    failed = [r for r in results if not r.passed and not r.skipped]
    if not failed:
        return None
    named = []
    for result in failed:
        if result.resource_type == "test" and result.failures:
            named.append(f"check {result.name}: {result.failures} rows fail it")
        else:
            why = f" ({result.message})" if result.message else ""
            named.append(f"{result.resource_type} {result.name} fails{why}")
    return "; ".join(named)
