"""A stream keeps the gate: nothing flows before it has decided, and what flowed is owned up to."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import httpx
import pytest

from agent.chat.stream_gate import HELD_TOKENS
from agent.engines.scripted import Line, ScriptedEngine
from agent.feedback.pseudonyms import pseudonym
from graphs.state import Runtime
from memory.records.access import EVERYTHING
from tests.api.conftest import Listen, asking
from tests.graphs.conftest import eventually

CHAT = "/v1/chat/completions"
WORDS = [f"w{place}" for place in range(30)]
QUESTION = "What is a road?"
Json = dict[str, Any]


def engine(**line: Any) -> ScriptedEngine:
    """A model with one answer of thirty words."""
    return ScriptedEngine({QUESTION: Line(text=" ".join(WORDS), entropy=0.1, **line)})


@pytest.fixture
def over(runtime: Runtime) -> Callable[[ScriptedEngine], Runtime]:
    return lambda engine: replace(runtime, engine=engine)


async def events(client: httpx.AsyncClient, **fields: object) -> AsyncGenerator[Json, None]:
    """The chunks of one streamed chat; it must end with [DONE]."""
    body = asking(QUESTION) | {"stream": True} | fields
    async with client.stream("POST", CHAT, json=body) as reply:
        assert reply.status_code == 200
        assert reply.headers["content-type"].startswith("text/event-stream")
        data = ""
        async for line in reply.aiter_lines():
            if line.startswith("data: "):
                data = line.removeprefix("data: ")
                if data != "[DONE]":
                    yield json.loads(data)
        assert data == "[DONE]" or "error" in json.loads(data)


def text(chunk: Json) -> str:
    """What a chunk adds to the answer."""
    return "".join(choice["delta"].get("content") or "" for choice in chunk["choices"])


async def told(client: httpx.AsyncClient, **fields: object) -> list[Json]:
    return [chunk async for chunk in events(client, **fields)]


async def answers(engine: ScriptedEngine, count: int) -> bool:
    """Whether so many answers are under way."""
    return engine.answering == count


async def test_a_confident_beginning_is_released_at_once_and_then_tokens_flow(
    listen: Listen, over: Callable[[ScriptedEngine], Runtime]
) -> None:
    async with listen(over(engine())) as url, httpx.AsyncClient(base_url=url) as client:
        chunks = await told(client)
    flowed = [text(chunk) for chunk in chunks if text(chunk)]
    assert flowed[0].split() == WORDS[:HELD_TOKENS]
    assert flowed[1:] == [f" {word}" for word in WORDS[HELD_TOKENS:]]
    assert chunks[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert chunks[-1]["nightschool"]["outcome"] == "answered"


@pytest.mark.parametrize("place", [0, HELD_TOKENS - 1])
async def test_a_doubt_in_the_beginning_keeps_all_of_it_back(
    listen: Listen, over: Callable[[ScriptedEngine], Runtime], place: int
) -> None:
    runtime = over(engine(doubts={place: 3.0}))
    async with listen(runtime) as url, httpx.AsyncClient(base_url=url) as client:
        chunks = await told(client)
        whole = (await client.post(CHAT, json=asking(QUESTION))).json()
    said = "".join(map(text, chunks))
    assert said == whole["choices"][0]["message"]["content"]
    assert not any(word in said.split() for word in WORDS)
    assert chunks[-1]["nightschool"]["outcome"] == "abstained"


async def test_a_later_doubt_cannot_be_taken_back_but_the_last_chunk_says_so_and_a_gap_is_opened(
    listen: Listen, over: Callable[[ScriptedEngine], Runtime], runtime: Runtime
) -> None:
    changed_runtime = over(engine(doubts={HELD_TOKENS: 3.0}))
    async with listen(changed_runtime) as url, httpx.AsyncClient(base_url=url) as client:
        chunks = await told(client, stream_options={"include_usage": True})
    assert "".join(map(text, chunks)).split() == WORDS
    for chunk in chunks[-2:]:
        figures = chunk["nightschool"]
        assert (figures["outcome"], figures["uncertainty"]["decision"]) == ("answered_unsure", "unsure")
    (gap,) = await runtime.database.gaps("open", access=EVERYTHING)
    assert (gap.id, gap.question) == (figures["gap_id"], QUESTION)
    (kept,) = await runtime.interactions.list()
    assert (kept.id, kept.outcome) == (figures["run_id"], "answered_unsure")


async def test_a_short_answer_is_judged_whole_before_a_word_of_it_goes_out(
    listen: Listen, over: Callable[[ScriptedEngine], Runtime]
) -> None:
    async with listen(over(engine(doubts={4: 3.0}))) as url, httpx.AsyncClient(base_url=url) as client:
        unsure = await told(client, max_tokens=5)
        sure = await told(client, max_tokens=4)
    assert unsure[-1]["nightschool"]["outcome"] == "abstained"
    assert "".join(map(text, sure)).split() == WORDS[:4]
    assert sure[-1]["choices"][0]["finish_reason"] == "length"


async def test_an_answer_from_sources_streams_with_its_citation(
    listen: Listen, over: Callable[[ScriptedEngine], Runtime]
) -> None:
    said = "A move is a transfer of a value to a new owner."
    reader = ScriptedEngine(
        lambda messages: Line(text=said, entropy=0.1) if "new owner" in messages[-1].text else None
    )
    asked = asking("What is a move?")["messages"]
    async with listen(over(reader)) as url, httpx.AsyncClient(base_url=url) as client:
        chunks = await told(client, messages=asked, logprobs=True)
    assert "".join(map(text, chunks)) == said
    assert chunks[-1]["nightschool"]["citations"][0]["quote"].startswith("A move is")
    scored = [
        token["token"]
        for c in chunks
        for token in (c["choices"][0]["logprobs"] or {"content": []})["content"]
    ]
    assert "".join(scored) == said


async def test_a_client_that_leaves_in_the_middle_ends_the_engines_work_and_nothing_is_kept(
    listen: Listen, over: Callable[[ScriptedEngine], Runtime], runtime: Runtime
) -> None:
    endless = ScriptedEngine({QUESTION: Line(text="and on " * 2000, entropy=0.1, pause=0.02)})
    async with listen(over(endless)) as url, httpx.AsyncClient(base_url=url) as client:
        async with aclosing(events(client, max_tokens=4000)) as chunks:
            async for chunk in chunks:
                if text(chunk):
                    break
            assert endless.answering == 1
        await eventually(lambda: answers(endless, 0))
    assert await runtime.interactions.list() == ()


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_client_that_leaves_before_anything_was_said_ends_the_work_too(
    listen: Listen, over: Callable[[ScriptedEngine], Runtime], runtime: Runtime, streamed: bool
) -> None:
    slow = engine(pause=60.0)
    async with listen(over(slow)) as url, httpx.AsyncClient(base_url=url) as client:
        asked = asyncio.create_task(client.post(CHAT, json=asking(QUESTION, stream=streamed)))
        await eventually(lambda: answers(slow, 1))
        asked.cancel()
        await eventually(lambda: answers(slow, 0))
    assert await runtime.interactions.list() == ()


async def test_an_engine_that_fails_in_the_middle_ends_the_stream_with_an_error_and_nothing_is_kept(
    listen: Listen, over: Callable[[ScriptedEngine], Runtime], runtime: Runtime
) -> None:
    slow = engine(pause=0.01)
    chunks: list[Json] = []
    async with listen(over(slow)) as url, httpx.AsyncClient(base_url=url) as client:
        async for chunk in events(client):
            chunks.append(chunk)
            slow.available = False
    assert chunks[-1]["error"]["code"] == "engine_unavailable"
    assert await runtime.interactions.list() == ()


async def test_the_turn_of_a_stream_is_kept_with_its_unit_under_the_id_that_the_client_saw(
    listen: Listen, over: Callable[[ScriptedEngine], Runtime], runtime: Runtime
) -> None:
    async with listen(over(engine())) as url, httpx.AsyncClient(base_url=url) as client:
        chunks = await told(client, user="u1")
    (kept,) = await runtime.interactions.list()
    assert (kept.unit, f"chatcmpl-{kept.id}") == (pseudonym("u1", runtime.pseudonym_key), chunks[0]["id"])
