"""Finds: where in a text personal data is, of which type, and how certain that is."""

from collections.abc import Iterable
from typing import NamedTuple


class Find(NamedTuple):
    """Personal data at `start` to `end` of a text."""

    start: int
    end: int
    score: float
    type: str


def merged(finds: Iterable[Find]) -> list[Find]:
    """Finds that do not overlap: those that do become one, of the type with the highest score."""
    separate: list[Find] = []
    for find in sorted(finds):
        if separate and find.start < separate[-1].end:
            before = separate[-1]
            best = max(before, find, key=lambda each: each.score)
            separate[-1] = Find(before.start, max(before.end, find.end), best.score, best.type)
        else:
            separate.append(find)
    return separate
