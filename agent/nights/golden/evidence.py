"""Gathers the evidence for golden pairs: the passages that high-rated and revised answers rest on."""

from collections.abc import Mapping, Sequence

from agent.nights.scoring.evidence import ScoringEvidence, gather_evidence
from memory.episodic.base import EpisodicMemory
from memory.feedback.feedback import FeedbackStore
from memory.records.access import Access
from memory.records.interactions import Interaction
from memory.records.nights import AnswerScore, Revision
from memory.semantic.base import SemanticMemory


async def gather_golden_evidence(
    turns: Sequence[Interaction],
    scores: Mapping[str, AnswerScore],
    revisions: Sequence[Revision],
    *,
    episodic: EpisodicMemory,
    semantic: SemanticMemory,
    access: Access,
    feedback: FeedbackStore,
) -> ScoringEvidence:
    """The evidence of the turns that may become golden, with what their revisions cite. Raises
    StoreUnavailable."""
    revised = {each.interaction_id: each for each in revisions if each.status == "improved"}
    relevant = []
    for turn in turns:
        if revision := revised.get(turn.id):
            cited = tuple(dict.fromkeys((*turn.citations, *revision.citations)))
            relevant.append(turn.model_copy(update={"citations": cited}))
        elif turn.id in scores and scores[turn.id].bracket == "high":
            relevant.append(turn)
    return await gather_evidence(
        relevant, episodic=episodic, semantic=semantic, access=access, feedback=feedback
    )
