"""Trusted hosts and origins: protects the service from web pages of other sites in a user's browser.

Requests that do not come from a browser are not restricted here.
"""

from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from agent.settings import LOOPBACK
from api.errors import reply
from api.limits import READ_METHODS

ALL_ADDRESSES = frozenset({"0.0.0.0", "::"})
"""Addresses that stand for all of the machine's addresses, so that its host names are unknown."""


class TrustedOrigins:
    """ASGI middleware that rejects foreign `Host` and `Origin` headers.

    A foreign `Host` is a name that was pointed at this machine (DNS rebinding). A foreign `Origin` is a page
    of another site; browsers let it post plain text without a preflight request.
    """

    def __init__(
        self, app: ASGIApp, listening: str, hosts: Collection[str] = (), allowed: Collection[str] = ()
    ) -> None:
        """`listening` is the address that the api listens on, `hosts` its other names, without ports.

        `allowed` are origins of pages that may send requests. On all addresses and without `hosts`, any host
        name is accepted.
        """
        self._allowed = frozenset(allowed)
        self._app = app
        any_host = listening in ALL_ADDRESSES and not hosts
        self._hosts = None if any_host else LOOPBACK | {listening.lower()} | frozenset(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            host, origin = headers.get("host", ""), headers.get("origin")
            if self._hosts is not None and _hostname(host) not in self._hosts:
                message = (
                    f"{host!r} is not a host name of this service: use localhost, or add the name to"
                    " NIGHTSCHOOL_TRUSTED_HOSTS"
                )
                await reply(scope["path"], 403, "foreign_host", message)(scope, receive, send)
                return
            if (
                scope["method"] not in READ_METHODS
                and origin is not None
                and not self._is_allowed(origin, host)
            ):
                message = (
                    f"pages of {origin!r} may not change anything here: add the origin to"
                    " NIGHTSCHOOL_ALLOWED_ORIGINS, or send no Origin header"
                )
                await reply(scope["path"], 403, "foreign_origin", message)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _is_allowed(self, origin: str, host: str) -> bool:
        return _same_host(origin, host) or origin.lower() in self._allowed


def _hostname(host: str) -> str | None:
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:  # a malformed IPv6 address
        return None


def _same_host(origin: str, host: str) -> bool:
    """Whether the page comes from this host. Ignores the scheme, because a proxy may add TLS."""
    return origin.partition("://")[2].lower() == host.lower()
