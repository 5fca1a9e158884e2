"""Puts improved answers and golden pairs into the answer archive, where live chat finds them."""

from collections.abc import Callable, Sequence
from datetime import datetime

from agent.chat.archived_answers import without_politeness
from memory.nights.answers import AnswerArchive
from memory.records.nights import ArchivedAnswer, GoldenPair, Revision

BATCH = 50


def no_topic(_: Revision) -> str:
    """The topic where none is known."""
    return ""


async def archive_answers(
    revisions: Sequence[Revision],
    *,
    archive: AnswerArchive,
    topics_of: Callable[[Revision], str] = no_topic,
    now: datetime,
) -> int:
    """Archives the improved answers, and takes those out that a person or the reviewer refused.

    Returns how many are new; safe to repeat.
    """
    refused = [revision.id for revision in revisions if revision.status == "rejected"]
    await archive.remove(refused)
    improved = [
        ArchivedAnswer(
            id=revision.id,
            domain=revision.domain,
            question=without_politeness(revision.question) or revision.question,
            answer=revision.answer,
            topic=topics_of(revision),
            score=revision.score_after,
            citations=revision.citations,
            source=revision.id,
            created_at=now,
        )
        for revision in revisions
        if revision.status == "improved"
    ]
    return await _add(improved, archive)


async def archive_golden(pairs: Sequence[GoldenPair], *, archive: AnswerArchive, now: datetime) -> int:
    """Archives approved question and answer pairs that cite a source, and takes declined ones out.

    Returns how many are new; safe to repeat.
    """
    await archive.remove([_golden_id(pair) for pair in pairs if pair.status == "declined"])
    approved = [
        ArchivedAnswer(
            id=_golden_id(pair),
            domain=pair.domain,
            question=without_politeness(pair.question) or pair.question,
            answer=pair.answer,
            topic=pair.topic,
            score=pair.score,
            citations=pair.citations,
            source=pair.source,
            created_at=now,
        )
        for pair in pairs
        if pair.status == "approved" and pair.form == "qa" and pair.citations
    ]
    return await _add(approved, archive)


async def _add(answers: Sequence[ArchivedAnswer], archive: AnswerArchive) -> int:
    new = 0
    for first in range(0, len(answers), BATCH):
        new += await archive.add(answers[first : first + BATCH])
    return new


def _golden_id(pair: GoldenPair) -> str:
    return f"golden-{pair.id}"
