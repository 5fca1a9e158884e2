"""Opens the exploration of the web, as it is configured."""

from contextlib import AsyncExitStack

import httpx

from agent.learning.web_exploration import Web, WebExploration
from agent.settings import Settings
from memory.episodic.base import EpisodicMemory
from memory.ingest.pipeline import ReadDocument
from memory.ingest.writer import DocumentWriter
from memory.web import http_cache as web_cache
from memory.web.domain_list import DomainList, read_domain_list
from memory.web.fetching import USER_AGENT, WebClient
from memory.web.pace import HostPace
from memory.web.search.base import TIMEOUT_SECONDS
from memory.web.search.configured import search_apis


async def open_web_exploration(
    settings: Settings,
    read_document: ReadDocument,
    writer: DocumentWriter,
    episodic: EpisodicMemory,
    stack: AsyncExitStack,
) -> WebExploration | None:
    """The exploration of the web with the configured search APIs, closed with the stack; None without any.

    Raises ValueError for a list of domains that cannot be read.
    """
    cache = settings.path(web_cache.FILE)
    if not settings.search_apis:
        await web_cache.clear_cache(cache)  # nobody else would
        return None
    domains = read_domain_list(settings.search_domains) if settings.search_domains else DomainList()
    asking = httpx.AsyncClient(timeout=TIMEOUT_SECONDS, headers={"User-Agent": USER_AGENT})
    client = WebClient(pace=HostPace(), cache=web_cache.open_cache(cache))
    stack.push_async_callback(client.aclose)
    return WebExploration(
        Web(
            searches=search_apis(settings.search_apis, await stack.enter_async_context(asking)),
            client=client,
            domains=domains,
            cache=cache,
        ),
        read=read_document,
        writer=writer,
        episodic=episodic,
        max_pages=settings.search_pages,
    )
