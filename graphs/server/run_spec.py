"""Run specs: what to run, on which thread, and what it may do to other runs there."""

from typing import Any, Literal

from langchain_core.runnables import RunnableConfig
from langgraph.types import Command, Send, StateSnapshot

from graphs.server.graph_spec import GraphSpec
from graphs.server.snapshots import unfinished_steps
from graphs.server.stream_modes import streams_messages
from memory.records.base import Record
from memory.server.keys import LOCAL_OPERATOR
from memory.server.runs import Strategy, ThreadRun
from memory.server.threads import Json

Nodes = tuple[str, ...] | Literal["*"]


class Goto(Record):
    """A node to go to with an input of its own."""

    node: str
    input: Any = None


class CommandSpec(Record):
    """LangGraph's command: an answer to an interrupt, a state update, a jump."""

    answers: bool = False
    """Whether `resume` is set; the answer itself may be null."""
    resume: Any = None
    update: Json | None = None
    goto: tuple[str | Goto, ...] = ()


class RunRequest(Record):
    """What a run does, with all defaults filled in; stored with the run."""

    input: Json | None = None
    """As returned by `GraphSpec.validate_input`; None continues from the thread's state."""
    command: CommandSpec | None = None
    checkpoint_id: str | None = None
    modes: tuple[str, ...] = ()
    """Stream modes whose events are stored."""
    subgraphs: bool = False
    interrupt_before: Nodes = ()
    interrupt_after: Nodes = ()
    recursion_limit: int | None = None
    tags: tuple[str, ...] = ()
    durability: Literal["sync", "async", "exit"] = "sync"
    on_completion: Literal["keep", "delete"] = "keep"
    webhook: str | None = None
    """URL to notify of the run's end."""


class RunSpec(Record):
    """A run to start."""

    thread_id: str
    graph_id: str
    request: RunRequest = RunRequest()
    assistant_id: str = ""
    strategy: Strategy = "enqueue"
    metadata: Json = {}
    create_thread: bool = False
    owner: str | None = None
    """Owner of the thread, if it is created."""
    asked_by: str = LOCAL_OPERATOR
    """Owner of the key that asks for it."""
    delay_seconds: float = 0.0
    run_id: str | None = None
    """None for a new one."""


def check(request: RunRequest, graph_spec: GraphSpec, asked_by: str) -> RunRequest:
    """The request with its command validated; an answer in it is that of `asked_by`.

    Raises ValueError for nodes and values that the graph lacks, or that clients may not enter or change.
    """
    nodes = set(graph_spec.graph.nodes) - {"__start__"}
    jumps = [] if request.command is None else request.command.goto
    named = [jump if isinstance(jump, str) else jump.node for jump in jumps]
    for stops in (request.interrupt_before, request.interrupt_after):
        named += [] if stops == "*" else stops
    if unknown := sorted(set(named) - nodes):
        raise ValueError(f"{graph_spec.name} has no node {unknown[0]!r}: it has {', '.join(sorted(nodes))}")
    if request.command is None:
        return request
    command = request.command
    if command.answers and (command.update or command.goto):
        raise ValueError("send an answer, or an update and a jump, not both: the answer is to what was shown")
    if command.answers:
        answers = _validated_answers(command.resume, graph_spec, asked_by)
        command = command.model_copy(update={"resume": answers})
    if command.update is not None:
        graph_spec.validate_update(command.update, asked_by)
    for jump in jumps:
        _check_jump(jump, graph_spec, asked_by)
    return request.model_copy(update={"command": command})


def _check_jump(jump: str | Goto, graph_spec: GraphSpec, asked_by: str) -> None:
    node = jump if isinstance(jump, str) else jump.node
    if node not in graph_spec.rights.goto:
        allowed = ", ".join(sorted(graph_spec.rights.goto)) or "none"
        raise ValueError(f"no client may jump to {node!r}: those of {graph_spec.name} are {allowed}")
    if isinstance(jump, Goto):  # the node gets it in place of the state
        if not isinstance(jump.input, dict):
            raise ValueError(f"the input of a jump to {node!r} must be an object with keys of the state")
        graph_spec.validate_update(jump.input, asked_by)


async def graph_input(
    request: RunRequest, run: ThreadRun, graph_spec: GraphSpec, snapshot: StateSnapshot | None
) -> Any:
    """What LangGraph is invoked with: a state, a command, or None to continue from the snapshot.

    Without an input, the snapshot is needed.
    """
    if request.input is not None:
        return await graph_spec.initial_state(
            run.thread_id,
            request.input,
            asked_by=run.asked_by,
            streamed=streams_messages(request.modes),
        )
    assert snapshot is not None, "a request without input continues from a snapshot"
    command = request.command
    changes: Json = {}
    if snapshot.values and (
        unfinished_steps(snapshot) or command is not None
    ):  # a jump continues an ended thread too
        asked_by = None if command is not None and command.answers else run.asked_by
        changes = await graph_spec.update_on_resume(run.thread_id, snapshot.values, asked_by=asked_by)
    if command is None:
        return Command(update=changes) if changes else None
    if command.update is not None:
        changes = graph_spec.validate_update(command.update, run.asked_by or LOCAL_OPERATOR) | changes
    return Command(
        resume=command.resume if command.answers else None,
        update=changes or None,
        goto=[jump if isinstance(jump, str) else Send(jump.node, jump.input) for jump in command.goto],
    )


def graph_config(request: RunRequest, run: ThreadRun, graph_spec: GraphSpec) -> RunnableConfig:
    """LangGraph's config. The run id in the metadata marks the checkpoints that the run writes."""
    ids = {
        "run_id": run.run_id,
        "thread_id": run.thread_id,
        "graph_id": run.graph_id,
        "assistant_id": run.assistant_id,
    }
    return {
        "configurable": {"thread_id": run.thread_id},
        "metadata": {**run.metadata, **ids},
        "tags": list(request.tags),
        "recursion_limit": request.recursion_limit or graph_spec.recursion_limit,
    }


def _validated_answers(resume: Any, graph_spec: GraphSpec, by: str) -> Any:
    """One answer, or several by the ids of their interrupts."""
    if isinstance(resume, dict) and resume and all(_is_interrupt_id(key) for key in resume):
        return {key: graph_spec.validate_answer(value, by) for key, value in resume.items()}
    return graph_spec.validate_answer(resume, by)


def _is_interrupt_id(key: str) -> bool:
    return len(key) == 32 and set(key) <= set("0123456789abcdef")
