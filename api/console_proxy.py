"""Serves the web console at /ui: passes requests on to the console's own process, over its Unix socket.

The console's process has no port of its own, so all that protects the api from foreign hosts and pages
protects the console too.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
from starlette.requests import ClientDisconnect, Request
from starlette.responses import StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from agent.settings import Settings
from api.errors import reply
from api.limits import BODY_SECONDS, JSON_BYTES, read_body
from memory import unix_sockets

log = logging.getLogger(__name__)
PATH = "/ui"
CONNECT_SECONDS = 30.0
MOST_REQUESTS = 200
"""Requests in progress, most of them streams of open pages: they need no key, and must leave the api's
callers a place among its connections. More of them make the transport's bookkeeping slow, too."""
NOT_PASSED_ON = frozenset(
    {b"connection", b"keep-alive", b"te", b"trailer", b"transfer-encoding", b"upgrade", b"date", b"server"}
)
"""Headers of one connection, and those that our server sets."""


def console_socket(settings: Settings) -> Path:
    """The Unix socket of the console."""
    return unix_sockets.socket_path(settings.path("console"), "console.sock")


class ConsoleProxy:
    """ASGI middleware that answers everything below /ui from the console's socket.

    It stands before authentication: pages are open to all, and what they show is asked of the api with the
    key that the user enters there.
    """

    def __init__(self, app: ASGIApp, socket: Path) -> None:
        self._app = app
        # No connection is used twice: the console may close an idle one just as the next request is sent.
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
        self._in_progress = 0
        self._transport = httpx.AsyncHTTPTransport(uds=str(socket), verify=False, limits=limits)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            async with self._transport:
                await self._app(scope, receive, send)
        elif scope["type"] == "http" and (scope["path"] == PATH or scope["path"].startswith(f"{PATH}/")):
            await self._admit(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _admit(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._in_progress >= MOST_REQUESTS:
            message = "too many pages of the console are open: close some, or try again later"
            await reply(scope["path"], 503, "console_busy", message, close=True)(scope, receive, send)
            return
        self._in_progress += 1
        try:
            await self._forward(scope, receive, send)
        finally:
            self._in_progress -= 1

    async def _forward(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            async with asyncio.timeout(BODY_SECONDS):
                body = await read_body(receive, JSON_BYTES)
        except ClientDisconnect:
            return
        except TimeoutError:
            message = f"the body did not arrive within {BODY_SECONDS:g} s: send it again"
            await reply(scope["path"], 408, "body_too_slow", message, close=True)(scope, receive, send)
            return
        if body is None:
            message = f"the body is larger than {JSON_BYTES} bytes: send less"
            await reply(scope["path"], 413, "body_too_large", message, close=True)(scope, receive, send)
            return
        passed_on = httpx.Request(
            request.method,
            # As it was sent: a path that is decoded and encoded again may be another one.
            httpx.URL(scheme="http", host="console", raw_path=_raw_target(scope)),
            headers=_passed_on(scope["headers"]),
            content=body,
            extensions={"timeout": httpx.Timeout(None, connect=CONNECT_SECONDS).as_dict()},
        )
        try:
            response = await self._transport.handle_async_request(passed_on)
        except httpx.TransportError:
            message = (
                "the console is not running: `nightschool up` starts it where gradio is installed"
                " (pip install 'nightschool[console]'), and so does `nightschool console`"
            )
            await reply(scope["path"], 503, "console_unavailable", message)(scope, receive, send)
            return
        try:
            streamed = StreamingResponse(_pieces(response), response.status_code)
            streamed.raw_headers = _passed_on(response.headers.raw)
            await streamed(scope, receive, send)
        finally:
            await response.aclose()


async def _pieces(response: httpx.Response) -> AsyncIterator[bytes]:
    """The body as it comes; it ends early where the console does, and the browser connects again."""
    try:
        async for piece in response.aiter_raw():
            yield piece
    except httpx.TransportError as error:
        log.warning("the console ended within an answer: %s", error)


def _raw_target(scope: Scope) -> bytes:
    path: bytes = scope.get("raw_path") or scope["path"].encode()
    query: bytes = scope["query_string"]
    return path + (b"?" + query if query else b"")


def _passed_on(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    return [(name.lower(), value) for name, value in headers if name.lower() not in NOT_PASSED_ON]
