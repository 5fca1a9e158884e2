"""What `benchmarks.learning` keeps: one `Measured` a part, text, variant and seed, as a line of JSON each.

A line that is there is not measured again, unless it says that nothing could be measured.
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Literal

from scipy.stats import binomtest  # type: ignore[import-untyped]  # ships no types

from agent.grading import admits_ignorance
from benchmarks.learning.data import Asked, Kind
from memory.records.base import Record
from memory.records.evaluations import Evaluation

LEVEL = 0.95
"""Of all intervals, after Wilson."""

Way = Literal["base", "adapter", "read plainly", "read as told", "base with sources", "adapter with sources"]
"""How a question is put: to the base model or the adapter without sources, to the base model with the passage
that answers it in one of two prompts, or to the product's chat with the library."""
READING: tuple[Way, ...] = ("read plainly", "read as told")


class Said(Record):
    """One answer."""

    text: str
    quotes: str = ""
    """The sentences that it cites."""
    confident: bool
    """Whether chat lets it through."""
    chance: float | None = None
    """Stated chance that it is right."""


class Answered(Record):
    """One question with its answers."""

    asked: Asked
    said: dict[Way, Said]

    def right(self, way: Way) -> bool:
        """Whether it holds a right answer; where there is none, whether it is declined."""
        answer = self.said[way]
        if not self.asked.answerable:
            return not answer.confident or admits_ignorance(answer.text)
        return self.asked.holds(answer.text) or (bool(answer.quotes) and self.asked.holds(answer.quotes))


class Lesson(Record):
    """What one learn run made of a text."""

    passages: int
    facts: int
    lessons: int
    """Adapters that were trained one on top of the other, second attempts among them."""
    tokens: int
    seconds: float
    """From the documents to the served adapter, without what it takes to measure it."""
    bare_seconds: float | None = None
    """What a bare loop takes for the same tokens."""
    dropped: dict[str, int] = {}
    """Candidates that verification dropped, by reason."""
    adapter: str
    path: str
    recipe: str
    before: Evaluation
    after: Evaluation
    passed: bool
    reasons: tuple[str, ...] = ()


class Measured(Record):
    """One part's text, taught in one way with one seed, or figures that need no lesson."""

    part: str
    text: str
    variant: str = "product"
    seed: int = 0
    seconds: float
    """Of all of it."""
    lesson: Lesson | None = None
    answered: tuple[Answered, ...] = ()
    figures: dict[str, float] = {}
    failed: str = ""
    """Why nothing could be measured."""
    note: str = ""

    @property
    def key(self) -> tuple[str, str, str, int]:
        """What it is named by."""
        return self.part, self.text, self.variant, self.seed


class Share(Record):
    """So many of so many."""

    hits: int
    count: int

    @property
    def value(self) -> float:
        """The share; 0 of nothing."""
        return self.hits / self.count if self.count else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """Its 95% interval; all of [0, 1] where nothing was asked."""
        if not self.count:
            return 0.0, 1.0
        found = binomtest(self.hits, self.count).proportion_ci(confidence_level=LEVEL, method="wilson")
        return float(found.low), float(found.high)


class Kept:
    """The lines of one benchmark's home."""

    def __init__(self, path: Path) -> None:
        """Reads what is there; a line that a crash cut off is left out."""
        self._path = path
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        self._found: dict[tuple[str, str, str, int], Measured] = {}
        for line in lines:
            try:
                measured = Measured.model_validate_json(line)
            except ValueError:
                continue
            self._found[measured.key] = measured

    @property
    def all(self) -> tuple[Measured, ...]:
        """The latest of each, in the order in which they were first measured."""
        return tuple(self._found.values())

    def get(self, part: str, text: str, variant: str, seed: int) -> Measured | None:
        """The line, unless nothing was measured."""
        found = self._found.get((part, text, variant, seed))
        return None if found is None or found.failed else found

    def add(self, measured: Measured) -> None:
        """Appends a line."""
        self._found[measured.key] = measured
        self._path.parent.mkdir(parents=True, exist_ok=True)
        whole = not self._path.exists() or self._path.read_bytes()[-1:] in (b"", b"\n")
        with self._path.open("a", encoding="utf-8") as file:
            file.write(("" if whole else "\n") + measured.model_dump_json() + "\n")


def asked_of(measured: Iterable[Measured], kind: Kind) -> tuple[Answered, ...]:
    """The questions of one kind."""
    return tuple(a for each in measured for a in each.answered if a.asked.kind == kind)


def share(answered: Sequence[Answered], way: Way, count: Callable[[Answered], bool] | None = None) -> Share:
    """How many of those that were put this way are right, or for which `count` holds."""
    put = [a for a in answered if way in a.said]
    return Share(hits=sum((count or (lambda a: a.right(way)))(a) for a in put), count=len(put))
