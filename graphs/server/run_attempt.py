"""How one run is driven through its graph: from where its thread stands, or it broke off, to an end.

What is to be driven, and what becomes of it then, is in `executor`.
"""

import asyncio
import logging
import uuid
from dataclasses import dataclass
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.errors import EmptyInputError, GraphRecursionError, InvalidUpdateError

from agent.errors import AgentError
from graphs.server import recovery
from graphs.server import run_spec as orders
from graphs.server.durable import MOST_ATTEMPTS
from graphs.server.event_log import Journal
from graphs.server.graph_spec import BrokeOff, Served
from graphs.server.run_spec import Order
from graphs.server.stream_modes import stream
from graphs.state import Runtime
from memory.errors import StorageError
from memory.server.runs import CancelAction, RunStatus, ThreadRun, ThreadRuns
from memory.server.threads import Json

log = logging.getLogger(__name__)

FAILURES = (AgentError, StorageError, ValueError, GraphRecursionError, EmptyInputError, InvalidUpdateError)
"""What may end a run without being a fault of ours."""


@dataclass
class Work:
    """One run under way: the task that sees it to its end, and within it the one that runs the graph."""

    task: "asyncio.Task[Any]"
    graph: "asyncio.Task[None] | None" = None
    stopped: CancelAction | None = None

    def stop(self, action: CancelAction) -> None:
        """Ends the graph; the first to say how is heeded."""
        if self.stopped is None:
            self.stopped = action
            if self.graph is not None:
                self.graph.cancel()


@dataclass(frozen=True)
class Drive:
    """A run on its way through `served`."""

    run: ThreadRun
    order: Order
    served: Served
    journal: Journal
    runs: ThreadRuns
    runtime: Runtime

    async def through(self, work: Work) -> tuple[RunStatus, Json | None]:
        """Works through the graph until its end, or until `work` is stopped; why, where it failed."""
        run = self.run
        if run.attempt > MOST_ATTEMPTS:
            gone = RuntimeError(f"the process ended {MOST_ATTEMPTS} times while it worked on this run")
            return await self._failed(gone, "failed", str(gone))
        if work.stopped is None:
            work.graph = asyncio.create_task(self._stream())
        try:
            if work.graph is not None:
                await asyncio.shield(work.graph)
        except asyncio.CancelledError:
            if work.stopped is None:
                raise  # the process closes, or the run was lost
        except FAILURES as error:
            log.warning("run %s failed: %s", run.run_id, error)
            stopped = isinstance(error, GraphRecursionError)
            reason = f"too many steps: {error}" if stopped else str(error)
            return await self._failed(error, "stopped" if stopped else "failed", reason)
        except Exception as error:
            log.exception("run %s failed", run.run_id)
            return await self._failed(error, "failed", fault(error))
        finally:
            if work.graph is not None:
                if work.stopped is None:  # once only: a second time would reach LangGraph while it cleans up,
                    work.graph.cancel()  # and its nodes would go on
                await asyncio.wait((work.graph,))
            work.graph = None
        if work.stopped is None:
            return "success", None
        await self.served.broke_off(run.thread_id, "stopped", "it was cancelled")
        return "interrupted", None

    async def _stream(self) -> None:
        run, order, served = self.run, self.order, self.served
        config = orders.config(order, run, served)
        snapshot = await served.graph.aget_state(thread_config(run.thread_id))
        begun = (snapshot.metadata or {}).get("run_id") == run.run_id
        if begun:
            await self._catch_up()
        if begun and set(snapshot.next) <= _nodes(order.interrupt_before, served):
            return  # it had come to its end, which was not noted, or to where it was to stop
        if order.command is not None and order.command.answers and not (begun or snapshot.interrupts):
            raise ValueError("there is nothing to resume: the thread does not wait at an interrupt")
        if not begun and order.checkpoint_id is not None:
            config["configurable"]["checkpoint_id"] = order.checkpoint_id
            snapshot = await served.graph.aget_state(thread_config(run.thread_id, order.checkpoint_id))
        config["run_id"] = uuid.uuid4()
        async for name, data in stream(
            served.graph,
            None if begun else await orders.entry(order, run, served, snapshot),
            config,
            context=self.runtime,
            modes=(*order.modes, *served.kept),
            subgraphs=order.subgraphs,
            durability=order.durability,
            interrupt_before=_plain(order.interrupt_before),
            interrupt_after=_plain(order.interrupt_after),
        ):
            self.journal.say(name, data)

    async def _catch_up(self) -> None:
        past = self.served.graph.aget_state_history(thread_config(self.run.thread_id))
        steps = await recovery.own_steps(past, self.run.run_id)
        _, kept = await self.runs.events(self.run.run_id)
        for name, data in recovery.missed(steps, kept, self.order.modes):
            self.journal.say(name, data)

    async def _failed(self, error: Exception, kind: BrokeOff, reason: str) -> tuple[RunStatus, Json]:
        await self.served.broke_off(self.run.thread_id, kind, reason)
        told = {"error": type(error).__name__, "message": reason}
        self.journal.say("error", told)
        return "error", told


def thread_config(thread_id: str, checkpoint_id: str | None = None) -> RunnableConfig:
    """LangGraph's name for a thread's state, now or at a checkpoint."""
    named = {"thread_id": thread_id, "checkpoint_ns": ""}
    return {"configurable": named if checkpoint_id is None else {**named, "checkpoint_id": checkpoint_id}}


def fault(error: Exception) -> str:
    """What is told of an error that nobody foresaw."""
    return f"a fault in Nightschool itself, {type(error).__name__}: {error}; please report it"


def _nodes(nodes: orders.Nodes, served: Served) -> set[str]:
    return set(served.graph.nodes if nodes == "*" else nodes)


def _plain(nodes: orders.Nodes) -> Any:
    return nodes if nodes == "*" else list(nodes)
