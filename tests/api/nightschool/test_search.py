"""Search returns passages with reasons, and only those that the key may read."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from graphs.state import Runtime
from memory.server.keys import ApiKeys, Scope
from tests.api.conftest import Serve

ORCHARD = b"# The Amber Orchard\n\nThe Amber Orchard is a film that was directed by Tomas Veel.\n"
VEEL = b"# Tomas Veel\n\nHe grew up beside a canal and kept bees.\n"
QUESTION = "Where did the director of The Amber Orchard grow up?"


@pytest.fixture
async def client(serve: Serve) -> AsyncIterator[httpx.AsyncClient]:
    async with serve(learning=True) as opened:
        yield opened


async def key(runtime: Runtime, owner: str, scope: Scope) -> dict[str, str]:
    return {"x-api-key": (await ApiKeys(runtime.database).create(owner, scope))[1]}


async def add(client: httpx.AsyncClient, headers: dict[str, str], source: str, data: bytes) -> None:
    headers = {**headers, "Content-Type": "text/markdown"}
    reply = await client.post(
        "/v1/documents", params={"source": source, "domain": "films"}, content=data, headers=headers
    )
    reply.raise_for_status()


async def search(client: httpx.AsyncClient, headers: dict[str, str], **more: Any) -> list[dict[str, Any]]:
    reply = await client.post(
        "/v1/search", json={"query": QUESTION, "domain": "films", **more}, headers=headers
    )
    hits: list[dict[str, Any]] = reply.raise_for_status().json()["hits"]
    return hits


async def test_hits_say_why_and_are_only_what_the_key_may_read(
    client: httpx.AsyncClient, runtime: Runtime
) -> None:
    ada, ben = await key(runtime, "ada", "learn"), await key(runtime, "ben", "chat")
    root = await key(runtime, "root", "admin")
    await add(client, ada, "orchard.md", ORCHARD)
    await add(client, root, "veel.md", VEEL)
    first, second = await search(client, ada)
    assert (first["source"], second["source"]) == ("orchard.md", "veel.md")
    assert "directed by Tomas Veel" in first["text"]
    assert second["path"].endswith("by]-> Tomas Veel")  # a fact of the first
    assert second["scores"]["bridge"] == 1.0
    (only,) = await search(client, ben)
    assert only["source"] == "veel.md"
    assert "bridge" not in only["scores"]
    assert len(await search(client, ada, limit=1)) == 1
    assert await search(client, ada, domain="music") == []


async def test_a_search_as_of_a_time_finds_the_version_of_then(
    client: httpx.AsyncClient, runtime: Runtime
) -> None:
    root = await key(runtime, "root", "admin")
    await add(client, root, "orchard.md", ORCHARD)
    then = datetime.now(UTC).isoformat()
    await add(client, root, "orchard.md", ORCHARD.replace(b"Tomas Veel", b"Ida Marn"))
    (now,) = await search(client, root)
    (past,) = await search(client, root, as_of=then)
    assert "Ida Marn" in now["text"]
    assert "Tomas Veel" in past["text"]
    assert set(past["scores"]) == {"meaning", "words"}
    for as_of, director in ((None, "Ida Marn"), (then, "Tomas Veel")):
        body = {"query": "The Amber Orchard", "domain": "films", "as_of": as_of}
        reply = (await client.post("/v1/search", json=body, headers=root)).json()
        assert {fact["object"] for fact in reply["facts"]} & {"Ida Marn", "Tomas Veel"} == {director}
    assert await search(client, root, as_of="2001-01-01T00:00:00Z") == []
    without_zone = {"query": "x", "as_of": "2026-01-01T00:00:00"}
    assert (await client.post("/v1/search", json=without_zone, headers=root)).status_code == 422


async def test_bad_requests_are_refused(client: httpx.AsyncClient, runtime: Runtime) -> None:
    ada = await key(runtime, "ada", "chat")
    for body in ({"query": ""}, {"query": "x", "limit": 0}, {"query": "x", "limit": 101}):
        assert (await client.post("/v1/search", json=body, headers=ada)).status_code == 422
    assert (await client.post("/v1/search", json={"query": "x"})).status_code == 401


async def test_facts_say_how_many_documents_that_the_key_may_read_state_them(
    client: httpx.AsyncClient, runtime: Runtime
) -> None:
    ada, root = await key(runtime, "ada", "learn"), await key(runtime, "root", "admin")
    await add(client, ada, "orchard.md", ORCHARD)
    await add(client, root, "films.md", ORCHARD)
    for headers, support in ((ada, 2), (await key(runtime, "ben", "chat"), 1)):
        body = {"query": "The Amber Orchard", "domain": "films"}
        facts = (await client.post("/v1/search", json=body, headers=headers)).json()["facts"]
        directed = [each for each in facts if "Tomas Veel" in each["object"]]
        assert {(each["support"], each["confidence"] > 0) for each in directed} == {(support, True)}
