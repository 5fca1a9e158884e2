"""Shipped assistants are the admins' to change, and others are seen and changed by their owners only."""

from collections.abc import AsyncIterator

import httpx
import pytest

from graphs.state import Runtime
from tests.api.conftest import Serve
from tests.support.keys import MakeKey, key_maker

CHEAP = {"graph_id": "chat", "name": "short", "config": {"configurable": {"max_tokens": 5}}}
CHANGE = {"config": {"configurable": {"max_tokens": 1}}}


@pytest.fixture
def key(runtime: Runtime) -> MakeKey:
    return key_maker(runtime)


@pytest.fixture
async def client(serve: Serve) -> AsyncIterator[httpx.AsyncClient]:
    async with serve(learning=True) as opened:
        yield opened


@pytest.mark.parametrize("name", ["chat", "learn", "night"])
async def test_a_shipped_assistant_is_changed_by_admins_only(
    client: httpx.AsyncClient, key: MakeKey, name: str
) -> None:
    ada, root = await key("ada", "learn"), await key("root", "admin")
    shown = (await client.get(f"/assistants/{name}", headers=ada)).json()
    requests = [
        ("PATCH", f"/assistants/{name}", {"name": "mine"}),
        ("POST", f"/assistants/{name}/latest", {"version": 1}),
        ("DELETE", f"/assistants/{name}", None),
        ("DELETE", f"/assistants/{shown['assistant_id']}", None),
    ]
    for method, path, body in requests:
        assert (await client.request(method, path, json=body, headers=ada)).status_code == 403
    assert (await client.get(f"/assistants/{name}", headers=ada)).json() == shown
    changed = await client.patch(f"/assistants/{name}", json={"description": "ours"}, headers=root)
    assert changed.status_code == 200
    assert (await client.get(f"/assistants/{name}", headers=ada)).json()["description"] == "ours"


async def test_another_owners_assistant_is_not_there(client: httpx.AsyncClient, key: MakeKey) -> None:
    ada, bob, root = await key("ada", "learn"), await key("bob", "learn"), await key("root", "admin")
    made = (await client.post("/assistants", json=CHEAP, headers=ada)).json()
    assert "owner" not in made
    id = made["assistant_id"]
    ask = {"assistant_id": id, "input": {"messages": "What is a lemur?"}}
    requests = [
        ("GET", f"/assistants/{id}", None),
        ("PATCH", f"/assistants/{id}", CHANGE),
        ("DELETE", f"/assistants/{id}", None),
        ("POST", f"/assistants/{id}/versions", {}),
        ("POST", f"/assistants/{id}/latest", {"version": 1}),
        ("GET", f"/assistants/{id}/graph", None),
        ("GET", f"/assistants/{id}/schemas", None),
        ("GET", f"/assistants/{id}/subgraphs", None),
        ("POST", "/runs", ask),
        ("POST", "/runs/wait", ask),
        ("POST", "/runs/crons", ask | {"schedule": "0 3 * * *"}),
    ]
    for method, path, body in requests:
        refused = await client.request(method, path, json=body, headers=bob)
        assert refused.status_code == 404, (method, path, refused.text)
    taken = CHEAP | {"assistant_id": id, "if_exists": "do_nothing"}
    assert (await client.post("/assistants", json=taken, headers=bob)).status_code == 409
    assert (await client.post("/assistants", json=taken, headers=ada)).json() == made
    for who, seen in ((ada, 1), (bob, 0), (root, 1)):
        found = (await client.post("/assistants/search", json={"name": "short"}, headers=who)).json()
        assert len(found) == seen
        count = await client.post("/assistants/count", json={"name": "short"}, headers=who)
        assert count.json() == seen
    assert (await client.patch(f"/assistants/{id}", json=CHANGE, headers=ada)).json()["version"] == 2
    assert (await client.delete(f"/assistants/{id}", headers=root)).status_code == 204


async def test_an_admins_assistant_is_for_everybody(client: httpx.AsyncClient, key: MakeKey) -> None:
    ada, root = await key("ada", "learn"), await key("root", "admin")
    id = (await client.post("/assistants", json=CHEAP, headers=root)).json()["assistant_id"]
    ask = {"assistant_id": id, "input": {"messages": "What is a lemur?"}}
    assert (await client.post("/runs/wait", json=ask, headers=ada)).status_code == 200
    assert (await client.patch(f"/assistants/{id}", json=CHANGE, headers=ada)).status_code == 403
