"""Puts improved answers and golden pairs into the answer archive, where live chat finds them."""

from collections.abc import Callable, Sequence
from datetime import datetime

from agent.chat.archived_answers import without_politeness
from agent.nights.privacy import is_about_user
from agent.nights.scoring.evidence import is_statement
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

    Answers about a user are not archived. Returns how many are new; safe to repeat.
    """
    refused = [each.id for each in revisions if each.status == "rejected" or _is_private(each)]
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
            owner=_owner(revision),
            source=revision.id,
            created_at=now,
        )
        for revision in revisions
        if revision.status == "improved" and revision.id not in refused
    ]
    return await _add(improved, archive)


async def archive_golden(pairs: Sequence[GoldenPair], *, archive: AnswerArchive, now: datetime) -> int:
    """Archives approved question and answer pairs that cite a source, and takes out what was declined or
    withdrawn.

    Pairs about a user are not archived. Returns how many are new; safe to repeat.
    """
    refused = [pair.id for pair in pairs if pair.status in ("declined", "withdrawn") or _is_private(pair)]
    await archive.remove([_golden_id(id) for id in refused])
    approved = [
        ArchivedAnswer(
            id=_golden_id(pair.id),
            domain=pair.domain,
            question=without_politeness(pair.question) or pair.question,
            answer=pair.answer,
            topic=pair.topic,
            score=pair.score,
            citations=pair.citations,
            owner=_owner(pair),
            source=pair.source,
            created_at=now,
        )
        for pair in pairs
        if pair.status == "approved" and pair.form == "qa" and pair.citations and pair.id not in refused
    ]
    return await _add(approved, archive)


async def _add(answers: Sequence[ArchivedAnswer], archive: AnswerArchive) -> int:
    new = 0
    for first in range(0, len(answers), BATCH):
        new += await archive.add(answers[first : first + BATCH])
    return new


def _golden_id(id: str) -> str:
    return f"golden-{id}"


def _owner(answer: Revision | GoldenPair) -> str | None:
    """Owner of the private documents that it cites, if any."""
    return next((each.owner for each in answer.citations if each.owner is not None), None)


def _is_private(answer: Revision | GoldenPair) -> bool:
    """Whether the answer is about a user: the archive answers everybody."""
    return is_about_user(answer.question) or any(map(is_statement, answer.citations))
