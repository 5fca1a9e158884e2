"""Runs on threads wait, yield, end and go on as asked, whoever asks: one running run per thread, always."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
from langchain_core.messages import BaseMessage
from langgraph_sdk import get_client
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.errors import ConflictError, NotFoundError, UnprocessableEntityError
from sqlalchemy.exc import IntegrityError

from agent.engines.base import GREEDY, Reply, Sampling, Token
from agent.engines.scripted import ScriptedEngine
from graphs.state import Runtime
from memory.database.database import open_database
from memory.server.runs import ThreadRuns
from tests.graphs.conftest import BASE_LINES, clock, eventually, runtime
from tests.support.databases import database_url, empty_runs, home, on_database, postgresql, template
from tests.support.langgraph_server import serving

__all__ = ["clock", "database_url", "empty_runs", "home", "postgresql", "runtime", "template"]
pytestmark = pytest.mark.services

LEMUR = {"messages": [{"role": "user", "content": "What is a lemur?"}]}
BORROW = {"messages": [{"role": "user", "content": "What is a borrow?"}]}


class SlowEngine(ScriptedEngine):
    """Answers once it is allowed to."""

    def __init__(self) -> None:
        super().__init__(BASE_LINES)
        self.allowed = asyncio.Event()
        self.asked = 0

    async def stream(
        self, messages: Sequence[BaseMessage], *, adapter: str | None = None, sampling: Sampling = GREEDY
    ) -> AsyncGenerator[Token | Reply, None]:
        self.asked += 1
        await self.allowed.wait()
        async for part in super().stream(messages, adapter=adapter, sampling=sampling):
            yield part


@pytest.fixture
def engine() -> SlowEngine:
    return SlowEngine()


@pytest.fixture
async def given(runtime: Runtime, database_url: str, engine: SlowEngine) -> AsyncIterator[Runtime]:
    database = await open_database(database_url)
    yield on_database(runtime, database, engine=engine)
    await database.aclose()


@pytest.fixture
async def url(given: Runtime, tmp_path: Path, database_url: str) -> AsyncIterator[str]:
    async with serving(given, tmp_path, database_url) as address:
        yield address


@pytest.fixture
async def client(url: str) -> AsyncIterator[LangGraphClient]:
    async with get_client(url=url) as opened:
        yield opened


@pytest.fixture
async def thread(client: LangGraphClient) -> str:
    return str((await client.threads.create())["thread_id"])


async def asking(engine: SlowEngine, times: int = 1) -> None:
    async def asked() -> bool:
        return engine.asked >= times

    await eventually(asked)


def questions(values: Any) -> list[str]:
    return [m["content"] for m in values["messages"] if m["type"] == "human"]


async def test_a_busy_thread_rejects_or_queues_a_second_run(
    client: LangGraphClient, thread: str, engine: SlowEngine
) -> None:
    first = await client.runs.create(thread, "chat", input=LEMUR)
    await asking(engine)
    with pytest.raises(ConflictError, match="busy"):
        await client.runs.create(thread, "chat", input=BORROW, multitask_strategy="reject")
    second = await client.runs.create(thread, "chat", input=BORROW)
    assert (await client.threads.get(thread))["status"] == "busy"
    assert [r["status"] for r in await client.runs.list(thread)] == ["pending", "running"]
    with pytest.raises(ConflictError):
        await client.threads.update_state(thread, {"messages": []})
    with pytest.raises(ConflictError):
        await client.runs.delete(thread, first["run_id"])
    engine.allowed.set()
    values: Any = await client.runs.join(thread, second["run_id"])
    assert questions(values) == ["What is a lemur?", "What is a borrow?"]
    assert (await client.threads.get(thread))["status"] == "idle"
    await client.runs.delete(thread, first["run_id"])
    with pytest.raises(NotFoundError):
        await client.runs.get(thread, first["run_id"])


async def test_interrupt_ends_the_first_run_where_it_was(
    client: LangGraphClient, thread: str, engine: SlowEngine
) -> None:
    first = await client.runs.create(thread, "chat", input=LEMUR)
    await asking(engine)
    second = await client.runs.create(thread, "chat", input=BORROW, multitask_strategy="interrupt")
    await asking(engine, 2)
    engine.allowed.set()
    values: Any = await client.runs.join(thread, second["run_id"])
    assert questions(values) == ["What is a lemur?", "What is a borrow?"]
    assert (await client.runs.get(thread, first["run_id"]))["status"] == "interrupted"


async def test_rollback_leaves_nothing_of_the_first_run(
    client: LangGraphClient, thread: str, engine: SlowEngine
) -> None:
    engine.allowed.set()
    before: Any = await client.runs.wait(thread, "chat", input=LEMUR)
    engine.allowed.clear()
    first = await client.runs.create(thread, "chat", input=LEMUR)
    await asking(engine, 2)
    second = await client.runs.create(thread, "chat", input=BORROW, multitask_strategy="rollback")
    await asking(engine, 3)
    engine.allowed.set()
    values: Any = await client.runs.join(thread, second["run_id"])
    assert values["messages"][:2] == before["messages"]
    assert questions(values) == ["What is a lemur?", "What is a borrow?"]
    with pytest.raises(NotFoundError):
        await client.runs.get(thread, first["run_id"])
    left = {s["metadata"]["run_id"] for s in await client.threads.get_history(thread, limit=100)}  # type: ignore[index]
    assert first["run_id"] not in left


@pytest.mark.parametrize("action", ["interrupt", "rollback"])
async def test_a_run_is_cancelled_and_the_thread_goes_on(
    client: LangGraphClient, thread: str, engine: SlowEngine, action: Any
) -> None:
    run = await client.runs.create(thread, "chat", input=LEMUR)
    await asking(engine)
    waiting = await client.runs.create(thread, "chat", input=BORROW)
    await client.runs.cancel(thread, waiting["run_id"], action=action)
    await client.runs.cancel(thread, run["run_id"], action=action, wait=True)
    left = await client.runs.list(thread)
    assert [r["status"] for r in left] == (["interrupted"] * 2 if action == "interrupt" else [])
    shown = await client.threads.get(thread)
    assert shown["status"] == ("interrupted" if action == "interrupt" else "idle")
    engine.allowed.set()
    values: Any = await client.runs.wait(thread, "chat", input=BORROW)
    assert questions(values)[-1] == "What is a borrow?"
    with pytest.raises(NotFoundError if action == "rollback" else ConflictError):
        await client.runs.cancel(thread, run["run_id"])


async def test_many_runs_are_cancelled_at_once(
    client: LangGraphClient, thread: str, engine: SlowEngine
) -> None:
    runs = [await client.runs.create(thread, "chat", input=LEMUR) for _ in range(3)]
    await asking(engine)
    await client.runs.cancel_many(thread_id=thread, run_ids=[run["run_id"] for run in runs])
    for run in runs:
        await client.runs.join(thread, run["run_id"])
    assert {r["status"] for r in await client.runs.list(thread)} == {"interrupted"}


async def test_whoever_leaves_ends_the_run_only_if_that_was_asked_for(
    client: LangGraphClient, engine: SlowEngine
) -> None:
    for wish, status in (("continue", "running"), ("cancel", "interrupted")):
        thread = (await client.threads.create())["thread_id"]
        engine.asked = 0
        stream = client.runs.stream(thread, "chat", input=LEMUR, on_disconnect=wish)  # type: ignore[call-overload]
        await anext(stream)
        await asking(engine)
        await stream.aclose()

        async def stands(thread: str = thread, status: str = status) -> bool:
            return [r["status"] for r in await client.runs.list(thread)] == [status]

        await eventually(stands)


async def test_a_run_begins_later_on_a_thread_that_it_makes(
    client: LangGraphClient, engine: SlowEngine
) -> None:
    engine.allowed.set()
    thread = "0b7e6a3c-0000-4000-8000-000000000001"
    with pytest.raises(NotFoundError):
        await client.runs.create(thread, "chat", input=LEMUR)
    run = await client.runs.create(thread, "chat", input=LEMUR, if_not_exists="create", after_seconds=1)
    assert (await client.runs.get(thread, run["run_id"]))["status"] == "pending"
    values: Any = await client.runs.join(thread, run["run_id"])
    assert values["answer"] == "a small primate"


async def test_a_run_that_fails_says_why_and_its_thread_can_be_used_again(
    client: LangGraphClient, thread: str, engine: SlowEngine
) -> None:
    engine.allowed.set()
    engine.available = False
    with pytest.raises(Exception, match="EngineUnavailable"):
        await client.runs.wait(thread, "chat", input=LEMUR)
    assert (await client.threads.get(thread))["status"] == "error"
    parts = [part async for part in client.runs.stream(thread, "chat", input=LEMUR)]
    assert (parts[-1].event, parts[-1].data["error"]) == ("error", "EngineUnavailable")
    engine.available = True
    values: Any = await client.runs.wait(thread, "chat")  # goes on where it failed
    assert values["answer"] == "a small primate"
    limited: Any = await client.runs.wait(
        thread, "chat", input=LEMUR, config={"recursion_limit": 2}, raise_error=False
    )
    assert limited["__error__"]["error"] == "GraphRecursionError"


async def test_a_cut_stream_is_taken_up_by_the_client_itself_without_loss(
    client: LangGraphClient, thread: str, engine: SlowEngine, url: str
) -> None:
    """Reads some, leaves, and comes back with the last id: the rest is all there, once."""
    stream = client.runs.stream(thread, "chat", input=LEMUR, stream_mode=["updates", "values"])
    first = [await anext(stream) for _ in range(2)]
    await asking(engine)
    await stream.aclose()
    run = (await client.runs.list(thread))[0]
    following = client.runs.join_stream(thread, run["run_id"], last_event_id=first[-1].id)
    engine.allowed.set()
    rest = [part async for part in following]
    whole = [part async for part in client.runs.join_stream(thread, run["run_id"], last_event_id="-1")]
    assert first + rest == whole
    async with httpx.AsyncClient(base_url=url) as http:
        for bad in ("x", "-2", "9" * 40, "1.5"):
            path = f"/threads/{thread}/runs/{run['run_id']}/stream"
            assert (await http.get(path, headers={"Last-Event-ID": bad})).status_code == 422


async def test_no_two_runs_of_a_thread_run_at_once_even_past_our_code(
    client: LangGraphClient, thread: str, engine: SlowEngine, given: Runtime
) -> None:
    await client.runs.create(thread, "chat", input=LEMUR)
    await asking(engine)
    runs = ThreadRuns(given.database)
    (running,) = await runs.unfinished(thread)
    rogue = running.model_copy(update={"run_id": "rogue", "status": "running"})
    with pytest.raises(Exception, match="exists") as refused:
        await runs.add(rogue, create_thread=False, thread_metadata={})
    assert not isinstance(refused.value, IntegrityError)
    queued = await client.runs.create(thread, "chat", input=LEMUR)
    assert await runs.claim(queued["run_id"], "another process") is None


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"assistant_id": "chat", "surprise": 1},
        {"assistant_id": "chat", "input": {"messages": [{"role": "pirate", "content": "arr"}]}},
        {"assistant_id": "chat", "input": {"question": "x"}},
        {"assistant_id": "chat", "input": "x"},
        {"assistant_id": "chat", "input": LEMUR, "stream_mode": "tools"},
        {"assistant_id": "chat", "input": LEMUR, "context": {"a": 1}},
        {"assistant_id": "chat", "input": LEMUR, "feedback_keys": ["a"]},
        {"assistant_id": "chat", "input": LEMUR, "webhook": "https://example.org"},
        {"assistant_id": "chat", "input": LEMUR, "command": {"resume": 1}},
        {"assistant_id": "chat", "command": {"resume": 1}},
        {"assistant_id": "chat", "command": {"goto": "nowhere"}},
        {"assistant_id": "chat", "command": {"update": {"nothing": 1}}},
        {"assistant_id": "chat", "input": LEMUR, "config": {"configurable": {"colour": "red"}}},
        {"assistant_id": "chat", "input": LEMUR, "after_seconds": -1},
        {"assistant_id": "chat", "input": LEMUR, "on_completion": "delete"},
        {"assistant_id": "chat", "input": {"messages": "a\u0000b"}},
        {"assistant_id": "chat", "input": LEMUR, "checkpoint": {"thread_id": "other", "checkpoint_id": "x"}},
        {"assistant_id": "learn", "input": {"topic": "a", "question": "b"}},
        {"assistant_id": "learn", "input": {"topic": " "}},
    ],
)
async def test_what_is_not_supported_is_refused_with_a_reason(
    url: str, thread: str, body: dict[str, Any]
) -> None:
    async with httpx.AsyncClient(base_url=url) as http:
        reply = await http.post(f"/threads/{thread}/runs", json=body)
    assert (reply.status_code, bool(reply.json()["detail"])) == (422, True)


async def test_what_is_not_there_is_a_404_and_what_cannot_be_read_a_400(url: str, thread: str) -> None:
    nowhere = "1f000000-0000-6000-8000-000000000000"
    lemur = {"assistant_id": "chat", "input": LEMUR}
    async with httpx.AsyncClient(base_url=url) as http:
        for method, path, body in (
            ("GET", f"/threads/{nowhere}", None),
            ("GET", f"/threads/{nowhere}/state", None),
            ("GET", f"/threads/{thread}/state/{nowhere}", None),
            ("POST", f"/threads/{thread}/state/checkpoint", {"checkpoint": {"checkpoint_id": nowhere}}),
            ("POST", f"/threads/{nowhere}/history", {}),
            ("POST", f"/threads/{nowhere}/copy", None),
            ("POST", f"/threads/{nowhere}/runs/wait", lemur),
            ("POST", f"/threads/{thread}/runs", lemur | {"checkpoint_id": nowhere}),
            ("POST", f"/threads/{thread}/runs", lemur | {"assistant_id": "gpt"}),
            ("GET", f"/threads/{thread}/runs/{nowhere}/join", None),
            ("GET", f"/threads/{thread}/runs/{nowhere}/stream", None),
            ("POST", f"/threads/{thread}/runs/{nowhere}/cancel", None),
            ("GET", "/assistants/gpt", None),
        ):
            reply = await http.request(method, path, json=body)
            assert (reply.status_code, bool(reply.json()["detail"])) == (404, True), path
        for raw in (b"{", b"\xff\xfe", b'{"a":' + b"[" * 40, b'{"thread_id":"\\ud800"}'):
            reply = await http.post("/threads", content=raw, headers={"Content-Type": "application/json"})
            assert (reply.status_code, bool(reply.json()["detail"])) == (400, True)
        assert (await http.get("/threads/%00/state")).status_code == 422
        assert (await http.post("/threads", content=b" " * 1_000_001)).status_code == 413


async def test_unsupported_is_said_by_the_client_in_its_own_words(client: LangGraphClient) -> None:
    with pytest.raises(UnprocessableEntityError, match="not supported"):
        await client.runs.create(None, "chat", input=LEMUR, langsmith_tracing={"project_name": "x"})
