"""Request ids: each request has one, in its log lines and in the header `x-request-id` of its reply.

A client, or a proxy in between, may send it.
"""

import re
import uuid

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from agent.logs import REQUEST_ID
from api.admission import ADMITTED

HEADER = "x-request-id"
WELL_FORMED = re.compile(r"[A-Za-z0-9._-]{8,128}")
"""What is taken from a client: long enough to be found again, and with nothing that logs could stumble on."""


class RequestIds:
    """ASGI middleware that gives each request its id."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        sent = Headers(scope=scope).get(HEADER, "")
        request_id = sent if WELL_FORMED.fullmatch(sent) else uuid.uuid4().hex
        if ADMITTED in scope.get("state", {}):  # made by the service within another request
            request_id = REQUEST_ID.get() or request_id
        # Not reset: servers answer each request in a task of its own, and the reply to a bug, which is
        # logged, is sent outside of this middleware.
        REQUEST_ID.set(request_id)

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[HEADER] = request_id
            await send(message)

        await self._app(scope, receive, send_with_id)
