"""Revises one low answer: tries strategies until one gives a better answer that the sources support.

An answer that the sources support already is left alone, and a question that they do not answer stays
unanswered.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from langchain_core.messages import BaseMessage

from agent.chat.abstention import reply_language
from agent.chat.answer_from_sources import AskModel
from agent.chat.conversation import messages_from_pairs
from agent.chat.followup import make_standalone
from agent.chat.sentence_candidates import SentenceCandidate
from agent.learning.critique import Judge
from agent.models.card import ModelCard
from agent.nights.revision.critique import critique_of, failed_draft
from agent.nights.revision.lessons import Lessons
from agent.nights.revision.rescoring import ScoreAnswer, with_answer
from agent.nights.revision.review import refusal
from agent.nights.revision.sources import Sources, find_sources
from agent.nights.revision.strategies import strategies_named
from agent.nights.revision.task import Draft, RevisionTask, SearchSources
from agent.nights.revision.verification import Verified, is_whole, verify
from memory.embedding.embedder import Embedder
from memory.episodic.base import EpisodicMemory
from memory.nights.answers import AnswerArchive
from memory.records.access import Access
from memory.records.base import Domain
from memory.records.interactions import Interaction
from memory.records.knowledge import Citation
from memory.records.nights import AnswerScore, Revision, RevisionStatus
from memory.semantic.base import SemanticMemory

MIN_GAIN = 1.0
"""Points, of 1 to 10, by which a revision has to beat the answer."""
EXAMPLES = 2
"""Earlier good answers shown to the model."""
SIMILAR = 0.5
"""Least cosine of their questions."""


@dataclass(frozen=True)
class RevisionDeps:
    """What revisions need; one for a whole night, so that lessons are shared."""

    ask: AskModel
    score: ScoreAnswer
    episodic: EpisodicMemory
    semantic: SemanticMemory
    access: Access
    """What the night may read."""
    embedder: Embedder
    card: ModelCard
    lessons: Lessons
    archive: AnswerArchive | None = None
    """Earlier good answers."""
    reviewer: Judge | None = None
    """Another model that may refuse a revision."""

    async def find(self, question: str, query: str | None = None) -> Sources:
        """The library's sentences that may answer the question."""
        return await find_sources(
            question,
            query=query,
            episodic=self.episodic,
            semantic=self.semantic,
            access=self.access,
            embedder=self.embedder,
        )


async def revise_turn(
    turn: Interaction,
    score: AnswerScore,
    deps: RevisionDeps,
    *,
    night_id: str,
    strategies: Sequence[str] = (),
    attempts: int = 3,
    now: datetime,
) -> Revision:
    """Tries at most `attempts` of the strategies, or of the default order, and tells what came of it.

    Raises ValueError for an unknown strategy, StoreUnavailable, and what `deps.ask`, `deps.score` and the
    reviewer raise.
    """
    tried = strategies_named(strategies, deps.card)[:attempts]
    messages = conversation_of(turn)
    question, language = make_standalone(messages).text, reply_language(messages)
    outcome = _Outcome(night_id, turn, turn.domain, question, score, now)
    sources = await deps.find(question)
    if not sources.likely:
        return outcome.revision("no_better", critique="The sources do not answer the question.")
    if disputed := sources.disputed:
        one, two = (candidate.reading for candidate in disputed)
        return outcome.revision(
            "needs_person",
            critique=f"The sources contradict each other: \u201c{one}\u201d and \u201c{two}\u201d",
            citations=tuple(candidate.citation for candidate in disputed),
        )
    abstained = turn.outcome == "abstained"
    if not abstained and await _is_right(turn.answer, question, language, sources, deps):
        return outcome.revision("no_better", critique="The sources support the answer.")
    critique = await asyncio.to_thread(
        critique_of,
        question,
        turn.answer,
        sources.likely,
        reasons=score.reasons,
        abstained=abstained,
        declines=deps.card.declines,
    )
    task = RevisionTask(
        question=question,
        before="" if abstained else turn.answer,
        critique=critique,
        sources=sources.likely,
        language=language,
        context=deps.card.context,
        declines=deps.card.declines,
        examples=await _examples(question, turn.domain, deps),
        search=_searcher(question, deps),
    )
    # Feedback on the old answer says nothing about a new one, so the two are compared without it.
    without_feedback = await deps.score(with_answer(turn, turn.answer, turn.citations, turn.outcome))
    least = max(score.value, without_feedback.value) + MIN_GAIN
    for name, strategy in tried:
        lessons = await asyncio.to_thread(deps.lessons.recall, question)
        draft = await strategy(replace(task, lessons=lessons), deps.ask)
        await asyncio.to_thread(deps.lessons.keep, question, draft.lessons)
        outcome.add(draft)
        verified = await _verified(draft, task, deps)
        if verified is None:
            task = replace(task, critique=failed_draft(critique, draft.text))
            continue
        again = await deps.score(
            with_answer(turn, verified.text, verified.citations, "answered_from_sources")
        )
        refused = None
        if again.value >= least and deps.reviewer is not None:
            refused = await refusal(question, verified, sources.likely, deps.reviewer)
        if outcome.consider(name, verified, again.value, least, refused):
            break
    return outcome.end(critique, exhausted=len(tried) == attempts)


