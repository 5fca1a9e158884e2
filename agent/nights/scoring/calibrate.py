"""Calibrates the scorer on graded answers: `python -m agent.nights.scoring.calibrate`.

Run it after changing a criterion, the word lists or the cases; it writes `calibration.json` and prints the
cross-validated figures.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize  # type: ignore[import-untyped]
from sklearn.model_selection import GroupKFold  # type: ignore[import-untyped]

from agent.chat.calibration import auroc, calibration_error
from agent.grading import DECLINE_PHRASES
from agent.nights.scoring.evidence import ScoringEvidence
from agent.nights.scoring.recent_vectors import RecentVectors
from agent.nights.scoring.score import answer_context, judge
from agent.nights.scoring.scorer import (
    CALIBRATION,
    CRITERIA,
    Scorer,
    ScorerCalibration,
    good_chance,
    logistic_chance,
)
from agent.nights.scoring.style_bias import style_bias
from agent.nights.scoring.truth_set import TruthItem, truth_items, truth_set_report
from memory.embedding.embedder import Embedder, SentenceEmbedder
from memory.records.base import Record
from memory.records.nights import Criterion

CASES = Path(__file__).with_name("calibration_cases.jsonl")
FOLDS = 5
PENALTY = 0.0005
"""L2 penalty on each weight, per label; weights would grow without bound if labels can be separated."""
LARGEST_WEIGHT = 8.0
MINIMUM_LABELS = 40
DECIMALS = 4
SURE = 1e-6

Floats = NDArray[np.float64]


class CriteriaLabel(Record):
    """The judged criteria of an answer, and whether it is good; labels of one question share a group."""

    group: str
    criteria: dict[Criterion, float]
    good: bool


def calibrate(labels: Sequence[CriteriaLabel], *, fitted_on: str) -> ScorerCalibration:
    """Fits the weights, and measures them on questions that the fit has not seen.

    A logistic regression with weights of at least 0, which keeps every score monotone in every criterion;
    scikit-learn's has no such bounds. Raises ValueError for too few labels, or labels of one kind.
    """
    good = np.asarray([label.good for label in labels], bool)
    groups = [label.group for label in labels]
    if len(labels) < MINIMUM_LABELS or good.all() or not good.any() or len(set(groups)) < FOLDS:
        raise ValueError(
            f"a calibration needs {MINIMUM_LABELS} graded answers, good and bad ones, to {FOLDS} questions"
        )
    stated = np.zeros(len(labels))
    for rest, unseen in GroupKFold(FOLDS).split(labels, groups=groups):
        intercept, weights = fit([labels[i] for i in rest])
        stated[unseen] = [good_chance(intercept, weights, labels[i].criteria) for i in unseen]
    intercept, weights = fit(labels)
    measured = auroc(stated, good)
    assert measured is not None
    return ScorerCalibration(
        intercept=round(intercept, DECIMALS),
        weights={name: round(weight, DECIMALS) for name, weight in weights.items()},
        fitted_on=fitted_on,
        labels=len(labels),
        auroc=round(measured, DECIMALS),
        error=round(calibration_error(stated, good), DECIMALS),
    )


def fit(labels: Sequence[CriteriaLabel]) -> tuple[float, Mapping[Criterion, float]]:
    """Intercept and weights with the least log loss, without the cap, which would hide the weights."""
    good = np.asarray([label.good for label in labels], float)

    def loss(values: Floats) -> float:
        weights = dict(zip(CRITERIA, map(float, values[1:]), strict=True))
        chances = [logistic_chance(float(values[0]), weights, label.criteria) for label in labels]
        sure = np.clip(chances, SURE, 1 - SURE)
        log_loss = -np.mean(good * np.log(sure) + (1 - good) * np.log(1 - sure))
        return float(log_loss + PENALTY * np.sum(values[1:] ** 2))

    start = np.concatenate([[0.0], np.full(len(CRITERIA), 2.0)])
    bounds = [(-LARGEST_WEIGHT, LARGEST_WEIGHT), *[(0.0, LARGEST_WEIGHT)] * len(CRITERIA)]
    found = minimize(loss, start, method="L-BFGS-B", bounds=bounds)
    return float(found.x[0]), dict(zip(CRITERIA, map(float, found.x[1:]), strict=True))


def labels_of(items: Sequence[TruthItem], embedder: Embedder) -> list[CriteriaLabel]:
    """Judges the items' criteria. Blocks: it embeds texts and runs code."""
    scorer = Scorer("unfitted", _unfitted(), embedder, DECLINE_PHRASES)
    labels = []
    for item in items:
        evidence = ScoringEvidence(turns={item.turn.id: item.evidence})
        judged = judge(answer_context(item.turn, evidence, scorer))
        values = {name: each.value for name, each in judged.items()}
        labels.append(CriteriaLabel(group=item.case, criteria=values, good=item.good))
    return labels


def _unfitted() -> ScorerCalibration:
    return ScorerCalibration(
        intercept=0.0,
        weights=dict.fromkeys(CRITERIA, 1.0),
        fitted_on="nothing",
        labels=0,
        auroc=0.5,
        error=1.0,
    )


def main() -> None:
    embedder = RecentVectors(SentenceEmbedder())
    cases = truth_items(CASES)
    fitted_on = f"{len(cases)} graded answers of {CASES.name}"
    calibration = calibrate(labels_of(cases, embedder), fitted_on=fitted_on)
    scorer = Scorer("standard", calibration, embedder, DECLINE_PHRASES)
    report = truth_set_report(scorer)
    scorer = replace(
        scorer, calibration=calibration.model_copy(update={"truth_auroc": round(report.auroc, 4)})
    )
    CALIBRATION.write_text(scorer.calibration.model_dump_json(indent=2) + "\n", encoding="utf-8")
    out = sys.stdout
    out.write(f"{fitted_on}: cross-validated AUROC {calibration.auroc:.3f}, error {calibration.error:.3f}\n")
    out.write(f"weights {dict(calibration.weights)}, intercept {calibration.intercept}\n")
    by_criterion = ", ".join(f"{name} {value:.3f}" for name, value in report.auroc_by_criterion.items())
    out.write(f"truth set, {report.items} answers: AUROC {report.auroc:.3f} ({by_criterion}),")
    out.write(f" error {report.error:.3f}, good {report.mean_good:.2f}, bad {report.mean_bad:.2f}\n")
    for name, shift in style_bias(scorer, truth_items()).items():
        out.write(f"style {name}: {shift:+.2f} points\n")


if __name__ == "__main__":
    main()
