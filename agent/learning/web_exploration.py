"""Explores the web for a question: searches, fetches pages, and stores those that are worth reading.

What pages say is data: no link in them is followed, and nothing in them chooses what is fetched or done.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import chain, zip_longest
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import httpx

from memory.episodic.base import EpisodicMemory
from memory.errors import IngestError, SearchFailed
from memory.ingest.pipeline import ReadDocument
from memory.ingest.sources import checked_source
from memory.ingest.writer import DocumentWriter, Place
from memory.public_addresses import is_public
from memory.records.access import Access
from memory.records.base import Domain, Record
from memory.records.knowledge import Passage, WebOrigin
from memory.web.domain_list import DomainList
from memory.web.fetching import WebClient
from memory.web.http_cache import clear_cache
from memory.web.search.base import SearchResult, WebSearch
from memory.web.sites import site_of

RESULTS = 20
"""Of each search; more than are fetched, because some are blocked, unreadable or of one site."""
PAGES_OF_A_SITE = 2
"""Further pages of a site add no independent source."""
SECONDS = 180.0
"""Time limit for all pages of a question."""
MAX_PAGE_BYTES = 2_000_000
KINDS = frozenset({"text/html", "application/xhtml+xml", "text/plain", "text/markdown", "application/pdf"})
"""Media types that pages may have. Archives and office files of strangers are not opened."""

SHOWN = 3
"""Skipped pages that a summary gives the reasons of; the report has all."""

IsAllowed = Callable[[Sequence[str]], bool]
"""Whether a host at these addresses may be asked."""


class SkippedPage(Record):
    """A page that was found and not stored, and the reason."""

    url: str
    reason: str


class WebReport(Record):
    """What exploring the web came to."""

    query: str
    found: int = 0
    """Pages that the searches found."""
    stored: tuple[str, ...] = ()
    """URLs of pages that were stored, or are stored unchanged."""
    skipped: tuple[SkippedPage, ...] = ()
    failed: tuple[str, ...] = ()
    """Why searches failed."""

    @property
    def summary(self) -> str:
        """What to tell of it in a line."""
        parts = [f"{len(self.stored)} of {self.found} pages read", *self.failed]
        parts += [each.reason for each in self.skipped[:SHOWN]]
        if more := len(self.skipped[SHOWN:]):
            parts.append(f"{more} more were not read")
        return "; ".join(parts)


class Web(NamedTuple):
    """The web as exploration finds and fetches it."""

    searches: Sequence[WebSearch]
    client: WebClient
    domains: DomainList
    cache: Path | None
    """File of the client's HTTP cache; None for none."""


