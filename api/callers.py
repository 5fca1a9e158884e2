"""A caller: whose threads it sees, and what its key covers.

How a request tells who calls is in `auth`.
"""

from collections.abc import Callable
from dataclasses import dataclass

from api.errors import Forbidden
from memory.server.keys import Scope

SCOPES: dict[str, Scope] = {"learn": "learn"}


def scope_of(graph_id: str) -> Scope:
    """What a key needs to have a graph run, or to touch its threads."""
    return SCOPES.get(graph_id, "chat")


@dataclass(frozen=True)
class Caller:
    """Who asks."""

    owner: str | None
    """Whose threads it sees and makes; None sees all: an operator, or anybody where there are no keys."""
    may: Callable[[Scope], bool]

    @property
    def hidden(self) -> tuple[str, ...]:
        """Graphs whose threads its key does not cover."""
        return tuple(graph for graph, scope in SCOPES.items() if not self.may(scope))

    def need(self, scope: Scope) -> None:
        """Raises Forbidden unless its key covers the scope."""
        if not self.may(scope):
            raise Forbidden(f"this needs a key of scope {scope}: `nightschool keys create --scope {scope}`")
