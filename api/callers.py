"""The caller of a request: whose threads it sees, and which scopes its key has.

Authentication is in `auth`.
"""

from collections.abc import Callable
from dataclasses import dataclass

from api.errors import Forbidden
from memory.server.keys import LOCAL_OPERATOR, Scope

GRAPH_SCOPES: dict[str, Scope] = {"learn": "learn", "night": "learn"}
"""Scopes of graphs; all others need `chat`."""
ANSWER_SCOPES: dict[str, Scope] = {"learn": "approve"}
"""Scopes of answers to interrupts, for graphs that ask for an approval."""


def scope_of(graph_id: str) -> Scope:
    """The scope needed to run a graph or to use its threads."""
    return GRAPH_SCOPES.get(graph_id, "chat")


def answer_scope_of(graph_id: str) -> Scope:
    """The scope needed to answer a graph's interrupts."""
    return ANSWER_SCOPES.get(graph_id, scope_of(graph_id))


@dataclass(frozen=True)
class Caller:
    """The caller of a request."""

    name: str
    """Owner of its key, also an admin's; LOCAL_OPERATOR where authentication is off. Records of who approved,
    promoted or cancelled have this name, never one from the request."""
    owner: str | None
    """Owner of the threads that it sees and creates. None sees all: an admin, or authentication is off."""
    allows: Callable[[Scope], bool]
    """Whether its key has a scope."""
    key_id: str | None = None
    """Id of its key; None where authentication is off."""

    @property
    def is_local(self) -> bool:
        """Whether authentication is off, so that there is only one person."""
        return self.name == LOCAL_OPERATOR

    @property
    def hidden_graphs(self) -> tuple[str, ...]:
        """Graphs whose threads it may not see."""
        return tuple(graph for graph, scope in GRAPH_SCOPES.items() if not self.allows(scope))

    def require(self, scope: Scope) -> None:
        """Raises Forbidden unless its key has the scope."""
        if not self.allows(scope):
            raise Forbidden(
                f"this needs a key with scope {scope}: `nightschool keys create --scope {scope}` makes one"
            )
