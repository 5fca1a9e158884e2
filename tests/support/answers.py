"""Graded answers for tests."""

import math

from agent.grading import admits_ignorance
from memory.records.base import Interval
from memory.records.interactions import Signals
from training.evaluate import GradedAnswer, SetName


def answer(
    text: str = "x",
    *,
    right: bool = False,
    entropy: float = 0.5,
    group: SetName = "in_distribution",
    question: str = "q",
    probability: float = 0.5,
    references: tuple[str, ...] = (),
    fact_id: str = "",
    tokens: int = 4,
) -> GradedAnswer:
    """An answer in every respect but those that are given."""
    nats = Interval(lower=entropy, upper=entropy)
    logprob = math.log(probability)
    return GradedAnswer(
        group=group,
        question=question,
        references=references,
        fact_id=fact_id,
        text=text,
        right=right,
        abstained=admits_ignorance(text),
        signals=Signals(
            first=nats, mean=nats, maximum=nats, mean_logprob=logprob, min_logprob=logprob, tokens=tokens
        ),
    )
