"""Documents that wait together are committed together, each whole or not at all."""

import asyncio
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from memory.embedding.embedder import HashingEmbedder
from memory.episodic.volatile import VolatileEpisodicMemory
from memory.errors import CorruptRecord, StoreUnavailable
from memory.ingest.documents import RawDocument
from memory.ingest.pipeline import read
from memory.ingest.writer import Contents, DocumentWriter, IngestReport, Place
from memory.records.access import EVERYTHING
from memory.records.knowledge import Fact, Passage
from memory.semantic.volatile import VolatileSemanticMemory


class CorruptSemanticMemory(VolatileSemanticMemory):
    """Has facts that cannot be read, until they are removed."""

    corrupt = False

    async def facts(self, source: str, *, domain: str, owner: str | None = None) -> tuple[Fact, ...]:
        if self.corrupt:
            raise CorruptRecord("a stored fact cannot be read: ingest its document again")
        return await super().facts(source, domain=domain, owner=owner)

    async def remove(
        self, source: str, *, domain: str, owner: str | None = None, keep: Collection[str] = ()
    ) -> int:
        self.corrupt = self.corrupt and bool(keep)
        return await super().remove(source, domain=domain, owner=owner, keep=keep)


class CountingEpisodicMemory(VolatileEpisodicMemory):
    """Counts commits, and fails for passages of the source `bad`."""

    commits = 0
    bad = ""

    async def add(self, passages: Sequence[Passage]) -> int:
        self.commits += 1
        await asyncio.sleep(0)
        if any(each.source == self.bad for each in passages):
            raise StoreUnavailable("the disk is full")
        return await super().add(passages)


@pytest.fixture
def episodic() -> CountingEpisodicMemory:
    return CountingEpisodicMemory(HashingEmbedder())


@pytest.fixture
def semantic() -> VolatileSemanticMemory:
    return VolatileSemanticMemory()


@pytest.fixture
def writer(episodic: CountingEpisodicMemory, semantic: VolatileSemanticMemory) -> DocumentWriter:
    return DocumentWriter(episodic, semantic)


def contents(source: str, text: str, owner: str | None = None) -> tuple[Place, Contents]:
    document = RawDocument(source=source, data=f"# T\n\n{text}\n".encode(), media_type="text/markdown")
    return Place(source, "lamps", owner), read(document, "lamps", owner)


async def test_a_fact_keeps_the_time_when_it_was_first_read(
    episodic: CountingEpisodicMemory, semantic: VolatileSemanticMemory
) -> None:
    first = datetime(2026, 1, 1, tzinfo=UTC)
    for days in (0, 30):
        writer = DocumentWriter(episodic, semantic, clock=lambda: first + timedelta(days=days))  # noqa: B023
        await writer.store(*contents("lamp.md", "The Zorble is a lamp of brass."))
    facts = await semantic.facts("lamp.md", domain="lamps")
    assert facts
    assert {fact.observed_at for fact in facts} == {first}


async def test_another_date_of_a_document_reaches_the_facts_that_it_still_states(
    episodic: CountingEpisodicMemory, semantic: VolatileSemanticMemory
) -> None:
    first = datetime(2026, 1, 1, tzinfo=UTC)
    dates = ("2023-03-04", "2021-03-04", "no date at", "2999-03-04", "2023-03-04")
    for days, date in enumerate(dates):
        text = f"---\ndate: {date}\n---\n\n## Lamps\n\nThe Zorble is a lamp of brass.\n"
        document = RawDocument(source="a.md", data=text.encode(), media_type="text/markdown")
        writer = DocumentWriter(episodic, semantic, clock=lambda: first + timedelta(days=days))  # noqa: B023
        await writer.store(Place("a.md", "lamps", None), read(document, "lamps"))
        (stored,) = await semantic.facts("a.md", domain="lamps")
        known = None if date == "no date at" else f"{date}T00:00:00+00:00"
        assert (stored.dated and stored.dated.isoformat()) == known
        assert stored.observed_at == first


async def test_ingesting_a_document_again_replaces_facts_that_cannot_be_read(
    episodic: CountingEpisodicMemory,
) -> None:
    semantic = CorruptSemanticMemory()
    writer = DocumentWriter(episodic, semantic)
    await writer.store(*contents("a.md", "A lamp is a light that burns oil."))
    for text in ("A lamp is a light that burns oil.", "A lamp is a light that burns gas."):
        semantic.corrupt = True
        await writer.store(*contents("a.md", text))
        assert [fact.sentence for fact in await semantic.facts("a.md", domain="lamps")] == [text] * 2


