"""What a run on a thread was asked to do: one record, kept with the run until it has ended.

How it is carried out is in `executor`.
"""

from typing import Any, Literal

from langchain_core.runnables import RunnableConfig
from langgraph.types import Command, Send, StateSnapshot

from graphs.server.graph_spec import Served
from graphs.server.stream_modes import speaks
from memory.records.base import Record
from memory.server.runs import ThreadRun
from memory.server.threads import Json

Nodes = tuple[str, ...] | Literal["*"]


class Jump(Record):
    """A node to go to with an input of its own."""

    node: str
    input: Any = None


class Steer(Record):
    """LangGraph's command: an answer to an interrupt, a change of state, a jump."""

    answers: bool = False
    """Whether `resume` is meant, for an answer may be null."""
    resume: Any = None
    update: Json | None = None
    goto: tuple[str | Jump, ...] = ()


class Order(Record):
    """What to do, with all defaults filled in."""

    input: Json | None = None
    """As the graph accepted it; None goes on where the thread is."""
    command: Steer | None = None
    checkpoint_id: str | None = None
    modes: tuple[str, ...] = ("values",)
    subgraphs: bool = False
    interrupt_before: Nodes = ()
    interrupt_after: Nodes = ()
    recursion_limit: int | None = None
    tags: tuple[str, ...] = ()
    durability: Literal["sync", "async", "exit"] = "sync"
    on_completion: Literal["keep", "delete"] = "keep"
    webhook: str | None = None
    """URL that is told of the run's end."""


def check(order: Order, served: Served) -> Order:
    """The order with its command checked. Raises ValueError for nodes and values that the graph lacks."""
    nodes = set(served.graph.nodes) - {"__start__"}
    jumps = [] if order.command is None else order.command.goto
    named = [jump if isinstance(jump, str) else jump.node for jump in jumps]
    for stops in (order.interrupt_before, order.interrupt_after):
        named += [] if stops == "*" else stops
    if unknown := sorted(set(named) - nodes):
        raise ValueError(f"{served.name} has no node {unknown[0]!r}: it has {', '.join(sorted(nodes))}")
    if order.command is None:
        return order
    command = order.command
    if command.answers:
        command = command.model_copy(update={"resume": _answers(command.resume, served)})
    if command.update is not None:
        served.change(command.update)
    return order.model_copy(update={"command": command})


async def entry(order: Order, run: ThreadRun, served: Served, snapshot: StateSnapshot) -> Any:
    """What to enter the graph with: a state, or a command to go on from the snapshot, if only by None."""
    if order.input is not None:
        return await served.enter(run.thread_id, order.input, streamed=speaks(order.modes))
    first = await served.resume(run.thread_id, snapshot.values) if snapshot.next and snapshot.values else {}
    if (command := order.command) is None:
        return Command(update=first) if first else None
    return Command(
        resume=command.resume if command.answers else None,
        update=(served.change(command.update or {}) | first) or None,
        goto=[j if isinstance(j, str) else Send(j.node, j.input) for j in command.goto],
    )


def config(order: Order, run: ThreadRun, served: Served) -> RunnableConfig:
    """LangGraph's config; the run's id in its metadata marks the checkpoints that it leaves."""
    ids = {
        "run_id": run.run_id,
        "thread_id": run.thread_id,
        "graph_id": run.graph_id,
        "assistant_id": run.assistant_id,
    }
    return {
        "configurable": {"thread_id": run.thread_id},
        "metadata": {**run.metadata, **ids},
        "tags": list(order.tags),
        "recursion_limit": order.recursion_limit or served.recursion_limit,
    }


def _answers(resume: Any, served: Served) -> Any:
    """A client may answer one interrupt, or several by their ids."""
    if isinstance(resume, dict) and resume and all(_is_interrupt_id(key) for key in resume):
        return {key: served.answer(value) for key, value in resume.items()}
    return served.answer(resume)


def _is_interrupt_id(key: str) -> bool:
    return len(key) == 32 and set(key) <= set("0123456789abcdef")
