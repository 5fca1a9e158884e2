"""Graph specs: what the server needs to run a graph on threads; and the spec of the chat graph."""

from collections.abc import Set
from typing import Any, Literal, Protocol, get_type_hints

from langchain_core.messages import convert_to_messages
from langgraph.graph.state import CompiledStateGraph
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from agent.engines.base import GREEDY, Sampling
from graphs import chat
from graphs.state import ChatState, Runtime
from memory.checkpoints.savers import Saver
from memory.records.access import Access
from memory.records.base import Record
from memory.records.interactions import UnsurePolicy
from memory.server.threads import Json

FailureKind = Literal["failed", "stopped"]
Graph = CompiledStateGraph[Any, Runtime, Any, Any]


class ClientRights(Record):
    """What clients may change on a graph's threads; everything else is refused.

    Nodes that hand over, train, promote, forget, log or report are never entered by a client: the graph goes
    there by itself.
    """

    keys: frozenset[str] = frozenset()
    """State keys that they may write."""
    goto: frozenset[str] = frozenset()
    """Nodes that they may jump to."""
    as_node: frozenset[str] = frozenset()
    """Nodes in whose place they may write; the graph then goes on with what follows these."""


class GraphSpec(Protocol):
    """A graph that clients may run. Methods that get a client's data raise ValueError."""

    name: str
    description: str
    graph: Graph
    recursion_limit: int
    stored_modes: tuple[str, ...]
    """Stream modes whose events are always stored."""
    input: type[BaseModel]
    options: type[BaseModel]
    """What an assistant or a run's `config.configurable` may set: defaults of the input."""
    rights: ClientRights

    async def validate_input(self, thread_id: str, values: Json, options: Json, access: Access) -> Json:
        """The validated input as JSON, stored until the run begins; `access` is the caller's.

        May raise AdminsOnly, AlreadyExists, DomainClosed.
        """
        ...

    async def initial_state(
        self, thread_id: str, accepted: Json, *, asked_by: str | None, streamed: bool
    ) -> Json:
        """The state to begin with; `streamed` if a client reads the answer token by token."""
        ...

    async def update_on_resume(self, thread_id: str, values: Json, *, asked_by: str | None) -> Json:
        """Changes to make when a run continues from a state, which may be a copy of another thread's.

        `asked_by` continues it; None if it is an answer that does.
        """
        ...

    def validate_answer(self, value: Any, by: str) -> Any:
        """The validated answer to an interrupt, which that person gave."""
        ...

    async def record_answer(self, thread_id: str, answer: Any, *, checkpoint_id: str | None = None) -> None:
        """Records what a validated answer decides, before the run continues with it. Raises NotApproved."""
        ...

    async def record_update(self, thread_id: str, values: Json, *, by: str) -> None:
        """Records that this person is about to change the state, where that matters later."""
        ...

    def validate_update(self, values: Json, by: str) -> Json:
        """The validated update of the state by that person: only what `rights` allow."""
        ...

    async def record_failure(self, thread_id: str, kind: FailureKind, reason: str) -> None:
        """Records that a run ended before the graph did."""
        ...


class ChatOptions(BaseModel):
    """Options that an assistant of `chat` may set."""

    model_config = ConfigDict(extra="forbid")

    model: str | None = Field(None, max_length=200)
    """As in chat completions: a domain, an adapter, the base model or `auto`."""
    max_tokens: int | None = Field(None, ge=1)
    unsure: UnsurePolicy | None = None
    """What to do if the model is unsure and no source helps; by default the service's policy."""


class ChatInput(ChatOptions):
    """Input of a chat run: messages in LangChain's format, which are added to the thread's."""

    messages: list[Json] | Json | str


STEERED = frozenset({"understand", "route", "converse", "answer", "check", "consult", "reword"})
"""Steps of a chat turn that only read."""


