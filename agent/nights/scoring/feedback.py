"""Feedback: what users' ratings, votes and behaviour say about the answer."""

import math

from agent.nights.scoring.answer_context import AnswerContext, CriterionScore
from memory.records.base import Record

NOTHING_KNOWN = 0.5
LOWEST_REASON = 0.4
"""Value below which the reason is given."""


class ExplicitWeights(Record):
    """Weights of explicit feedback beside those of the implicit score."""

    vote: float
    star: float
    """Per star above or below the middle one."""
    scale: float
    """The sum at which the value is .88, half-way between nothing known and certainty being .73."""


def explicit_weights() -> ExplicitWeights:
    """A vote counts more than anything that a user does in passing, except a report (-5): see `implicit`.

    The numbers are chosen, not fitted: one vote and nothing else gives .82 or .18.
    """
    return ExplicitWeights(vote=3.0, star=1.5, scale=4.0)


def feedback(context: AnswerContext) -> CriterionScore | None:
    """The sum of the signals on a scale from 0 to 1; None if nothing is known."""
    weights = explicit_weights()
    total = context.implicit
    explicit = False
    for each in context.evidence.feedback:
        if each.value is not None and each.kind in ("vote", "rating"):
            explicit = True
            total += weights.vote * each.value if each.kind == "vote" else weights.star * (each.value - 3.0)
    if not explicit and total == 0:
        return None
    value = NOTHING_KNOWN + NOTHING_KNOWN * math.tanh(total / weights.scale)
    return CriterionScore(value=value, reason="" if value >= LOWEST_REASON else "users disliked it")
