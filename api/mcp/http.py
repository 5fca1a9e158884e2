"""MCP over streamable HTTP at `/mcp`: each tool call is a request to the same app, with the same key."""

import asyncio
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import httpx
from starlette.requests import Request
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from api.admission import ADMITTED

if TYPE_CHECKING:
    from mcp.server.mcpserver import MCPServer

    from api.mcp.rest import ToolContext

PATH = "/mcp"
KEY_HEADERS = ("authorization", "x-api-key")
THIS_HOST = "http://localhost"
"""A host name that `api.trusted_hosts` always knows."""


class McpEndpoint:
    """ASGI endpoint. It keeps no sessions, so that any replica of the api can take any request.

    `api.trusted_hosts` has already refused foreign hosts and origins, and `api.admission` requests without
    a valid key.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        from mcp.server.transport_security import TransportSecuritySettings

        server = await asyncio.to_thread(_server)
        # This makes a manager, which can be run once; nothing of it outlives the request.
        server.streamable_http_app(
            stateless_http=True,
            transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
        )
        manager = server.session_manager
        async with manager.run():
            await manager.handle_request(scope, receive, send)


def route() -> Route:
    """The route. GET is not offered, because the service sends nothing that was not asked for."""
    return Route(PATH, McpEndpoint(), methods=["POST"], include_in_schema=False)


@lru_cache(maxsize=1)
def _server() -> "MCPServer[Any]":
    """The server, made when it is first needed: importing the SDK takes a second."""
    from api.mcp.server import build_server

    return build_server(_in_process)


def _in_process(context: "ToolContext") -> httpx.AsyncClient:
    """A client of the app that received the tool call, with its key."""
    request = context.request_context.request
    assert isinstance(request, Request), "the transport passes on the HTTP request"
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(_admitted(request.app), raise_app_exceptions=False),
        base_url=THIS_HOST,
        headers={name: request.headers[name] for name in KEY_HEADERS if name in request.headers},
        timeout=None,
    )


def _admitted(app: ASGIApp) -> ASGIApp:
    """The app for requests within one that counts against the limits already."""

    async def admitted(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "state": {ADMITTED: True}}, receive, send)

    return admitted
