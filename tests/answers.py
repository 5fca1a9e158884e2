"""Builds judged answers for tests."""

from agent.engine import NEED_INFO
from training.evaluate import Answer, SetName


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
) -> Answer:
    """An answer in every respect but those that are given."""
    return Answer(
        group=group,
        question=question,
        references=references,
        fact_id=fact_id,
        text=text,
        right=right,
        abstained=NEED_INFO in text,
        probability=probability,
        entropy=entropy,
    )
