"""What the library held at a time is found again after documents changed, over the fake and LanceDB alike."""

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from memory.embedding.embedder import HashingEmbedder
from memory.episodic import lance_history
from memory.episodic.base import EpisodicMemory
from memory.episodic.history import KEPT
from memory.episodic.lance import LanceEpisodicMemory
from memory.episodic.volatile import VolatileEpisodicMemory
from memory.ingest.documents import RawDocument
from memory.ingest.pipeline import read
from memory.ingest.writer import DocumentWriter, Place
from memory.records.access import EVERYTHING, Access
from memory.records.knowledge import Evidence, Fact, Findings
from memory.retrieval.as_of import DEEPEST, retrieve_as_of
from memory.semantic.volatile import VolatileSemanticMemory

START = datetime(2026, 11, 1, tzinfo=UTC)
OIL, GAS = "A zorble is a lamp that burns oil.", "A zorble is a lamp that burns gas."


class Library:
    """Stores with a clock of their own, at which day n is n days after the start."""

    def __init__(self, episodic: EpisodicMemory) -> None:
        self.episodic = episodic
        self.semantic = VolatileSemanticMemory()
        self._now = START
        self._writer = DocumentWriter(episodic, self.semantic, clock=lambda: self._now)

    async def store(self, day: int, text: str, source: str = "a.md", owner: str | None = None) -> None:
        self._now = START + timedelta(days=day)
        data = f"# Lamps\n\nLamps give light in the night.\n\n## Kinds\n\n{text}\n".encode()
        document = RawDocument(source=source, data=data, media_type="text/markdown")
        await self._writer.store(Place(source, "lamps", owner), read(document, "lamps", owner))

    async def remove(self, source: str = "a.md", owner: str | None = None) -> None:
        await self._writer.remove(Place(source, "lamps", owner))

    async def find(
        self,
        day: float,
        *,
        query: str = "What does a zorble burn?",
        access: Access = EVERYTHING,
        limit: int = 8,
    ) -> Findings:
        return await retrieve_as_of(
            query,
            as_of=START + timedelta(days=day),
            episodic=self.episodic,
            semantic=self.semantic,
            access=access,
            limit=limit,
        )


def texts(findings: Findings) -> set[str]:
    return {hit.passage.text for hit in findings.evidence if "zorble" in hit.passage.text}


def objects(findings: Findings) -> set[str]:
    return {fact.object for fact in findings.facts}


@pytest.fixture(params=["volatile", pytest.param("lance", marks=pytest.mark.services)])
async def library(request: pytest.FixtureRequest, tmp_path: Path) -> Library:
    if request.param == "volatile":
        return Library(VolatileEpisodicMemory(HashingEmbedder()))
    return Library(await LanceEpisodicMemory.open(tmp_path / "episodic", HashingEmbedder()))


async def test_each_time_has_its_own_version_of_a_document(library: Library) -> None:
    await library.store(1, OIL)
    await library.store(3, GAS)
    await library.store(5, OIL)  # comes back
    for day, expected in ((0.5, set()), (2, {OIL}), (4, {GAS}), (6, {OIL})):
        found = await library.find(day)
        assert texts(found) == expected, day
        assert len({hit.passage.id for hit in found.evidence}) == len(found.evidence)
    assert any("oil" in each for each in objects(await library.find(2)))
    assert not any("gas" in each for each in objects(await library.find(2)))
    assert any("gas" in each for each in objects(await library.find(4)))
    assert not objects(await library.find(0.5))


async def test_a_thing_is_found_by_its_other_names(library: Library) -> None:
    await library.store(1, "The GLX was built in Oslo.")
    await library.store(3, "The GLX was built in Bergen.")
    await library.store(4, "GLX stands for Great Lamp of Xanten.", source="b.md")
    for day, place in ((2, "Oslo"), (5, "Bergen")):
        found = await library.find(day, query="Where was the Great Lamp of Xanten built?")
        assert place in objects(found), day


async def test_maintenance_and_purging_keep_the_history(library: Library) -> None:
    await library.store(1, OIL)
    await library.store(3, GAS)
    await library.episodic.purge()
    assert texts(await library.find(2)) == {OIL}


async def test_words_of_past_documents_of_others_change_no_score(library: Library) -> None:
    scores = []
    for word in ("morble", "zorble"):
        for source, text in (("own.md", "A zorble rests."), ("too.md", "A gorble rests.")):
            await library.store(1, text, source, owner="ann")
        for number in range(5):
            await library.store(1, f"The {word} rests in room {number}.", f"{number}.md", owner="ben")
        sources = [("own.md", "ann"), ("too.md", "ann"), *((f"{n}.md", "ben") for n in range(5))]
        for source, owner in sources:
            await library.store(3, "It rests.", source, owner=owner)
        await library.episodic.maintain()  # indexes them
        found = await library.find(2, query="zorble or gorble", access=Access(owner="ann"))
        scores.append({hit.passage.text: hit.scores for hit in found.evidence})
        for source, owner in sources:
            await library.remove(source, owner=owner)
    assert scores[0] == scores[1]
    assert any("zorble" in text for text in scores[0])


