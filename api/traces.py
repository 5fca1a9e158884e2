"""A span for each request, which continues the client's trace if it sends `traceparent`."""

from opentelemetry.trace import SpanKind, Status, StatusCode
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from agent.logs import REQUEST_ID
from api.metrics.requests import template
from memory import tracing
from memory.tracing import span

UNTRACED = ("/healthz", "/readyz", "/ok", "/metrics")
"""Paths that machines ask for every few seconds."""


class TraceRequests:
    """ASGI middleware; where tracing is off it only passes requests on."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in UNTRACED or not tracing.is_on():
            await self._app(scope, receive, send)
            return
        parent = Headers(scope=scope).get(tracing.TRACEPARENT, "")
        with span(
            f"HTTP {scope['method']}",
            {"http.request.method": scope["method"], "nightschool.request_id": REQUEST_ID.get()},
            kind=SpanKind.SERVER,
            parent=tracing.continued({tracing.TRACEPARENT: parent}),
        ) as opened:

            async def send_traced(message: Message) -> None:
                if message["type"] == "http.response.start":
                    opened.set_attribute("http.response.status_code", message["status"])
                    if message["status"] >= 500:
                        opened.set_status(Status(StatusCode.ERROR))
                await send(message)

            try:
                await self._app(scope, receive, send_traced)
            finally:
                if (route := template(scope)) is not None:
                    opened.update_name(f"{scope['method']} {route}")
                    opened.set_attribute("http.route", route)