def conversation_of(turn: Interaction) -> list[BaseMessage]:
    """The logged conversation, ending with the user's question."""
    pairs = [(message.role, message.content) for message in turn.messages]
    return messages_from_pairs(pairs or [("user", turn.question)])


@dataclass
class _Outcome:
    """What the attempts on one answer have come to."""

    night_id: str
    turn: Interaction
    domain: Domain
    question: str
    score: AnswerScore
    now: datetime
    attempts: int = 0
    tokens: int = 0
    status: RevisionStatus | None = None
    """Of the best verified draft; None while there is none."""
    strategy: str = ""
    best: Verified | None = None
    value: float = 0.0
    refusal: str = ""

    def add(self, draft: Draft) -> None:
        """Counts an attempt."""
        self.attempts += 1
        self.tokens += draft.tokens

    def consider(
        self, strategy: str, verified: Verified, value: float, least: float, refused: str | None
    ) -> bool:
        """Keeps the draft if it is the best so far; whether it is good enough to stop."""
        status: RevisionStatus = "no_better" if value < least else "rejected" if refused else "improved"
        if self.status is None or (_RANK[status], value) > (_RANK[self.status], self.value):
            self.status, self.strategy, self.best, self.value = status, strategy, verified, value
            self.refusal = refused or ""
        return status == "improved"

    def end(self, critique: str, *, exhausted: bool) -> Revision:
        """The revision after the last attempt. `exhausted`: as many as are allowed were made."""
        if self.status is None or self.best is None:
            return self.revision("needs_person" if exhausted else "unverified", critique=critique)
        if self.status == "no_better":
            return self.revision("no_better", critique=critique, strategy=self.strategy, value=self.value)
        return self.revision(
            self.status,
            critique=f"{critique} The reviewer refused it: {self.refusal}" if self.refusal else critique,
            answer=self.best.text,
            strategy=self.strategy,
            value=self.value,
            citations=self.best.citations,
        )

    def revision(
        self,
        status: RevisionStatus,
        *,
        critique: str,
        answer: str | None = None,
        strategy: str = "",
        value: float | None = None,
        citations: tuple[Citation, ...] = (),
    ) -> Revision:
        """The record; without an answer, that of the turn."""
        return Revision(
            id=f"{self.night_id}-{self.turn.id}",
            night_id=self.night_id,
            interaction_id=self.turn.id,
            domain=self.domain,
            question=self.question,
            before=self.turn.answer,
            answer=self.turn.answer if answer is None else answer,
            strategy=strategy,
            critique=critique,
            score_before=self.score.value,
            score_after=self.score.value if value is None else value,
            citations=citations,
            attempts=self.attempts,
            tokens=self.tokens,
            status=status,
            created_at=self.now,
        )


_RANK: dict[RevisionStatus, int] = {"no_better": 0, "rejected": 1, "improved": 2}


async def _is_right(answer: str, question: str, language: str, sources: Sources, deps: RevisionDeps) -> bool:
    """Whether the sources support every statement of the answer."""
    verified = await asyncio.to_thread(
        verify,
        question,
        answer,
        sources.ranked,
        language=language,
        embedder=deps.embedder,
        declines=deps.card.declines,
    )
    return verified is not None and is_whole(verified, answer)


async def _verified(draft: Draft, task: RevisionTask, deps: RevisionDeps) -> Verified | None:
    """The supported part of the draft, by the task's sources and what the strategy found itself."""
    ranked = sorted({*task.sources, *draft.found}, key=lambda candidate: -candidate.score)
    return await asyncio.to_thread(
        verify,
        task.question,
        draft.text,
        ranked,
        language=task.language,
        embedder=deps.embedder,
        declines=task.declines,
    )


async def _examples(question: str, domain: Domain, deps: RevisionDeps) -> tuple[tuple[str, str], ...]:
    if deps.archive is None:
        return ()
    hits = await deps.archive.search(question, domain=domain, limit=EXAMPLES, access=deps.access)
    return tuple((answer.question, answer.answer) for answer, cosine in hits if cosine >= SIMILAR)


def _searcher(question: str, deps: RevisionDeps) -> SearchSources:
    async def search(query: str) -> Sequence[SentenceCandidate]:
        return (await deps.find(question, query)).likely

    return search
