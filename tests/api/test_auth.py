"""ApiKeys open the door as far as their scope, and threads and runs are their owner's."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest

from graphs.state import Runtime
from memory.errors import UnknownKey
from memory.server.keys import ApiKeys, Scope
from tests.api.conftest import Serve

Key = Callable[[str, Scope], Awaitable[dict[str, str]]]


@pytest.fixture
def key(runtime: Runtime) -> Key:
    """Makes a key and gives the headers that carry it."""

    async def made(owner: str, scope: Scope) -> dict[str, str]:
        _, text = await ApiKeys(runtime.database).create(owner, scope)
        return {"x-api-key": text}

    return made


@pytest.fixture
async def client(serve: Serve) -> AsyncIterator[httpx.AsyncClient]:
    async with AsyncExitStack() as stack:
        yield await stack.enter_async_context(serve(learning=True))


async def test_a_service_without_keys_asks_nobody(client: httpx.AsyncClient) -> None:
    assert (await client.get("/v1/models")).status_code == 200
    assert (await client.post("/threads", json={})).status_code == 200


async def test_a_service_with_keys_answers_only_those_that_work(client: httpx.AsyncClient, key: Key) -> None:
    headers = await key("ada", "chat")
    bearer = {"Authorization": f"Bearer {headers['x-api-key']}"}
    for wrong in ({}, {"x-api-key": "nsk_guessed"}, {"Authorization": "Bearer nsk_guessed"}):
        refused = await client.get("/v1/models", headers=wrong)
        assert refused.status_code == 401
        assert refused.json()["error"]["code"] == "invalid_api_key"
        assert refused.headers["WWW-Authenticate"] == "Bearer"
    assert (await client.post("/threads", json={})).json()["detail"].startswith("a key is required")
    for right in (headers, bearer):
        assert (await client.get("/v1/models", headers=right)).status_code == 200
    assert (await client.get("/healthz")).status_code == 200


@pytest.mark.parametrize(
    ("scope", "statuses"),
    [
        ("chat", (200, 403, 403, 403)),
        ("annotate", (200, 200, 403, 403)),
        ("learn", (200, 200, 200, 403)),
        ("approve", (200, 200, 200, 403)),
        ("admin", (200, 200, 200, 200)),
    ],
)
async def test_a_key_opens_what_its_scope_covers(
    client: httpx.AsyncClient, key: Key, scope: Scope, statuses: tuple[int, ...]
) -> None:
    headers = await key("ada", scope)
    found = [
        (await client.get(path, headers=headers)).status_code
        for path in ("/v1/models", "/v1/annotation/next", "/v1/learn", "/v1/adapters")
    ]
    assert tuple(found) == statuses


async def test_a_learn_run_needs_the_scope_whichever_way_it_comes_in(
    client: httpx.AsyncClient, key: Key
) -> None:
    headers = await key("ada", "chat")
    asked = {"assistant_id": "learn", "input": {"topic": "Rust", "web": "fallback"}}
    assert (await client.post("/v1/learn", json=asked["input"], headers=headers)).status_code == 403
    for path in ("/runs", "/runs/wait", "/runs/stream"):
        assert (await client.post(path, json=asked, headers=headers)).status_code == 403
    assert (await client.post("/runs/batch", json=[asked], headers=headers)).status_code == 403


async def test_a_thread_of_somebody_else_is_not_there(client: httpx.AsyncClient, key: Key) -> None:
    ada, bob, admin = await key("ada", "chat"), await key("bob", "chat"), await key("root", "admin")
    thread = (await client.post("/threads", json={}, headers=ada)).json()["thread_id"]
    asked = {"assistant_id": "chat", "input": {"messages": "What is a lemur?"}}
    run = (await client.post(f"/threads/{thread}/runs", json=asked, headers=ada)).json()["run_id"]
    requests = [
        ("GET", f"/threads/{thread}", None),
        ("PATCH", f"/threads/{thread}", {"metadata": {}}),
        ("DELETE", f"/threads/{thread}", None),
        ("GET", f"/threads/{thread}/state", None),
        ("POST", f"/threads/{thread}/state", {"values": {}}),
        ("POST", f"/threads/{thread}/history", {}),
        ("POST", f"/threads/{thread}/copy", None),
        ("POST", f"/threads/{thread}/fork", {"checkpoint_id": "x"}),
        ("POST", f"/threads/{thread}/runs", asked),
        ("POST", f"/threads/{thread}/runs/wait", asked),
        ("GET", f"/threads/{thread}/runs", None),
        ("GET", f"/threads/{thread}/runs/{run}", None),
        ("GET", f"/threads/{thread}/runs/{run}/join", None),
        ("GET", f"/threads/{thread}/runs/{run}/stream", None),
        ("POST", f"/threads/{thread}/runs/{run}/cancel", None),
        ("POST", "/runs/batch", [asked | {"thread_id": thread}]),
    ]
    for method, path, body in requests:
        refused = await client.request(method, path, json=body, headers=bob)
        assert refused.status_code == 404, (method, path, refused.text)
    for who, seen in ((ada, 1), (bob, 0), (admin, 1)):
        assert (await client.post("/threads/count", json={}, headers=who)).json() == seen
        assert len((await client.post("/threads/search", json={}, headers=who)).json()) == seen
    pruned = await client.post("/threads/prune", json={"thread_ids": [thread]}, headers=bob)
    assert pruned.json() == {"pruned_count": 0}
    taken = await client.post("/threads", json={"thread_id": thread, "if_exists": "do_nothing"}, headers=bob)
    assert taken.status_code == 409
    assert (await client.get(f"/threads/{thread}", headers=ada)).status_code == 200


async def test_a_learn_run_of_somebody_else_is_not_there(client: httpx.AsyncClient, key: Key) -> None:
    ada, bob = await key("ada", "learn"), await key("bob", "learn")
    run = (await client.post("/v1/learn", json={"topic": "Rust ownership"}, headers=ada)).json()["run_id"]
    assert (await client.get(f"/v1/learn/{run}", headers=bob)).status_code == 404
    assert (await client.post(f"/v1/learn/{run}/resume", headers=bob)).status_code == 404
    assert (await client.get("/v1/learn", headers=bob)).json() == []
    assert [one["id"] for one in (await client.get("/v1/learn", headers=ada)).json()] == [run]


async def test_the_thread_of_a_learn_run_needs_the_scope_on_every_route(
    client: httpx.AsyncClient, key: Key
) -> None:
    learner, chatter = await key("ada", "learn"), await key("ada", "chat")
    run = (await client.post("/v1/learn", json={"topic": "Rust ownership"}, headers=learner)).json()["run_id"]
    requests = [
        ("GET", f"/threads/{run}", None),
        ("DELETE", f"/threads/{run}", None),
        ("GET", f"/threads/{run}/state", None),
        ("POST", f"/threads/{run}/state", {"values": {}}),
        ("POST", f"/threads/{run}/history", {}),
        ("POST", f"/threads/{run}/runs", {"assistant_id": "learn", "command": {"resume": {}}}),
        ("GET", f"/threads/{run}/runs", None),
    ]
    for method, path, body in requests:
        refused = await client.request(method, path, json=body, headers=chatter)
        assert refused.status_code == 403, (method, path, refused.text)
    for who, seen in ((chatter, 0), (learner, 1)):
        assert (await client.post("/threads/count", json={}, headers=who)).json() == seen
        assert len((await client.post("/threads/search", json={}, headers=who)).json()) == seen
    pruned = await client.post("/threads/prune", json={"thread_ids": [run]}, headers=chatter)
    assert pruned.json() == {"pruned_count": 0}
    assert (await client.get(f"/threads/{run}/state", headers=learner)).status_code == 200


async def test_a_learn_run_without_its_thread_is_nobodys(client: httpx.AsyncClient, key: Key) -> None:
    ada, bob = await key("ada", "learn"), await key("bob", "learn")
    run = (await client.post("/v1/learn", json={"topic": "Rust ownership"}, headers=ada)).json()["run_id"]
    assert (await client.delete(f"/threads/{run}", headers=ada)).status_code == 204
    for who in (ada, bob):
        assert (await client.get(f"/v1/learn/{run}", headers=who)).status_code == 404
        assert (await client.get("/v1/learn", headers=who)).json() == []


async def test_only_a_digest_of_a_key_is_kept(key: Key, home: Path) -> None:
    text = (await key("ada", "chat"))["x-api-key"]
    kept = [file.read_bytes() for file in home.iterdir() if file.is_file()]  # noqa: ASYNC240
    assert kept
    assert not any(text.encode() in file for file in kept)


async def test_a_revoked_key_no_longer_works(runtime: Runtime) -> None:
    made, text = await ApiKeys(runtime.database).create("ada", "chat")
    assert await ApiKeys(runtime.database).find(text) == made
    await ApiKeys(runtime.database).revoke(made.id)
    assert await ApiKeys(runtime.database).find(text) is None
    assert await ApiKeys(runtime.database).required(), "to revoke the last one opens nothing"
    with pytest.raises(UnknownKey):
        await ApiKeys(runtime.database).revoke("nobody")
