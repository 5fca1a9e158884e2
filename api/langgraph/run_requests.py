"""Request bodies of runs in LangGraph's format.

Fields that the service does not support are rejected with a reason, never ignored.
"""

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from api.langgraph.common import Body, Checkpoint, Id
from graphs.server.run_spec import CommandSpec, Goto, RunRequest
from graphs.server.stream_modes import MODES
from memory.server.runs import Strategy
from memory.server.threads import Json

MAX_DELAY_SECONDS = 366 * 24 * 3600.0
IGNORED_OPTIONS = frozenset(("thread_id", "checkpoint_id", "checkpoint_ns", "checkpoint_map"))
"""Keys of `configurable` that clients send back unchanged; these values have fields of their own."""

Name = Annotated[str, Field(max_length=100)]
Nodes = Literal["*"] | Annotated[list[Name], Field(max_length=100)]


class GotoBody(Body):
    """A node to go to with an input of its own."""

    node: Name
    input: Any = None


class CommandBody(Body):
    """LangGraph's command."""

    resume: Any = None
    update: Json | Annotated[list[tuple[Name, Any]], Field(max_length=100)] | None = None
    goto: Name | GotoBody | Annotated[list[Name | GotoBody], Field(max_length=100)] | None = None

    @property
    def record(self) -> CommandSpec:
        """The same as a record."""
        goto = [] if self.goto is None else self.goto if isinstance(self.goto, list) else [self.goto]
        return CommandSpec(
            answers="resume" in self.model_fields_set,
            resume=self.resume,
            update=dict(self.update) if self.update is not None else None,
            goto=tuple(jump if isinstance(jump, str) else Goto(**dict(jump)) for jump in goto),
        )


class ConfigBody(Body):
    """LangGraph's config; `configurable` holds the assistant's options."""

    recursion_limit: Annotated[int, Field(ge=1, le=1000)] | None = None
    configurable: Json = {}
    tags: Annotated[list[Name], Field(max_length=100)] = []
    metadata: Json = {}


class RunBody(Body):
    """A run to start."""

    assistant_id: Annotated[str, Field(min_length=1, max_length=64)]
    input: Any = None
    command: CommandBody | None = None
    metadata: Json = {}
    config: ConfigBody = ConfigBody()
    context: Json | None = None
    checkpoint: Checkpoint | None = None
    checkpoint_id: Id | None = None
    stream_mode: str | list[str] | None = None
    """Events to store, for streams that are opened later; none unless requested."""
    stream_subgraphs: bool = False
    stream_resumable: bool = True
    """Stored events are kept for an hour after the run, so that any stream can be resumed."""
    interrupt_before: Nodes = []
    interrupt_after: Nodes = []
    multitask_strategy: Strategy = "enqueue"
    if_not_exists: Literal["create", "reject"] = "reject"
    on_disconnect: Literal["cancel", "continue"] = "continue"
    on_completion: Literal["delete", "keep"] | None = None
    after_seconds: float = Field(0.0, ge=0, le=MAX_DELAY_SECONDS)
    durability: Literal["sync", "async", "exit"] = "sync"
    strict_resume: Literal[True] | None = None
    """Always in effect: a command that resumes needs an interrupt to answer."""
    checkpoint_during: None = None
    feedback_keys: None = None
    webhook: Annotated[str, Field(max_length=2000)] | None = None
    langsmith_tracer: None = None

    @field_validator("checkpoint_during", "feedback_keys", "langsmith_tracer", mode="before")
    @classmethod
    def _unsupported(cls, value: object) -> None:
        if value is not None:
            raise ValueError("is not supported: leave it out")

    @field_validator("strict_resume", mode="before")
    @classmethod
    def _strict(cls, value: object) -> object:
        if value is False:
            raise ValueError("resuming is always strict: leave strict_resume out")
        return value

    @field_validator("context")
    @classmethod
    def _no_context(cls, context: Json | None) -> Json | None:
        if context:
            raise ValueError("context is not supported: use config.configurable")
        return context

    @field_validator("stream_mode")
    @classmethod
    def _known_modes(cls, mode: str | list[str] | None) -> str | list[str] | None:
        if mode is not None:
            check_modes([mode] if isinstance(mode, str) else mode)
        return mode

    @property
    def modes(self) -> tuple[str, ...]:
        """The stream modes without duplicates."""
        modes = [self.stream_mode] if isinstance(self.stream_mode, str) else self.stream_mode or ()
        return tuple(dict.fromkeys(modes))

    @property
    def options(self) -> Json:
        """The options in `config.configurable`."""
        return {key: value for key, value in self.config.configurable.items() if key not in IGNORED_OPTIONS}

    def request(self, accepted: Json | None, checkpoint_id: str | None, *, stateless: bool) -> RunRequest:
        """The run request, with the input as the graph validated it."""
        return RunRequest(
            input=accepted,
            command=self.command.record if self.command else None,
            checkpoint_id=checkpoint_id,
            modes=self.modes,
            subgraphs=self.stream_subgraphs,
            interrupt_before=_nodes(self.interrupt_before),
            interrupt_after=_nodes(self.interrupt_after),
            recursion_limit=self.config.recursion_limit,
            tags=tuple(self.config.tags),
            durability=self.durability,
            on_completion=self.on_completion or ("delete" if stateless else "keep"),
            webhook=self.webhook,
        )


class StreamedRun(RunBody):
    """A run whose events are streamed in the reply."""

    stream_mode: str | list[str] | None = "values"


class BatchedRun(RunBody):
    """A run of a batch, with or without a thread."""

    thread_id: Id | None = None


class CancelMany(Body):
    """The runs to cancel: some runs of a thread, or all with a status."""

    thread_id: Id | None = None
    run_ids: Annotated[list[Id], Field(max_length=1000)] | None = None
    status: Literal["pending", "running", "all"] | None = None


def check_modes(modes: list[str]) -> None:
    """Raises ValueError for an unknown stream mode, or none."""
    if not modes:
        raise ValueError("send at least one stream mode")
    if unknown := sorted(set(modes) - MODES):
        raise ValueError(f"no stream mode {unknown[0]!r}; the modes are {', '.join(sorted(MODES))}")


def _nodes(nodes: Nodes) -> Any:
    return nodes if nodes == "*" else tuple(nodes)
