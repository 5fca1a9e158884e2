"""A no-op graph, to measure the cost of a run itself, and our service with that graph.

    python -m benchmarks.api.noop      (settings as for `nightschool api`)

The other servers load the same graph as `noop.py:graph`.
"""

from collections.abc import Sequence
from typing import Any

from langgraph.graph import END, START, StateGraph
from pydantic import BaseModel
from typing_extensions import TypedDict

from graphs.server.graph_spec import ClientRights
from memory.records.access import Access

NAME = "noop"


class State(TypedDict, total=False):
    """A single value, which the graph does not change."""

    value: str


def do_nothing(state: State) -> dict[str, Any]:
    """Returns no update."""
    return {}


def build() -> StateGraph[State, Any, State, State]:
    """The graph, not compiled."""
    uncompiled: StateGraph[State, Any, State, State] = StateGraph(State)
    uncompiled.add_node("noop", do_nothing)
    uncompiled.add_edge(START, "noop")
    uncompiled.add_edge("noop", END)
    return uncompiled


graph = build().compile()


class Input(BaseModel):
    """The input of a run."""

    value: str = ""


class NoopSpec:
    """The graph for our run server; see `graphs.server.graph_spec.GraphSpec`."""

    name = NAME
    description = "Does nothing."
    recursion_limit = 5
    stored_modes: tuple[str, ...] = ()
    input: type[BaseModel] = Input
    options: type[BaseModel] = BaseModel
    rights = ClientRights()

    def __init__(self, saver: Any) -> None:
        self.graph: Any = build().compile(checkpointer=saver)

    async def validate_input(
        self, thread_id: str, values: dict[str, Any], options: dict[str, Any], access: Access
    ) -> dict[str, Any]:
        """Validates the input only."""
        return Input.model_validate(values).model_dump()

    async def initial_state(
        self, thread_id: str, accepted: dict[str, Any], *, asked_by: str | None, streamed: bool
    ) -> dict[str, Any]:
        """The input, unchanged."""
        return accepted

    async def update_on_resume(
        self, thread_id: str, values: dict[str, Any], *, asked_by: str | None
    ) -> dict[str, Any]:
        """No update."""
        return {}

    def validate_answer(self, value: Any, by: str) -> Any:
        """Raises ValueError, because the graph never interrupts."""
        raise ValueError("noop never waits for an answer")

    async def record_answer(self, thread_id: str, answer: Any, *, checkpoint_id: str | None = None) -> None:
        """Records nothing, because the graph never interrupts."""

    async def record_update(self, thread_id: str, values: dict[str, Any], *, by: str) -> None:
        """See GraphSpec.record_update."""

    def validate_update(self, values: dict[str, Any], by: str) -> dict[str, Any]:
        """Raises ValueError, because clients have nothing to change."""
        raise ValueError("noop has no state that clients may change")

    async def record_failure(self, thread_id: str, kind: Any, reason: str) -> None:
        """Records nothing."""


def main() -> None:
    """Serves until the process gets a signal."""
    from agent.settings import read_settings
    from api.compose import shipped_graphs
    from api.serving import serve
    from graphs.server.graph_spec import GraphSpec
    from graphs.state import Runtime
    from memory.checkpoints.savers import Saver

    def graphs(runtime: Runtime, saver: Saver) -> Sequence[GraphSpec]:
        return (*shipped_graphs(runtime, saver), NoopSpec(saver))

    serve(read_settings(), graphs)


if __name__ == "__main__":
    main()
