"""Requests that are too large, too deep or not text are refused before anything reads them."""

import json
import time
import timeit
from collections.abc import Callable

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Message, Receive, Scope, Send

from api.limits import JSON_BYTES, JSON_DEPTH, RequestLimits, depth, json_problem

CHAT = "/v1/chat/completions"
NESTED = st.recursive(
    st.none() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner),
)


def nesting(value: object) -> int:
    """What `depth` should say, by the plain definition."""
    if isinstance(value, dict):
        return 1 + max((nesting(v) for v in value.values()), default=0)
    if isinstance(value, list):
        return 1 + max((nesting(v) for v in value), default=0)
    return 0


@given(NESTED)
def test_depth_agrees_with_the_parsed_value_whatever_strings_hold(value: object) -> None:
    assert depth(json.dumps(value).encode()) == nesting(value)


@pytest.mark.parametrize("body", [b'{"a": "' + b"x" * 900_000 + b'", "b": [[]]}', b"[" + b"[]," * 300_000])
def test_a_body_is_not_read_byte_by_byte_while_others_wait(body: bytes) -> None:
    def seconds(read: Callable[[], object]) -> float:
        return min(timeit.repeat(read, number=1, repeat=3, timer=time.process_time))

    assert seconds(lambda: depth(body)) < seconds(lambda: [byte == 0 for byte in body])


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, "invalid_json"),
        (b"", 422, "invalid_value"),
        (b"\xff\xfe", 400, "invalid_json"),
        (b"[" * 100_000, 400, "invalid_json"),
        (b'{"messages":' + b"[" * (JSON_DEPTH + 1), 400, "invalid_json"),
        (b'{"messages":[{"role":"user","content":"\\ud800"}]}', 400, "invalid_json"),
        (b" " * (JSON_BYTES + 1), 413, "body_too_large"),
    ],
)
async def test_bad_bodies_get_a_reason(
    client: httpx.AsyncClient, body: bytes, status: int, code: str
) -> None:
    reply = await client.post(CHAT, content=body, headers={"Content-Type": "application/json"})
    assert (reply.status_code, reply.json()["error"]["code"]) == (status, code)


def test_text_outside_the_basic_plane_is_fine() -> None:
    assert json_problem(b'{"a": "\\ud83d\\ude00"}') is None


async def test_unknown_paths_and_methods_have_the_same_error_shape(client: httpx.AsyncClient) -> None:
    assert (await client.get("/v2/chat")).json()["error"]["code"] == "not_found"
    assert (await client.delete(CHAT)).json()["error"]["code"] == "method_not_allowed"


async def test_an_upload_that_is_cut_off_never_reaches_the_app() -> None:
    reached: list[Scope] = []
    sent: list[Message] = []
    messages: list[Message] = [
        {"type": "http.request", "body": b"# Lamps\n", "more_body": True},
        {"type": "http.request", "body": b"A zorble is a lamp.", "more_body": True},
        {"type": "http.disconnect"},
    ]

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        reached.append(scope)

    async def receive() -> Message:
        return messages.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    scope: Scope = {"type": "http", "method": "POST", "path": "/v1/documents"}
    await RequestLimits(app, body_limit=lambda path: 100)(scope, receive, send)
    assert (messages, reached, sent) == ([], [], [])