class ChatSpec:
    """The chat graph on threads."""

    name = "chat"
    description = "Answers when it is sure, from sources with citations when it is not, or says so."
    recursion_limit = 25
    stored_modes: tuple[str, ...] = ()
    input: type[BaseModel] = ChatInput
    options: type[BaseModel] = ChatOptions
    rights = ClientRights(
        keys=frozenset({"messages", "requested", "sampling", "unsure"}),
        goto=STEERED,
        as_node=STEERED | {"__start__", "remember"},
    )

    def __init__(self, saver: Saver) -> None:
        self.graph: Graph = chat.build().compile(checkpointer=saver)

    async def validate_input(self, thread_id: str, values: Json, options: Json, access: Access) -> Json:
        """See GraphSpec.validate_input."""
        checked: ChatInput = validated(ChatInput, options | values, "input")
        messages_of(checked.messages)
        return checked.model_dump(mode="json")

    async def initial_state(
        self, thread_id: str, accepted: Json, *, asked_by: str | None, streamed: bool
    ) -> Json:
        """See GraphSpec.initial_state."""
        limit = accepted["max_tokens"]
        return {
            "messages": messages_of(accepted["messages"]),
            "requested": accepted["model"],
            "sampling": GREEDY if limit is None else Sampling(max_tokens=limit),
            "streamed": streamed,
            "unit": thread_id,
            "store": True,
            "unsure": accepted["unsure"],
        }

    async def update_on_resume(self, thread_id: str, values: Json, *, asked_by: str | None) -> Json:
        """See GraphSpec.update_on_resume: nothing in the state names the thread."""
        return {}

    def validate_answer(self, value: Any, by: str) -> Any:
        """See GraphSpec.validate_answer: chat has no interrupts."""
        raise ValueError("chat has no interrupts: send input instead of command.resume")

    async def record_answer(self, thread_id: str, answer: Any, *, checkpoint_id: str | None = None) -> None:
        """See GraphSpec.record_answer: chat has no interrupts."""

    async def record_update(self, thread_id: str, values: Json, *, by: str) -> None:
        """See GraphSpec.record_update: changes of a conversation are not recorded."""

    def validate_update(self, values: Json, by: str) -> Json:
        """See GraphSpec.validate_update."""
        checked = {key: value for key, value in values.items() if key != "messages"}
        if "messages" not in values:
            return validated_update(ChatState, checked, self.rights.keys)
        messages = messages_of(values["messages"])
        return validated_update(ChatState, checked, self.rights.keys) | {"messages": messages}

    async def record_failure(self, thread_id: str, kind: FailureKind, reason: str) -> None:
        """See GraphSpec.record_failure: the thread's state is enough."""


def messages_of(data: Any) -> list[Any]:
    """LangChain messages from JSON. Raises ValueError."""
    try:
        return convert_to_messages(data if isinstance(data, list) else [data])
    except (ValueError, TypeError, KeyError, NotImplementedError, AttributeError) as error:
        raise ValueError(f"messages: {str(error).splitlines()[0]}") from error


def validated_update(state: type, values: Json, writable: Set[str]) -> Json:
    """The values converted to the types that the state declares. Raises ValueError, also for a key that is
    not `writable`."""
    types = get_type_hints(state, include_extras=True)
    if unknown := sorted(set(values) - set(types)):
        raise ValueError(f"the state has no field {unknown[0]!r}: it has {', '.join(sorted(types))}")
    if forbidden := sorted(set(values) - writable):
        allowed = ", ".join(sorted(writable)) or "nothing"
        raise ValueError(f"{forbidden[0]} cannot be changed: clients may change {allowed}")
    return {key: validated(types[key], value, key) for key, value in values.items()}


def validated(kind: Any, value: Any, field: str) -> Any:
    """The value converted to that type. Raises ValueError with the path of the wrong field."""
    try:
        return TypeAdapter(kind).validate_python(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        path = ".".join(str(part) for part in (field, *first["loc"]))
        raise ValueError(f"{path}: {first['msg']}") from None
