"""Fetches one document from the web: honours robots.txt and limits time, size, redirects and hosts."""

import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx
from protego import Protego

from memory.errors import IngestError
from memory.ingest.documents import MAX_BYTES, RawDocument, too_large
from memory.ingest.loaders.formats import declared_charset, media_type
from memory.public_addresses import Resolve, addresses, is_public, request_to

AGENT = "nightschool"
"""Our user agent, which robots.txt rules may name."""
MAX_REDIRECTS = 5
TIMEOUT_SECONDS = 20.0
"""Timeout for connecting and for each read."""
TOTAL_SECONDS = 60.0
"""Time limit for the whole fetch."""
MAX_ROBOTS_BYTES = 512 * 1024
"""RFC 9309 requires parsers to read at least 500 KiB."""


def fetch(
    url: str,
    *,
    max_bytes: int = MAX_BYTES,
    transport: httpx.BaseTransport | None = None,
    resolve: Resolve = addresses,
) -> RawDocument:
    """The document at an http(s) URL; its `source` is this URL, even after redirects. Raises IngestError.

    Redirects are followed if the new host's robots.txt allows it. A public URL must not lead to this machine
    or a private network, because a redirect is chosen by a stranger, not by the user; each request goes to
    the address that was checked. Only a proxy from the environment resolves hosts itself.
    """
    current = url
    with httpx.Client(
        timeout=TIMEOUT_SECONDS,
        headers={"User-Agent": f"{AGENT}/0.1"},
        transport=transport,
        limits=httpx.Limits(max_keepalive_connections=0),
    ) as client:
        session = _FetchSession(client, url, resolve)
        try:
            for _ in range(MAX_REDIRECTS + 1):
                _check_robots(session, current)
                with session.get(current) as response:
                    if response.is_redirect:
                        current = _redirect_target(response, current)
                        continue
                    if response.is_error:
                        raise IngestError(f"{url}: the server answered with status {response.status_code}")
                    declared = response.headers.get("content-type", "")
                    data = session.read_body(response, max_bytes)
                if len(data) > max_bytes:
                    raise too_large(url, max_bytes)
                kind = media_type(urlsplit(current).path, declared, data)
                return RawDocument(source=url, data=data, media_type=kind, charset=declared_charset(declared))
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise IngestError(f"{url} cannot be fetched: {error or type(error).__name__}") from error
    raise IngestError(f"{url}: more than {MAX_REDIRECTS} redirects")


class _FetchSession:
    """The requests of one fetch, under one deadline and one host policy. Methods raise IngestError."""

    def __init__(self, client: httpx.Client, url: str, resolve: Resolve) -> None:
        """`url` is the URL that the user gave."""
        self._client = client
        self._url = url
        self._resolve = resolve
        self._deadline = time.monotonic() + TOTAL_SECONDS
        self._starts_public: bool | None = None
        """Whether the host of `url` is public; None before the first request."""

    @contextmanager
    def get(self, url: str) -> Iterator[httpx.Response]:
        """The response to one GET request; redirects are returned, not followed."""
        self._check_deadline()
        target = httpx.URL(url)  # not urlsplit: the check must parse the URL as the request does
        if target.scheme not in {"http", "https"} or not target.host:
            raise IngestError(f"{url}: only http:// and https:// URLs can be read")
        with self._connect(target, self._checked_addresses(target.host)) as response:
            yield response

    def _checked_addresses(self, host: str) -> Sequence[str]:
        addresses = self._resolve(host)
        public = is_public(addresses)
        if self._starts_public is None:
            self._starts_public = public  # the host that the user named
        elif self._starts_public and not public:
            raise IngestError(
                f"{self._url}: redirects to {host}, which is not public; if you trust that"
                " address, ingest it directly"
            )
        return addresses

    @contextmanager
    def _connect(self, target: httpx.URL, addresses: Sequence[str]) -> Iterator[httpx.Response]:
        """The response of the first address that takes a connection."""
        requests: list[dict[str, Any]] = [request_to(target, address) for address in addresses]
        if _has_proxy(target):
            requests = [{"url": target}]
        if not requests:
            raise IngestError(f"{self._url}: the host {target.host} cannot be resolved: check its name")
        response = self._send_to_first(requests)
        try:
            yield response
        finally:
            response.close()

    def _send_to_first(self, requests: Sequence[dict[str, Any]]) -> httpx.Response:
        *others, last = [self._client.build_request("GET", **request) for request in requests]
        for request in others:
            try:
                return self._client.send(request, stream=True)
            except httpx.ConnectError:
                self._check_deadline()
        return self._client.send(last, stream=True)

    def read_body(self, response: httpx.Response, max_bytes: int) -> bytes:
        """The body; reading stops once it exceeds `max_bytes`."""
        data = bytearray()
        for chunk in response.iter_bytes():
            self._check_deadline()
            data += chunk
            if len(data) > max_bytes:
                break
        return bytes(data)

    def _check_deadline(self) -> None:
        if time.monotonic() > self._deadline:
            raise IngestError(f"{self._url}: not received within {TOTAL_SECONDS:.0f} s")


def _has_proxy(url: httpx.URL) -> bool:
    """Whether the environment names a proxy for the URL, by the rules that httpx follows."""
    proxies = urllib.request.getproxies()
    bypassed = urllib.request.proxy_bypass(url.host)
    return bool(proxies.get(url.scheme) or proxies.get("all")) and not bypassed


def _redirect_target(response: httpx.Response, url: str) -> str:
    return urljoin(url, str(response.headers.get("location", "")))


def _check_robots(session: _FetchSession, url: str) -> None:
    """Raises IngestError if robots.txt forbids the URL.

    By RFC 9309 a missing file (4xx, or endless redirects) allows everything, an unreachable one (5xx)
    nothing.
    """
    current = urljoin(url, "/robots.txt")
    for _ in range(MAX_REDIRECTS + 1):
        with session.get(current) as response:
            if response.is_redirect:
                current = _redirect_target(response, current)
                continue
            if response.is_server_error:
                raise IngestError(
                    f"{url}: its robots.txt cannot be read (status {response.status_code}); try again later"
                )
            if response.is_error:
                return
            rules = session.read_body(response, MAX_ROBOTS_BYTES)
        if not Protego.parse(rules.decode("utf-8", "replace")).can_fetch(url, AGENT):
            raise IngestError(f"{url}: robots.txt does not allow it")
        return
