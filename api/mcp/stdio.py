"""MCP over stdio: a process that a host starts, and that is a client of the running api."""

import httpx

from agent.settings import Settings
from api.cli.client import REPLY_SECONDS
from api.cli.running import service_url
from api.mcp.rest import ToolContext
from api.mcp.server import build_server


def serve_stdio(settings: Settings) -> None:
    """Serves on stdin and stdout until stdin ends. The api may start, stop and move meanwhile."""
    headers = {"Authorization": f"Bearer {settings.api_key}"} if settings.api_key else {}

    def connect(_: ToolContext) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            base_url=service_url(settings), headers=headers, timeout=REPLY_SECONDS, trust_env=False
        )

    build_server(connect).run("stdio")
