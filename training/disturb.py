"""Owns noise in questions: words lost, exchanged and added around the names, which stay as they are.

What is learned from disturbed questions hangs on the names and the drift, not on one wording. The base
model's own questions are disturbed too (`training.seed.material`).
"""

import random
import re
from collections.abc import Sequence
from functools import lru_cache

RATE = 0.25
"""Share of the words around the names that are touched: lost, exchanged, or followed by another."""

_WORD = re.compile(r"\S+")


def disturb(question: str, names: Sequence[str], words: Sequence[str], rng: random.Random) -> str:
    """The question with every RATE-th word outside its names lost, replaced or followed by one of `words`.

    `names` are kept whole wherever they stand, in any case. Raises ValueError without `words`.
    """
    if not words:
        raise ValueError("there are no words to disturb with")
    kept = [found.span() for found in _any_of(tuple(names)).finditer(question)]
    told: list[str] = []
    for found in _WORD.finditer(question):
        word = found.group()
        touched = rng.random() < RATE and not any(
            start < found.end() and found.start() < end for start, end in kept
        )
        way = rng.randrange(3) if touched else None
        if way == 0:
            continue
        told.append(rng.choice(words) if way == 1 else word)
        if way == 2:
            told.append(rng.choice(words))
    return " ".join(told) or question


@lru_cache(maxsize=1024)  # the names of a lesson, and each of those replayed beside it
def _any_of(names: tuple[str, ...]) -> re.Pattern[str]:
    """The longest name first, so that the shorter ones within it do not end it."""
    longest_first = sorted((name for name in names if name), key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest_first)) or r"(?!)", re.IGNORECASE)
