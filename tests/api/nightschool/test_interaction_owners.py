"""A turn belongs to whoever was authenticated, whatever the request or a thread's state says."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest

from agent.feedback.pseudonyms import pseudonym
from graphs.state import Runtime
from memory.server.keys import ApiKeys
from tests.api.conftest import Serve, asking

Key = Callable[[str], Awaitable[dict[str, str]]]
LEMUR = {"messages": [{"role": "user", "content": "What is a lemur?"}]}


@pytest.fixture
def key(runtime: Runtime) -> Key:
    async def made(owner: str) -> dict[str, str]:
        _, text = await ApiKeys(runtime.database).create(owner, "chat")
        return {"x-api-key": text}

    return made


@pytest.fixture
async def client(serve: Serve) -> AsyncIterator[httpx.AsyncClient]:
    async with serve(learning=True) as opened:
        yield opened


async def owners(runtime: Runtime) -> list[tuple[str | None, str | None]]:
    """Owner and unit of the turns, oldest first."""
    return [(turn.owner, turn.unit) for turn in reversed(await runtime.interactions.list())]


async def test_a_chat_turn_belongs_to_the_owner_of_the_key(
    client: httpx.AsyncClient, runtime: Runtime, key: Key
) -> None:
    ann = await key("ann")
    body = asking("What is a lemur?", owner="bob", user="u1")
    for path, sent in (
        ("/v1/chat/completions", body),
        ("/v1/chat/completions", {**body, "stream": True}),
        ("/v1/responses", {"input": "What is a lemur?", "owner": "bob", "user": "u1"}),
    ):
        (await client.post(path, json=sent, headers=ann)).raise_for_status()
    assert await owners(runtime) == [("ann", pseudonym("u1", runtime.pseudonym_key))] * 3


async def test_a_turn_on_a_thread_belongs_to_the_threads_owner_and_takes_feedback_by_its_messages_id(
    client: httpx.AsyncClient, runtime: Runtime, key: Key
) -> None:
    ann = await key("ann")
    thread_id = (await client.post("/threads", json={}, headers=ann)).json()["thread_id"]
    run = {"assistant_id": "chat", "input": LEMUR}
    reply = await client.post(f"/threads/{thread_id}/runs/wait", json=run, headers=ann)
    message = reply.raise_for_status().json()["messages"][-1]
    assert await owners(runtime) == [("ann", pseudonym(thread_id, runtime.pseudonym_key))]
    body = {"interaction_id": message["id"], "vote": "up"}
    assert (await client.post("/v1/feedback", json=body, headers=ann)).status_code == 201
    assert (await client.post("/v1/feedback", json=body, headers=await key("bob"))).status_code == 404


async def test_runs_that_waited_for_their_turn_belong_to_the_threads_owner_too(
    client: httpx.AsyncClient, runtime: Runtime, key: Key
) -> None:
    ann = await key("ann")
    thread_id = (await client.post("/threads", json={}, headers=ann)).json()["thread_id"]
    run = {"assistant_id": "chat", "input": LEMUR, "multitask_strategy": "enqueue"}
    path = f"/threads/{thread_id}/runs"
    runs = await asyncio.gather(*(client.post(path, json=run, headers=ann) for _ in range(3)))
    for started in runs:
        await client.get(f"{path}/{started.raise_for_status().json()['run_id']}/join", headers=ann)
    assert {owner for owner, _ in await owners(runtime)} == {"ann"}
    assert len(await owners(runtime)) == 3


@pytest.mark.parametrize("field", ["owner", "interactions"])
async def test_a_state_cannot_name_an_owner(client: httpx.AsyncClient, key: Key, field: str) -> None:
    ann = await key("ann")
    thread_id = (await client.post("/threads", json={}, headers=ann)).json()["thread_id"]
    refused: list[dict[str, Any]] = [
        {"input": {**LEMUR, field: "bob"}},
        {"input": None, "command": {"update": {field: "bob"}}},
    ]
    for request in refused:
        body = {"assistant_id": "chat", **request}
        reply = await client.post(f"/threads/{thread_id}/runs/wait", json=body, headers=ann)
        assert reply.status_code == 422


async def test_a_user_of_the_same_name_is_another_user_under_another_owner(
    client: httpx.AsyncClient, runtime: Runtime, key: Key
) -> None:
    for owner in ("ann", "bob"):
        body = asking("What is a lemur?", user="u1")
        (await client.post("/v1/chat/completions", json=body, headers=await key(owner))).raise_for_status()
    bobs, anns = await runtime.interactions.list()
    assert (bobs.owner, anns.owner) == ("bob", "ann")
    assert bobs.user != anns.user