class WebExploration:
    """Finds and stores pages of the web for questions."""

    def __init__(
        self,
        web: Web,
        *,
        read: ReadDocument,
        writer: DocumentWriter,
        episodic: EpisodicMemory,
        max_pages: int,
        is_allowed: IsAllowed = is_public,
    ) -> None:
        """`max_pages` are fetched for a question. `is_allowed` is exchanged in tests only, which have their
        web on this machine."""
        self._web = web
        self._read = read
        self._writer = writer
        self._episodic = episodic
        self._max_pages = max_pages
        self._is_allowed = is_allowed

    def trust(self, passage: Passage) -> float:
        """The trust in a passage of the web by the list of domains as it is now."""
        assert passage.web is not None, "only passages of the web are asked about"
        return self._web.domains.trust(urlsplit(passage.web.url).hostname or "")

    async def explore(self, question: str, *, domain: Domain, access: Access) -> WebReport:
        """Stores the pages that answer the question best for this caller. Raises StoreUnavailable.

        Searches are sent the question and nothing else, since what they are sent leaves the service. What
        fails is in the report.
        """
        results, failed = await self._search(question)
        chosen, skipped = await self._choose(results, access.to_teach(domain))
        tasks = {each.url: asyncio.create_task(self._store(each, domain, access.explorer)) for each in chosen}
        try:
            if tasks:
                await asyncio.wait(tasks.values(), timeout=SECONDS)
        finally:
            late = {url for url, task in tasks.items() if task.cancel()}
        stored: list[str] = []
        for url, task in tasks.items():
            if url in late:
                skipped.append(SkippedPage(url=url, reason=f"not read within {SECONDS:.0f} s"))
                continue
            try:
                task.result()
            except IngestError as error:
                skipped.append(SkippedPage(url=url, reason=str(error)))
            else:
                stored.append(url)
        return WebReport(
            query=question,
            found=len(results),
            stored=tuple(stored),
            skipped=tuple(skipped),
            failed=tuple(failed),
        )

    async def forget_replies(self) -> None:
        """Clears the HTTP cache. Raises StoreUnavailable."""
        if self._web.cache is not None:
            await clear_cache(self._web.cache)

    async def _search(self, question: str) -> tuple[tuple[SearchResult, ...], list[str]]:
        """The pages that all searches find, the best of each first, and why searches failed."""
        lists: list[tuple[SearchResult, ...]] = []
        failed: list[str] = []
        searches = [each.search(question, limit=RESULTS) for each in self._web.searches]
        for search, found in zip(
            self._web.searches, await asyncio.gather(*searches, return_exceptions=True), strict=True
        ):
            if isinstance(found, SearchFailed):
                failed.append(f"{search.name}: {found}")
            elif isinstance(found, BaseException):
                raise found
            else:
                lists.append(found)
        merged = (each for each in chain(*zip_longest(*lists)) if each is not None)
        unique = {each.url.partition("#")[0]: each for each in merged}
        return tuple(each.model_copy(update={"url": url}) for url, each in unique.items()), failed

    async def _choose(
        self, results: Sequence[SearchResult], access: Access
    ) -> tuple[list[SearchResult], list[SkippedPage]]:
        """The pages to fetch: of trusted sites first, few of each, none that people put into the library."""
        documents = await self._episodic.documents(access=access, sources={each.url for each in results})
        known = {each.source for each in documents if not each.explored}
        skipped: list[SkippedPage] = []
        candidates: list[tuple[float, str, SearchResult]] = []
        for result in results:
            try:
                result = result.model_copy(update={"url": checked_source(result.url)})
                host = httpx.URL(result.url).host
                self._web.domains.require(host)
            except (IngestError, httpx.InvalidURL) as error:
                skipped.append(SkippedPage(url=result.url, reason=str(error)))
                continue
            if result.url in known:
                skipped.append(SkippedPage(url=result.url, reason="in the library already"))
                continue
            candidates.append((self._web.domains.trust(host), site_of(host), result))
        candidates.sort(key=lambda each: -each[0])
        of_site: Counter[str] = Counter()
        chosen: list[SearchResult] = []
        for _, site, result in candidates:
            of_site[site] += 1
            if of_site[site] <= PAGES_OF_A_SITE and len(chosen) < self._max_pages:
                chosen.append(result)
        return chosen, skipped

    async def _store(self, result: SearchResult, domain: Domain, owner: str) -> None:
        """Fetches, reads and stores a page. Raises IngestError."""
        domains = self._web.domains
        fetched = await self._web.client.fetch(
            result.url, reach=self._reach, visit=domains.require, max_bytes=MAX_PAGE_BYTES, kinds=KINDS
        )
        origin = WebOrigin(
            url=fetched.url,
            fetched_at=fetched.fetched_at,
            trust=domains.trust(urlsplit(fetched.url).hostname or ""),
        )
        document = fetched.document.model_copy(update={"web": origin, "title": result.title})
        contents = await self._read(document, domain, owner)
        await self._writer.store(Place(result.url, domain, owner), contents)

    def _reach(self, host: str, addresses: Sequence[str]) -> None:
        """Refuses hosts that are not public; see `memory.web.transport.Reach`."""
        if not self._is_allowed(addresses):
            raise IngestError(f"{host} is not public: exploration fetches from public addresses only")
