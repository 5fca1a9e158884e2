"""Owns the events of a run as LangGraph's clients name them: which modes there are, and what each sends.

Sends nothing; `executor` keeps the events, and the api passes them on.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from langchain_core.messages import BaseMessage, BaseMessageChunk
from langchain_core.runnables import RunnableConfig

from graphs.served import Graph
from graphs.state import Runtime

MODES = frozenset(
    ("values", "updates", "messages", "messages-tuple", "custom", "tasks", "checkpoints", "debug", "events")
)
UNASKED = frozenset(("metadata", "error"))
"""Events that every stream has."""

Event = tuple[str, Any]


def wanted(name: str, modes: Sequence[str]) -> bool:
    """Whether an event of that name belongs to one of the modes; no modes mean all."""
    kind = name.partition("|")[0]
    mode = "messages-tuple" if kind == "messages" else kind.partition("/")[0]
    return not modes or kind in UNASKED or mode in modes


async def stream(
    graph: Graph,
    entry: Any,
    config: RunnableConfig,
    *,
    context: Runtime,
    modes: Sequence[str],
    subgraphs: bool,
    **options: Any,
) -> AsyncIterator[Event]:
    """Runs the graph and yields its events. `config` has to hold a `run_id`. Raises what its nodes raise."""
    inner = sorted({"messages" if mode == "messages-tuple" else mode for mode in modes} - {"events"})
    messages = _Messages()
    given = {"stream_mode": inner, "subgraphs": subgraphs, "context": context, **options}
    if "events" not in modes:
        async for chunk in graph.astream(entry, config, **given):
            for event in _events(chunk, modes, subgraphs, messages):
                yield event
        return
    root = str(config["run_id"])
    async for told in graph.astream_events(entry, config, version="v2", **given):
        if told["event"] == "on_chain_stream" and told["run_id"] == root:
            for event in _events(told["data"]["chunk"], modes, subgraphs, messages):
                yield event
        else:
            yield "events", told


def _events(chunk: Any, modes: Sequence[str], subgraphs: bool, messages: "_Messages") -> list[Event]:
    namespace, mode, data = chunk if subgraphs else ((), *chunk)
    suffix = "".join(f"|{part}" for part in namespace)
    if mode != "messages":
        return [(f"{mode}{suffix}", data)]
    events: list[Event] = [(f"messages{suffix}", list(data))] if "messages-tuple" in modes else []
    if "messages" in modes:
        events += [(f"{name}{suffix}", told) for name, told in messages.told(*data)]
    return events


class _Messages:
    """Messages so far, for clients who want each one whole every time that it grows."""

    def __init__(self) -> None:
        self._parts: dict[str, BaseMessage] = {}

    def told(self, message: BaseMessage, metadata: Mapping[str, Any]) -> list[Event]:
        key = message.id or ""
        new = key not in self._parts
        if isinstance(message, BaseMessageChunk) and isinstance(
            before := self._parts.get(key), BaseMessageChunk
        ):
            message = before + message  # two chunks make a chunk
        self._parts[key] = message
        kind = "messages/partial" if isinstance(message, BaseMessageChunk) else "messages/complete"
        first: list[Event] = [("messages/metadata", {key: {"metadata": metadata}})] if new else []
        return [*first, (kind, [message])]
