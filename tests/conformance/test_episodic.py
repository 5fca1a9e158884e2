"""What every episodic memory does, the fake and LanceDB alike."""

import asyncio
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from memory.embedding.embedder import HashingEmbedder
from memory.episodic.base import EpisodicMemory, SearchBy, StoredDocument, fingerprint
from memory.episodic.lance import LanceEpisodicMemory
from memory.episodic.volatile import VolatileEpisodicMemory
from memory.records.access import EVERYTHING, Access
from tests.support.access import DOMAINS, OWNERS, accesses
from tests.support.documents import passage

BORROW = passage("A borrow is a loan of a value to a function.")
MOVE = passage("A move is a transfer of a value to a new owner.")
SEARCHES: tuple[SearchBy, ...] = ("vector", "text")
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
    assert len(await store.search("value", by="vector", limit=10, access=EVERYTHING)) == 3


async def test_adding_the_same_from_many_tasks_stores_it_once(store: EpisodicMemory) -> None:
    added = await asyncio.gather(*(store.add([BORROW]) for _ in range(8)))
    assert sum(added) == 1
    assert len(await store.search("borrow", by="vector", limit=10, access=EVERYTHING)) == 1


async def test_both_searches_put_the_right_passage_first(store: EpisodicMemory) -> None:
    await store.add([BORROW, MOVE, LEVAIN])
    for by in ("vector", "text"):
        hits = await store.search("what is a levain of sourdough", by=by, limit=2, access=EVERYTHING)
        assert hits[0].passage == LEVAIN
        assert hits[0].found_by == (by,)
        scores = [hit.score for hit in hits]
        assert scores == sorted(scores, reverse=True)
        assert all(0.0 <= score <= 1.0 for score in scores)


async def test_a_passage_searched_by_its_own_text_scores_near_one(store: EpisodicMemory) -> None:
    await store.add([BORROW, MOVE])
    (hit,) = await store.search(f"T\n{MOVE.text}", by="vector", limit=1, access=EVERYTHING)
    assert hit.score == pytest.approx(1.0, abs=1e-3)


async def test_text_search_finds_other_numbers_of_a_word_and_leaves_strangers_out(
    store: EpisodicMemory,
) -> None:
    await store.add([BORROW, LEVAIN])
    assert [h.passage for h in await store.search("levains", by="text", limit=5, access=EVERYTHING)] == [
        LEVAIN
    ]
    assert await store.search("astronomy", by="text", limit=5, access=EVERYTHING) == ()


async def test_a_domain_hides_all_others(store: EpisodicMemory) -> None:
    await store.add([BORROW, MOVE, LEVAIN])
    for by in ("vector", "text"):
        found = await store.search("a levain is a portion", by=by, limit=10, domain="rust", access=EVERYTHING)
        assert {hit.passage.domain for hit in found} <= {"rust"}
    assert await store.search("levain", by="text", limit=10, domain="x' OR '1'='1", access=EVERYTHING) == ()


@pytest.mark.parametrize(
    "query", ["", "  ", '"(', "100% AND NOT *", "what is it", "a'b\"c\\", "\x00", "ü" * 5000]
)
async def test_no_query_breaks_a_search(store: EpisodicMemory, query: str) -> None:
    await store.add([BORROW])
    for by in ("vector", "text"):
        assert len(await store.search(query, by=by, limit=3, access=EVERYTHING)) <= 1
    assert await store.search("borrow", by="vector", limit=0, access=EVERYTHING) == ()


async def test_sources_with_quotes_are_removed_alone(store: EpisodicMemory) -> None:
    odd = passage("Odd.", source='it\'s "x" OR 1=1 --.md')
    await store.add([BORROW, MOVE, odd])
    assert await store.remove(odd.source, domain="rust") == 1
    assert await store.remove(odd.source, domain="rust") == 0
    assert await store.remove("a.md", domain="rust") == 2
    assert await store.documents(access=EVERYTHING) == ()


async def test_get_keeps_the_order_asked_for_and_leaves_unknown_ids_out(store: EpisodicMemory) -> None:
    await store.add([BORROW, MOVE])
    assert await store.get([MOVE.id, "no' such", BORROW.id, MOVE.id], access=EVERYTHING) == (MOVE, BORROW)
    assert await store.get([], access=EVERYTHING) == ()


async def test_documents_tell_which_passages_they_have(store: EpisodicMemory) -> None:
    await store.add([BORROW, MOVE, LEVAIN])
    a, b = await store.documents(access=EVERYTHING)
    assert a == StoredDocument(source="a.md", domain="rust", fingerprint=fingerprint([MOVE.id, BORROW.id]))
    assert b == StoredDocument(source="b.md", domain="bread", fingerprint=fingerprint([LEVAIN.id]))
    assert await store.documents(access=EVERYTHING, domain="bread") == (b,)


