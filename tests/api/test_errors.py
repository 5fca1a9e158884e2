"""A caller's mistake is told to the caller; a fault of ours is logged, and its details stay in the log."""

from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from api import errors
from graphs.server.failure_message import bug_message, failure_message
from graphs.state import Runtime
from memory.errors import StoreUnavailable
from memory.records.base import Interval
from tests.api.conftest import Serve, asking
from tests.support.keys import key_maker


def fail(kind: str) -> None:
    """Fails as our code may."""
    match kind:
        case "caller":
            raise ValueError("ask for less")
        case "record":
            Interval(lower=2.0, upper=1.0)
        case "text":
            "\ud800".encode()
        case _:
            raise KeyError(kind)


@pytest.mark.parametrize(
    ("kind", "status", "code", "logged"),
    [
        ("caller", 400, "invalid_value", False),
        ("record", 500, "internal_error", True),
        ("text", 500, "internal_error", True),
        ("other", 500, "internal_error", True),
    ],
)
async def test_only_what_a_caller_did_wrong_is_a_400(
    kind: str, status: int, code: str, logged: bool, caplog: pytest.LogCaptureFixture
) -> None:
    app = FastAPI()
    errors.add_handlers(app)
    app.add_api_route("/{kind}", fail)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        reply = await client.get(f"/{kind}")
    assert (reply.status_code, reply.json()["error"]["code"]) == (status, code)
    assert any(record.name == "api.errors" and record.exc_info for record in caplog.records) == logged


async def test_what_fails_is_told_to_admins_alone(
    serve: Serve, runtime: Runtime, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    secret = "/srv/home/nightschool.db at 10.0.0.7"

    async def store_fails(*_: object, **__: object) -> None:
        raise StoreUnavailable(f"{secret} cannot be reached", part="the database")

    key = key_maker(runtime)
    callers: list[tuple[dict[str, str], bool]] = [
        (await key("ada", "learn"), False),
        (await key("root", "admin"), True),
    ]
    async with serve(runtime) as client:
        monkeypatch.setattr(runtime.database, "gaps", store_fails)
        monkeypatch.setattr(runtime.database, "runs", store_fails)
        monkeypatch.setattr(runtime.engine, "available", False)  # the scripted engine's switch
        for headers, told in callers:
            gaps = await client.get("/v1/gaps", headers=headers)
            chat = await client.post("/v1/chat/completions", json=asking("What is a lemur?"), headers=headers)
            for reply, part, why in ((gaps, "the database", secret), (chat, "the engine", "switched off")):
                assert reply.status_code == 503
                message = reply.json()["error"]["message"]
                assert (why in message) == told
                assert told or message.startswith(f"{part} is not available")
        assert secret in caplog.text
        for headers, told in (({}, False), *callers):
            ready: Any = await client.get("/readyz", headers=headers)
            state = ready.json()["parts"]["database"]
            assert (ready.status_code, state == "failing", secret in state) == (503, not told, told)


async def test_what_ended_a_run_is_told_to_admins_alone(
    serve: Serve, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = key_maker(runtime)
    callers = [(await key("ada", "chat"), False), (await key("root", "admin"), True)]
    run = {"assistant_id": "chat", "input": {"messages": [{"role": "user", "content": "Hello!"}]}}
    async with serve(runtime, learning=True) as client:
        monkeypatch.setattr(runtime.engine, "available", False)  # the scripted engine's switch
        for headers, told in callers:
            thread = (await client.post("/threads", json={}, headers=headers)).json()["thread_id"]
            waited = await client.post(f"/threads/{thread}/runs/wait", json=run, headers=headers)
            streamed = await client.post(f"/threads/{thread}/runs/stream", json=run, headers=headers)
            stored = await client.get(f"/threads/{thread}", headers=headers)
            for reply in (waited, streamed, stored):
                assert ("switched off" in reply.text) == told, reply.text
                assert told or "the engine is not available" in reply.text


@pytest.mark.parametrize(
    "error", [StoreUnavailable("/srv/x.db failed", part="the database"), KeyError("/srv/x.db")]
)
def test_no_failure_of_ours_names_its_paths_to_an_owner(error: Exception) -> None:
    for message in (failure_message, bug_message):
        assert "/srv" in message(error, None)
    assert "/srv" not in bug_message(error, "ada")
    if isinstance(error, StoreUnavailable):
        assert failure_message(error, "ada").startswith("the database is not available")