async def test_documents_that_wait_together_are_one_commit(
    writer: DocumentWriter, episodic: CountingEpisodicMemory
) -> None:
    reports = await asyncio.gather(
        *(writer.store(*contents(f"{n}.md", f"A lamp of kind {n} burns.")) for n in range(10))
    )
    assert sum(report.documents for report in reports) == 10
    assert episodic.commits == 1
    assert len(await episodic.documents(access=EVERYTHING)) == 10


async def test_versions_of_one_document_are_stored_in_order(
    writer: DocumentWriter, episodic: CountingEpisodicMemory, semantic: VolatileSemanticMemory
) -> None:
    texts = ["A zorble is a lamp.", "A zorble is a boat.", "A zorble is a boat."]
    reports = await asyncio.gather(*(writer.store(*contents("a.md", text)) for text in texts))
    assert [(r.documents, r.changed, r.unchanged) for r in reports] == [(1, 0, 0), (1, 1, 0), (0, 0, 1)]
    assert [f.object for f in await semantic.about(["zorble"], access=EVERYTHING)] == ["a boat"]


async def test_one_document_that_cannot_be_stored_stops_no_other(
    writer: DocumentWriter, episodic: CountingEpisodicMemory
) -> None:
    episodic.bad = "1.md"
    results = await asyncio.gather(
        *(writer.store(*contents(f"{n}.md", "A lamp burns.")) for n in range(3)), return_exceptions=True
    )
    assert [isinstance(each, IngestReport) for each in results] == [True, False, True]
    assert isinstance(results[1], StoreUnavailable)
    assert [each.source for each in await episodic.documents(access=EVERYTHING)] == ["0.md", "2.md"]


async def test_a_client_that_goes_away_stops_no_other(
    writer: DocumentWriter, episodic: CountingEpisodicMemory
) -> None:
    tasks = [asyncio.create_task(writer.store(*contents(f"{n}.md", "A lamp burns."))) for n in range(3)]
    await asyncio.sleep(0)
    tasks[0].cancel()
    assert [(await task).documents for task in tasks[1:]] == [1, 1]


async def test_comparing_says_what_storing_would_and_stores_nothing(
    writer: DocumentWriter, episodic: CountingEpisodicMemory
) -> None:
    place, first = contents("a.md", "A zorble is a lamp.")
    assert (await writer.compare(place, first)).documents == 1
    assert await episodic.documents(access=EVERYTHING) == ()
    stored = await writer.store(place, first)
    assert (stored.documents, stored.changed) == (1, 0)
    assert (await writer.compare(place, first)).unchanged == 1
    assert (await writer.compare(*contents("a.md", "A zorble is a boat."))).changed == 1


async def test_a_removed_document_is_in_neither_store(
    writer: DocumentWriter, episodic: CountingEpisodicMemory, semantic: VolatileSemanticMemory
) -> None:
    mine, hers = contents("a.md", "A zorble is a lamp."), contents("a.md", "A zorble is a boat.", "ann")
    await writer.store(*mine)
    await writer.store(*hers)
    removed = await writer.remove(mine[0])
    assert (removed.passages, removed.facts) == (1, 1)
    for by in ("vector", "text"):
        hits = await episodic.search("zorble", by=by, limit=5, access=EVERYTHING)
        assert [hit.passage.owner for hit in hits] == ["ann"]
    assert [f.owner for f in await semantic.about(["zorble"], access=EVERYTHING)] == ["ann"]
    assert (await writer.remove(mine[0])).passages == 0


async def test_writers_of_several_processes_take_turns(
    episodic: CountingEpisodicMemory, semantic: VolatileSemanticMemory
) -> None:
    """Two versions of a document that are stored at the same time: one of them stays, not a mixture."""
    lock = asyncio.Lock()  # as `memory.server.sole_writer` across processes

    def sole_writer() -> asyncio.Lock:
        return lock

    writers = [DocumentWriter(episodic, semantic, sole_writer) for _ in range(2)]
    async with writers[0].alone():
        storing = asyncio.create_task(writers[1].store(*contents("a.md", "A lamp burns oil.")))
        await asyncio.sleep(0.01)
        assert await episodic.count() == 0
    await asyncio.gather(storing, writers[0].store(*contents("a.md", "A lamp burns gas.")))
    assert await episodic.count() == 1


async def test_new_facts_of_an_unchanged_document_are_stored(
    writer: DocumentWriter, semantic: VolatileSemanticMemory
) -> None:
    place, read_before = contents("a.md", "A lamp is a light that burns oil.")
    await writer.store(place, read_before._replace(facts=()))
    assert read_before.facts
    assert (await writer.store(place, read_before)).unchanged == 1
    assert await semantic.count() == len(read_before.facts)
