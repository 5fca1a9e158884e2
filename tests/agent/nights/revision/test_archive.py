"""Improved answers and golden pairs are archived; refused ones are taken out again."""

from typing import Any

from agent.nights.revision.archive import archive_answers, archive_golden
from memory.nights.volatile_answers import VolatileAnswerArchive
from memory.records.access import EVERYTHING
from memory.records.knowledge import Citation
from memory.records.nights import GoldenPair, Revision
from tests.support.interactions import NOON
from tests.support.revision import EMBEDDER, LOAD, QUESTION

CITED = (Citation(source="0.md", title="Cranes", start=0, end=len(LOAD), quote=LOAD),)


def revision(**fields: Any) -> Revision:
    return Revision.model_validate(
        {
            "id": "n1-i1",
            "night_id": "n1",
            "interaction_id": "i1",
            "domain": "cranes",
            "question": QUESTION,
            "before": "It is 95 kilograms.",
            "answer": LOAD,
            "strategy": "quote",
            "score_before": 2.0,
            "score_after": 8.0,
            "citations": CITED,
            "attempts": 1,
            "status": "improved",
            "created_at": NOON,
            **fields,
        }
    )


def golden(**fields: Any) -> GoldenPair:
    return GoldenPair.model_validate(
        {
            "id": "g1",
            "night_id": "n1",
            "domain": "cranes",
            "form": "qa",
            "question": QUESTION,
            "answer": LOAD,
            "citations": CITED,
            "source": "i2",
            "score": 9.0,
            "status": "approved",
            "created_at": NOON,
            **fields,
        }
    )


async def archived_ids(archive: VolatileAnswerArchive) -> set[str]:
    return {
        answer.id for answer, _ in await archive.search(QUESTION, domain=None, limit=50, access=EVERYTHING)
    }


async def test_improved_answers_are_archived_with_domain_topic_score_and_provenance() -> None:
    archive = VolatileAnswerArchive(EMBEDDER)
    found = [revision(), revision(id="n1-i2", status="no_better")]
    assert await archive_answers(found, archive=archive, topics_of=lambda _: "load", now=NOON) == 1
    ((answer, _),) = await archive.search(QUESTION, domain="cranes", limit=5, access=EVERYTHING)
    assert (answer.answer, answer.topic, answer.score) == (LOAD, "load", 8.0)
    assert (answer.source, answer.citations) == ("n1-i1", CITED)


async def test_archiving_again_adds_nothing() -> None:
    archive = VolatileAnswerArchive(EMBEDDER)
    many = [revision(id=f"n1-i{n}") for n in range(120)]
    assert await archive_answers(many, archive=archive, now=NOON) == 120
    assert await archive_answers(many, archive=archive, now=NOON) == 0


async def test_an_answer_that_a_person_refuses_is_taken_out() -> None:
    archive = VolatileAnswerArchive(EMBEDDER)
    await archive_answers([revision()], archive=archive, now=NOON)
    await archive_answers([revision(status="rejected", decided_by="Ann")], archive=archive, now=NOON)
    assert await archived_ids(archive) == set()


async def test_only_approved_and_cited_questions_and_answers_are_archived_of_golden_pairs() -> None:
    archive = VolatileAnswerArchive(EMBEDDER)
    pairs = [
        golden(),
        golden(id="g2", status="waiting"),
        golden(id="g3", form="instruction"),
        golden(id="g4", citations=()),
    ]
    assert await archive_golden(pairs, archive=archive, now=NOON) == 1
    assert await archived_ids(archive) == {"golden-g1"}
    await archive_golden([golden(status="declined")], archive=archive, now=NOON)
    assert await archived_ids(archive) == set()
