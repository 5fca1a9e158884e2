"""An engine that misbehaves: 503 with Retry-After before the first byte, and an error event after it."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest

from agent.engines.breaker import FAILURES, BreakingEngine, Circuit
from agent.engines.vllm.engine import VllmEngine
from graphs.state import Runtime
from tests.api.conftest import Serve, asking
from tests.support.adopted_models import CARD_TEMPLATE
from tests.support.bad_upstream import MIDDLE, WAYS, BadUpstream, upstream

CHAT, RESPONSES, COMPLETIONS = "/v1/chat/completions", "/v1/responses", "/v1/completions"
BODIES: dict[str, dict[str, Any]] = {
    CHAT: asking("Hello there, how are you?"),
    RESPONSES: {"model": "nightschool", "input": "Hello there, how are you?"},
    COMPLETIONS: {"model": "nightschool", "prompt": "Hello there", "max_tokens": 64},
}
Over = Callable[..., Any]


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def over(serve: Serve, runtime: Runtime) -> Over:
    """The app over a server that misbehaves in a way."""

    @asynccontextmanager
    async def opened(
        way: str, clock: Clock | None = None
    ) -> AsyncIterator[tuple[httpx.AsyncClient, BadUpstream]]:
        async with (
            upstream(way) as server,
            VllmEngine(server.url, "nightschool", CARD_TEMPLATE, timeout=0.3) as engine,
            serve(replace(runtime, engine=BreakingEngine(engine, Circuit(clock or Clock())))) as client,
        ):
            yield client, server

    return opened


async def data(client: httpx.AsyncClient, path: str) -> list[dict[str, Any]]:
    """The data of a streamed reply's events."""
    reply = await client.post(path, json=BODIES[path] | {"stream": True})
    assert reply.status_code == 200, reply.text
    assert reply.headers["content-type"].startswith("text/event-stream")
    lines = [line.removeprefix("data: ") for line in reply.text.splitlines() if line.startswith("data: ")]
    assert "[DONE]" not in lines
    return [json.loads(line) for line in lines]


@pytest.mark.parametrize("way", WAYS)
async def test_an_answer_that_cannot_be_had_is_a_503_that_says_when_to_come_back(
    over: Over, way: str
) -> None:
    async with over(way) as (client, _):
        for path, body in BODIES.items():
            reply = await client.post(path, json=body)
            assert reply.status_code == 503, (path, reply.text)
            assert int(reply.headers["retry-after"]) > 0
            assert reply.json()["error"]["code"] == "engine_unavailable"


@pytest.mark.parametrize("way", sorted(set(WAYS) - set(MIDDLE)))
async def test_a_stream_that_never_begins_is_a_503_too(over: Over, way: str) -> None:
    async with over(way) as (client, _):
        for path, body in BODIES.items():
            reply = await client.post(path, json=body | {"stream": True})
            assert reply.status_code == 503, (path, reply.text)
            assert int(reply.headers["retry-after"]) > 0


@pytest.mark.parametrize("way", MIDDLE)
async def test_a_stream_that_breaks_in_the_middle_ends_in_an_error_event_and_not_as_if_it_were_whole(
    over: Over, way: str
) -> None:
    async with over(way) as (client, _):
        *chunks, last = await data(client, COMPLETIONS)
        assert "".join(chunk["choices"][0]["text"] for chunk in chunks).startswith("a small primate")
        assert last["error"]["code"] == "engine_unavailable"
        for path in (CHAT, RESPONSES):
            reply = await client.post(path, json=BODIES[path] | {"stream": True})
            if reply.status_code == 503:  # the gate had not let anything through
                continue
            events = await data(client, path)
            last = events[-1]
            assert (last["error"] if path == CHAT else last)["code"] == "engine_unavailable"


async def test_an_engine_that_fails_again_and_again_is_left_alone_and_recovers_by_itself(over: Over) -> None:
    clock = Clock()
    async with over("hangs", clock) as (client, server):
        for _ in range(FAILURES):
            assert (await client.post(CHAT, json=BODIES[CHAT])).status_code == 503
        asked = server.asked
        for path, body in BODIES.items():
            reply = await client.post(path, json=body)
            assert reply.status_code == 503
            assert "in a row" in reply.json()["error"]["message"]
            assert int(reply.headers["retry-after"]) > 0
        ready = await client.get("/readyz")
        assert ready.status_code == 503
        assert "in a row" in ready.json()["parts"]["engine"]
        assert server.asked == asked

        server.way = "well"
        clock.now += 10
        assert (await client.post(CHAT, json=BODIES[CHAT])).status_code == 200
        assert (await client.get("/readyz")).json()["parts"]["engine"] == "ok"


@pytest.mark.parametrize("way", ["failed on this request", "error event"])
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
async def test_requests_that_the_engine_fails_on_keep_nobody_else_from_it(
    over: Over, way: str, streamed: bool
) -> None:
    async with over(way, Clock()) as (client, server):
        for _ in range(FAILURES + 1):
            await client.post(CHAT, json=BODIES[CHAT] | {"stream": streamed})
        assert server.asked == FAILURES + 1
        assert (await client.get("/readyz")).json()["parts"]["engine"] == "ok"
        server.way = "well"
        assert (await client.post(CHAT, json=BODIES[CHAT])).status_code == 200


@pytest.mark.parametrize("way", ["HTML page", "broken off", "hangs in the middle"])
async def test_a_langgraph_stream_ends_in_an_error_event(serve: Serve, runtime: Runtime, way: str) -> None:
    async with (
        upstream(way) as server,
        VllmEngine(server.url, "nightschool", CARD_TEMPLATE, timeout=0.3) as engine,
        serve(replace(runtime, engine=BreakingEngine(engine)), learning=True) as client,
    ):
        body = {"assistant_id": "chat", "input": {"messages": [{"role": "user", "content": "Hello there!"}]}}
        reply = await client.post("/runs/stream", json=body)
        assert reply.status_code == 200, reply.text
        kinds = [
            line.removeprefix("event: ") for line in reply.text.splitlines() if line.startswith("event: ")
        ]
        assert "error" in kinds
        assert "EngineUnavailable" in reply.text
