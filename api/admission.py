"""Admission: authenticates a request before its body is read, and applies the limits of its owner.

Who has no key cannot make the service wait for a body, or hold one in memory.
"""

import logging
from collections import Counter

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from agent.settings import PREFIX
from api.auth import identify
from api.callers import Caller
from api.compose import Service
from api.errors import Unauthorized, reply_to
from api.limits import READ_METHODS
from api.metrics.scrape import PATH as METRICS
from api.rate_limits import RateLimited
from memory.errors import StorageError

log = logging.getLogger(__name__)
ANSWERING = (
    "/v1/chat/completions",
    "/v1/completions",
    "/v1/responses",
    "/v1/embeddings",
    "/threads",
    "/runs",
)
"""Paths that cost tokens."""
ADMITTED = "admitted"
"""In the state of a request that the service makes within another one, which counts for both."""


class Admission:
    """ASGI middleware. It leaves the caller in the request's state, where `api.auth` finds it.

    Requests that only read and have no valid key are left to their route, because some need none. Without
    keys, nothing is limited; nor are those who may read the metrics, when they do.
    """

    def __init__(self, app: ASGIApp, concurrent: int) -> None:
        """`concurrent` is how many requests of one owner are worked on at once; 0 for any number."""
        self._app = app
        self._concurrent = concurrent
        self._active: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        service: Service = scope["app"].state.service
        try:
            caller = await identify(service, Headers(scope=scope))
        except Unauthorized as error:
            if scope["method"] in READ_METHODS:
                await self._app(scope, receive, send)
            else:
                await reply_to(scope["path"], error, close=True)(scope, receive, send)
            return
        except StorageError as error:
            log.warning("%s %s: the key cannot be looked up: %s", scope["method"], scope["path"], error)
            await reply_to(scope["path"], error, close=True)(scope, receive, send)
            return
        scope.setdefault("state", {})["caller"] = caller
        if caller.is_local or (scope["path"] == METRICS and caller.allows("metrics")):
            await self._app(scope, receive, send)
        else:
            await self._limited(service, caller, scope, receive, send)

    async def _limited(
        self, service: Service, caller: Caller, scope: Scope, receive: Receive, send: Send
    ) -> None:
        owner, inner = caller.name, ADMITTED in scope["state"]
        try:
            if not inner:
                self._check_concurrent(owner, service)
                await service.rate_limits.spend("requests", owner)
            if scope["method"] == "POST" and scope["path"].startswith(ANSWERING):
                await service.rate_limits.require_tokens(caller.owner)
        except RateLimited as error:
            await reply_to(scope["path"], error, close=True)(scope, receive, send)
            return
        if inner:
            await self._app(scope, receive, send)
            return
        state = await service.rate_limits.headers(owner)

        async def send_with_state(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in state.items():
                    headers.setdefault(name, value)
            await send(message)

        self._active[owner] += 1
        try:
            await self._app(scope, receive, send_with_state)
        finally:
            self._active[owner] -= 1
            if not self._active[owner]:
                del self._active[owner]

    def _check_concurrent(self, owner: str, service: Service) -> None:
        if self._concurrent and self._active[owner] >= self._concurrent:
            service.metrics.refused("concurrent")
            raise RateLimited(
                f"{owner} already has {self._concurrent} requests in progress: wait for one, or raise"
                f" {PREFIX}RATE_CONCURRENT",
                {"Retry-After": "1"},
            )