async def test_documents_of_one_name_are_told_apart_by_owner_and_domain(store: EpisodicMemory) -> None:
    theirs = [
        passage("One text.", owner=o, domain=d) for o in (None, "ann", "ben") for d in ("rust", "bread")
    ]
    await store.add(theirs)
    assert len(await store.documents(access=EVERYTHING)) == len(theirs)
    assert await store.remove("a.md", domain="rust", owner="ann") == 1
    assert await store.remove("a.md", domain="rust") == 1
    left = {(each.owner, each.domain) for each in await store.documents(access=EVERYTHING)}
    assert left == {(None, "bread"), ("ann", "bread"), ("ben", "rust"), ("ben", "bread")}


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(access=accesses())
async def test_every_way_to_read_finds_what_may_be_read_and_nothing_else(
    store: EpisodicMemory, access: Access
) -> None:
    everything = [passage("A levain is sourdough.", owner=o, domain=d) for o in OWNERS for d in DOMAINS]
    await store.add(everything)
    readable = {p.id for p in everything if access.may_read(p.owner, p.domain)}
    for by in ("vector", "text"):
        hits = await store.search("levain", by=by, limit=100, access=access)
        assert {hit.passage.id for hit in hits} == readable
    assert {p.id for p in await store.get([p.id for p in everything], access=access)} == readable
    documents = await store.documents(access=access)
    assert {(each.owner, each.domain) for each in documents} == {
        (p.owner, p.domain) for p in everything if p.id in readable
    }


async def test_names_follow_what_is_added_and_removed(store: EpisodicMemory) -> None:
    page = passage("The engine was described by Ada Lovelace.", source="engine.md")
    await store.add([page, LEVAIN])
    names = await store.names(access=EVERYTHING)
    assert names.mentioning("ada lovelace", most=5) == [page.id]
    assert sorted(names.titled("t")) == []  # too short to be a name
    await store.remove("engine.md", domain="rust")
    assert (await store.names(access=EVERYTHING)).mentioning("ada lovelace", most=5) == []


async def test_names_show_nothing_of_what_one_may_not_read(store: EpisodicMemory) -> None:
    theirs = passage("Written by Ada Lovelace.", owner="ada").model_copy(
        update={"title": "Engine", "section": ""}
    )
    await store.add([theirs, passage("Read by Ada Lovelace.", domain="bread")])
    ada = await store.names(access=Access(owner="ada"))
    ben = await store.names(access=Access(owner="ben"))
    closed = await store.names(access=Access(owner="ada", closed=frozenset({"rust"})))
    assert len(ada.mentioning("ada lovelace", most=2)) == 2
    assert ada.titled("engine") == [theirs.id]
    assert len(ben.mentioning("ada lovelace", most=1)) == 1  # the other one does not count
    assert ben.titled("engine") == closed.titled("engine") == []
    one = await store.names(access=EVERYTHING, domain="bread")
    assert len(one.mentioning("ada lovelace", most=1)) == 1


@pytest.mark.parametrize(
    "hidden", [{"owner": "ben"}, {"domain": "law-2"}], ids=["another owner's", "of a closed domain"]
)
async def test_words_of_passages_that_one_may_not_read_change_no_score(
    store: EpisodicMemory, hidden: dict[str, str]
) -> None:
    ann = Access(owner="ann", closed=frozenset({"law-2"}))
    await store.add([passage("A gorble shines.", owner="ann"), passage("A zorble shines.", owner="ann")])
    scores = []
    for word in ("morble", "zorble"):
        texts = (f"The {word} number {n} rests." for n in range(5))
        await store.add([passage(text, source="hidden.md", **hidden) for text in texts])
        await store.maintain()  # indexes them
        scores.append([await store.scores("gorble or zorble", by=by, limit=9, access=ann) for by in SEARCHES])
        await store.remove("hidden.md", domain=hidden.get("domain", "rust"), owner=hidden.get("owner"))
    assert scores[0] == scores[1]


async def test_a_rare_word_counts_more_than_one_that_all_that_may_be_read_has(store: EpisodicMemory) -> None:
    theirs = [passage(f"A gorble shines in room {n}.", owner="ann") for n in range(9)]
    rare = passage("A zorble shines in room 9.", owner="ann")
    await store.add([*theirs, rare])
    found = await store.search("gorble or zorble", by="text", limit=20, access=Access(owner="ann"))
    assert len(found) == 10
    assert found[0].passage == rare


async def test_a_search_among_ids_finds_nothing_else(store: EpisodicMemory) -> None:
    await store.add([BORROW, MOVE, LEVAIN])
    hidden = Access(closed=frozenset({"rust"}))
    for by in ("vector", "text"):
        among = await store.scores("a loan of a value", by=by, limit=9, access=EVERYTHING, among=[MOVE.id])
        assert list(among) == [MOVE.id]
        assert await store.scores("a value", by=by, limit=9, access=hidden, among=[MOVE.id]) == {}
    assert await store.scores("a value", by="vector", limit=9, access=EVERYTHING, among=[]) == {}


@pytest.mark.services
async def test_nothing_of_a_removed_passage_is_on_the_disk_after_a_purge(tmp_path: Path) -> None:
    store = await LanceEpisodicMemory.open(tmp_path, HashingEmbedder())
    secret = passage("The safe opens with zorblequat.", source="secret.md")
    await store.add([BORROW, MOVE, secret])
    await store.remove("secret.md", domain="rust")
    await store.purge()
    files = [file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()]  # noqa: ASYNC240
    assert files
    for trace in (secret.id, "zorblequat"):
        assert not any(trace.encode() in content for content in files), trace
    assert list(await store.scores("a loan", by="text", limit=9, access=EVERYTHING)) == [BORROW.id]
    assert await store.add([BORROW]) == 0
