"""Trusted web origins: our own pages and allowed ones may call the service, under its own host names.

Knows no users: whoever reaches the port without a browser is not kept out here.
"""

from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from agent.settings import LOOPBACK
from api.errors import reply
from api.limits import READING

EVERYWHERE = frozenset({"0.0.0.0", "::"})
"""Addresses to listen on that stand for all of the machine's, so that its names cannot be known."""


class OwnPagesOnly:
    """ASGI middleware against pages of other sites, which a browser lets send, though not read.

    A foreign `Host` is a foreign name that was pointed at us (DNS rebinding); a foreign `Origin` is a page of
    another site, from which plain text may be posted without asking us first.
    """

    def __init__(
        self, app: ASGIApp, listening: str, hosts: Collection[str] = (), allowed: Collection[str] = ()
    ) -> None:
        """`listening` is the address or name that the api listens on, `hosts` its other names, without ports,
        and `allowed` whose pages are welcome. Where it listens everywhere without `hosts`, any name does.
        """
        self._allowed = frozenset(allowed)
        self._app = app
        anywhere = listening in EVERYWHERE and not hosts
        self._hosts = None if anywhere else LOOPBACK | {listening.lower()} | frozenset(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            host, origin = headers.get("host", ""), headers.get("origin")
            if self._hosts is not None and _name(host) not in self._hosts:
                message = (
                    f"{host!r} is no name of this service: ask localhost, or add its name to"
                    " NIGHTSCHOOL_TRUSTED_HOSTS"
                )
                await reply(scope["path"], 403, "foreign_host", message)(scope, receive, send)
                return
            if scope["method"] not in READING and origin is not None and not self._welcome(origin, host):
                message = (
                    f"a page of {origin!r} may not change anything here: send no Origin, {host}'s own, or one"
                    " of NIGHTSCHOOL_ALLOWED_ORIGINS"
                )
                await reply(scope["path"], 403, "foreign_origin", message)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _welcome(self, origin: str, host: str) -> bool:
        return _same(origin, host) or origin.lower() in self._allowed


def _name(host: str) -> str | None:
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:  # half of an IPv6 address
        return None


def _same(origin: str, host: str) -> bool:
    """Whether the page comes from the host that was asked; not by scheme, for a proxy may add TLS."""
    return origin.partition("://")[2].lower() == host.lower()
