"""Perspectives over HTTP: declared with documents or later, weighed by admins, and forgotten with them."""

from collections.abc import AsyncIterator

import httpx
import pytest

from graphs.state import Runtime
from memory.server.keys import ApiKeys
from tests.api.conftest import Serve
from tests.support.two_views import BOTANY, COOKING

PATH = "/v1/perspectives"
Keys = dict[str, dict[str, str]]


@pytest.fixture
async def keys(runtime: Runtime) -> Keys:
    made = ApiKeys(runtime.database)
    scopes = (("ada", "chat"), ("ben", "learn"), ("cy", "learn"), ("root", "admin"))
    return {owner: {"x-api-key": (await made.create(owner, scope))[1]} for owner, scope in scopes}  # type: ignore[arg-type]


@pytest.fixture
async def client(serve: Serve, runtime: Runtime, keys: Keys) -> AsyncIterator[httpx.AsyncClient]:
    async with serve(runtime, learning=True) as opened:
        await ingest(opened, keys["ben"], "botany.md", BOTANY, perspective="botany")
        await ingest(opened, keys["ben"], "cooking.md", COOKING)
        yield opened


async def ingest(
    client: httpx.AsyncClient, key: dict[str, str], source: str, text: str, **query: str
) -> httpx.Response:
    headers = key | {"content-type": "text/markdown"}
    reply = await client.post(
        "/v1/documents", params={"source": source, **query}, content=text, headers=headers
    )
    reply.raise_for_status()
    return reply


async def listed(client: httpx.AsyncClient, key: dict[str, str]) -> list[tuple[str, float, int]]:
    reply = await client.get(PATH, headers=key)
    return [(each["name"], each["weight"], each["documents"]) for each in reply.json()]


async def kinds(client: httpx.AsyncClient, key: dict[str, str]) -> list[str]:
    found = (await client.get("/v1/memory/conflicts", headers=key)).json()
    return [each["kind"] for each in found["conflicts"]]


async def test_documents_that_speak_from_two_perspectives_are_in_a_conflict_of_views(
    client: httpx.AsyncClient, keys: Keys
) -> None:
    ben = keys["ben"]
    assert await listed(client, ben) == [("botany", 1.0, 1)]
    assert await kinds(client, ben) == []
    body = {"name": "cookery", "sources": ["cooking.md"]}
    declared = await client.post(PATH, json=body, headers=ben)
    assert [each["name"] for each in declared.json()] == ["botany", "cookery"]
    assert await kinds(client, ben) == ["view", "view"]
    cleared = await client.post(PATH, json=body | {"name": None}, headers=ben)
    assert [each["name"] for each in cleared.json()] == ["botany"]
    assert await kinds(client, ben) == []


async def test_a_perspective_stays_with_a_document_that_is_read_again_and_goes_with_it(
    client: httpx.AsyncClient, keys: Keys
) -> None:
    ben = keys["ben"]
    await ingest(client, ben, "botany.md", BOTANY + "\nA leaf is an organ.\n")
    assert await listed(client, ben) == [("botany", 1.0, 1)]
    (await client.delete("/v1/documents", params={"source": "botany.md"}, headers=ben)).raise_for_status()
    await ingest(client, ben, "botany.md", BOTANY)
    assert await listed(client, ben) == []


async def test_what_is_forgotten_speaks_from_nowhere(client: httpx.AsyncClient, keys: Keys) -> None:
    gone = await client.delete("/v1/memory", params={"source": "botany.md"}, headers=keys["root"])
    gone.raise_for_status()
    assert await listed(client, keys["root"]) == []


async def test_a_name_that_others_speak_from_is_joined_by_admins_alone(
    client: httpx.AsyncClient, keys: Keys
) -> None:
    headers = keys["cy"] | {"content-type": "text/markdown"}
    query = {"source": "mine.md", "perspective": "Botany"}
    refused = await client.post("/v1/documents", params=query, content=BOTANY, headers=headers)
    assert refused.status_code == 409
    assert "choose another name" in refused.text
    assert "mine.md" not in (await client.get("/v1/documents", headers=keys["cy"])).text
    await ingest(client, keys["root"], "shared.md", BOTANY, perspective="BOTANY")
    assert await listed(client, keys["root"]) == [("botany", 1.0, 2)]


