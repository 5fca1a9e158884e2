"""Scores a revised answer with the scorer of the night, without the feedback that the old answer got."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from agent.nights.scoring.evidence import gather_evidence
from agent.nights.scoring.score import score_turns
from agent.nights.scoring.scorer import Scorer
from memory.episodic.base import EpisodicMemory
from memory.feedback.feedback import FeedbackStore
from memory.records.access import Access
from memory.records.interactions import ChatOutcome, Interaction
from memory.records.knowledge import Citation
from memory.records.nights import AnswerScore
from memory.semantic.base import SemanticMemory

ScoreAnswer = Callable[[Interaction], Awaitable[AnswerScore]]
"""Scores one turn's answer."""


def rescoring(
    scorer: Scorer,
    *,
    episodic: EpisodicMemory,
    semantic: SemanticMemory,
    access: Access,
    feedback: FeedbackStore,
) -> ScoreAnswer:
    """Scores a turn with evidence that is gathered for it alone. The result raises StoreUnavailable."""

    async def score(turn: Interaction) -> AnswerScore:
        evidence = await gather_evidence(
            [turn], episodic=episodic, semantic=semantic, access=access, feedback=feedback
        )
        (scored,) = await asyncio.to_thread(score_turns, [turn], evidence, scorer)
        return scored

    return score


def with_answer(
    turn: Interaction, answer: str, citations: Sequence[Citation], outcome: ChatOutcome
) -> Interaction:
    """The turn with another answer, under an id that no feedback belongs to."""
    return turn.model_copy(
        update={
            "id": f"{turn.id}-revised",
            "answer": answer,
            "citations": tuple(citations),
            "outcome": outcome,
            "sources_disagree": False,
        }
    )
