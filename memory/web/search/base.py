"""The protocol of search APIs, and what its implementations share."""

import json
from collections.abc import Iterable
from typing import Any, Protocol

import httpx

from memory.errors import SearchFailed
from memory.ingest.sources import MAX_CHARACTERS, is_url
from memory.records.base import Record

TIMEOUT_SECONDS = 15.0
MAX_REPLY_BYTES = 2_000_000
MAX_QUERY = 300
"""Characters of a query that are sent."""


class SearchResult(Record):
    """A page that a search found. What the API says of it, other than its address, is not used."""

    url: str
    title: str = ""


class WebSearch(Protocol):
    """Finds pages of the web."""

    @property
    def name(self) -> str:
        """The API and its host, for reports."""
        ...

    async def search(self, query: str, *, limit: int) -> tuple[SearchResult, ...]:
        """The best pages, best first, each once. Raises SearchFailed."""
        ...


async def get_json(client: httpx.AsyncClient, url: str, parameters: dict[str, str]) -> Any:
    """The JSON reply of the API at a URL that the operator chose. Raises SearchFailed."""
    target = httpx.URL(url).copy_merge_params(parameters)
    try:
        async with client.stream("GET", target, follow_redirects=False) as response:
            if response.status_code != 200:
                raise SearchFailed(f"{url} answered with status {response.status_code}")
            data = bytearray()
            async for chunk in response.aiter_bytes():
                data += chunk
                if len(data) > MAX_REPLY_BYTES:
                    raise SearchFailed(f"{url} sent more than {MAX_REPLY_BYTES} bytes")
        return json.loads(data)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise SearchFailed(f"{url} cannot be asked: {error or type(error).__name__}") from error
    except (ValueError, RecursionError) as error:
        raise SearchFailed(f"{url} did not answer with JSON") from error


def usable(results: Iterable[tuple[Any, Any]], limit: int) -> tuple[SearchResult, ...]:
    """Results of these addresses and titles: those on the web, each once, and no more than `limit`."""
    found: dict[str, SearchResult] = {}
    for url, title in results:
        if isinstance(url, str) and is_url(url) and url.isprintable() and len(url) <= MAX_CHARACTERS:
            shown = title if isinstance(title, str) else ""
            found.setdefault(url, SearchResult(url=url, title=shown[:MAX_CHARACTERS]))
    return tuple(found.values())[:limit]
