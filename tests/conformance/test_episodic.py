"""What every episodic memory does, the fake and LanceDB alike."""

import asyncio
from pathlib import Path

import pytest

from memory.embedding.embedder import HashingEmbedder
from memory.episodic.base import EpisodicMemory, fingerprint
from memory.episodic.lance import LanceEpisodicMemory
from memory.episodic.volatile import VolatileEpisodicMemory
from tests.support.documents import passage

BORROW = passage("A borrow is a loan of a value to a function.")
MOVE = passage("A move is a transfer of a value to a new owner.")
LEVAIN = passage("A levain is a portion of sourdough starter.", source="b.md", domain="bread")


@pytest.fixture(params=["volatile", pytest.param("lance", marks=pytest.mark.services)])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> EpisodicMemory:
    if request.param == "volatile":
        return VolatileEpisodicMemory(HashingEmbedder())
    return await LanceEpisodicMemory.open(tmp_path / "episodic", HashingEmbedder())


async def test_adding_twice_stores_once(store: EpisodicMemory) -> None:
    assert await store.add([BORROW, MOVE, BORROW]) == 2
    assert await store.add([MOVE, LEVAIN]) == 1
    assert await store.add([]) == 0
    assert len(await store.search("value", by="vector", limit=10)) == 3


async def test_adding_the_same_from_many_tasks_stores_it_once(store: EpisodicMemory) -> None:
    added = await asyncio.gather(*(store.add([BORROW]) for _ in range(8)))
    assert sum(added) == 1
    assert len(await store.search("borrow", by="vector", limit=10)) == 1


async def test_both_searches_put_the_right_passage_first(store: EpisodicMemory) -> None:
    await store.add([BORROW, MOVE, LEVAIN])
    for by in ("vector", "text"):
        hits = await store.search("what is a levain of sourdough", by=by, limit=2)
        assert hits[0].passage == LEVAIN
        assert hits[0].found_by == (by,)
        scores = [hit.score for hit in hits]
        assert scores == sorted(scores, reverse=True)
        assert all(0.0 <= score <= 1.0 for score in scores)


async def test_a_passage_searched_by_its_own_text_scores_near_one(store: EpisodicMemory) -> None:
    await store.add([BORROW, MOVE])
    (hit,) = await store.search(f"T\n{MOVE.text}", by="vector", limit=1)
    assert hit.score == pytest.approx(1.0, abs=1e-3)


async def test_text_search_finds_other_numbers_of_a_word_and_leaves_strangers_out(
    store: EpisodicMemory,
) -> None:
    await store.add([BORROW, LEVAIN])
    assert [h.passage for h in await store.search("levains", by="text", limit=5)] == [LEVAIN]
    assert await store.search("astronomy", by="text", limit=5) == ()


async def test_a_domain_hides_all_others(store: EpisodicMemory) -> None:
    await store.add([BORROW, MOVE, LEVAIN])
    for by in ("vector", "text"):
        found = await store.search("a levain is a portion", by=by, limit=10, domain="rust")
        assert {hit.passage.domain for hit in found} <= {"rust"}
    assert await store.search("levain", by="text", limit=10, domain="x' OR '1'='1") == ()


@pytest.mark.parametrize(
    "query", ["", "  ", '"(', "100% AND NOT *", "what is it", "a'b\"c\\", "\x00", "ü" * 5000]
)
async def test_no_query_breaks_a_search(store: EpisodicMemory, query: str) -> None:
    await store.add([BORROW])
    for by in ("vector", "text"):
        assert len(await store.search(query, by=by, limit=3)) <= 1
    assert await store.search("borrow", by="vector", limit=0) == ()


async def test_sources_with_quotes_are_removed_alone(store: EpisodicMemory) -> None:
    odd = passage("Odd.", source='it\'s "x" OR 1=1 --.md')
    await store.add([BORROW, MOVE, odd])
    assert await store.remove(odd.source) == 1
    assert await store.remove(odd.source) == 0
    assert await store.remove("a.md") == 2
    assert await store.sources() == {}


async def test_get_keeps_the_order_asked_for_and_leaves_unknown_ids_out(store: EpisodicMemory) -> None:
    await store.add([BORROW, MOVE])
    assert await store.get([MOVE.id, "no' such", BORROW.id, MOVE.id]) == (MOVE, BORROW)
    assert await store.get([]) == ()


async def test_sources_tell_which_passages_a_document_has(store: EpisodicMemory) -> None:
    await store.add([BORROW, MOVE, LEVAIN])
    assert await store.sources() == {
        "a.md": fingerprint([MOVE.id, BORROW.id]),
        "b.md": fingerprint([LEVAIN.id]),
    }
    assert set(await store.sources("bread")) == {"b.md"}
