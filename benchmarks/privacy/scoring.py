"""Scores found spans against labelled ones: of one type, one to one, with an overlap of at least half."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

MIN_OVERLAP = 0.5
"""Intersection over union from which two spans count as the same."""


class Span(NamedTuple):
    """Personal data in a text."""

    start: int
    end: int
    type: str


class Counts(NamedTuple):
    """Spans of a type: found rightly, found wrongly, and missed."""

    right: int = 0
    wrong: int = 0
    missed: int = 0

    @property
    def recall(self) -> float | None:
        """Share of the labelled spans that were found; None if there are none."""
        labelled = self.right + self.missed
        return self.right / labelled if labelled else None

    @property
    def precision(self) -> float | None:
        """Share of the found spans that are labelled; None if none was found."""
        found = self.right + self.wrong
        return self.right / found if found else None

    @property
    def f2(self) -> float | None:
        """The F-measure in which recall counts twice as much as precision."""
        total = 5 * self.right + 4 * self.missed + self.wrong
        return 5 * self.right / total if total else None


def count(pairs: Iterable[tuple[Sequence[Span], Sequence[Span]]], types: Iterable[str]) -> dict[str, Counts]:
    """The counts of each type over texts, each with its labelled and its found spans."""
    right, wrong, missed = Counter[str](), Counter[str](), Counter[str]()
    for labelled, found in pairs:
        open_spans = list(labelled)
        for span in found:
            same = [each for each in open_spans if each.type == span.type]
            best = max(same, key=lambda each: overlap(each, span), default=None)
            if best is not None and overlap(best, span) >= MIN_OVERLAP:
                open_spans.remove(best)
                right[span.type] += 1
            else:
                wrong[span.type] += 1
        missed.update(span.type for span in open_spans)
    return {type: Counts(right[type], wrong[type], missed[type]) for type in types}


def total(counts: Iterable[Counts]) -> Counts:
    """The counts of several types together."""
    return Counts(*map(sum, zip(*counts, strict=True)))


def overlap(one: Span, other: Span) -> float:
    """Intersection over union."""
    shared = min(one.end, other.end) - max(one.start, other.start)
    return max(0, shared) / (max(one.end, other.end) - min(one.start, other.start))


def is_held_out(text: str) -> bool:
    """Whether the text is in the half whose errors nobody looked at."""
    return hashlib.sha256(text.encode()).digest()[0] % 2 == 1
