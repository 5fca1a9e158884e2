"""A graph that does nothing, and our service with it: what is left is what a run itself costs.

    python -m benchmarks.api.noop      (settings as for `nightschool api`)

LangGraph's own server is given the same graph for comparison, as `noop.py:graph`.
"""

from collections.abc import Sequence
from typing import Any

from langgraph.graph import END, START, StateGraph
from pydantic import BaseModel
from typing_extensions import TypedDict

NAME = "noop"


class State(TypedDict, total=False):
    """One value, which nobody changes."""

    said: str


def rest(state: State) -> dict[str, Any]:
    """Changes nothing."""
    return {}


def build() -> StateGraph[State, Any, State, State]:
    """The graph, not yet compiled."""
    made: StateGraph[State, Any, State, State] = StateGraph(State)
    made.add_node("rest", rest)
    made.add_edge(START, "rest")
    made.add_edge("rest", END)
    return made


graph = build().compile()


class Said(BaseModel):
    """The input."""

    said: str = ""


class NoopSpec:
    """The graph on threads; see `graphs.server.graph_spec.GraphSpec`."""

    name = NAME
    description = "Does nothing."
    recursion_limit = 5
    stored_modes: tuple[str, ...] = ()
    input: type[BaseModel] = Said
    options: type[BaseModel] = BaseModel

    def __init__(self, saver: Any) -> None:
        self.graph: Any = build().compile(checkpointer=saver)

    async def validate_input(
        self, thread_id: str, values: dict[str, Any], options: dict[str, Any]
    ) -> dict[str, Any]:
        """Takes what fits."""
        return Said.model_validate(values).model_dump()

    async def initial_state(
        self, thread_id: str, accepted: dict[str, Any], *, streamed: bool
    ) -> dict[str, Any]:
        """As it came."""
        return accepted

    async def update_on_resume(self, thread_id: str, values: dict[str, Any]) -> dict[str, Any]:
        """As it is."""
        return {}

    def validate_answer(self, value: Any) -> Any:
        """It never asks."""
        raise ValueError("noop never waits for an answer")

    def validate_update(self, values: dict[str, Any]) -> dict[str, Any]:
        """Anything goes."""
        return values

    async def record_failure(self, thread_id: str, kind: Any, reason: str) -> None:
        """Nothing to note."""


def main() -> None:
    """Serves until a signal."""
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
