"""Fetches documents from the web: honours robots.txt and limits time, size, kinds, redirects and hosts."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import NamedTuple
from urllib.parse import urljoin, urlsplit

import httpx
from cachetools import TTLCache
from hishel import AsyncBaseStorage
from hishel.httpx import AsyncCacheTransport
from protego import Protego

from memory.errors import IngestError
from memory.ingest.documents import MAX_BYTES, RawDocument, too_large
from memory.ingest.loaders.formats import UNSPECIFIC, declared_charset, media_type
from memory.public_addresses import Resolve, addresses, is_public
from memory.web.pace import HostPace
from memory.web.transport import REACH, CheckedTransport, Reach

AGENT = "nightschool"
"""Our user agent, which robots.txt rules may name."""
USER_AGENT = f"{AGENT}/0.1"
MAX_REDIRECTS = 5
TIMEOUT_SECONDS = 20.0
"""Timeout for connecting and for each read."""
TOTAL_SECONDS = 60.0
"""Time limit for the whole fetch."""
MAX_ROBOTS_BYTES = 512 * 1024
"""RFC 9309 requires parsers to read at least 500 KiB."""
ROBOTS_SECONDS = 3600.0
"""How long rules are used without asking again; RFC 9309 allows a day."""
MAX_CRAWL_DELAY = 20.0
"""Seconds between two requests that a host may ask for; hosts that ask for more are left alone."""

Visit = Callable[[str], None]
"""Raises IngestError if a host must not be asked, whatever its addresses are."""


class Fetched(NamedTuple):
    """A document from the web. Its `source` is the URL that was asked for."""

    document: RawDocument
    url: str
    """Where it was found, after redirects."""
    fetched_at: datetime
    """When the server sent it, also if it came from the cache."""


def fetch(
    url: str,
    *,
    max_bytes: int = MAX_BYTES,
    transport: httpx.AsyncBaseTransport | None = None,
    resolve: Resolve = addresses,
) -> RawDocument:
    """The document at an http(s) URL that the user gave. Raises IngestError. Not for a running event loop.

    A public URL must not lead to this machine or a private network, because a redirect is chosen by a
    stranger, not by the user.
    """

    async def run() -> RawDocument:
        client = WebClient(transport=transport, resolve=resolve)
        try:
            return (await client.fetch(url, reach=_as_first_host(url), max_bytes=max_bytes)).document
        finally:
            await client.aclose()

    return asyncio.run(run())


def _as_first_host(url: str) -> Reach:
    """Allows private hosts if the first one, which the user named, is private."""
    starts_public: bool | None = None

    def reach(host: str, found: Sequence[str]) -> None:
        nonlocal starts_public
        public = is_public(found)
        if starts_public is None:
            starts_public = public
        elif starts_public and not public:
            raise IngestError(
                f"{url}: redirects to {host}, which is not public; if you trust that address, ingest it"
                " directly"
            )

    return reach


class WebClient:
    """Fetches documents; the pace, the HTTP cache and the rules of robots.txt hold for all of them."""

    def __init__(
        self,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        resolve: Resolve = addresses,
        pace: HostPace | None = None,
        cache: AsyncBaseStorage | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Without `cache`, everything is asked for again; without `pace`, nothing waits."""
        checked: httpx.AsyncBaseTransport = CheckedTransport(transport, resolve, pace)
        if cache is not None:
            checked = AsyncCacheTransport(checked, storage=cache, rfc=True)
        no_cookies = CookieJar(policy=DefaultCookiePolicy(allowed_domains=[]))
        self._client = httpx.AsyncClient(
            timeout=TIMEOUT_SECONDS,
            headers={"User-Agent": USER_AGENT},
            transport=checked,
            cookies=no_cookies,
        )
        self._pace = pace
        self._clock = clock
        self._rules: TTLCache[str, Protego] = TTLCache(maxsize=1000, ttl=ROBOTS_SECONDS)

    async def fetch(
        self,
        url: str,
        *,
        reach: Reach,
        visit: Visit = lambda host: None,
        max_bytes: int = MAX_BYTES,
        kinds: Collection[str] = (),
    ) -> Fetched:
        """The document at the URL, of one of these media types or, if none are given, of any that is read.

        Redirects are followed if robots.txt of the new host allows it. `visit` is asked about each host, and
        `reach` about its addresses. Raises IngestError.
        """
        try:
            async with asyncio.timeout(TOTAL_SECONDS):
                return await self._follow(url, _Requests(self._client, reach, visit), max_bytes, kinds)
        except TimeoutError:
            raise IngestError(f"{url}: not received within {TOTAL_SECONDS:g} s") from None
        except IngestError as error:
            message = str(error)
            raise error if message.startswith(url) else IngestError(f"{url}: {message}") from None
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise IngestError(f"{url} cannot be fetched: {error or type(error).__name__}") from error

    async def aclose(self) -> None:
        """Closes the connections and the cache."""
        await self._client.aclose()

    async def _follow(
        self, url: str, requests: "_Requests", max_bytes: int, kinds: Collection[str]
    ) -> Fetched:
        current = url
        for _ in range(MAX_REDIRECTS + 1):
            await self._check_robots(requests, current)
            async with requests.get(current) as response:
                if response.is_redirect:
                    current = _redirect_target(response, current)
                    continue
                if response.is_error:
                    raise IngestError(f"{url}: the server answered with status {response.status_code}")
                declared = response.headers.get("content-type", "")
                if (claimed := declared.partition(";")[0].strip().lower()) not in UNSPECIFIC:
                    _check_kind(claimed, kinds)
                data = await _body(response, max_bytes)
                if len(data) > max_bytes:
                    raise too_large(url, max_bytes)
                fetched_at = self._clock() - _age(response)
            kind = media_type(urlsplit(current).path, declared, data)
            _check_kind(kind, kinds)
            document = RawDocument(source=url, data=data, media_type=kind, charset=declared_charset(declared))
            return Fetched(document, current, fetched_at)
        raise IngestError(f"{url}: more than {MAX_REDIRECTS} redirects")

    async def _check_robots(self, requests: "_Requests", url: str) -> None:
        """Raises IngestError if robots.txt forbids the URL, or asks for too long a delay."""
        place = urljoin(url, "/robots.txt")
        rules = self._rules.get(place)
        if rules is None:
            rules = self._rules[place] = Protego.parse(await _robots_txt(requests, url, place))
        if not rules.can_fetch(url, AGENT):
            raise IngestError(f"{url}: robots.txt does not allow it")
        delay = rules.crawl_delay(AGENT)
        if self._pace is None or delay is None:
            return
        if not delay <= MAX_CRAWL_DELAY:
            raise IngestError(f"{url}: robots.txt asks for {delay:g} s between two requests")
        self._pace.slow_down(httpx.URL(url).host, delay)


