"""Search with a SearXNG instance, by its JSON API."""

import httpx

from memory.errors import SearchFailed
from memory.web.search.base import MAX_QUERY, SearchResult, get_json, usable


class SearxngSearch:
    """SearXNG at a base URL. Its settings have to list `json` below `search.formats`."""

    def __init__(self, url: str, client: httpx.AsyncClient) -> None:
        self._url = url.rstrip("/").removesuffix("/search") + "/search"
        self._client = client
        self.name = f"searxng at {httpx.URL(url).host}"

    async def search(self, query: str, *, limit: int) -> tuple[SearchResult, ...]:
        """See WebSearch."""
        parameters = {"q": query[:MAX_QUERY], "format": "json", "language": "en", "safesearch": "1"}
        reply = await get_json(self._client, self._url, parameters)
        if not isinstance(reply, dict) or not isinstance(reply.get("results"), list):
            raise SearchFailed(f"{self._url} did not answer as SearXNG does: no list of results")
        found = [each for each in reply["results"] if isinstance(each, dict)]
        return usable(((each.get("url"), each.get("title")) for each in found), limit)
