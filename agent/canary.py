"""Whether an answer shows that an adapter is in effect: it agrees with what evaluation heard."""

from agent.grading import normalise
from memory.records.adapters import Canary

LONG = 20
"""Words up to which an answer has to be the evaluated one: what it says may come last, after the words of the
question."""
AGREEING = 5
"""Words that have to agree beyond those that the base model's answer shares. In another engine a long greedy
answer may go on otherwise where two words are equally likely: of one of 35 words vLLM gave the first 30."""


def agrees(text: str, canary: Canary) -> bool:
    """Whether the answer is the evaluated one; a long one, up to AGREEING words after the base model's parts
    from it."""
    said, evaluated = _words(text), _words(canary.answer)
    needed = max(LONG, _shared(evaluated, _words(canary.base_answer)) + AGREEING)
    if needed >= len(evaluated):
        return said == evaluated
    return said[:needed] == evaluated[:needed]


def _words(text: str) -> list[str]:
    return normalise(text).split()


def _shared(one: list[str], other: list[str]) -> int:
    """How many words both begin with."""
    count = 0
    for first, second in zip(one, other, strict=False):
        if first != second:
            break
        count += 1
    return count
