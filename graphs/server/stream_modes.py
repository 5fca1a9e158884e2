"""Stream modes: the events of a run in LangGraph's format."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from langchain_core.messages import AIMessageChunk, BaseMessage, BaseMessageChunk
from langchain_core.runnables import RunnableConfig

from graphs.server.graph_spec import Graph
from graphs.state import Runtime
from graphs.turn import Piece

MODES = frozenset(
    ("values", "updates", "messages", "messages-tuple", "custom", "tasks", "checkpoints", "debug", "events")
)
ALWAYS_SENT = frozenset(("metadata", "error"))
"""Events that every stream has."""

Event = tuple[str, Any]


def streams_messages(modes: Sequence[str]) -> bool:
    """Whether whoever asked reads an answer while it grows."""
    return "messages" in modes or "messages-tuple" in modes


def wanted(name: str, modes: Sequence[str]) -> bool:
    """Whether an event of that name belongs to one of the modes; no modes mean all."""
    kind = name.partition("|")[0]
    mode = "messages-tuple" if kind == "messages" else kind.partition("/")[0]
    return not modes or kind in ALWAYS_SENT or mode in modes


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
    inner = {"messages" if mode == "messages-tuple" else mode for mode in modes} - {"events"}
    inner |= {"custom"} if streams_messages(modes) else set()  # in which an answer comes piece by piece
    messages = _Messages()
    given = {"stream_mode": sorted(inner), "subgraphs": subgraphs, "context": context, **options}
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
    events: list[Event] = [(f"{mode}{suffix}", data)] if mode in modes and mode != "messages" else []
    if mode == "custom" and isinstance(data, Piece) and streams_messages(modes):
        data = messages.piece(data)
    elif mode != "messages" or messages.was_told(data[0]):
        return events
    if "messages-tuple" in modes:
        events.append((f"messages{suffix}", list(data)))
    if "messages" in modes:
        events += [(f"{name}{suffix}", told) for name, told in messages.told(*data)]
    return events


class _Messages:
    """Messages so far, for clients who want each one whole every time that it grows."""

    def __init__(self) -> None:
        self._parts: dict[str, BaseMessage] = {}
        self._pieces: set[str] = set()

    def piece(self, piece: Piece) -> tuple[BaseMessage, Mapping[str, Any]]:
        """A stretch of an answer as LangGraph would tell it of a chat model that it knows."""
        self._pieces.add(piece.turn_id)
        text = "".join(token.text for token in piece.tokens)
        metadata = {"langgraph_node": "answer", "model_name": piece.adapter}
        return AIMessageChunk(content=text, id=piece.turn_id), metadata

    def was_told(self, message: BaseMessage) -> bool:
        """Whether it has been told piece by piece, so that it must not be told whole."""
        return message.id in self._pieces

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
