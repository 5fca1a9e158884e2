"""What every answer archive does, the fake and LanceDB alike."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from memory.embedding.embedder import HashingEmbedder
from memory.errors import StoreUnavailable
from memory.nights.answers import AnswerArchive
from memory.nights.lance_answers import LanceAnswerArchive
from memory.nights.volatile_answers import VolatileAnswerArchive
from memory.records.access import EVERYTHING, Access
from memory.records.knowledge import Citation
from memory.records.nights import ArchivedAnswer
from tests.support.access import DOMAINS, OWNERS, accesses


def archived(question: str, answer: str = "a loan", **fields: Any) -> ArchivedAnswer:
    return ArchivedAnswer.model_validate(
        {
            "id": f"id of {question}",
            "domain": "rust",
            "question": question,
            "answer": answer,
            "score": 9.0,
            "citations": (Citation(source="a.md", title="A", start=0, end=3, quote="abc"),),
            "source": "night1-turn1",
            "created_at": datetime(2026, 3, 1, tzinfo=UTC),
            **fields,
        }
    )


BORROW = archived("What is a borrow?")
MOVE = archived("What is a move of a value?")
LEVAIN = archived("What is a levain of sourdough?", domain="bread")


@pytest.fixture(params=["volatile", pytest.param("lance", marks=pytest.mark.services)])
async def archive(request: pytest.FixtureRequest, tmp_path: Path) -> AnswerArchive:
    if request.param == "volatile":
        return VolatileAnswerArchive(HashingEmbedder())
    return await LanceAnswerArchive.open(tmp_path / "answers", HashingEmbedder())


async def test_an_empty_archive_finds_nothing(archive: AnswerArchive) -> None:
    assert await archive.search("What is a borrow?", domain=None, limit=3, access=EVERYTHING) == ()
    assert await archive.add([]) == 0
    assert await archive.remove([]) == 0


async def test_the_same_question_comes_first_with_a_cosine_of_one(archive: AnswerArchive) -> None:
    await archive.add([BORROW, MOVE, LEVAIN])
    hits = await archive.search("what is a levain of sourdough", domain=None, limit=2, access=EVERYTHING)
    assert hits[0][0] == LEVAIN
    assert hits[0][1] == pytest.approx(1.0, abs=1e-3)
    assert 0.0 <= hits[1][1] < hits[0][1]


async def test_a_question_of_the_same_words_is_held_for_those_who_may_read_it(archive: AnswerArchive) -> None:
    assert not await archive.holds("What is a borrow?", access=EVERYTHING)
    await archive.add([BORROW, archived("Who's Ann?", owner="ann")])
    assert await archive.holds("what is a BORROW", access=EVERYTHING)
    assert not await archive.holds("What is a move?", access=EVERYTHING)
    assert not await archive.holds("What is a borrow?", access=Access(closed=frozenset({"rust"})))
    assert await archive.holds("Who's Ann?", access=Access(owner="ann"))
    assert not await archive.holds("Who's Ann?", access=Access(owner="bob"))
    await archive.remove([BORROW.id])
    assert not await archive.holds("What is a borrow?", access=EVERYTHING)


async def test_an_id_that_is_added_again_replaces_the_answer(archive: AnswerArchive) -> None:
    assert await archive.add([BORROW, MOVE]) == 2
    better = BORROW.model_copy(update={"question": "What is a lemur?", "answer": "a primate"})
    assert await archive.add([BORROW, better, LEVAIN]) == 1
    ((found, cosine),) = await archive.search("What is a lemur?", domain="rust", limit=1, access=EVERYTHING)
    assert found == better
    assert cosine == pytest.approx(1.0, abs=1e-3)
    assert len(await archive.search("What is a borrow?", domain=None, limit=9, access=EVERYTHING)) == 3


async def test_adding_the_same_from_many_tasks_stores_it_once(archive: AnswerArchive) -> None:
    added = await asyncio.gather(*(archive.add([BORROW]) for _ in range(8)))
    assert sum(added) == 1
    assert len(await archive.search("What is a borrow?", domain=None, limit=9, access=EVERYTHING)) == 1


async def test_a_domain_hides_all_others(archive: AnswerArchive) -> None:
    await archive.add([BORROW, MOVE, LEVAIN])
    hits = await archive.search(LEVAIN.question, domain="rust", limit=9, access=EVERYTHING)
    assert {answer.domain for answer, _ in hits} == {"rust"}
    assert await archive.search(LEVAIN.question, domain="x' OR '1'='1", limit=9, access=EVERYTHING) == ()


async def test_removed_answers_are_gone_and_counted_once(archive: AnswerArchive) -> None:
    odd = archived("What is odd?", id='it\'s "x" OR 1=1 --')
    await archive.add([BORROW, MOVE, odd])
    assert await archive.remove([odd.id, odd.id, "no' such"]) == 1
    assert await archive.remove([odd.id]) == 0
    found = {answer.id for answer, _ in await archive.search("odd", domain=None, limit=9, access=EVERYTHING)}
    assert found == {BORROW.id, MOVE.id}


@pytest.mark.parametrize("question", ["", "  ", '"(', "100% AND NOT *", "a'b\"c\\", "\x00", "ü" * 5000])
async def test_no_question_breaks_a_search(archive: AnswerArchive, question: str) -> None:
    await archive.add([BORROW])
    assert len(await archive.search(question, domain=None, limit=3, access=EVERYTHING)) <= 1
    assert await archive.search("What is a borrow?", domain=None, limit=0, access=EVERYTHING) == ()


@pytest.mark.services
async def test_answers_outlive_their_process_and_another_embedder_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "answers"
    await (await LanceAnswerArchive.open(folder, HashingEmbedder())).add([BORROW])
    again = await LanceAnswerArchive.open(folder, HashingEmbedder())
    assert [a for a, _ in await again.search(BORROW.question, domain=None, limit=1, access=EVERYTHING)] == [
        BORROW
    ]
    with pytest.raises(StoreUnavailable, match="embedded by another model"):
        await LanceAnswerArchive.open(folder, HashingEmbedder(dimension=8))


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(access=accesses())
async def test_a_search_finds_what_may_be_read_and_nothing_else(
    archive: AnswerArchive, access: Access
) -> None:
    everything = [
        archived("What is a levain?", id=f"{owner} {domain}", owner=owner, domain=domain)
        for owner in OWNERS
        for domain in DOMAINS
    ]
    await archive.add(everything)
    hits = await archive.search("What is a levain?", domain=None, limit=100, access=access)
    assert {hit.id for hit, _ in hits} == {
        each.id for each in everything if access.may_read(each.owner, each.domain)
    }
