"""Search in a wiki with MediaWiki's API, such as Wikipedia."""

import httpx

from memory.errors import SearchFailed
from memory.web.search.base import MAX_QUERY, SearchResult, get_json, usable


class MediawikiSearch:
    """A wiki, by the URL of its api.php."""

    def __init__(self, url: str, client: httpx.AsyncClient) -> None:
        self._url = url
        self._client = client
        self.name = f"mediawiki at {httpx.URL(url).host}"

    async def search(self, query: str, *, limit: int) -> tuple[SearchResult, ...]:
        """See WebSearch."""
        parameters = {
            "action": "query", "format": "json", "formatversion": "2", "generator": "search",
            "gsrsearch": query[:MAX_QUERY], "gsrlimit": str(limit), "gsrnamespace": "0",
            "prop": "info", "inprop": "url",
        }  # fmt: skip
        reply = await get_json(self._client, self._url, parameters)
        if isinstance(reply, dict) and isinstance(reply.get("error"), dict):
            raise SearchFailed(f"{self._url}: {str(reply['error'].get('info', 'error'))[:200]}")
        if not isinstance(reply, dict) or not isinstance(reply.get("query", {}), dict):
            raise SearchFailed(f"{self._url} did not answer as MediaWiki does: no query")
        if "query" not in reply and "batchcomplete" not in reply:
            raise SearchFailed(f"{self._url} did not answer as MediaWiki does: no query")
        pages = reply.get("query", {}).get("pages", [])
        found = [each for each in pages if isinstance(each, dict)] if isinstance(pages, list) else []
        found.sort(key=_rank)
        return usable(((each.get("fullurl"), each.get("title")) for each in found), limit)


def _rank(page: dict[str, object]) -> int:
    """The place in the search's order; the API lists pages by their id."""
    index = page.get("index")
    return index if isinstance(index, int) else 1_000_000
