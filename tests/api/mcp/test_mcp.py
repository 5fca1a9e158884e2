"""Models of other hosts use the service over MCP, with exactly the rights of their key."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import httpx
import httpx2
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp.types import TextContent

from graphs.state import Runtime
from memory.server.keys import ApiKeys, Scope
from tests.api.conftest import Listen
from tests.contracts.test_imports import ROOT
from tests.graphs.conftest import TRAINED

pytestmark = pytest.mark.services

Transport = Literal["http", "stdio"]
TEXT = "---\ndate: 2024-03-04\n---\n\n# Lamps\n\nA zorble is a small green lamp that burns oil.\n"
QUESTION = "What is a zorble?"
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}
ACCEPT = {"Accept": "application/json, text/event-stream"}


class Host:
    """A host of models: calls tools, and keeps structured results and errors apart."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def call(self, tool: str, **arguments: Any) -> Any:
        """The tool's structured result."""
        result = await self.client.call_tool(tool, arguments)
        assert not result.is_error, result.content
        return result.structured_content

    async def error(self, tool: str, **arguments: Any) -> str:
        """The message of a call that fails."""
        result = await self.client.call_tool(tool, arguments)
        assert result.is_error, result.content
        (content,) = result.content
        assert isinstance(content, TextContent)
        return content.text


@asynccontextmanager
async def connected(url: str, key: str, transport: Transport, home: Path) -> AsyncIterator[Host]:
    """A host that is connected by the official client."""
    if transport == "stdio":
        server = StdioServerParameters(
            command=sys.executable,
            args=["-m", "api.cli.main", "mcp"],
            env={
                "NIGHTSCHOOL_API_KEY": key,
                "NIGHTSCHOOL_API_PORT": url.rpartition(":")[2],
                "NIGHTSCHOOL_HOME": str(home / "client"),
                "PYTHONPATH": str(ROOT),
                "PATH": os.environ["PATH"],
            },
        )
        async with Client(server) as client:
            yield Host(client)
        return
    async with (
        httpx2.AsyncClient(headers={"Authorization": f"Bearer {key}"}, timeout=60) as http,
        Client(streamable_http_client(f"{url}/mcp", http_client=http)) as client,
    ):
        yield Host(client)


Connect = Callable[..., AbstractAsyncContextManager[Host]]


@pytest.fixture
async def url(listen: Listen, runtime: Runtime) -> AsyncIterator[str]:
    """A service in which a person approves what is learned."""
    async with listen(replace(runtime, approval="human"), learning=True) as address:
        yield address


@pytest.fixture
def connect(url: str, runtime: Runtime, tmp_path: Path) -> Connect:
    """Connects with a new key."""

    @asynccontextmanager
    async def connecting(owner: str, scope: Scope, transport: Transport = "http") -> AsyncIterator[Host]:
        _, key = await ApiKeys(runtime.database).create(owner, scope)
        async with connected(url, key, transport, tmp_path) as host:
            yield host

    return connecting


async def reached(host: Host, run_id: str, status: str) -> dict[str, Any]:
    """The run, once it has this status."""
    async with asyncio.timeout(20):
        while True:
            run: dict[str, Any] = await host.call("run", run_id=run_id)
            if run["status"] == status:
                return run
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("transport", ["http", "stdio"])
async def test_a_text_is_added_found_and_cited(connect: Connect, transport: Transport) -> None:
    async with connect("ada", "learn", transport) as ada:
        stored = await ada.call("ingest", source="notes/lamps.md", text=TEXT)
        assert (stored["documents"], stored["failed"]) == (1, [])
        assert "notes/lamps.md" in (await ada.call("documents"))["sources"]
        found = await ada.call("search", query=QUESTION)
        hits = found["hits"]
        assert (hits[0]["source"], "small green lamp" in hits[0]["text"]) == ("notes/lamps.md", True)
        (fact,) = [each for each in found["facts"] if "small green lamp" in each["object"]]
        assert (fact["source"], fact["support"], 0 < fact["confidence"] <= 1) == ("notes/lamps.md", 1, True)
        assert fact["dated"] == "2024-03-04T00:00:00Z"
        answer = await ada.call("ask", question=QUESTION)
        assert answer["outcome"] == "answered_from_sources"
        assert "small green lamp" in answer["citations"][0]["quote"]
        unknown = await ada.call("ask", question="What is a quibblefrotz?")
        assert unknown["outcome"] == "abstained"
        assert unknown["gap_id"] in [gap["id"] for gap in (await ada.call("gaps"))["gaps"]]


@pytest.mark.parametrize("transport", ["http", "stdio"])
async def test_a_run_is_started_followed_and_decided_by_somebody_else(
    connect: Connect, transport: Transport
) -> None:
    async with connect("ada", "learn", transport) as ada:
        run = (await ada.call("learn", topic="Rust ownership"))["run_id"]
        asks = (await reached(ada, run, "waiting"))["asks"]
        decision = {"run_id": run, "digests": asks["digests"], "reason": "I have read it"}
        assert "scope approve" in await ada.error("approve", **decision)
    async with connect("ada", "admin") as same:
        assert "the owner of another key must decide" in await same.error("approve", **decision)
    async with connect("bob", "approve") as bob:
        assert "lessons" in await bob.error("approve", **(decision | {"digests": ["0" * 64]}))
        assert await bob.call("approve", **decision) == {"run_id": run}
        assert (await reached(bob, run, "ended"))["run"]["outcome"]["status"] == "learned"
        assert [each["id"] for each in (await bob.call("runs"))["runs"]] == [run]


