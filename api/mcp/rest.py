"""REST requests of the MCP tools, with the key of whoever calls the tool; what is refused is a tool error."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any
from urllib.parse import quote

import httpx
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError

from api.error_message import error_message

ToolContext = Context[Any, Any]
Connect = Callable[[ToolContext], AbstractAsyncContextManager[httpx.AsyncClient]]
"""Opens a client of the api that sends the caller's key. The clients differ by transport."""


class Rest:
    """The api's REST routes. All methods raise ToolError with the api's message."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect

    async def get(self, context: ToolContext, path: str, **query: str | int | None) -> Any:
        """The reply's JSON; parameters that are None are left out."""
        params = {name: value for name, value in query.items() if value is not None}
        return await self._request(context, "GET", path, params=params)

    async def post(self, context: ToolContext, path: str, body: dict[str, Any]) -> Any:
        """The reply's JSON; fields that are None are left out."""
        fields = {name: value for name, value in body.items() if value is not None}
        return await self._request(context, "POST", path, json=fields)

    async def upload(
        self, context: ToolContext, path: str, data: bytes, media_type: str, **query: str
    ) -> Any:
        """Sends bytes as they are; returns the reply's JSON."""
        headers = {"Content-Type": media_type}
        return await self._request(context, "POST", path, content=data, params=query, headers=headers)

    async def _request(self, context: ToolContext, method: str, path: str, **request: Any) -> Any:
        async with self._connect(context) as client:
            try:
                response = await client.request(method, path, **request)
            except httpx.ReadTimeout as error:
                raise ToolError(f"no answer from {client.base_url} in time: see the service's log") from error
            except httpx.TransportError as error:
                raise ToolError(
                    f"the service does not answer at {client.base_url}: start it with `nightschool up`"
                ) from error
        if response.is_error:
            raise ToolError(error_message(response))
        try:
            return response.json()
        except ValueError as error:
            raise ToolError(
                f"{response.url} is something else: check that the service is Nightschool"
            ) from error


def segment(id: str) -> str:
    """The id, quoted as one segment of a path. Raises ToolError for one that cannot be any."""
    if not id.strip(". "):
        raise ToolError(f"{id!r} is not an id")
    return quote(id, safe="", errors="replace")
