"""The priority of a topic: how often it is asked for, followed up, answered badly, and missing."""

import math

from memory.records.base import Record


class PriorityWeights(Record):
    """Weights of a topic's counts; a doubled count adds its weight once."""

    asked: float
    follow_ups: float
    dissatisfied: float
    gaps: float


def priority_weights() -> PriorityWeights:
    """The weights of the service; a choice, not a measurement.

    A gap can be closed by a learn run, so it weighs most; a follow-up may be mere interest, so it weighs
    least.
    """
    return PriorityWeights(asked=1.0, follow_ups=0.5, dissatisfied=1.0, gaps=2.0)


def priority(
    *, asked: int, follow_ups: int, dissatisfied: int, gaps: int, weights: PriorityWeights | None = None
) -> float:
    """The weighted sum of log2(1 + count): a topic of a hundred questions outweighs a few with gaps, and not
    by a hundred times."""
    weights = weights or priority_weights()
    return (
        weights.asked * math.log2(1 + asked)
        + weights.follow_ups * math.log2(1 + follow_ups)
        + weights.dissatisfied * math.log2(1 + dissatisfied)
        + weights.gaps * math.log2(1 + gaps)
    )
