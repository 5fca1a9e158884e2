"""Counts every request, also those that are refused before their route."""

import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.metrics.counters import Metrics


def template(scope: Scope) -> str | None:
    """The template of the route that a request reached; None if it reached none."""
    path: str | None = getattr(scope.get("route"), "path", None)
    if path is None and "endpoint" in scope and not scope.get("path_params"):
        path = scope["path"]  # of a route of Starlette's, which has no parameters
    return path


class CountRequests:
    """ASGI middleware that counts requests by the template of their route, and measures their time."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        metrics: Metrics = scope["app"].state.service.metrics
        begun = time.perf_counter()
        status = 500  # of a bug, whose reply is sent outside of this middleware
        first_byte: float | None = None

        async def send_counted(message: Message) -> None:
            nonlocal status, first_byte
            if message["type"] == "http.response.start":
                status = message["status"]
            elif first_byte is None and message.get("body"):
                first_byte = time.perf_counter() - begun
            await send(message)

        metrics.active.inc()
        try:
            await self._app(scope, receive, send_counted)
        finally:
            metrics.active.dec()
            metrics.request(scope["method"], template(scope), status, time.perf_counter() - begun, first_byte)
