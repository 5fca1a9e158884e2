"""Every request has an id: in its reply, and in each line that is logged for it or for the run it starts."""

import logging
from collections.abc import Iterator
from dataclasses import replace

import httpx
import pytest

from agent.engines.scripted import ScriptedEngine
from agent.errors import EngineUnavailable
from agent.logs import REQUEST_ID, RUN_ID
from graphs.state import Runtime
from tests.api.conftest import Serve, asking

CHAT = "/v1/chat/completions"


class Seen(logging.Handler):
    """The messages with the ids that were set when they were logged."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[tuple[str, str | None, str | None]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append((record.getMessage(), REQUEST_ID.get(), RUN_ID.get()))


@pytest.fixture
def seen() -> Iterator[Seen]:
    handler = Seen()
    logging.getLogger().addHandler(handler)
    yield handler
    logging.getLogger().removeHandler(handler)


def unavailable(runtime: Runtime, monkeypatch: pytest.MonkeyPatch, error: Exception) -> Runtime:
    engine = ScriptedEngine()

    async def chat(*args: object, **kwargs: object) -> None:
        raise error

    monkeypatch.setattr(engine, "chat", chat)
    return replace(runtime, engine=engine)


async def test_a_well_formed_id_is_taken_and_any_other_replaced(client: httpx.AsyncClient) -> None:
    given = await client.get("/healthz", headers={"x-request-id": "trace-7f.0_A"})
    assert given.headers["x-request-id"] == "trace-7f.0_A"
    replaced = [
        (await client.get("/healthz", headers={"x-request-id": sent})).headers["x-request-id"]
        for sent in ("", "short", "ada@example.org", "x" * 129, 'with "quotes" and spaces')
    ]
    assert all(len(each) == 32 and each.isalnum() for each in replaced)
    assert len(set(replaced)) == len(replaced)


async def test_a_reply_to_a_failure_or_a_bug_has_the_id_of_its_log_line(
    serve: Serve, runtime: Runtime, monkeypatch: pytest.MonkeyPatch, seen: Seen
) -> None:
    for number, (error, status) in enumerate(((EngineUnavailable("gone"), 503), (KeyError("bug"), 500))):
        async with serve(unavailable(runtime, monkeypatch, error)) as client:
            sent = f"request-{number}"
            reply = await client.post(CHAT, json=asking("Hello!"), headers={"x-request-id": sent})
        assert (reply.status_code, reply.headers["x-request-id"]) == (status, sent)
        assert any(line[1] == sent and CHAT in line[0] for line in seen.lines)


async def test_the_log_lines_of_a_run_have_its_id_and_that_of_the_request(
    serve: Serve, runtime: Runtime, monkeypatch: pytest.MonkeyPatch, seen: Seen
) -> None:
    failing = unavailable(runtime, monkeypatch, EngineUnavailable("gone"))
    body = {"assistant_id": "chat", "input": {"messages": [{"role": "user", "content": "Hello!"}]}}
    async with serve(failing, learning=True) as client:
        await client.post("/runs/wait", json=body, headers={"x-request-id": "request-1"})
    (line,) = [each for each in seen.lines if "failed: gone" in each[0]]
    assert line[1] == "request-1"
    assert line[2] is not None
    assert line[2] in line[0]


async def test_no_key_is_in_a_log_line(
    serve: Serve, runtime: Runtime, monkeypatch: pytest.MonkeyPatch, seen: Seen
) -> None:
    async with serve(unavailable(runtime, monkeypatch, KeyError("bug"))) as client:
        headers = {"authorization": "Bearer nsk_secret", "x-api-key": "nsk_secret"}
        await client.post(CHAT, json=asking("I am Ada Zork of 7 Elm Street"), headers=headers)
    text = repr(seen.lines)
    assert "nsk_secret" not in text
    assert "Elm Street" not in text