@pytest.mark.services
async def test_maintenance_forgets_what_was_replaced_long_ago(tmp_path: Path) -> None:
    now = START
    library = Library(
        await LanceEpisodicMemory.open(tmp_path / "episodic", HashingEmbedder(), clock=lambda: now)
    )
    await library.store(1, OIL)
    await library.store(3, GAS)
    now = START + timedelta(days=3) + KEPT
    await library.episodic.maintain()
    assert texts(await library.find(2)) == {OIL}
    now += timedelta(days=1)
    await library.episodic.maintain()
    assert texts(await library.find(2)) == set()
    assert texts(await library.find(4)) == {GAS}


async def test_what_a_reader_may_not_see_was_never_there_for_it(library: Library) -> None:
    await library.store(1, OIL, owner="ann")
    await library.store(3, GAS, owner="ann")
    for day in (2, 4):
        assert texts(await library.find(day, access=Access(owner="ben"))) == set()
        assert objects(await library.find(day, access=Access(owner="ben"))) == set()
    assert texts(await library.find(2, access=Access(owner="ann"))) == {OIL}


async def test_a_removed_document_has_no_history(library: Library) -> None:
    await library.store(1, OIL)
    await library.store(3, GAS)
    await library.remove()
    for day in (2, 4):
        assert texts(await library.find(day)) == set()


@pytest.mark.services
async def test_an_earlier_version_of_a_removed_document_is_on_no_byte_of_the_disk(tmp_path: Path) -> None:
    library = Library(await LanceEpisodicMemory.open(tmp_path, HashingEmbedder()))
    await library.store(1, "A zorble is a lamp that burns quixoil.")
    await library.store(3, GAS)
    await library.store(3, GAS, source="b.md")
    await library.remove()
    await library.episodic.purge()
    files = [file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()]  # noqa: ASYNC240
    assert files
    assert not any(b"quixoil" in content for content in files)
    assert texts(await library.find(4)) == {GAS}


async def test_an_interrupted_replacement_is_in_the_history_once(library: Library) -> None:
    await library.store(1, OIL)
    original, library.episodic.remove = library.episodic.remove, _fail  # type: ignore[method-assign,assignment]
    with pytest.raises(ConnectionError):
        await library.store(3, GAS)
    library.episodic.remove = original  # type: ignore[method-assign]
    await library.store(4, GAS)
    assert len((await library.find(2)).evidence) == 2
    assert texts(await library.find(5)) == {GAS}


async def test_many_newer_passages_do_not_hide_an_older_one(library: Library) -> None:
    await library.store(1, OIL)
    for n in range(40):
        await library.store(3, GAS, source=f"{n}.md")
    assert texts(await library.find(2, limit=1)) == {OIL}


async def test_a_time_before_everything_does_not_look_at_everything(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(2 * DEEPEST):
        await library.store(3, GAS, source=f"{n}.md")
    depths: list[int] = []
    search = library.episodic.search

    async def recorded(*args: Any, limit: int, **how: Any) -> tuple[Evidence, ...]:
        depths.append(limit)
        return await search(*args, limit=limit, **how)

    monkeypatch.setattr(library.episodic, "search", recorded)
    assert texts(await library.find(0, limit=1)) == set()
    assert max(depths) == DEEPEST


@pytest.mark.services
async def test_the_history_is_read_in_a_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library = Library(await LanceEpisodicMemory.open(tmp_path, HashingEmbedder()))
    await library.store(1, OIL)
    await library.store(3, GAS)
    threads: list[threading.Thread] = []
    facts_about = lance_history.facts_about

    def recorded(*args: Any) -> tuple[Fact, ...]:
        threads.append(threading.current_thread())
        return facts_about(*args)

    monkeypatch.setattr(lance_history, "facts_about", recorded)
    assert objects(await library.find(2))
    assert threads
    assert threading.main_thread() not in threads


async def test_a_time_without_zone_is_refused(library: Library) -> None:
    with pytest.raises(ValueError, match="time zone"):
        await retrieve_as_of(
            "x",
            as_of=datetime(2026, 1, 1),
            episodic=library.episodic,
            semantic=library.semantic,
            access=EVERYTHING,
        )


async def _fail(*_: object, **__: object) -> int:
    raise ConnectionError("cut")


async def test_facts_about_what_a_triple_tells_apart_are_told_apart_at_any_time(library: Library) -> None:
    await library.store(1, "Windows is an operating system.", "systems.md")
    await library.store(1, "The windows are openings.", "walls.md")
    await library.store(5, "Nothing is here.", "systems.md")
    await library.store(5, "Nothing is here.", "walls.md")
    apart = Fact(
        id="apart", subject="Windows", relation="is not the same as", object="window", domain="lamps",
        passage_id="t", source="names.csv", sentence="", start=0, end=0, rule="triple",
    )  # fmt: skip
    await library.semantic.add([apart])
    found = await library.find(2, query="What is Windows?")
    assert {"operating system"} <= {each.removeprefix("an ") for each in objects(found)}
    assert "openings" not in objects(found)


async def test_many_newer_facts_do_not_hide_older_ones(library: Library) -> None:
    await library.store(1, OIL)
    for number in range(3):
        newer = " ".join(f"A zorble is a gadget of kind {number}x{n}." for n in range(90))
        await library.store(5, newer, f"b{number}.md")
    facts = (await library.find(2)).facts
    assert {fact.source for fact in facts} == {"a.md"}
