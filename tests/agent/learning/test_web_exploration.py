"""Exploring the web stores what is worth reading, with where it is from, and follows nobody's orders."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from memory.embedding.embedder import HashingEmbedder
from memory.episodic.volatile import VolatileEpisodicMemory
from memory.ingest.documents import RawDocument
from memory.ingest.pipeline import ingest
from memory.records.access import EVERYTHING, SHARED, WEB_OWNER, Access
from memory.records.knowledge import Passage
from memory.semantic.volatile import VolatileSemanticMemory
from memory.web.domain_list import DomainList
from tests.support.local_site import LocalSite, local_site
from tests.support.web import HISTORY, INJECTION, QUESTION, TRAVEL, exploration, found, page, queries

LICENCE = (
    '<footer><a rel="license" href="https://creativecommons.org/licenses/by-sa/4.0/">CC BY-SA</a></footer>'
)


@pytest.fixture
def site() -> Iterator[LocalSite]:
    with local_site() as opened:
        yield opened


@pytest.fixture
def episodic() -> VolatileEpisodicMemory:
    return VolatileEpisodicMemory(HashingEmbedder())


@pytest.fixture
def semantic() -> VolatileSemanticMemory:
    return VolatileSemanticMemory()


async def stored(episodic: VolatileEpisodicMemory, access: Access = EVERYTHING) -> list[Passage]:
    hits = await episodic.search(QUESTION, by="vector", limit=100, access=access)
    return [hit.passage for hit in hits]


async def test_a_passage_keeps_its_url_time_licence_and_trust(
    site: LocalSite, episodic: VolatileEpisodicMemory, semantic: VolatileSemanticMemory
) -> None:
    target = site.page("b.example/new", page(HISTORY + LICENCE))
    asked = site.moved("a.example/old", target)
    found(site, asked)
    domains = DomainList(weights={"a.example": 0.9, "b.example": 0.6})
    async with exploration(site, episodic, semantic, domains=domains) as web:
        report = await web.explore(QUESTION, domain="general", access=EVERYTHING)
        passages = await stored(episodic)
        assert web.trust(passages[0]) == 0.6
    assert (report.stored, report.skipped, report.found) == ((asked,), (), 1)
    for passage in passages:
        assert passage.source == asked
        assert passage.owner == WEB_OWNER
        assert passage.web is not None
        assert (passage.web.url, passage.web.trust) == (target, 0.6)
        assert "BY-SA" in passage.web.licence
        assert abs(passage.web.fetched_at - datetime.now(UTC)) < timedelta(minutes=5)


async def test_pages_are_read_by_whom_they_were_fetched_for_and_by_no_night(
    site: LocalSite, episodic: VolatileEpisodicMemory, semantic: VolatileSemanticMemory
) -> None:
    found(site, site.page("a.example/x", page(HISTORY)))
    async with exploration(site, episodic, semantic) as web:
        await web.explore(QUESTION, domain="general", access=EVERYTHING)
    assert await stored(episodic, EVERYTHING.exploring().to_teach("general"))
    for access in (SHARED, EVERYTHING.to_teach("general"), EVERYTHING.shared("general"), Access(owner="ann")):
        assert not await stored(episodic, access)


async def test_a_blocked_site_is_not_asked_and_a_trusted_one_goes_first(
    site: LocalSite, episodic: VolatileEpisodicMemory, semantic: VolatileSemanticMemory
) -> None:
    urls = [site.page(f"{name}.example/x", page(HISTORY)) for name in ("a", "b", "c", "d")]
    found(site, *urls)
    domains = DomainList(trusted=("d.example",), blocked=("b.example",))
    async with exploration(site, episodic, semantic, domains=domains, max_pages=2) as web:
        report = await web.explore(QUESTION, domain="general", access=EVERYTHING)
    assert report.stored == (urls[3], urls[0])
    assert not any(place.startswith("b.example") for place in site.requests)
    (skipped,) = report.skipped
    assert "blocked" in skipped.reason


async def test_few_pages_of_a_site_are_fetched(
    site: LocalSite, episodic: VolatileEpisodicMemory, semantic: VolatileSemanticMemory
) -> None:
    found(site, *[site.page(f"w{n}.a.example/x", page(HISTORY)) for n in range(5)])
    async with exploration(site, episodic, semantic) as web:
        assert len((await web.explore(QUESTION, domain="general", access=EVERYTHING)).stored) == 2


async def test_what_people_put_into_the_library_is_neither_fetched_nor_replaced(
    site: LocalSite, episodic: VolatileEpisodicMemory, semantic: VolatileSemanticMemory
) -> None:
    url = site.page("a.example/x", page(HISTORY))
    document = RawDocument(source=url, data=page(TRAVEL).encode(), media_type="text/html")
    await ingest([document], domain="general", owner="ann", episodic=episodic, semantic=semantic)
    found(site, url)
    ann = Access(owner="ann")
    async with exploration(site, episodic, semantic) as web:
        report = await web.explore(QUESTION, domain="general", access=ann)
    assert [each.reason for each in report.skipped] == ["in the library already"]
    assert all(passage.web is None for passage in await stored(episodic))


async def test_a_page_that_was_explored_is_replaced_by_its_new_version(
    site: LocalSite, episodic: VolatileEpisodicMemory, semantic: VolatileSemanticMemory
) -> None:
    url = site.page("a.example/x", page(HISTORY))
    found(site, url)
    async with exploration(site, episodic, semantic) as web:
        await web.explore(QUESTION, domain="general", access=EVERYTHING)
        site.page("a.example/x", page(TRAVEL))
        assert (await web.explore(QUESTION, domain="general", access=EVERYTHING)).stored == (url,)
    assert {"Tarsk with the ferry" in passage.text for passage in await stored(episodic)} == {True}


async def test_pages_that_are_not_worth_reading_are_named_with_the_reason(
    site: LocalSite, episodic: VolatileEpisodicMemory, semantic: VolatileSemanticMemory
) -> None:
    wall = (
        "<p>"
        + "We use cookies. Please accept all cookies. Sign in or subscribe to our newsletter. " * 12
        + "</p>"
    )
    paid = (
        '<script type="application/ld+json">{"@type": "NewsArticle", "isAccessibleForFree": false}</script>'
    )
    german = (
        "<p>"
        + "Der Leuchtturm steht auf dem nördlichen Kap der Insel und wurde von einer Ingenieurin gebaut. " * 8
    )
    pages = {
        "short": (page("<p>Please enable scripts to read this page.</p>"), "words of text|no main text"),
        "wall": (page(wall), "cookies"),
        "paid": (page(HISTORY, paid), "paywall"),
        "german": (page(german).replace('lang="en"', 'lang="de"'), "another language"),
        "kind": (b"PK\x03\x04", "not read here"),
    }  # fmt: skip
    for name, (body, _) in pages.items():
        kind = "application/zip" if name == "kind" else "text/html; charset=utf-8"
        site.page(f"{name}.example/x", body, kind)
    found(site, *[site.url(f"{name}.example/x") for name in pages])
    async with exploration(site, episodic, semantic) as web:
        report = await web.explore(QUESTION, domain="general", access=EVERYTHING)
    assert report.stored == ()
    reasons = {each.url.split("//")[1].partition(".")[0]: each.reason for each in report.skipped}
    for name, (_, reason) in pages.items():
        assert any(part in reasons[name] for part in reason.split("|")), (name, reasons[name])


async def test_a_page_chooses_nothing_that_is_fetched_or_searched(
    site: LocalSite, episodic: VolatileEpisodicMemory, semantic: VolatileSemanticMemory
) -> None:
    link = f'<p><a href="{site.url("evil.example/next")}">Read on</a></p>'
    refresh = f'<meta http-equiv="refresh" content="0; url={site.url("evil.example/next")}">'
    site.page("evil.example/next", page(TRAVEL))
    found(site, site.page("a.example/x", page(HISTORY + INJECTION + link, refresh)))
    async with exploration(site, episodic, semantic) as web:
        await web.explore(QUESTION, domain="general", access=EVERYTHING)
    assert not any(place.startswith("evil.example") for place in site.requests)
    (query,) = queries(site)
    assert "1999" not in query


async def test_a_search_that_fails_is_in_the_report(
    site: LocalSite, episodic: VolatileEpisodicMemory, semantic: VolatileSemanticMemory
) -> None:
    async with exploration(site, episodic, semantic) as web:
        report = await web.explore(QUESTION, domain="general", access=EVERYTHING)
    assert report.stored == ()
    assert "404" in report.failed[0]
    assert "404" in report.summary


async def test_private_addresses_that_a_search_finds_are_refused(
    site: LocalSite, episodic: VolatileEpisodicMemory, semantic: VolatileSemanticMemory
) -> None:
    site.addresses["intranet.example"] = ("192.168.0.5",)
    found(site, "http://10.0.0.1/x", "http://[::1]/x", "http://intranet.example/x")
    async with exploration(site, episodic, semantic) as web:
        report = await web.explore(QUESTION, domain="general", access=EVERYTHING)
    assert len(report.skipped) == 3
    assert all("not public" in each.reason for each in report.skipped)


async def test_forgetting_clears_the_http_cache(
    site: LocalSite, episodic: VolatileEpisodicMemory, semantic: VolatileSemanticMemory, tmp_path: Path
) -> None:
    found(site, site.page("a.example/x", page(HISTORY), Cache_Control="max-age=3600"))
    async with exploration(site, episodic, semantic, cache=tmp_path / "cache.db") as web:
        for _ in range(2):
            await web.explore(QUESTION, domain="general", access=EVERYTHING)
        assert site.count("a.example/x") == 1
        await web.forget_replies()
        await web.explore(QUESTION, domain="general", access=EVERYTHING)
        assert site.count("a.example/x") == 2
