"""The scorer: criteria, their calibrated weights, and how these become a score from 1 to 10."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pydantic import Field

from agent.nights.scoring.answer_context import CriterionScore
from agent.nights.scoring.plain_text import word_lists_digest
from agent.nights.scoring.recent_vectors import RecentVectors
from memory.embedding.embedder import Embedder
from memory.records.base import Record, digest_of
from memory.records.nights import Criterion

CALIBRATION = Path(__file__).with_name("calibration.json")
CRITERIA: tuple[Criterion, ...] = ("correctness", "relevance", "clarity", "checks", "feedback")
NEUTRAL = 0.5
"""Value of a criterion that neither raises nor lowers the score; one that cannot be judged counts as much."""
FATAL, FATAL_SLOPE = 0.1, 1.25
"""Chance of being good, at most, of an answer with a criterion at 0, and by how much it rises with the
criterion: nothing makes up for a fatal flaw, and from .72 on a criterion is none. Of three pairs tried on the
calibration cases, (.3, 1), (.05, 1.5) and this, the first was badly calibrated and the others alike."""
CAPPING: tuple[Criterion, ...] = ("correctness", "relevance", "clarity", "checks")
"""Criteria with fatal flaws. Feedback has none: users may be wrong."""
IMPROVABLE = 0.8
"""Criteria from this value on lower a score too little to be named as a reason."""


class ScorerCalibration(Record):
    """Weights fitted on labelled answers: the log-odds that an answer is good."""

    intercept: float
    weights: Mapping[Criterion, float]
    """All at least 0, so that a better criterion never lowers the score."""
    fitted_on: str
    labels: int = Field(ge=0)
    auroc: float
    """Cross-validated by question."""
    error: float
    """Expected calibration error, cross-validated by question."""
    truth_auroc: float | None = None
    """AUROC on the truth set at the time, against which drift is measured."""


@dataclass(frozen=True)
class Scorer:
    """Scores answers; equal versions give equal scores."""

    name: str
    calibration: ScorerCalibration
    embedder: Embedder
    declines: tuple[str, ...]
    """The model's phrases for not knowing."""

    @cached_property
    def version(self) -> str:
        """Digest of all that a score depends on besides the answer and its evidence."""
        return digest_of(
            [
                self.calibration.intercept,
                dict(self.calibration.weights),
                word_lists_digest(),
                self.embedder.name,
                list(self.declines),
                [FATAL, FATAL_SLOPE],
            ]
        )[:12]

    @property
    def label(self) -> str:
        """Name and version, as logged with each score."""
        return f"{self.name}-{self.version}"

    def chance(self, criteria: Mapping[Criterion, float]) -> float:
        """Probability that an answer with these criteria is good."""
        return good_chance(self.calibration.intercept, self.calibration.weights, criteria)

    def score(self, criteria: Mapping[Criterion, float]) -> float:
        """The score, 1 to 10: linear in the chance."""
        return 1 + 9 * self.chance(criteria)


def good_chance(
    intercept: float, weights: Mapping[Criterion, float], criteria: Mapping[Criterion, float]
) -> float:
    """The logistic of the weighted criteria, capped by the worst one that may be fatal."""
    cap = min((FATAL + FATAL_SLOPE * criteria[name] for name in CAPPING if name in criteria), default=1.0)
    return min(logistic_chance(intercept, weights, criteria), cap)


def logistic_chance(
    intercept: float, weights: Mapping[Criterion, float], criteria: Mapping[Criterion, float]
) -> float:
    """The logistic of the weighted criteria, on which the weights are fitted."""
    odds = intercept + math.fsum(
        weights[name] * (value - NEUTRAL) for name, value in sorted(criteria.items())
    )
    return (1 + math.tanh(odds / 2)) / 2


def reasons_against(scorer: Scorer, judged: Mapping[Criterion, CriterionScore]) -> tuple[str, ...]:
    """What is wrong with the answer, worst first."""
    ranked = sorted(
        judged.items(), key=lambda item: (-scorer.calibration.weights[item[0]] * (1 - item[1].value), item[0])
    )
    return tuple(f"{name}: {each.reason}" for name, each in ranked if each.reason and each.value < IMPROVABLE)


def standard_scorer(embedder: Embedder, declines: Sequence[str]) -> Scorer:
    """The scorer with the shipped calibration; `declines` are the model card's."""
    calibration = ScorerCalibration.model_validate(json.loads(CALIBRATION.read_text(encoding="utf-8")))
    return Scorer("standard", calibration, RecentVectors(embedder), tuple(declines))
