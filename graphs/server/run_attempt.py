"""One attempt at a run: runs the graph from the thread's state, or from where the last attempt stopped."""

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.errors import EmptyInputError, GraphRecursionError, InvalidUpdateError

from agent.errors import AgentError
from graphs.server import recovery
from graphs.server.event_log import EventLog
from graphs.server.failure_message import bug_message, failure_message
from graphs.server.graph_spec import FailureKind, GraphSpec
from graphs.server.run_spec import Nodes, RunRequest, graph_config, graph_input
from graphs.server.snapshots import unfinished_steps
from graphs.server.stream_modes import stream
from graphs.state import Runtime
from memory.errors import StorageError
from memory.server.runs import CancelAction, RunStatus, ThreadRun, ThreadRuns
from memory.server.threads import Json
from memory.tracing import Attributes, span

log = logging.getLogger(__name__)

MAX_ATTEMPTS = 50
"""A run whose process died this many times has failed."""
EXPECTED_FAILURES = (
    AgentError,
    StorageError,
    ValueError,
    GraphRecursionError,
    EmptyInputError,
    InvalidUpdateError,
)
"""Errors that end a run but are not bugs: logged without a traceback."""


@dataclass
class ActiveRun:
    """A run that this process works on."""

    task: "asyncio.Task[None] | None" = None
    """Claims the run, executes it and records its end."""
    graph: "asyncio.Task[None] | None" = None
    """Runs the graph."""
    stopped: CancelAction | None = None
    """How the run was cancelled."""
    claimed: ThreadRun | None = None
    """The run, if it was claimed when it was queued; its metadata event is then stored already."""
    waiting: bool = False
    """Whether it waits for something outside, such as the trainer, and does no work."""
    outcome: Json | None = None
    """What the run ended with, for those who wait for it in this process."""

    async def sleep(self, sleep: Callable[[float], Awaitable[None]], seconds: float) -> None:
        """Sleeps; the run needs no place in the meantime."""
        self.waiting = True
        try:
            await sleep(seconds)
        finally:
            self.waiting = False

    def stop(self, action: CancelAction) -> None:
        """Ends the graph; the first action counts."""
        if self.stopped is None:
            self.stopped = action
            if self.graph is not None:
                self.graph.cancel()


@dataclass(frozen=True)
class RunAttempt:
    """An attempt at a run of a graph."""

    run: ThreadRun
    request: RunRequest
    graph_spec: GraphSpec
    event_log: EventLog
    runs: ThreadRuns
    runtime: Runtime

    async def execute(self, active: ActiveRun) -> tuple[RunStatus, Json | None]:
        """Runs the graph to its end, or until `active` is stopped. Returns the status and any error."""
        run = self.run
        if run.attempt > MAX_ATTEMPTS:
            lost = RuntimeError(f"the process ended {MAX_ATTEMPTS} times while it worked on this run")
            return await self._failed(lost, "failed", str(lost))
        if active.stopped is None:
            active.graph = asyncio.create_task(self._run_graph())
        try:
            if active.graph is not None:
                await asyncio.shield(active.graph)
        except asyncio.CancelledError:
            if active.stopped is None:
                raise  # the process is closing, or another one took the run over
        except EXPECTED_FAILURES as error:
            log.warning("run %s failed: %s", run.run_id, error)
            stopped = isinstance(error, GraphRecursionError)
            reason = f"too many steps: {error}" if stopped else failure_message(error, run.owner)
            return await self._failed(error, "stopped" if stopped else "failed", reason)
        except Exception as error:
            log.exception("run %s failed", run.run_id)
            return await self._failed(error, "failed", bug_message(error, run.owner))
        finally:
            if active.graph is not None:
                if (
                    active.stopped is None
                ):  # else it is cancelled already: a second cancellation would interrupt
                    active.graph.cancel()  # LangGraph's clean-up and leave its nodes running
                await asyncio.wait((active.graph,))
            active.graph = None
        if active.stopped is None:
            return "success", None
        await self.graph_spec.record_failure(run.thread_id, "stopped", "it was cancelled")
        return "interrupted", None

    async def _run_graph(self) -> None:
        run = self.run
        attributes: Attributes = {"nightschool.run_id": run.run_id, "nightschool.attempt": run.attempt}
        with span(f"run {run.graph_id}", attributes):
            await self._run_steps()

    async def _run_steps(self) -> None:
        run, request, graph_spec = self.run, self.request, self.graph_spec
        config = graph_config(request, run, graph_spec)
        begun = False
        if run.attempt == 1 and request.input is not None:  # the thread's state does not matter
            entry = await graph_input(request, run, graph_spec, None)
        else:
            snapshot = await graph_spec.graph.aget_state(thread_config(run.thread_id))
            begun = (snapshot.metadata or {}).get("run_id") == run.run_id
            if begun:
                await self._append_missed_events()
            if begun and set(unfinished_steps(snapshot)) <= _node_names(request.interrupt_before, graph_spec):
                return  # an earlier attempt reached the end, or the node to stop at, but did not record it
            if request.command is not None and request.command.answers and not (begun or snapshot.interrupts):
                raise ValueError("nothing to resume: the thread is not waiting at an interrupt")
            if not begun and request.checkpoint_id is not None:
                fork = thread_config(run.thread_id, request.checkpoint_id)
                snapshot = await graph_spec.graph.aget_state(fork)
            entry = None if begun else await graph_input(request, run, graph_spec, snapshot)
        if not begun and request.checkpoint_id is not None:
            config["configurable"]["checkpoint_id"] = request.checkpoint_id
        config["run_id"] = uuid.uuid4()
        async for name, data in stream(
            graph_spec.graph,
            entry,
            config,
            context=self.runtime,
            modes=(*request.modes, *graph_spec.stored_modes),
            subgraphs=request.subgraphs,
            durability=request.durability,
            interrupt_before=_node_list(request.interrupt_before),
            interrupt_after=_node_list(request.interrupt_after),
        ):
            self.event_log.append(name, data)

    async def _append_missed_events(self) -> None:
        history = self.graph_spec.graph.aget_state_history(thread_config(self.run.thread_id))
        states = await recovery.states_of_run(history, self.run.run_id)
        _, stored = await self.runs.events(self.run.run_id)
        for name, data in recovery.missing_events(states, stored, self.request.modes):
            self.event_log.append(name, data)

    async def _failed(self, error: Exception, kind: FailureKind, reason: str) -> tuple[RunStatus, Json]:
        await self.graph_spec.record_failure(self.run.thread_id, kind, reason)
        details = {"error": type(error).__name__, "message": reason}
        self.event_log.append("error", details)
        return "error", details


def thread_config(thread_id: str, checkpoint_id: str | None = None) -> RunnableConfig:
    """LangGraph's config for a thread's state, now or at a checkpoint."""
    configurable = {"thread_id": thread_id, "checkpoint_ns": ""}
    return {
        "configurable": configurable
        if checkpoint_id is None
        else {**configurable, "checkpoint_id": checkpoint_id}
    }


def _node_names(nodes: Nodes, graph_spec: GraphSpec) -> set[str]:
    return set(graph_spec.graph.nodes if nodes == "*" else nodes)


def _node_list(nodes: Nodes) -> Any:
    return nodes if nodes == "*" else list(nodes)
