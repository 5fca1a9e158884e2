"""Owns fetching one document from the web: politely (robots.txt), bounded in time, size and redirects.

Reads nothing out of it, and follows no links.
"""

import time
from urllib.parse import urljoin, urlsplit

import httpx
from protego import Protego

from memory.documents import MAX_BYTES, RawDocument, media_type
from memory.errors import IngestError

AGENT = "nightschool"
"""Name under which robots.txt may address us."""
MAX_REDIRECTS = 5
TIMEOUT_SECONDS = 20.0
"""For connecting, and for each read."""
TOTAL_SECONDS = 60.0
MAX_ROBOTS_BYTES = 512 * 1024
"""RFC 9309 asks parsers to read at least 500 KiB."""


def fetch(url: str, *, transport: httpx.BaseTransport | None = None) -> RawDocument:
    """The document at an http(s) URL; redirects are followed where robots.txt of the new host allows.

    Its source is the URL that was asked for. Raises IngestError.
    """
    deadline = time.monotonic() + TOTAL_SECONDS
    current = url
    with httpx.Client(
        timeout=TIMEOUT_SECONDS, headers={"User-Agent": f"{AGENT}/0.1"}, transport=transport
    ) as client:
        try:
            for _ in range(MAX_REDIRECTS + 1):
                _check(current)
                _ask_robots(client, current)
                with client.stream("GET", current) as response:
                    if response.is_redirect:
                        current = urljoin(current, response.headers.get("location", ""))
                        continue
                    if response.is_error:
                        raise IngestError(f"{url}: the server answered {response.status_code}")
                    declared = response.headers.get("content-type", "")
                    kind = media_type(urlsplit(current).path, declared)
                    return RawDocument(
                        source=url, data=_body(response, url, deadline), media_type=kind, title=""
                    )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise IngestError(f"{url} cannot be fetched: {error or type(error).__name__}") from error
    raise IngestError(f"{url}: more than {MAX_REDIRECTS} redirects")


def _check(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise IngestError(f"{url}: only http:// and https:// addresses can be read")


def _ask_robots(client: httpx.Client, url: str) -> None:
    """RFC 9309: no robots.txt (4xx) allows all, an unreachable one (5xx) forbids all."""
    parts = urlsplit(url)
    with client.stream("GET", f"{parts.scheme}://{parts.netloc}/robots.txt", follow_redirects=True) as answer:
        if answer.is_server_error:
            raise IngestError(f"{url}: its robots.txt cannot be read ({answer.status_code}); try again later")
        if answer.is_error:
            return
        rules = b""
        for chunk in answer.iter_bytes():
            rules += chunk
            if len(rules) > MAX_ROBOTS_BYTES:
                break
    if not Protego.parse(rules.decode("utf-8", "replace")).can_fetch(url, AGENT):
        raise IngestError(f"{url}: robots.txt does not allow it")


def _body(response: httpx.Response, url: str, deadline: float) -> bytes:
    data = bytearray()
    for chunk in response.iter_bytes():
        data += chunk
        if len(data) > MAX_BYTES:
            raise IngestError(f"{url}: larger than the limit of {MAX_BYTES // 2**20} MB")
        if time.monotonic() > deadline:
            raise IngestError(f"{url}: not received within {TOTAL_SECONDS:.0f} s")
    return bytes(data)
