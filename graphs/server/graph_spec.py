"""What the service needs to know of a graph in order to run it on threads, and how chat meets that.

`learn` meets it in `served_learn`; how a run is driven is in `executor`.
"""

from typing import Any, Literal, Protocol, get_type_hints

from langchain_core.messages import convert_to_messages
from langgraph.graph.state import CompiledStateGraph
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from agent.engines.base import GREEDY, Sampling
from graphs import chat
from graphs.state import ChatState, Runtime
from memory.checkpoints.savers import Saver
from memory.records.interactions import UnsurePolicy
from memory.server.threads import Json

BrokeOff = Literal["failed", "stopped"]
Graph = CompiledStateGraph[Any, Runtime, Any, Any]


class Served(Protocol):
    """One graph as clients may run it; every method that is given something of theirs raises ValueError."""

    name: str
    description: str
    graph: Graph
    recursion_limit: int
    kept: tuple[str, ...]
    """Stream modes whose events are kept whatever a client asks for."""
    input: type[BaseModel]
    options: type[BaseModel]
    """What an assistant, or a run's `config.configurable`, may set: defaults of the input."""

    async def accept(self, thread_id: str, given: Json, options: Json) -> Json:
        """The checked input as JSON values, to be kept until the run begins. May raise AlreadyExists too."""
        ...

    async def enter(self, thread_id: str, accepted: Json, *, streamed: bool) -> Json:
        """The state to enter the graph with; `streamed` where an answer is read while it grows."""
        ...

    async def resume(self, thread_id: str, values: Json) -> Json:
        """What to change first when a run goes on from a state, which may be another thread's copied."""
        ...

    def answer(self, value: Any) -> Any:
        """The checked answer to one of its interrupts."""
        ...

    def change(self, values: Json) -> Json:
        """A checked update of its state."""
        ...

    async def broke_off(self, thread_id: str, status: BrokeOff, reason: str) -> None:
        """Notes that a run ended outside the graph."""
        ...


class ChatOptions(BaseModel):
    """What an assistant of `chat` may set."""

    model_config = ConfigDict(extra="forbid")

    model: str | None = Field(None, max_length=200)
    """As in chat completions: a domain, an adapter, the base model or `auto`."""
    max_tokens: int | None = Field(None, ge=1)
    unsure: UnsurePolicy | None = None
    """What to do where the model is unsure and no source helps; the service's policy where it is left out."""


class ChatInput(ChatOptions):
    """What a run of `chat` is given: messages in LangChain's form, which are added to the thread's."""

    messages: list[Json] | Json | str


class ServedChat:
    """The chat graph on threads."""

    name = "chat"
    description = "Answers when it is sure, from sources with citations when it is not, or says so."
    recursion_limit = 25
    kept: tuple[str, ...] = ()
    input: type[BaseModel] = ChatInput
    options: type[BaseModel] = ChatOptions

    def __init__(self, saver: Saver) -> None:
        self.graph: Graph = chat.build().compile(checkpointer=saver)

    async def accept(self, thread_id: str, given: Json, options: Json) -> Json:
        """See Served.accept."""
        checked: ChatInput = valid(ChatInput, options | given, "input")
        messages_of(checked.messages)
        return checked.model_dump(mode="json")

    async def enter(self, thread_id: str, accepted: Json, *, streamed: bool) -> Json:
        """See Served.enter."""
        limit = accepted["max_tokens"]
        return {
            "messages": messages_of(accepted["messages"]),
            "requested": accepted["model"],
            "sampling": GREEDY if limit is None else Sampling(max_tokens=limit),
            "streamed": streamed,
            "unit": thread_id,
            "unsure": accepted["unsure"],
        }

    async def resume(self, thread_id: str, values: Json) -> Json:
        """See Served.resume: nothing in its state names its thread."""
        return {}

    def answer(self, value: Any) -> Any:
        """See Served.answer: it asks nothing."""
        raise ValueError("chat never waits for an answer: send input instead of command.resume")

    def change(self, values: Json) -> Json:
        """See Served.change."""
        checked = {key: value for key, value in values.items() if key != "messages"}
        if "messages" not in values:
            return changed(ChatState, checked)
        return changed(ChatState, checked) | {"messages": messages_of(values["messages"])}

    async def broke_off(self, thread_id: str, status: BrokeOff, reason: str) -> None:
        """See Served.broke_off: its state says it all."""


def messages_of(given: Any) -> list[Any]:
    """LangChain messages from their JSON form. Raises ValueError."""
    try:
        return convert_to_messages(given if isinstance(given, list) else [given])
    except (ValueError, TypeError, KeyError, NotImplementedError, AttributeError) as error:
        raise ValueError(f"messages: {str(error).splitlines()[0]}") from error


def changed(state: type, values: Json) -> Json:
    """Values for a state's keys, as the types that it declares. Raises ValueError."""
    types = get_type_hints(state, include_extras=True)
    if unknown := sorted(set(values) - set(types)):
        raise ValueError(f"the state has no {unknown[0]!r}: it has {', '.join(sorted(types))}")
    return {key: valid(types[key], value, key) for key, value in values.items()}


def valid(kind: Any, value: Any, place: str) -> Any:
    """The value as that type. Raises ValueError that says where it does not fit."""
    try:
        return TypeAdapter(kind).validate_python(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        path = ".".join(str(part) for part in (place, *first["loc"]))
        raise ValueError(f"{path}: {first['msg']}") from None
