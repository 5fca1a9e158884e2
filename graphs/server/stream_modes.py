"""Stream modes: runs a graph and yields the events of the requested modes in LangGraph's format."""

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
"""Events that belong to every mode."""

Event = tuple[str, Any]


def streams_messages(modes: Sequence[str]) -> bool:
    """Whether a mode delivers answers token by token."""
    return "messages" in modes or "messages-tuple" in modes


def matches(name: str, modes: Sequence[str]) -> bool:
    """Whether the event of this name belongs to one of the modes; an empty sequence matches all."""
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
    inner |= {"custom"} if streams_messages(modes) else set()  # answers are streamed as custom events
    messages = _MessageEvents()
    arguments = {"stream_mode": sorted(inner), "subgraphs": subgraphs, "context": context, **options}
    if "events" not in modes:
        async for chunk in graph.astream(entry, config, **arguments):
            for event in _events(chunk, modes, subgraphs, messages):
                yield event
        return
    root = str(config["run_id"])
    async for raw in graph.astream_events(entry, config, version="v2", **arguments):
        if raw["event"] == "on_chain_stream" and raw["run_id"] == root:
            for event in _events(raw["data"]["chunk"], modes, subgraphs, messages):
                yield event
        else:
            yield "events", raw


def _events(chunk: Any, modes: Sequence[str], subgraphs: bool, messages: "_MessageEvents") -> list[Event]:
    namespace, mode, data = chunk if subgraphs else ((), *chunk)
    suffix = "".join(f"|{part}" for part in namespace)
    events: list[Event] = [(f"{mode}{suffix}", data)] if mode in modes and mode != "messages" else []
    if mode == "custom" and isinstance(data, Piece) and streams_messages(modes):
        data = messages.from_piece(data)
    elif mode != "messages" or messages.was_streamed(data[0]):
        return events
    if "messages-tuple" in modes:
        events.append((f"messages{suffix}", list(data)))
    if "messages" in modes:
        events += [(f"{name}{suffix}", event_data) for name, event_data in messages.events(*data)]
    return events


class _MessageEvents:
    """Events of the mode `messages`, which repeat the whole message each time that it grows."""

    def __init__(self) -> None:
        self._parts: dict[str, BaseMessage] = {}
        self._pieces: set[str] = set()

    def from_piece(self, piece: Piece) -> tuple[BaseMessage, Mapping[str, Any]]:
        """Part of an answer as LangGraph itself would report a chat model's chunk: message and metadata."""
        self._pieces.add(piece.turn_id)
        text = "".join(token.text for token in piece.tokens)
        metadata = {"langgraph_node": "answer", "model_name": piece.adapter}
        return AIMessageChunk(content=text, id=piece.turn_id), metadata

    def was_streamed(self, message: BaseMessage) -> bool:
        """Whether the message was already sent piece by piece, so that it must not be sent whole."""
        return message.id in self._pieces

    def events(self, message: BaseMessage, metadata: Mapping[str, Any]) -> list[Event]:
        """The events for a message or a chunk of one."""
        key = message.id or ""
        new = key not in self._parts
        if isinstance(message, BaseMessageChunk) and isinstance(
            before := self._parts.get(key), BaseMessageChunk
        ):
            message = before + message  # the sum of two chunks is a chunk
        self._parts[key] = message
        kind = "messages/partial" if isinstance(message, BaseMessageChunk) else "messages/complete"
        first: list[Event] = [("messages/metadata", {key: {"metadata": metadata}})] if new else []
        return [*first, (kind, [message])]
