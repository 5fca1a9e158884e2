"""Fetching from real servers, which are slow, huge, forgetful or lead elsewhere."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from memory.errors import IngestError
from memory.ingest.documents import load
from memory.web import fetching
from memory.web.fetching import Fetched, WebClient
from memory.web.http_cache import clear_cache, open_cache
from memory.web.pace import HostPace
from tests.support.local_site import LocalSite, Request

KINDS = {"text/html", "text/plain"}
PAGE = "<html><body><main><p>The lighthouse was built in 1874.</p></main></body></html>"


@asynccontextmanager
async def client_of(site: LocalSite, **parts: object) -> AsyncIterator[WebClient]:
    client = WebClient(resolve=site.resolve, **parts)  # type: ignore[arg-type]
    try:
        yield client
    finally:
        await client.aclose()


async def fetch(site: LocalSite, url: str, **parts: object) -> Fetched:
    async with client_of(site, **parts) as client:
        return await client.fetch(url, reach=site.reach, kinds=KINDS, max_bytes=100_000)


async def test_robots_txt_is_obeyed_and_asked_once(site: LocalSite) -> None:
    site.page("a.example/robots.txt", "User-agent: nightschool\nDisallow: /private", "text/plain")
    shown, hidden = site.page("a.example/x", PAGE), site.page("a.example/private/x", PAGE)
    async with client_of(site) as client:
        assert (await client.fetch(shown, reach=site.reach)).document.data == PAGE.encode()
        with pytest.raises(IngestError, match="robots"):
            await client.fetch(hidden, reach=site.reach)
    assert site.requests == ["a.example/robots.txt", "a.example/x"]


async def test_a_host_that_asks_for_long_delays_is_left_alone(site: LocalSite) -> None:
    site.page("a.example/robots.txt", "User-agent: *\nCrawl-delay: 3600", "text/plain")
    with pytest.raises(IngestError, match="3600 s between"):
        await fetch(site, site.page("a.example/x", PAGE), pace=HostPace(0.0))
    assert site.count("a.example/x") == 0


def drip_headers(request: Request) -> None:
    request.wfile.write(b"HTTP/1.1 200 OK\r\n")
    for _ in range(200):
        request.wfile.write(b"X-Slow: 1\r\n")
        time.sleep(0.05)


def drip_body(request: Request) -> None:
    request.send_response(200)
    request.send_header("Content-Type", "text/html")
    request.end_headers()
    for _ in range(200):
        request.wfile.write(b"x")
        time.sleep(0.05)


@pytest.mark.parametrize("drip", [drip_headers, drip_body])
async def test_a_slow_page_is_given_up_at_its_headers_or_its_body(
    site: LocalSite, monkeypatch: pytest.MonkeyPatch, drip: Callable[[Request], None]
) -> None:
    monkeypatch.setattr(fetching, "TOTAL_SECONDS", 1.0)
    site.pages["a.example/x"] = drip
    with pytest.raises(IngestError, match="not received within"):
        await fetch(site, site.url("a.example/x"))


async def test_of_a_huge_page_little_more_than_the_limit_is_read_and_nothing_cached(
    site: LocalSite, tmp_path: Path
) -> None:
    written: list[int] = []

    def huge(request: Request) -> None:
        request.send_response(200)
        request.send_header("Content-Type", "text/html")
        request.send_header("Cache-Control", "max-age=3600")
        request.end_headers()
        for _ in range(2000):
            request.wfile.write(b"x" * 10_000)
            written.append(10_000)

    site.pages["a.example/x"] = huge
    async with client_of(site, cache=open_cache(tmp_path / "cache.db")) as client:
        for _ in range(2):
            with pytest.raises(IngestError, match="larger than the limit"):
                await client.fetch(site.url("a.example/x"), reach=site.reach, max_bytes=100_000)
    assert site.count("a.example/x") == 2
    assert sum(written) < 2 * 2000 * 10_000


@pytest.mark.parametrize(
    "inside", ["http://10.0.0.1/x", "http://127.0.0.2/x", "http://[::1]/x", "http://intranet.example/x"]
)
async def test_a_redirect_to_a_private_address_is_refused(site: LocalSite, inside: str) -> None:
    site.addresses["intranet.example"] = ("192.168.0.5",)
    with pytest.raises(IngestError, match="not public"):
        await fetch(site, site.moved("a.example/x", inside))
    assert site.requests == ["a.example/robots.txt", "a.example/x"]


async def test_a_host_with_one_private_address_among_public_ones_is_refused(site: LocalSite) -> None:
    site.addresses["a.example"] = ("93.184.216.34", "192.168.0.5")
    with pytest.raises(IngestError, match="not public"):
        await fetch(site, site.url("a.example/x"))


@pytest.mark.parametrize("kind", ["image/png", "application/zip", "application/x-msdownload", "text/csv"])
async def test_other_kinds_than_those_asked_for_are_refused(site: LocalSite, kind: str) -> None:
    with pytest.raises(IngestError, match=f"{kind} is not read"):
        await fetch(site, site.page("a.example/x", b"PK\x03\x04", kind))


async def test_what_a_server_leaves_open_is_judged_by_its_content(site: LocalSite) -> None:
    with pytest.raises(IngestError):
        await fetch(site, site.page("a.example/x", b"\x89PNG\x00\x00", ""))
    assert (await fetch(site, site.page("a.example/y", PAGE, ""))).document.media_type == "text/html"


@pytest.mark.parametrize(
    ("kind", "meta"), [("text/html; charset=windows-1251", ""), ("text/html", "windows-1251")]
)
async def test_the_charset_is_that_of_the_header_or_of_the_page(
    site: LocalSite, kind: str, meta: str
) -> None:
    text = "Маяк построили в тысяча восемьсот семьдесят четвёртом году на северном мысе острова. " * 3
    head = f'<meta charset="{meta}">' if meta else ""
    page = f"<html><head>{head}</head><body><main><p>{text}</p></main></body></html>"
    fetched = await fetch(site, site.page("a.example/x", page.encode("cp1251"), kind))
    assert "построили" in load(fetched.document).text


async def test_what_may_be_kept_is_fetched_once_and_dated_when_it_was_sent(
    site: LocalSite, tmp_path: Path
) -> None:
    kept = site.page("a.example/x", PAGE, Cache_Control="max-age=3600")
    private = site.page("a.example/y", PAGE, Cache_Control="no-store")
    for number in range(2):  # two processes after each other
        async with client_of(site, cache=open_cache(tmp_path / "cache.db")) as client:
            first = await client.fetch(kept, reach=site.reach)
            assert first.document.data == PAGE.encode()
            await client.fetch(private, reach=site.reach)
        assert site.count("a.example/x") == 1
        assert site.count("a.example/y") == number + 1
    assert abs(first.fetched_at - datetime.now(UTC)) < timedelta(minutes=5)


def bytes_in(folder: Path) -> list[bytes]:
    return [file.read_bytes() for file in folder.iterdir()]


async def test_the_cache_can_be_cleared_while_it_is_open(site: LocalSite, tmp_path: Path) -> None:
    page = site.page("a.example/x", PAGE, Cache_Control="max-age=3600")
    async with client_of(site, cache=open_cache(tmp_path / "cache.db")) as client:
        await client.fetch(page, reach=site.reach)
        await clear_cache(tmp_path / "cache.db")
        assert not any(b"1874" in text for text in bytes_in(tmp_path))
        await client.fetch(page, reach=site.reach)
    assert site.count("a.example/x") == 2


async def test_a_page_leaves_no_cookie(site: LocalSite) -> None:
    page = site.page("a.example/x", PAGE, Set_Cookie="id=1; Path=/")
    async with client_of(site) as client:
        for _ in range(2):
            await client.fetch(page, reach=site.reach)
    assert not any("Cookie" in headers for headers in site.headers)


async def test_a_blocked_host_is_not_asked_even_for_what_redirects_to_it(site: LocalSite) -> None:
    def visit(host: str) -> None:
        if host == "b.example":
            raise IngestError(f"{host} is blocked")

    site.page("b.example/x", PAGE)
    async with client_of(site) as client:
        with pytest.raises(IngestError, match="blocked"):
            await client.fetch(
                site.moved("a.example/x", site.url("b.example/x")), reach=site.reach, visit=visit
            )
    assert not any(place.startswith("b.example") for place in site.requests)
