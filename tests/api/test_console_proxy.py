"""The console is served at /ui: from its own process, behind the checks of hosts and origins."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route

from agent.settings import Settings
from api import console_proxy
from api.console.__main__ import listening
from api.console_proxy import console_socket
from tests.api.conftest import Listen, Serve


async def test_without_a_console_the_reply_says_how_to_start_it(serve: Serve) -> None:
    async with serve() as client:
        reply = await client.get("/ui/")
    assert reply.status_code == 503
    assert "nightschool console" in reply.text


async def test_foreign_hosts_and_pages_do_not_reach_it(serve: Serve) -> None:
    async with serve() as client:
        assert (await client.get("/ui/", headers={"host": "evil.example"})).status_code == 403
        assert (await client.post("/ui/", headers={"origin": "http://evil.example"})).status_code == 403
        assert (await client.post("/ui/x", content=b" " * 1_000_001)).status_code == 413
        assert (await client.get("/uix")).status_code == 404


async def test_requests_and_streams_pass_through_unchanged(listen: Listen, home: Path) -> None:
    async def echo(request: Request) -> PlainTextResponse:
        return PlainTextResponse(f"{request.scope['raw_path']} {request.url.query} {await request.body()!r}")

    async def endless(request: Request) -> StreamingResponse:
        async def beats() -> object:
            while True:
                yield b"beat\n"
                await asyncio.sleep(0.01)

        return StreamingResponse(beats())

    socket = console_socket(Settings(home=home))
    socket.parent.mkdir(parents=True)
    app = Starlette(
        routes=[Route("/ui/endless", endless), Route("/ui/{rest:path}", echo, methods=["GET", "POST"])]
    )
    server = uvicorn.Server(uvicorn.Config(app, ws="none", log_level="warning"))
    with listening(socket) as door:
        assert socket.stat().st_mode & 0o077 == 0
        serving = asyncio.create_task(server.serve(sockets=[door]))
        async with listen() as url, httpx.AsyncClient(base_url=url) as client:
            reply = await client.post("/ui/a%2Fb?c=d%20e", content=b"body")
            assert reply.text == "b'/ui/a%2Fb' c=d%20e b'body'"
            async with client.stream("GET", "/ui/endless") as stream:
                assert (await anext(stream.aiter_bytes())).startswith(b"beat")
        server.should_exit = True
        await serving


async def test_open_pages_leave_the_api_its_connections(
    listen: Listen, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page needs no key, and its streams stay open for as long as it does."""

    async def endless(request: Request) -> StreamingResponse:
        async def beats() -> AsyncIterator[bytes]:
            while True:
                yield b"beat\n"
                await asyncio.sleep(0.01)

        return StreamingResponse(beats())

    monkeypatch.setattr(console_proxy, "MOST_REQUESTS", 2)
    socket = console_socket(Settings(home=home))
    socket.parent.mkdir(parents=True)
    server = uvicorn.Server(
        uvicorn.Config(Starlette(routes=[Route("/ui/endless", endless)]), ws="none", log_level="warning")
    )
    with listening(socket) as door:
        serving = asyncio.create_task(server.serve(sockets=[door]))
        async with listen() as url, httpx.AsyncClient(base_url=url) as client:
            async with client.stream("GET", "/ui/endless"), client.stream("GET", "/ui/endless"):
                refused = await client.get("/ui/endless")
                assert (refused.status_code, refused.json()["error"]["code"]) == (503, "console_busy")
                assert (await client.get("/healthz")).status_code == 200
            async with asyncio.timeout(10):
                while True:
                    async with client.stream("GET", "/ui/endless") as again:
                        if again.status_code == 200:
                            break
        server.should_exit = True
        await serving