class _Requests:
    """The requests of one fetch, which ask the same rules about their hosts."""

    def __init__(self, client: httpx.AsyncClient, reach: Reach, visit: Visit) -> None:
        self._client = client
        self._reach = reach
        self._visit = visit

    @asynccontextmanager
    async def get(self, url: str) -> AsyncIterator[httpx.Response]:
        """The response to a GET request; redirects are returned, not followed. Raises IngestError."""
        target = httpx.URL(url)  # not urlsplit: the check must parse the URL as the request does
        if target.scheme not in {"http", "https"} or not target.host:
            raise IngestError(f"{url}: only http:// and https:// URLs can be read")
        self._visit(target.host)
        request = self._client.build_request("GET", target, extensions={REACH: self._reach})
        response = await self._client.send(request, stream=True)
        try:
            yield response
        finally:
            await response.aclose()


async def _robots_txt(requests: _Requests, url: str, place: str) -> str:
    """The rules of the URL's host. Raises IngestError.

    By RFC 9309 a missing file (4xx, or endless redirects) allows everything, an unreachable one (5xx)
    nothing.
    """
    current = place
    for _ in range(MAX_REDIRECTS + 1):
        async with requests.get(current) as response:
            if response.is_redirect:
                current = _redirect_target(response, current)
                continue
            if response.is_server_error:
                raise IngestError(
                    f"{url}: its robots.txt cannot be read (status {response.status_code}); try again later"
                )
            if response.is_error:
                return ""
            return (await _body(response, MAX_ROBOTS_BYTES)).decode("utf-8", "replace")
    return ""


async def _body(response: httpx.Response, max_bytes: int) -> bytes:
    """The body; reading stops once it exceeds `max_bytes`."""
    data = bytearray()
    async for chunk in response.aiter_bytes():
        data += chunk
        if len(data) > max_bytes:
            break
    return bytes(data)


def _check_kind(kind: str, kinds: Collection[str]) -> None:
    """Raises IngestError for another media type than these; without `kinds` all are allowed."""
    if kinds and kind not in kinds:
        raise IngestError(f"{kind} is not read here, only {', '.join(sorted(kinds))}")


def _age(response: httpx.Response) -> timedelta:
    """How long ago the server sent it: zero unless it came from the cache."""
    age = response.headers.get("age", "")
    cached = response.extensions.get("caching", {}).get("from_cache", False)
    return timedelta(seconds=int(age) if cached and age.isdecimal() else 0)


def _redirect_target(response: httpx.Response, url: str) -> str:
    return urljoin(url, str(response.headers.get("location", "")))
