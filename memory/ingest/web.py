"""Fetches one document from the web: robots.txt respected, time, size, redirects and reach bounded.

Reads nothing out of it, and follows no links.
"""

import ipaddress
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from urllib.parse import urljoin, urlsplit

import httpx
from protego import Protego

from memory.errors import IngestError
from memory.ingest.documents import MAX_BYTES, RawDocument, media_type, too_large

AGENT = "nightschool"
"""Name under which robots.txt may address us."""
MAX_REDIRECTS = 5
TIMEOUT_SECONDS = 20.0
"""For connecting, and for each read."""
TOTAL_SECONDS = 60.0
MAX_ROBOTS_BYTES = 512 * 1024
"""RFC 9309 asks parsers to read at least 500 KiB."""

Resolve = Callable[[str], Sequence[str]]
"""The IP addresses of a host; none where its name is unknown here, as it may be behind a proxy."""


def addresses(host: str) -> Sequence[str]:
    """What this machine resolves the host to."""
    try:
        return [str(found[4][0]) for found in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)]
    except (OSError, UnicodeError):
        return ()


def is_public(found: Sequence[str]) -> bool:
    """Whether none of the IP addresses is this machine's or in a private network."""
    ips = [ipaddress.ip_address(address) for address in found]
    return all((getattr(ip, "ipv4_mapped", None) or ip).is_global for ip in ips)


def fetch(
    url: str,
    *,
    max_bytes: int = MAX_BYTES,
    transport: httpx.BaseTransport | None = None,
    resolve: Resolve = addresses,
) -> RawDocument:
    """The document at an http(s) URL; redirects are followed where robots.txt of the new host allows.

    A public URL must not redirect to this machine or into a private network: the user gave the one, and a
    stranger chose the other. Its source is the URL that was asked for. Raises IngestError.
    """
    current = url
    with httpx.Client(
        timeout=TIMEOUT_SECONDS, headers={"User-Agent": f"{AGENT}/0.1"}, transport=transport
    ) as client:
        visit = _Visit(client, url, resolve)
        try:
            for _ in range(MAX_REDIRECTS + 1):
                _ask_robots(visit, current)
                with visit.get(current) as response:
                    if response.is_redirect:
                        current = _target(response, current)
                        continue
                    if response.is_error:
                        raise IngestError(f"{url}: the server answered {response.status_code}")
                    declared = response.headers.get("content-type", "")
                    kind = media_type(urlsplit(current).path, declared)
                    data = visit.body(response, max_bytes)
                if len(data) > max_bytes:
                    raise too_large(url, max_bytes)
                return RawDocument(source=url, data=data, media_type=kind, title="")
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise IngestError(f"{url} cannot be fetched: {error or type(error).__name__}") from error
    raise IngestError(f"{url}: more than {MAX_REDIRECTS} redirects")


class _Visit:
    """The requests of one fetch, each within the same bounds. Its methods raise IngestError."""

    def __init__(self, client: httpx.Client, url: str, resolve: Resolve) -> None:
        """`url` is the one that the user gave."""
        self._client = client
        self._url = url
        self._resolve = resolve
        self._deadline = time.monotonic() + TOTAL_SECONDS

    @contextmanager
    def get(self, url: str) -> Iterator[httpx.Response]:
        """The response to one request, a redirect too."""
        self._in_time()
        parts = httpx.URL(url)  # not urlsplit: what is checked has to be what is asked
        if parts.scheme not in {"http", "https"} or not parts.host:
            raise IngestError(f"{url}: only http:// and https:// addresses can be read")
        if parts.host != httpx.URL(self._url).host and self._public and not self._is_public(parts.host):
            raise IngestError(
                f"{self._url}: it redirects to {parts.host}, which is not public; give that address yourself"
            )
        with self._client.stream("GET", url) as response:
            yield response

    def body(self, response: httpx.Response, most: int) -> bytes:
        """The whole body, or the beginning of one that is longer than `most`."""
        data = bytearray()
        for chunk in response.iter_bytes():
            self._in_time()
            data += chunk
            if len(data) > most:
                break
        return bytes(data)

    def _in_time(self) -> None:
        if time.monotonic() > self._deadline:
            raise IngestError(f"{self._url}: not received within {TOTAL_SECONDS:.0f} s")

    @cached_property
    def _public(self) -> bool:
        return self._is_public(httpx.URL(self._url).host)

    def _is_public(self, host: str) -> bool:
        return is_public(self._resolve(host))


def _target(response: httpx.Response, url: str) -> str:
    return urljoin(url, str(response.headers.get("location", "")))


def _ask_robots(visit: _Visit, url: str) -> None:
    """RFC 9309: no robots.txt (4xx, or endless redirects) allows all, an unreachable one (5xx) nothing."""
    current = urljoin(url, "/robots.txt")
    for _ in range(MAX_REDIRECTS + 1):
        with visit.get(current) as answer:
            if answer.is_redirect:
                current = _target(answer, current)
                continue
            if answer.is_server_error:
                raise IngestError(
                    f"{url}: its robots.txt cannot be read ({answer.status_code}); try again later"
                )
            if answer.is_error:
                return
            rules = visit.body(answer, MAX_ROBOTS_BYTES)
        if not Protego.parse(rules.decode("utf-8", "replace")).can_fetch(url, AGENT):
            raise IngestError(f"{url}: robots.txt does not allow it")
        return
