"""Calibration of the gate: graded answers in, an `AnswerGate` out.

One half of the questions fits a logistic regression per answer form, the other half chooses its threshold, so
that the promise is about answers that the regression never saw.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom, rankdata  # type: ignore[import-untyped]
from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]  # ships no types
from sklearn.model_selection import GroupKFold, GroupShuffleSplit  # type: ignore[import-untyped]

from agent.chat.gate import FEATURES, features
from memory.records import AnswerForm, AnswerGate, FormGate, LogisticModel, Signals

RISK, DELTA = 0.4, 0.1
"""The default promise. The smallest models know so little that of their surest answers a third is wrong: a
stricter one would let nothing through. Larger models keep it with more coverage, and may promise more."""
START = 0.7
"""The strictest threshold lets through enough answers to pass if the true risk is this share of the bound."""
FORMS: tuple[AnswerForm, ...] = ("short", "sentence", "long")
FOLDS = 5
LEAST_OF_EACH = 10
"""Right and wrong answers, of each, below which no regression is fitted."""
STRENGTH = 0.3
"""Inverse of the L2 penalty (scikit-learn's C): features are standardised and tell much the same."""
BINS = 10
STEPS = 40
"""Thresholds that are tried, at most."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Label:
    """A graded answer; those to wordings of one question share a `group`.

    Answers that decline are no labels: they are unsure whatever their signals.
    """

    group: str
    form: AnswerForm
    seen: Signals
    right: bool


@dataclass(frozen=True)
class Quality:
    """How good stated chances are, over answers that the fit did not see."""

    answers: int
    right: int
    auroc: float | None
    """None where all are right, or none is."""
    brier: float
    error: float
    """Expected calibration error, BINS equal-mass bins."""


@dataclass(frozen=True)
class Calibrated:
    """A gate, and what is to be said about it."""

    gate: AnswerGate
    quality: Quality | None
    """Of all forms together; None where no form could be fitted."""
    by_form: dict[AnswerForm, Quality]
    reasons: tuple[str, ...]
    """For each form that promises nothing, why, and how many labels it lacks."""


def calibrate(
    labels: Sequence[Label],
    *,
    fitted_on: str,
    risk: float = RISK,
    delta: float = DELTA,
    names: Sequence[str] = FEATURES,
    seed: int = 0,
) -> Calibrated:
    """Fits a gate whose confident answers are wrong in at most `risk`, but for a chance of `delta`.

    The promise is for each form, and for questions mixed as these are. A form with too few labels gets no
    threshold; one with too few right or wrong ones gets no regression either.
    """
    forms: dict[AnswerForm, FormGate] = {}
    by_form: dict[AnswerForm, Quality] = {}
    reasons: list[str] = []
    stated: list[Floats] = []
    outcomes: list[NDArray[np.bool_]] = []
    for form in FORMS:
        chosen = [label for label in labels if label.form == form]
        fitted = fit_form(chosen, names, risk=risk, delta=delta, seed=seed)
        if isinstance(fitted, str):
            reasons.append(f"{form} answers: {fitted}")
            continue
        forms[form] = fitted
        if fitted.threshold is None:
            reasons.append(f"{form} answers: {_no_threshold(chosen, risk, delta)}")
        chances = cross_validated(chosen, names)
        right = np.asarray([label.right for label in chosen])
        by_form[form] = quality(chances, right)
        stated.append(chances)
        outcomes.append(right)
    together = quality(np.concatenate(stated), np.concatenate(outcomes)) if stated else None
    gate = AnswerGate(
        risk=risk,
        delta=delta,
        forms=forms,
        error=together.error if together is not None else None,
        fitted_on=fitted_on,
    )
    return Calibrated(gate, together, by_form, tuple(reasons))


def fit(labels: Sequence[Label], names: Sequence[str] = FEATURES) -> LogisticModel:
    """L2-penalised logistic regression over standardised features.

    Raises ValueError without both outcomes.
    """
    values = _matrix(labels, names)
    right = np.asarray([label.right for label in labels])
    if right.all() or not right.any():
        raise ValueError("a regression needs right and wrong answers")
    mean, scale = values.mean(axis=0), values.std(axis=0)
    scale[scale < 1e-9] = 1.0
    found = LogisticRegression(C=STRENGTH, max_iter=1000).fit((values - mean) / scale, right)
    return LogisticModel(
        features=tuple(names),
        mean=tuple(map(float, mean)),
        scale=tuple(map(float, scale)),
        weights=tuple(map(float, found.coef_[0])),
        intercept=float(found.intercept_[0]),
    )


def chances(model: LogisticModel, labels: Sequence[Label]) -> Floats:
    """The chances that the model states for the answers, [labels]."""
    values = _matrix(labels, model.features)
    scores = (values - np.asarray(model.mean)) / np.asarray(model.scale) @ np.asarray(model.weights)
    stated: Floats = (1.0 + np.tanh((scores + model.intercept) / 2)) / 2  # as `gate.chance` does for one
    return stated


def cross_validated(labels: Sequence[Label], names: Sequence[str] = FEATURES, folds: int = FOLDS) -> Floats:
    """The chance stated for each answer by a fit that saw no answer to the same question, [labels].

    Raises ValueError where a fold leaves answers of one outcome only.
    """
    stated = np.full(len(labels), np.nan)
    groups = [label.group for label in labels]
    for rest, held in GroupKFold(folds).split(labels, groups=groups):
        model = fit([labels[i] for i in rest], names)
        stated[held] = chances(model, [labels[i] for i in held])
    return stated


def threshold(
    stated: Floats, right: NDArray[np.bool_], *, risk: float = RISK, delta: float = DELTA
) -> float | None:
    """The least chance that counts as confident by Learn-Then-Test; None where nothing can be promised.

    Fixed-sequence testing (Angelopoulos et al. 2021, arXiv 2110.01052): thresholds are tried from strict to
    loose, each against the hypothesis that more than `risk` of what it lets through is wrong, by the exact
    binomial tail; the walk ends at the first that cannot be rejected at `delta`. The thresholds depend on
    the chances alone, not on what was right. Answers have to be independent: one for each question.
    """
    order = np.argsort(-stated, kind="stable")
    ranked, wrong = stated[order], np.cumsum(~right[order])
    found = None
    for accepted in _sizes(len(stated), first_size(risk, delta)):
        cut = float(ranked[accepted - 1])
        within = int(np.searchsorted(-ranked, -cut, side="right"))  # ties come in together
        if binom.cdf(wrong[within - 1], within, risk) > delta:
            break
        found = cut
    return found


def first_size(risk: float, delta: float) -> int:
    """How many answers the strictest threshold lets through (see START)."""
    size = 1
    while binom.cdf(math.floor(size * risk * START), size, risk) > delta:
        size += 1
    return size


def quality(stated: Floats, right: NDArray[np.bool_]) -> Quality:
    """How good these chances are. Raises ValueError without any."""
    if not len(stated):
        raise ValueError("nothing to judge: there are no answers")
    return Quality(
        answers=len(stated),
        right=int(right.sum()),
        auroc=auroc(stated, right),
        brier=float(np.mean((stated - right) ** 2)),
        error=calibration_error(stated, right),
    )


def auroc(scores: Floats, right: NDArray[np.bool_]) -> float | None:
    """Chance that a right answer scores above a wrong one, ties half; None where all are right or none is."""
    positive = int(right.sum())
    negative = len(right) - positive
    if not positive or not negative:
        return None
    ranks = rankdata(scores)
    return float((ranks[right].sum() - positive * (positive + 1) / 2) / (positive * negative))


def calibration_error(stated: Floats, right: NDArray[np.bool_], bins: int = BINS) -> float:
    """Expected calibration error over equal-mass bins: mean of |stated - found|, weighted by size."""
    order = np.argsort(stated, kind="stable")
    parts = np.array_split(order, min(bins, len(order)))
    return float(sum(len(p) * abs(stated[p].mean() - right[p].mean()) for p in parts) / len(order))


def fit_form(
    labels: Sequence[Label],
    names: Sequence[str] = FEATURES,
    *,
    risk: float = RISK,
    delta: float = DELTA,
    seed: int = 0,
) -> FormGate | str:
    """The gate of answers of one form, or why there is none."""
    right = sum(label.right for label in labels)
    least = min(right, len(labels) - right)
    groups = [label.group for label in labels]
    if least < LEAST_OF_EACH or len(set(groups)) < 2 * FOLDS:
        return f"{right} right and {len(labels) - right} wrong; at least {LEAST_OF_EACH} of each are needed"
    (to_fit, to_choose), *_ = GroupShuffleSplit(1, train_size=0.5, random_state=seed).split(
        labels, groups=groups
    )
    fitting = [labels[i] for i in to_fit]
    if len({label.right for label in fitting}) < 2:
        return "the half that fits has one outcome only: more labels are needed"
    model = fit(fitting, names)
    choosing = _one_each([labels[i] for i in to_choose], seed)
    stated = chances(model, choosing)
    cut = threshold(stated, np.asarray([label.right for label in choosing]), risk=risk, delta=delta)
    covered = float((stated >= cut).mean()) if cut is not None else 0.0
    return FormGate(model=model, threshold=cut, labels=len(choosing), coverage=covered)


def _no_threshold(labels: Sequence[Label], risk: float, delta: float) -> str:
    needed = 2 * first_size(risk, delta)
    questions = len({label.group for label in labels})
    if questions < needed:
        return f"{questions} questions; at least {needed} are needed to promise a risk of {risk:g}"
    return f"even among the surest, more than {risk:.0%} may be wrong"


def _one_each(labels: Sequence[Label], seed: int) -> list[Label]:
    """One answer for each question, at random: a promise needs independent ones."""
    shuffled = [labels[i] for i in np.random.default_rng(seed).permutation(len(labels))]
    return list({label.group: label for label in shuffled}.values())


def _sizes(count: int, first: int) -> list[int]:
    """How many answers each tried threshold lets through, from strict to loose."""
    if count < first:
        return []
    return sorted({round(size) for size in np.geomspace(first, count, STEPS)})


def _matrix(labels: Sequence[Label], names: Sequence[str]) -> Floats:
    seen = [features(label.seen) for label in labels]
    return np.asarray([[values[name] for name in names] for values in seen])
