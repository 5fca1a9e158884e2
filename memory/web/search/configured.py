"""The search APIs of a setting: `searxng=URL` and `mediawiki=URL`, separated by commas."""

from collections.abc import Mapping
from typing import Protocol

import httpx

from memory.web.search.base import WebSearch
from memory.web.search.mediawiki import MediawikiSearch
from memory.web.search.searxng import SearxngSearch


class _Make(Protocol):
    def __call__(self, url: str, client: httpx.AsyncClient) -> WebSearch: ...


KINDS: Mapping[str, _Make] = {"searxng": SearxngSearch, "mediawiki": MediawikiSearch}


def parse_search_apis(setting: str) -> tuple[tuple[str, str], ...]:
    """The kinds and URLs in the setting. Raises ValueError."""
    found: list[tuple[str, str]] = []
    for part in filter(None, (each.strip() for each in setting.split(","))):
        kind, _, url = part.partition("=")
        if kind.strip() not in KINDS or not _is_web_address(url.strip()):
            raise ValueError(f"{part!r}: write {' or '.join(f'{name}=URL' for name in KINDS)}")
        found.append((kind.strip(), url.strip()))
    return tuple(found)


def search_apis(setting: str, client: httpx.AsyncClient) -> tuple[WebSearch, ...]:
    """The search APIs of the setting, which ask with this client. Raises ValueError."""
    return tuple(KINDS[kind](url, client) for kind, url in parse_search_apis(setting))


def _is_web_address(url: str) -> bool:
    try:
        address = httpx.URL(url)
    except httpx.InvalidURL:
        return False
    return address.scheme in {"http", "https"} and bool(address.host)
