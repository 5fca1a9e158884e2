"""The api as the pages see it: a client with the user's key, whose refusals are shown as they are worded."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import gradio as gr

from api.cli.client import Client, Refused, Unreachable, connect
from api.console.markup import text

Json = Mapping[str, Any]
UNAUTHORIZED, FORBIDDEN = 401, 403
PRIVATE: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
"""Options of every event: the pages' functions are no api of their own, and nothing covers what is shown."""
FOLLOWING: dict[str, Any] = {**PRIVATE, "concurrency_limit": 16, "concurrency_id": "follow"}
"""Options of events that wait for a run; each takes one of the process's 40 threads as long as it waits."""


@dataclass
class Service:
    """Where the api is, and what on the pages needs which scope."""

    url: Callable[[], str]
    needs: list[tuple[Any, str]] = field(default_factory=list)
    """Components with the scope without which they are not shown."""

    def require(self, scope: str, *components: Any) -> None:
        """Shows the components only to callers with the scope. The api refuses others in any case."""
        self.needs.extend((component, scope) for component in components)

    @contextmanager
    def connected(self, key: str) -> Iterator[Client]:
        """A client of the api. Raises Refused for a key that no header can carry."""
        if not (key.isascii() and key.isprintable()):
            raise Refused(UNAUTHORIZED, "this is no key: enter one that `nightschool keys create` printed")
        with connect(self.url(), key or None) as client:
            yield client

    @contextmanager
    def client(self, key: str) -> Iterator[Client]:
        """A client of the api. Raises gr.Error, which is shown on the page."""
        try:
            with self.connected(key) as client:
                yield client
        except (Refused, Unreachable) as error:
            raise failure(str(error)) from error

    def visibility(self, scopes: Sequence[str]) -> list[Any]:
        """An update for each component in `needs`."""
        return [gr.update(visible=scope in scopes) for _, scope in self.needs]


def failure(message: str) -> gr.Error:
    """An error that the page shows; Gradio reads its message as HTML."""
    return gr.Error(text(message), duration=None, print_exception=False)


def segment(id: str) -> str:
    """The id, quoted as one segment of a path. Raises gr.Error for one that cannot be any."""
    if not id or not id.strip(". "):
        raise failure("choose one first")
    return quote(id, safe="", errors="replace")