@pytest.mark.parametrize("way", ["cleared", "removed", "forgotten"])
async def test_an_owner_cannot_undo_the_weight_that_an_admin_gave(
    client: httpx.AsyncClient, keys: Keys, way: str
) -> None:
    ben, query = keys["ben"], {"source": "botany.md"}
    body = {"name": "botany", "weight": 0}
    (await client.put(PATH, json=body, headers=keys["root"])).raise_for_status()
    match way:
        case "cleared":
            gone = await client.post(PATH, json={"name": None, "sources": ["botany.md"]}, headers=ben)
        case "removed":
            gone = await client.delete("/v1/documents", params=query, headers=ben)
        case _:
            gone = await client.delete("/v1/memory", params=query, headers=ben)
    gone.raise_for_status()
    assert await listed(client, ben) == []
    await ingest(client, ben, "botany.md", BOTANY, perspective="Botany")
    assert await listed(client, ben) == [("botany", 0.0, 1)]


async def test_a_dry_run_declares_nothing(client: httpx.AsyncClient, keys: Keys) -> None:
    await ingest(client, keys["ben"], "cooking.md", COOKING, perspective="cookery", dry_run="true")
    assert await listed(client, keys["ben"]) == [("botany", 1.0, 1)]


async def test_only_admins_weigh_perspectives(client: httpx.AsyncClient, keys: Keys) -> None:
    body = {"name": "botany", "weight": 2.5}
    assert (await client.put(PATH, json=body, headers=keys["ben"])).status_code == 403
    assert (await client.put(PATH, json=body, headers=keys["ada"])).status_code == 403
    weighed = await client.put(PATH, json=body, headers=keys["root"])
    assert [(each["name"], each["weight"]) for each in weighed.json()] == [("botany", 2.5)]
    assert await listed(client, keys["ben"]) == [("botany", 2.5, 1)]
    audit = (await client.get("/v1/audit", headers=keys["root"])).text
    assert "perspective.weigh" in audit


async def test_nobody_sees_or_declares_anothers_documents(client: httpx.AsyncClient, keys: Keys) -> None:
    cy = keys["cy"]
    assert await listed(client, cy) == []
    body = {"name": "mine", "sources": ["botany.md"]}
    refused = await client.post(PATH, json=body, headers=cy)
    assert refused.status_code == 404
    assert "no document botany.md of yours" in refused.text
    assert await listed(client, keys["ben"]) == [("botany", 1.0, 1)]


@pytest.mark.parametrize(
    ("method", "body", "status"),
    [
        ("POST", {"name": 'a "school"', "sources": ["botany.md"]}, 422),
        ("POST", {"name": "two\nlines", "sources": ["botany.md"]}, 422),
        ("POST", {"name": "x" * 61, "sources": ["botany.md"]}, 422),
        ("POST", {"name": "cookery", "sources": []}, 422),
        ("POST", {"name": "cookery", "sources": ["missing.md"]}, 404),
        ("PUT", {"name": "cookery", "weight": 1}, 404),
        ("PUT", {"name": "botany", "weight": -1}, 422),
        ("PUT", {"name": "botany", "weight": 101}, 422),
    ],
)
async def test_bad_requests_are_refused_and_change_nothing(
    client: httpx.AsyncClient, keys: Keys, method: str, body: dict[str, object], status: int
) -> None:
    key = keys["ben" if method == "POST" else "root"]
    reply = await client.request(method, PATH, json=body, headers=key)
    assert reply.status_code == status, reply.text
    assert await listed(client, keys["ben"]) == [("botany", 1.0, 1)]


async def test_a_bad_name_at_ingest_is_refused_before_the_document_is_read(
    client: httpx.AsyncClient, keys: Keys
) -> None:
    headers = keys["ben"] | {"content-type": "text/markdown"}
    query = {"source": "new.md", "perspective": "<script>"}
    reply = await client.post("/v1/documents", params=query, content=COOKING, headers=headers)
    assert reply.status_code == 422
    assert "new.md" not in (await client.get("/v1/documents", headers=keys["ben"])).text


async def test_documents_that_contradict_each_other_are_suggested_as_camps(
    client: httpx.AsyncClient, keys: Keys
) -> None:
    (found,) = (await client.get(f"{PATH}/suggested", headers=keys["ben"])).json()
    assert (found["first"], found["second"], found["conflicts"]) == (["botany.md"], ["cooking.md"], 2)
    assert (await client.get(f"{PATH}/suggested", headers=keys["cy"])).json() == []
