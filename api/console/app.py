"""The console's web application: Gradio at /ui, with headers that keep the browser to this one host."""

from collections.abc import Callable

import gradio as gr
from fastapi import FastAPI
from starlette.datastructures import MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.console import shortcuts, transfer
from api.console.page import page
from api.console.style import CSS, HEAD, theme

PATH = "/ui"
IDLE_SECONDS = 0.05
"""How often Gradio looks for clicks; without this, a thousand times a second, also where nobody is."""
CLOSED = ("/upload", "/deep_link", "/monitoring", "/vibe")
"""Parts of Gradio's own paths that the pages do not need; the first takes files from anyone."""
HEADERS = {
    "Content-Security-Policy": "; ".join(
        (
            "default-src 'self'",
            "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:",  # Gradio's page needs all three
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            "connect-src 'self' data: blob:",
            "object-src 'none'",
            "base-uri 'self'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        )
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def create_app(api_url: Callable[[], str]) -> FastAPI:
    """The app. `api_url` is asked for each request, because the api may start later, or elsewhere again."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(Guard)
    blocks = page(api_url).queue(default_concurrency_limit=32)
    blocks._queue.sleep_when_free = blocks._queue.progress_update_sleep_when_free = IDLE_SECONDS
    gr.mount_gradio_app(
        app,
        blocks,
        path=PATH,
        theme=theme(),
        css=CSS,
        head=HEAD + shortcuts.SCRIPT + transfer.SCRIPT,
        footer_links=[],
        run_history=False,
        ssr_mode=False,
        mcp_server=False,
        enable_monitoring=False,
        pwa=False,
        show_error=False,
        max_file_size=1,
    )
    return app


class Guard:
    """ASGI middleware that adds the headers, and closes paths that the pages do not need."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if any(part in scope["path"] for part in CLOSED):
            await PlainTextResponse("the console has no such page", 404)(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
            await send(message)

        await self._app(scope, receive, send_guarded)
