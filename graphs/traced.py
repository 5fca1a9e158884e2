"""Adds steps to graphs so that each has a span in traces, named after its node."""

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any

from langgraph.errors import GraphBubbleUp
from langgraph.graph import StateGraph

from memory.tracing import is_on, span

AnyStep = Callable[..., Awaitable[Any]]


def add_step(graph: StateGraph[Any, Any, Any, Any], name: str, step: AnyStep) -> None:
    """Adds the step as the node `name`; an interrupt, such as for an approval, does not fail its span."""

    @wraps(step)
    async def traced(*args: Any, **kwargs: Any) -> Any:
        if not is_on():
            return await step(*args, **kwargs)
        with span(f"step {name}", {"nightschool.node": name}, expected=(GraphBubbleUp,)):
            return await step(*args, **kwargs)

    graph.add_node(name, traced)
