"""A fake OpenAI-compatible server for the model teacher, in this process."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
from pydantic import SecretStr

from agent.learning.teachers.model import ModelTeacher
from memory.records.knowledge import Passage
from tests.support.facts import passage

BRIDGE = passage(
    "Ada Vell built the Corran Bridge in 1904.\nIt has “three” arches — all of stone.", title="Corran"
)
MILL = passage("The Ostrey Mill grinds rye.", source="mill.md")
LOCK = passage("The Penn Lock opens at dawn.", source="lock.md")
BUILDER = {
    "question": "Who built the Corran Bridge?",
    "answer": "Ada Vell",
    "form": "who",
    "quote": "Ada Vell built the Corran Bridge in 1904.",
}
Body = dict[str, Any]
Says = Callable[[Body], str | httpx.Response | Awaitable[str]]


def pairs(*items: object) -> str:
    return json.dumps({"pairs": list(items)})


def completion(text: object, finish: str = "stop") -> Body:
    return {
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish}]
    }


def said(body: Body) -> str:
    """All that the model was sent."""
    return "\n".join(message["content"] for message in body["messages"])


def about(body: Body) -> str:
    """A good reply about whichever passage was sent, quoting the whole of it."""
    home = next(p for p in (BRIDGE, MILL, LOCK) if p.text in said(body))
    return pairs(BUILDER | {"quote": home.text})


class Fake:
    """A server in this process: what it says is given, what it was asked is recorded."""

    def __init__(self, says: Says) -> None:
        self.asked: list[Body] = []
        self.headers: list[httpx.Headers] = []
        self._says = says

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        self.asked.append(body)
        self.headers.append(request.headers)
        reply = self._says(body)
        if not isinstance(reply, str | httpx.Response):
            reply = await reply
        return reply if isinstance(reply, httpx.Response) else httpx.Response(200, json=completion(reply))


def teacher(fake: Fake, *, timeout: float = 5.0, concurrency: int = 4) -> ModelTeacher:
    client = httpx.AsyncClient(transport=httpx.MockTransport(fake))
    return ModelTeacher(
        "http://teacher/v1",
        "big",
        key=SecretStr("sesame"),
        timeout=timeout,
        client=client,
        concurrency=concurrency,
    )


def in_turn(*replies: str | httpx.Response) -> Says:
    left = iter(replies)
    return lambda body: next(left)


def numbered(count: int) -> list[Passage]:
    return [passage(f"Gate {n} opens at noon.", source=f"{n}.md") for n in range(count)]
