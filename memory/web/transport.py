"""The transport of requests to the web: resolves each host once, checks its addresses, and goes to those.

It lies below the HTTP cache, so that what the cache answers needs neither.
"""

import asyncio
import urllib.request
from collections.abc import Callable, Sequence

import httpx

from memory.errors import IngestError
from memory.public_addresses import Resolve, request_to
from memory.web.pace import HostPace

Reach = Callable[[str, Sequence[str]], None]
"""Raises IngestError unless a host may be reached at these addresses. Only a proxy resolves hosts itself;
there are then no addresses if this machine does not know the host."""
REACH = "reach"
"""Name of the request extension that holds the request's Reach."""


class CheckedTransport(httpx.AsyncBaseTransport):
    """Sends each request to an address that its Reach allows. Raises IngestError if there is none."""

    def __init__(
        self, transport: httpx.AsyncBaseTransport | None, resolve: Resolve, pace: HostPace | None
    ) -> None:
        """`transport` takes the place of connections and proxies; None for real ones."""
        self._replaced = transport is not None
        # No connection stays open: two hosts at one address would be taken for one.
        self._transport = transport or httpx.AsyncHTTPTransport(
            limits=httpx.Limits(max_keepalive_connections=0)
        )
        self._resolve = resolve
        self._pace = pace

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The response of the first address that takes a connection."""
        host = request.url.host
        addresses = await asyncio.to_thread(self._resolve, host)
        request.extensions[REACH](host, addresses)
        if self._pace is not None:
            await self._pace.wait(host)
        if (proxy := _proxy(request.url)) is not None:
            return await self._send_by(proxy, request)
        if not addresses:
            raise IngestError(f"the host {host} cannot be resolved: check its name")
        *others, last = addresses
        for address in others:
            try:
                return await self._transport.handle_async_request(_pinned(request, address))
            except httpx.ConnectError:
                continue
        return await self._transport.handle_async_request(_pinned(request, last))

    async def _send_by(self, proxy: str, request: httpx.Request) -> httpx.Response:
        if self._replaced:
            return await self._transport.handle_async_request(request)
        return await httpx.AsyncHTTPTransport(proxy=proxy).handle_async_request(request)

    async def aclose(self) -> None:
        """Closes the connections."""
        await self._transport.aclose()


def _pinned(request: httpx.Request, address: str) -> httpx.Request:
    pinned = request_to(request.url, address)
    headers = httpx.Headers(request.headers)
    headers.update(pinned["headers"])
    return httpx.Request(
        request.method,
        pinned["url"],
        headers=headers,
        stream=request.stream,
        extensions={**request.extensions, **pinned["extensions"]},
    )


def _proxy(url: httpx.URL) -> str | None:
    """The proxy that the environment names for the URL, by the rules that httpx follows; None for none."""
    proxies = urllib.request.getproxies()
    if urllib.request.proxy_bypass(url.host):
        return None
    return proxies.get(url.scheme) or proxies.get("all") or None
