"""Scores logged answers: judges every criterion, combines them, and says what is wrong."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from agent.feedback.implicit import implicit_scores, seed_weights
from agent.nights.scoring.answer_context import AnswerContext, CriterionScore
from agent.nights.scoring.checks import checks
from agent.nights.scoring.clarity import clarity
from agent.nights.scoring.correctness import correctness
from agent.nights.scoring.evidence import ScoringEvidence, TurnEvidence, standalone_question
from agent.nights.scoring.feedback import feedback
from agent.nights.scoring.relevance import relevance
from agent.nights.scoring.scorer import Scorer, reasons_against
from memory.records.interactions import Interaction
from memory.records.knowledge import Findings
from memory.records.nights import AnswerScore, Criterion

DECIMALS = 4
"""Embeddings of the same text differ by less, depending on the texts embedded with it."""
JUDGES: Mapping[Criterion, Callable[[AnswerContext], CriterionScore | None]] = {
    "correctness": correctness,
    "relevance": relevance,
    "clarity": clarity,
    "checks": checks,
    "feedback": feedback,
}


def score_turns(
    turns: Sequence[Interaction], evidence: ScoringEvidence, scorer: Scorer, *, now: datetime | None = None
) -> tuple[AnswerScore, ...]:
    """The score of each turn's answer, in their order. Blocks: it embeds texts and runs code.

    Some behaviour is inferred from a user's next turn, so `turns` should be neighbours in time. The answer
    of a turn may be another one than was logged, with the same evidence. `now` is the time on the scores; by
    default the clock's.
    """
    created_at = now or datetime.now(UTC)
    given = [each for turn in evidence.turns.values() for each in turn.feedback]
    implicit = implicit_scores(turns, given, seed_weights())
    scores = []
    for turn in turns:
        judged = judge(answer_context(turn, evidence, scorer, implicit.get(turn.id, 0.0)))
        criteria = {name: round(each.value, DECIMALS) for name, each in judged.items()}
        scores.append(
            AnswerScore(
                interaction_id=turn.id,
                value=round(scorer.score(criteria), DECIMALS),
                criteria=criteria,
                reasons=reasons_against(scorer, judged),
                scorer=scorer.label,
                created_at=created_at,
            )
        )
    return tuple(scores)


def answer_context(
    turn: Interaction, evidence: ScoringEvidence, scorer: Scorer, implicit: float = 0.0
) -> AnswerContext:
    """The turn with its evidence; a turn without any is judged without sources."""
    question = standalone_question(turn)
    found = evidence.turns.get(turn.id) or TurnEvidence(question=question, findings=Findings(query=question))
    return AnswerContext(turn, found, scorer.embedder, scorer.declines, implicit)


def judge(context: AnswerContext) -> dict[Criterion, CriterionScore]:
    """The criteria that can be judged."""
    judged = ((name, criterion(context)) for name, criterion in JUDGES.items())
    return {name: each for name, each in judged if each is not None}
