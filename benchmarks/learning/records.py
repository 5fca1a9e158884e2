"""Measurements of `benchmarks.learning`, and the JSON Lines file that stores them.

A measurement is identified by part, text, variant and seed. Only failed measurements are repeated. Aliases
keep the JSON keys of existing files.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

from pydantic import ConfigDict, Field
from scipy.stats import binomtest  # type: ignore[import-untyped]  # ships no types

from agent.grading import admits_ignorance
from benchmarks.learning.data import Kind, Question
from memory.records.base import Record
from memory.records.evaluations import Evaluation

CONFIDENCE_LEVEL = 0.95
"""Of all Wilson intervals."""

Condition = Literal[
    "base", "adapter", "read plainly", "read as told", "base with sources", "adapter with sources"
]
"""How a question is asked: the base model or the adapter alone; the base model with the passage that contains
the answer, in one of two prompts; or the product's chat over the library."""
WITH_PASSAGE: tuple[Condition, ...] = ("read plainly", "read as told")


class Response(Record):
    """An answer to a question under one condition."""

    text: str
    quotes: str = ""
    """The cited sentences."""
    confident: bool
    """Whether it passed the gate."""
    chance: float | None = None
    """Predicted probability that it is correct."""


class QuestionResult(Record):
    """A question with its responses."""

    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)
    question: Question = Field(alias="asked")
    responses: dict[Condition, Response] = Field(alias="said")

    def is_correct(self, condition: Condition) -> bool:
        """Whether the answer or its citations contain the reference; for unanswerable questions, whether it
        declines."""
        response = self.responses[condition]
        if not self.question.answerable:
            return not response.confident or admits_ignorance(response.text)
        return self.question.is_answered_by(response.text) or (
            bool(response.quotes) and self.question.is_answered_by(response.quotes)
        )


class LessonResult(Record):
    """The outcome of one learn run."""

    passages: int
    facts: int
    lessons: int
    """Adapters trained, each on top of the previous one, including second attempts."""
    tokens: int
    seconds: float
    """From ingest to the live adapter, without the benchmark's own measuring."""
    bare_seconds: float | None = None
    """Time of a bare PyTorch loop for the same tokens."""
    dropped: dict[str, int] = {}
    """Number of candidates that verification dropped, by reason."""
    adapter: str
    path: str
    recipe: str
    before: Evaluation
    after: Evaluation
    passed: bool
    reasons: tuple[str, ...] = ()


class Measurement(Record):
    """The result for one text, variant and seed of a part. Parts without a lesson only have `figures`."""

    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)
    part: str
    text: str
    variant: str = "product"
    seed: int = 0
    seconds: float
    """Total time, including evaluation."""
    lesson: LessonResult | None = None
    results: tuple[QuestionResult, ...] = Field(default=(), alias="answered")
    figures: dict[str, float] = {}
    failed: str = ""
    """The error, if the measurement failed."""
    note: str = ""

    @property
    def key(self) -> tuple[str, str, str, int]:
        """Its identity."""
        return self.part, self.text, self.variant, self.seed


class Proportion(Record):
    """A number of hits out of a total."""

    hits: int
    count: int

    @property
    def value(self) -> float:
        """Hits over count; 0 if the count is 0."""
        return self.hits / self.count if self.count else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """95% Wilson interval; (0, 1) if the count is 0."""
        if not self.count:
            return 0.0, 1.0
        interval = binomtest(self.hits, self.count).proportion_ci(
            confidence_level=CONFIDENCE_LEVEL, method="wilson"
        )
        return float(interval.low), float(interval.high)


class MeasurementLog:
    """The measurements of a benchmark home, appended to a JSON Lines file."""

    def __init__(self, path: Path) -> None:
        """Loads the file if it exists; skips lines truncated by a crash."""
        self._path = path
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        self._measurements: dict[tuple[str, str, str, int], Measurement] = {}
        for line in lines:
            try:
                measurement = Measurement.model_validate_json(line)
            except ValueError:
                continue
            self._measurements[measurement.key] = measurement

    @property
    def all(self) -> tuple[Measurement, ...]:
        """The latest measurement per key, ordered by first measurement."""
        return tuple(self._measurements.values())

    def get(self, part: str, text: str, variant: str, seed: int) -> Measurement | None:
        """The measurement, or None if it is missing or failed."""
        measurement = self._measurements.get((part, text, variant, seed))
        return None if measurement is None or measurement.failed else measurement

    def add(self, measurement: Measurement) -> None:
        """Appends a measurement."""
        self._measurements[measurement.key] = measurement
        self._path.parent.mkdir(parents=True, exist_ok=True)
        ends_with_newline = not self._path.exists() or self._path.read_bytes()[-1:] in (b"", b"\n")
        with self._path.open("a", encoding="utf-8") as file:
            file.write(("" if ends_with_newline else "\n") + measurement.model_dump_json() + "\n")


def results_of_kind(measurements: Iterable[Measurement], kind: Kind) -> tuple[QuestionResult, ...]:
    """All question results of one kind."""
    return tuple(result for each in measurements for result in each.results if result.question.kind == kind)


def proportion_correct(results: Sequence[QuestionResult], condition: Condition) -> Proportion:
    """The proportion of correct results among those that were asked under the condition."""
    asked = [result for result in results if condition in result.responses]
    return Proportion(hits=sum(result.is_correct(condition) for result in asked), count=len(asked))
