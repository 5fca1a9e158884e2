"""Whatever a client sends to the OpenAI routes is answered, or refused with one line that names the fault."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from agent.engines.scripted import Line
from graphs.state import Runtime
from tests.api.conftest import Serve, asking
from tests.support.engines import RecordingEngine

CHAT, TEXT, RESPONSES = "/v1/chat/completions", "/v1/completions", "/v1/responses"
HELLO = {"role": "user", "content": "Hello!"}
TOOL = {"type": "function", "function": {"name": "f"}}
SECONDS = 10
WIDE = {"type": "object", "properties": {f"p{n}": {"type": "string"} for n in range(500)}}
STALLING: dict[str, Any] = {"type": "json_schema", "json_schema": {"name": "wide", "schema": WIDE}}
"""Compiling it would keep the engine from answering others."""
LINES = {"Hello!": Line(text="Hello, how can I help?"), "Once upon": Line(text=" a time", entropy=1.0)}


@pytest.fixture
async def client(serve: Serve, runtime: Runtime) -> AsyncIterator[httpx.AsyncClient]:
    async with serve(replace(runtime, engine=RecordingEngine(LINES))) as opened:
        yield opened


def messages(*sent: object) -> dict[str, object]:
    return {"messages": list(sent)}


def called(**function: object) -> dict[str, object]:
    return {"role": "assistant", "tool_calls": [{"id": "1", "function": {"name": "f"} | function}]}


REFUSED: list[tuple[str, object, str]] = [
    (CHAT, [], "body"),
    (CHAT, {}, "messages"),
    (CHAT, messages(), "messages"),
    (CHAT, {"messages": "Hello!"}, "messages"),
    (CHAT, messages(None), "messages.0"),
    (CHAT, messages({"role": "wizard", "content": "Hello!"}), "messages.0.role"),
    (CHAT, messages({"role": "user", "content": None}), "messages.0: content is missing"),
    (CHAT, messages({"role": "user", "content": 5}), "messages.0.content: "),
    (CHAT, messages({"role": "user", "content": [{}]}), "messages.0.content.0.type"),
    (CHAT, messages({"role": "user", "content": [{"type": "text"}]}), "messages.0.content.0: a part of type"),
    (CHAT, messages({"role": "user", "content": []}), "final user message"),
    (CHAT, messages({"role": "system", "content": "Be kind."}), "final user message"),
    (CHAT, messages({"role": "tool", "content": "x"}), "final user message"),
    (CHAT, messages(HELLO, {"role": "tool", "content": None}), "messages.1"),
    (CHAT, messages(HELLO, called(name=None)), "messages.1.tool_calls.0.function.name"),
    (CHAT, messages(HELLO, called(arguments={"a": 1})), "messages.1.tool_calls.0.function.arguments"),
    (CHAT, messages(*[HELLO] * 1001), "messages"),
    (CHAT, asking("What is a \0lemur?"), "NUL"),
    (CHAT, asking("Hello!", user="\0"), "NUL"),
    (CHAT, asking("Hello!", model=None), "model"),
    (CHAT, asking("Hello!", stop=5), "stop"),
    (CHAT, asking("Hello!", seed=2**63), "seed"),
    (CHAT, asking("Hello!", logit_bias={"the": 1}), "logit_bias"),
    (CHAT, asking("Hello!", logit_bias={"-1": 1}), "logit_bias"),
    (CHAT, asking("Hello!", logit_bias={str(n): 1 for n in range(5000)}), "logit_bias"),
    (CHAT, asking("Hello!", tools=[TOOL], tool_choice={}), "tool_choice"),
    (CHAT, asking("Hello!", tools=[TOOL], tool_choice={"function": "f"}), "tool_choice"),
    (CHAT, asking("Hello!", tools=[TOOL], tool_choice={"function": 5}), "tool_choice"),
    (CHAT, asking("Hello!", tools=[TOOL], tool_choice={"function": {"name": ["f"]}}), "tool_choice"),
    (CHAT, asking("Hello!", tools=[{}]), "tools.0.type"),
    (CHAT, asking("Hello!", response_format=STALLING), "properties"),
    (CHAT, asking("Hello!", tools=[{"type": "function", "function": STALLING["json_schema"]}]), "properties"),
    (RESPONSES, {"input": "Hello!", "text": {"format": STALLING | STALLING["json_schema"]}}, "properties"),
    (CHAT, asking("x" * 900_000), "shorten"),
    (TEXT, {"prompt": ""}, "prompt"),
    (TEXT, {"prompt": None}, "prompt"),
    (TEXT, {"prompt": []}, "prompt"),
    (TEXT, {"prompt": "\0"}, "NUL"),
    (TEXT, {"prompt": "x" * 900_000}, "prompt"),
    (RESPONSES, {"input": None}, "input"),
    (RESPONSES, {"input": []}, "input"),
    (RESPONSES, {"input": [5]}, "input"),
    (RESPONSES, {"input": [{"type": []}]}, "input"),
    (RESPONSES, {"input": [{"role": "wizard", "content": "x"}]}, "messages.0.role"),
    (RESPONSES, {"input": [{"role": "user", "content": [None]}]}, "messages.0.content"),
    (RESPONSES, {"input": [{"type": "function_call"}]}, "name"),
    (RESPONSES, {"input": "Hello!", "tools": [{"type": []}]}, "tools.0.type"),
    (RESPONSES, {"input": "Hello!", "tool_choice": {}}, "tool_choice"),
    (RESPONSES, {"input": "\0"}, "NUL"),
]


@pytest.mark.timeout(120)
@pytest.mark.parametrize(("path", "body", "named"), REFUSED)
async def test_a_request_that_cannot_be_is_refused_by_name(
    client: httpx.AsyncClient, path: str, body: object, named: str
) -> None:
    reply = await client.post(path, json=body, timeout=SECONDS)
    assert reply.status_code in (400, 422), reply.text
    error: dict[str, Any] = reply.json()["error"]
    assert named in error["message"]
    assert "constrained-str" not in error["message"]


@pytest.mark.parametrize(
    "sent",
    [
        [{"role": "tool", "content": "x", "tool_call_id": "none"}, HELLO],
        [HELLO, {"role": "tool", "content": "x"}],
        [HELLO, {"role": "assistant", "tool_calls": []}],
        [HELLO, called(arguments="[" * 50_000)],
        [HELLO, called(arguments="NaN")],
        [HELLO, {"role": "assistant", "content": "Well,"}],
        [{"role": "user", "content": "\u200b"}],
        [{"role": "user", "content": [{"type": "text", "text": "a"}] * 900}],
        [{"role": "system", "content": "answer " * 900}, {"role": "user", "content": "What is a zorbul?"}],
        [HELLO] * 1000,
    ],
)
async def test_odd_conversations_are_answered(client: httpx.AsyncClient, sent: list[object]) -> None:
    reply = await client.post(CHAT, json={"messages": sent}, timeout=SECONDS)
    assert reply.status_code == 200, reply.text


@pytest.mark.parametrize("path", [CHAT, TEXT, RESPONSES])
@pytest.mark.parametrize("content", ["", "{", "[" * 100_000, '{"a":' * 5_000, '{"messages": NaN}', "null"])
async def test_a_body_that_is_none_is_refused(client: httpx.AsyncClient, path: str, content: str) -> None:
    reply = await client.post(path, content=content, headers={"content-type": "application/json"})
    assert reply.status_code in (400, 422)
    assert reply.json()["error"]["message"]


async def test_a_limit_beyond_the_context_is_clamped_for_texts_too(serve: Serve, runtime: Runtime) -> None:
    engine = RecordingEngine(LINES)
    async with serve(replace(runtime, engine=engine)) as client:
        await client.post(TEXT, json={"prompt": "Once upon", "max_tokens": 10**30})
    assert engine.asked[0][1].max_tokens == runtime.card.context
