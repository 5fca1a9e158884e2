"""Fetches one document from the web: honours robots.txt and limits time, size, redirects and hosts."""

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
"""Our user agent, which robots.txt rules may name."""
MAX_REDIRECTS = 5
TIMEOUT_SECONDS = 20.0
"""Timeout for connecting and for each read."""
TOTAL_SECONDS = 60.0
"""Time limit for the whole fetch."""
MAX_ROBOTS_BYTES = 512 * 1024
"""RFC 9309 requires parsers to read at least 500 KiB."""

Resolve = Callable[[str], Sequence[str]]
"""Resolves a host to IP addresses; none if the name is unknown on this machine (a proxy may still know
it)."""


def addresses(host: str) -> Sequence[str]:
    """The IP addresses that this machine resolves the host to; none if it is unknown."""
    try:
        return [str(info[4][0]) for info in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)]
    except (OSError, UnicodeError):
        return ()


def is_public(addresses: Sequence[str]) -> bool:
    """Whether all IP addresses are public: none is loopback or in a private network."""
    ips = [ipaddress.ip_address(address) for address in addresses]
    return all((getattr(ip, "ipv4_mapped", None) or ip).is_global for ip in ips)


def fetch(
    url: str,
    *,
    max_bytes: int = MAX_BYTES,
    transport: httpx.BaseTransport | None = None,
    resolve: Resolve = addresses,
) -> RawDocument:
    """The document at an http(s) URL; its `source` is this URL, even after redirects. Raises IngestError.

    Redirects are followed if the new host's robots.txt allows it. A public URL must not redirect to this
    machine or a private network, because the redirect is chosen by a stranger, not by the user.
    """
    current = url
    with httpx.Client(
        timeout=TIMEOUT_SECONDS, headers={"User-Agent": f"{AGENT}/0.1"}, transport=transport
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
                    kind = media_type(urlsplit(current).path, declared)
                    data = session.read_body(response, max_bytes)
                if len(data) > max_bytes:
                    raise too_large(url, max_bytes)
                return RawDocument(source=url, data=data, media_type=kind, title="")
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

    @contextmanager
    def get(self, url: str) -> Iterator[httpx.Response]:
        """The response to one GET request; redirects are returned, not followed."""
        self._check_deadline()
        parts = httpx.URL(url)  # not urlsplit: the check must parse the URL as the request does
        if parts.scheme not in {"http", "https"} or not parts.host:
            raise IngestError(f"{url}: only http:// and https:// URLs can be read")
        if (
            parts.host != httpx.URL(self._url).host
            and self._starts_public
            and not self._host_is_public(parts.host)
        ):
            raise IngestError(
                f"{self._url}: redirects to {parts.host}, which is not public; if you trust that"
                " address, ingest it directly"
            )
        with self._client.stream("GET", url) as response:
            yield response

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

    @cached_property
    def _starts_public(self) -> bool:
        return self._host_is_public(httpx.URL(self._url).host)

    def _host_is_public(self, host: str) -> bool:
        return is_public(self._resolve(host))


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
