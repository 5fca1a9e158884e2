"""A whole learn run on real stores, readers and database: a gap is filled from two sites of a local web."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from agent.chat.routing import Routes
from agent.engines.scripted import Line, ScriptedEngine
from agent.learning.gaps import open_gap
from graphs.server.learn_spec import LearnInput
from graphs.state import Runtime
from memory.adapters.volatile import VolatileAdapterRegistry
from memory.embedding.embedder import SentenceEmbedder
from memory.episodic.lance import LanceEpisodicMemory
from memory.ingest.readers import DocumentReaders
from memory.records.access import EVERYTHING, WEB_OWNER
from memory.semantic.embedded import running, socket_path
from memory.semantic.falkor import FalkorSemanticMemory
from tests.graphs.conftest import BASE_LINES, SONG, clock, eventually, runtime
from tests.support.adapters import curriculum
from tests.support.databases import empty_runs, home
from tests.support.learn_service import open_runs
from tests.support.local_site import LocalSite, local_site
from tests.support.trainers import FakeTrainer
from tests.support.web import ANSWER, HISTORY, QUESTION, TRAVEL, exploration, found, page

__all__ = ["clock", "empty_runs", "home", "runtime"]

pytestmark = [pytest.mark.services, pytest.mark.timeout(600)]


@pytest.fixture
def site() -> Iterator[LocalSite]:
    with local_site() as opened:
        yield opened


@pytest.fixture
async def stored(runtime: Runtime, tmp_path: Path) -> AsyncIterator[Runtime]:
    """The runtime over LanceDB and FalkorDB, which are empty, with a trainer that makes what it is given."""
    registry = VolatileAdapterRegistry()
    learned = {QUESTION: Line(text=ANSWER, entropy=0.1)}
    async with running(tmp_path / "graph"):
        semantic = await FalkorSemanticMemory.open(str(socket_path(tmp_path / "graph")))
        yield replace(
            runtime,
            episodic=await LanceEpisodicMemory.open(tmp_path / "episodic", SentenceEmbedder()),
            semantic=semantic,
            registry=registry,
            outbox=FakeTrainer(registry),
            routes=Routes(registry, lambda digest: curriculum()),
            engine=ScriptedEngine(BASE_LINES, adapters={"general": SONG | learned}),
        )
        await semantic.aclose()


async def test_a_gap_that_the_library_cannot_fill_is_filled_from_the_web(
    stored: Runtime, site: LocalSite, home: Path, tmp_path: Path
) -> None:
    site.page("b.example/robots.txt", "User-agent: *\nDisallow: /private", "text/plain")
    urls = [
        site.page("a.example/lighthouse", page(HISTORY), Cache_Control="max-age=3600"),
        site.page("b.example/visit", page(TRAVEL)),
        site.page("b.example/private/x", page(HISTORY)),
    ]
    found(site, *urls)
    gap = open_gap(
        QUESTION, domain="general", keywords=(), uncertainty=None, owner=None, id="g1", now=stored.clock()
    )
    await stored.database.open_gap(gap)
    readers = DocumentReaders()
    try:
        async with (
            exploration(
                site, stored.episodic, stored.semantic, cache=tmp_path / "cache.db", read=readers.read
            ) as web,
            open_runs(replace(stored, web=web, access=EVERYTHING), home) as runs,
        ):
            run_id = await runs.start(LearnInput(gap_id="g1", web="fallback"))

            async def ended() -> bool:
                return (await runs.status(run_id)).status == "ended"

            await eventually(ended, seconds=300)
            record = await stored.database.run(run_id)
    finally:
        readers.close()
    assert record.outcome is not None
    assert record.report is not None
    assert record.outcome.status == "learned", record.outcome.reason
    assert record.report["web"]["stored"] == urls[:2]
    assert "robots.txt" in record.report["web"]["skipped"][0]["reason"]
    assert record.report["asked_again"]["answer"] == ANSWER
    assert (await stored.database.gap("g1", access=EVERYTHING)).status == "closed"
    again = await LanceEpisodicMemory.open(tmp_path / "episodic", SentenceEmbedder())
    hits = await again.search(QUESTION, by="text", limit=10, access=EVERYTHING)
    assert {hit.passage.web.url for hit in hits if hit.passage.web is not None} == set(urls[:2])
    assert {hit.passage.owner for hit in hits} == {WEB_OWNER}
