"""Who has no key is turned away before its body; who has one is limited, and told so."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from api import connections, limits
from graphs.state import Runtime
from memory.server.keys import ApiKeys, Scope
from tests.api.conftest import Listen, Serve, asking

CHAT = "/v1/chat/completions"
HALF = "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


async def key(runtime: Runtime, owner: str = "ada", scope: Scope = "chat") -> dict[str, str]:
    """The header of a new key."""
    _, text = await ApiKeys(runtime.database).create(owner, scope)
    return {"x-api-key": text}


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    try:
        yield reader, writer
    finally:
        writer.close()


async def answer(url: str, sent: str) -> bytes:
    """What the server replies to these bytes, up to the end of the connection, which it has to close."""
    async with connected(url) as (reader, writer):
        writer.write(sent.encode())
        try:
            return await asyncio.wait_for(reader.read(), 20)
        except ConnectionResetError:  # it closes a connection without reading what else was sent
            return b""


async def test_no_body_is_awaited_from_whom_has_no_key(listen: Listen, runtime: Runtime) -> None:
    await key(runtime)
    async with listen() as url:
        for credentials in ("", "x-api-key: nsk_wrong\r\n", "Authorization: Bearer nsk_wrong\r\n"):
            reply = await answer(url, f"{HALF}{credentials}Content-Length: 900000\r\n\r\n{{")
            assert reply.startswith(b"HTTP/1.1 401")


async def test_a_body_has_a_deadline(
    listen: Listen, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "BODY_SECONDS", 0.2)
    name, value = next(iter((await key(runtime)).items()))
    async with listen() as url:
        reply = await answer(url, f"{HALF}{name}: {value}\r\nContent-Length: 900\r\n\r\n{{")
    assert reply.startswith(b"HTTP/1.1 408")
    assert b"body_too_slow" in reply


async def test_a_chunked_body_is_cut_off_at_the_limit(listen: Listen) -> None:
    size = limits.JSON_BYTES + 1
    async with listen() as url:
        reply = await answer(url, f"{HALF}Transfer-Encoding: chunked\r\n\r\n{size:x}\r\n{' ' * size}\r\n")
    assert reply.startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize("sent", ["", "POST /v1/chat", HALF], ids=["nothing", "half a line", "half a head"])
async def test_a_head_has_a_deadline(listen: Listen, monkeypatch: pytest.MonkeyPatch, sent: str) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.2)
    async with listen() as url:
        assert await answer(url, sent) == b""
        async with httpx.AsyncClient(base_url=url) as client:  # and others are still answered, twice
            for _ in range(2):
                assert (await client.post(CHAT, json=asking("What is a zorble?"))).is_success


async def test_a_head_without_end_is_cut_off(listen: Listen) -> None:
    async with listen() as url:
        assert await answer(url, f"{HALF}X: {'x' * 2 * connections.HEAD_BYTES}") == b""


async def test_connections_are_limited_and_their_places_come_free(listen: Listen) -> None:
    async with listen(api_connections=2) as url:
        async with connected(url), connected(url):
            await asyncio.sleep(0.1)
            assert await answer(url, "GET /ok HTTP/1.1\r\nHost: localhost\r\n\r\n") == b""
        await asyncio.sleep(0.1)
        async with httpx.AsyncClient(base_url=url) as client:
            assert (await client.get("/ok")).is_success


async def test_requests_a_minute_are_limited_by_owner(serve: Serve, runtime: Runtime) -> None:
    ada, again, bob = await key(runtime), await key(runtime), await key(runtime, "bob")
    async with serve(rate_requests=2) as client:
        first = await client.post(CHAT, json=asking("What is a zorble?"), headers=ada)
        assert first.is_success
        assert first.headers["x-ratelimit-limit-requests"] == "2"
        assert first.headers["x-ratelimit-remaining-requests"] == "1"
        assert first.headers["x-ratelimit-reset-requests"].endswith("s")
        assert (await client.get("/v1/models", headers=again)).is_success
        refused = await client.post(CHAT, json=asking("What is a zorble?"), headers=ada)
        assert refused.status_code == 429
        assert refused.json()["error"]["code"] == "rate_limit_exceeded"
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        assert refused.headers["x-ratelimit-remaining-requests"] == "0"
        assert (await client.get("/v1/models", headers=bob)).is_success
        assert (await client.get("/ok")).is_success


async def test_langgraph_routes_say_it_in_their_own_format(serve: Serve, runtime: Runtime) -> None:
    ada = await key(runtime)
    async with serve(rate_requests=1) as client:
        await client.get("/v1/models", headers=ada)
        refused = await client.post("/threads", json={}, headers=ada)
    assert (refused.status_code, "RATE_REQUESTS" in refused.json()["detail"]) == (429, True)


async def test_tokens_of_earlier_replies_count(serve: Serve, runtime: Runtime) -> None:
    ada = await key(runtime)
    async with serve(rate_tokens=1) as client:
        first = await client.post(CHAT, json=asking("What is a zorble?"), headers=ada)
        assert first.json()["usage"]["total_tokens"] > 1
        refused = await client.post(CHAT, json=asking("What is a zorble?"), headers=ada)
        assert refused.status_code == 429
        assert "tokens a minute" in refused.json()["error"]["message"]
        assert refused.headers["x-ratelimit-remaining-tokens"] == "0"
        assert (await client.get("/v1/models", headers=ada)).is_success


async def test_ingested_bytes_a_day_are_limited(serve: Serve, runtime: Runtime) -> None:
    ada = await key(runtime, scope="learn")
    text = "# Lamps\n\nA zorble is a small green lamp that burns oil.\n"
    sent = {"content": text, "headers": ada | {"Content-Type": "text/markdown"}}
    async with serve(rate_ingest_bytes=len(text)) as client:
        assert (await client.post("/v1/documents?source=a.md", **sent)).is_success
        refused = await client.post("/v1/documents?source=b.md", **sent)
        assert (refused.status_code, "ingested bytes a day" in refused.text) == (429, True)


async def test_bytes_of_store_items_count_like_those_of_documents(serve: Serve, runtime: Runtime) -> None:
    ada = await key(runtime)
    item = {"namespace": ["notes"], "key": "a", "value": {"text": "x" * 100}}
    async with serve(learning=True, rate_ingest_bytes=200) as client:
        assert (await client.put("/store/items", json=item, headers=ada)).status_code == 204
        refused = await client.put("/store/items", json=item, headers=ada)
        assert (refused.status_code, "ingested bytes a day" in refused.text) == (429, True)


async def test_an_owners_store_items_have_room_until_some_are_deleted(serve: Serve, runtime: Runtime) -> None:
    ada, bob = await key(runtime), await key(runtime, owner="a_b")

    def item(name: str, size: int) -> dict[str, Any]:
        return {"namespace": ["notes"], "key": name, "value": {"text": "x" * size}}

    async with serve(learning=True, store_bytes=8000) as client:

        async def put(name: str, size: int, headers: dict[str, str] = ada) -> int:
            reply = await client.put("/store/items", json=item(name, size), headers=headers)
            if reply.status_code == 429:
                assert "may take 8,000 bytes: delete some" in reply.text
            return reply.status_code

        assert [await put(name, 1000) for name in ("a", "b", "c")] == [204, 204, 429]
        assert await put("a", 1500) == 204, "in its own place"
        assert await put("c", 10, bob) == 204, "others have room of their own"
        gone = {"namespace": ["notes"], "key": "a"}
        (await client.request("DELETE", "/store/items", json=gone, headers=ada)).raise_for_status()
        assert await put("c", 1000) == 204
        admin = await key(runtime, scope="admin")
        assert await put("big", 9000, admin) == 204


async def test_learn_runs_a_day_are_limited_over_either_interface(serve: Serve, runtime: Runtime) -> None:
    ada = await key(runtime, scope="learn")
    run = {"assistant_id": "learn", "input": {"question": "What is a zorble?"}}
    async with serve(learning=True, rate_learn_runs=1) as client:
        assert (
            await client.post("/v1/learn", json={"question": "What is a zorble?"}, headers=ada)
        ).is_success
        for path, body in (("/v1/learn", {"question": "What is a grumble?"}), ("/runs/wait", run)):
            refused = await client.post(path, json=body, headers=ada)
            assert (refused.status_code, "learn runs a day" in refused.text) == (429, True)


async def test_erasures_a_day_are_limited(serve: Serve, runtime: Runtime) -> None:
    ada, root = await key(runtime), await key(runtime, "root", "admin")
    async with serve(learning=True, rate_erasures=1) as client:
        path = "/v1/memory?user=ann"
        assert (await client.delete(path, headers=ada)).is_success
        refused = await client.delete(path, headers=ada)
        assert (refused.status_code, "erasures a day" in refused.text) == (429, True)
        assert (await client.delete(path, headers=root)).is_success
        assert len(await runtime.audit.list(action="memory.forget")) == 2


async def test_requests_in_progress_are_limited(listen: Listen, runtime: Runtime) -> None:
    name, value = next(iter((await key(runtime)).items()))
    async with listen(rate_concurrent=1) as url, httpx.AsyncClient(base_url=url) as client:
        async with connected(url) as (_, writer):
            writer.write(f"{HALF}{name}: {value}\r\nContent-Length: 900\r\n\r\n{{".encode())
            await asyncio.sleep(0.2)
            refused = await client.get("/v1/models", headers={name: value})
            assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
        deadline = time.monotonic() + 10
        while (await client.get("/v1/models", headers={name: value})).status_code == 429:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)


async def test_without_keys_nothing_is_limited(serve: Serve) -> None:
    async with serve(rate_requests=1, rate_tokens=1, rate_ingest_bytes=1, rate_concurrent=1) as client:
        for _ in range(3):
            reply = await client.post(CHAT, json=asking("What is a zorble?"))
            assert (reply.is_success, "x-ratelimit-limit-requests" in reply.headers) == (True, False)