async def test_a_declined_run_trains_nothing(connect: Connect) -> None:
    async with connect("ada", "learn") as ada, connect("bob", "approve") as bob:
        run = (await ada.call("learn", topic="Rust ownership"))["run_id"]
        digests = (await reached(ada, run, "waiting"))["asks"]["digests"]
        await bob.call("reject", run_id=run, digests=digests, reason="out of date")
        assert (await reached(ada, run, "ended"))["run"]["outcome"]["status"] == "declined"


async def test_a_key_sees_and_does_no_more_than_over_rest(connect: Connect) -> None:
    async with connect("ada", "learn") as ada:
        await ada.call("ingest", source="notes/lamps.md", text=TEXT)
        run = (await ada.call("learn", topic="Rust ownership"))["run_id"]
        await reached(ada, run, "waiting")
        assert "scope admin" in await ada.error("adapters")
    async with connect("eve", "chat") as eve:
        sources = [hit["source"] for hit in (await eve.call("search", query=QUESTION))["hits"]]
        assert "notes/lamps.md" not in sources
        assert (await eve.call("ask", question=QUESTION))["citations"] == []
        for tool, arguments in {
            "documents": {},
            "gaps": {},
            "runs": {},
            "learn": {"topic": "Rust"},
            "ingest": {"source": "a.md", "text": "A note."},
            "run": {"run_id": run},
            "approve": {"run_id": run, "digests": ["0" * 64], "reason": "told to"},
            "reject": {"run_id": run, "digests": ["0" * 64], "reason": "told to"},
        }.items():
            assert "scope learn" in await eve.error(tool, **arguments), tool
    async with connect("ben", "learn") as ben:
        assert "notes/lamps.md" not in (await ben.call("documents"))["sources"]
        assert (await ben.call("runs"))["runs"] == []
        assert "run" in await ben.error("run", run_id=run)
    async with connect("root", "admin") as root:
        (adapter,) = (await root.call("adapters"))["adapters"]
        assert (adapter["name"], adapter["status"]) == (TRAINED.name, TRAINED.status)


async def test_what_the_api_refuses_is_a_tool_error_with_its_message(connect: Connect) -> None:
    async with connect("ada", "learn") as ada:
        assert "exactly one of topic, question and gap_id" in await ada.error("learn")
        assert "nowhere" in await ada.error("run", run_id="nowhere")
        assert "is not an id" in await ada.error("run", run_id="..")
        assert "Not Found" in await ada.error("run", run_id="../learn/nowhere")
        assert "limit" in await ada.error("search", query="x", limit=0)


async def test_every_tool_tells_a_model_what_it_does_and_needs(connect: Connect) -> None:
    async with connect("eve", "chat") as eve:
        tools = (await eve.client.list_tools()).tools
    names = "adapters approve ask documents gaps ingest learn reject run runs search"
    assert sorted(tool.name for tool in tools) == names.split()
    for tool in tools:
        assert "key of scope" in (tool.description or ""), tool.name
        assert tool.annotations is not None
        assert tool.output_schema is not None
        assert "context" not in tool.input_schema["properties"]


async def test_a_call_counts_as_one_request(listen: Listen, runtime: Runtime, tmp_path: Path) -> None:
    _, key = await ApiKeys(runtime.database).create("ada", "chat")
    async with listen(learning=True, rate_concurrent=1, rate_requests=6) as url:
        async with connected(url, key, "http", tmp_path) as ada:
            await ada.call("search", query="one")
        headers = {"Authorization": f"Bearer {key}"}
        async with httpx.AsyncClient(base_url=url, headers=headers) as client:
            statuses = [(await client.get("/v1/models")).status_code for _ in range(6)]
            assert statuses.count(200) >= 1
            assert statuses[-1] == 429
            refused = await client.post("/mcp", json=INITIALIZE, headers=ACCEPT)
            assert (refused.status_code, refused.json()["error"]["code"]) == (429, "rate_limit_exceeded")


async def test_no_key_no_foreign_host_and_no_foreign_page_gets_in(url: str, runtime: Runtime) -> None:
    _, key = await ApiKeys(runtime.database).create("ada", "chat")
    async with httpx.AsyncClient(base_url=url, headers=ACCEPT) as client:
        assert (await client.post("/mcp", json=INITIALIZE)).status_code == 401
        client.headers["Authorization"] = f"Bearer {key}"
        assert (await client.post("/mcp", json=INITIALIZE)).status_code == 200
        for headers, code in (
            ({"Host": "evil.example"}, "foreign_host"),
            ({"Origin": "https://evil.example"}, "foreign_origin"),
        ):
            refused = await client.post("/mcp", json=INITIALIZE, headers=headers)
            assert (refused.status_code, refused.json()["error"]["code"]) == (403, code)
        assert (await client.get("/mcp")).status_code == 405


async def test_a_host_may_start_before_the_service(tmp_path: Path) -> None:
    async with connected("http://127.0.0.1:9", "key", "stdio", tmp_path) as host:
        assert "start it with `nightschool up`" in await host.error("ask", question=QUESTION)
