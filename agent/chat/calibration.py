"""Calibration of the gate: graded answers in, an `AnswerGate` out.

A logistic regression per answer form states chances; one threshold for all forms is chosen on chances that
were cross-validated by question, so that each is stated by a fit that did not see its answer. The final
regressions see all answers, which makes the promise approximate: `make bench-gate` measures how often it is
broken.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom, rankdata  # type: ignore[import-untyped]
from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]  # ships no types
from sklearn.model_selection import GroupKFold  # type: ignore[import-untyped]

from agent.chat.gate import FEATURES, gate_features
from memory.records.interactions import AnswerForm, AnswerGate, FormGate, LogisticModel, Signals

RISKS = (0.2, 0.4)
"""Promises that are tried, the best first. Of the surest answers of the smallest models a third is wrong, so
that they can keep the last one only."""
DELTA = 0.1
SURELY = 0.05
"""Share of the answers that the strictest threshold lets through: among fewer, one wrong answer ends the walk
of thresholds before it has begun."""
FORMS: tuple[AnswerForm, ...] = ("short", "sentence", "long")
FOLDS = 5
LEAST_OF_EACH = 10
"""Right and wrong answers, of each, below which no regression is fitted."""
STRENGTH = 0.3
"""Inverse of the L2 penalty (scikit-learn's C): features are standardised and tell much the same."""
BINS = 10
STEPS = 40
"""Thresholds that are tried, at most."""
NEEDED = 100
"""Answers to people's own questions without which nothing is promised: among the surest fifth of fewer, one
or two wrong answers more decide."""
SURELY_OF_FEW = 0.2
"""As SURELY, for people's own questions, of which there are hundreds rather than thousands."""

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
class CalibratedGate:
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
    risks: Sequence[float] = RISKS,
    delta: float = DELTA,
    names: Sequence[str] = FEATURES,
    seed: int = 0,
) -> CalibratedGate:
    """Fits a gate whose confident answers are wrong in at most `risks[i]`, but for a chance of `delta`.

    The first of the risks that can be promised is; each is tested at its share of `delta`, so that choosing
    among them breaks no promise. It holds for all confident answers together, and for questions mixed as
    these are. A form with too few right or wrong answers gets no regression, and is never confident.
    """
    reasons: list[str] = []
    models: dict[AnswerForm, LogisticModel] = {}
    by_form: dict[AnswerForm, Quality] = {}
    choosing: list[StatedChance] = []
    for form in FORMS:
        chosen = [label for label in labels if label.form == form]
        right = np.asarray([label.right for label in chosen], bool)
        least = int(min(right.sum(), (~right).sum()))
        if least < LEAST_OF_EACH or len({label.group for label in chosen}) < 2 * FOLDS:
            reasons.append(
                f"{form} answers: {right.sum()} right and {(~right).sum()} wrong;"
                f" at least {LEAST_OF_EACH} of each are needed"
            )
            continue
        models[form] = fit(chosen, names)
        unseen = cross_validated(chosen, names)
        by_form[form] = quality(unseen, right)
        choosing += [StatedChance(label, float(one)) for label, one in zip(chosen, unseen, strict=True)]
    together = None
    if choosing:
        together = quality(*_columns(choosing))
    choosing = _one_each(choosing, seed)
    cut, risk = _promise(choosing, risks, delta)
    if models and cut is None:
        reasons.append(_no_threshold(choosing, max(risks), delta / len(risks)))
    gate = AnswerGate(
        risk=risk,
        delta=delta,
        forms={form: _form_gate(form, model, choosing, cut) for form, model in models.items()},
        error=together.error if together is not None else None,
        fitted_on=fitted_on,
    )
    return CalibratedGate(gate, together, by_form, tuple(reasons))


def refit(
    stated: Sequence["StatedChance"],
    gate: AnswerGate,
    *,
    fitted_on: str,
    risks: Sequence[float] = RISKS,
    delta: float = DELTA,
    seed: int = 0,
) -> CalibratedGate:
    """The gate with a threshold of its own for questions like these; its regressions stated the chances.

    They have not seen these answers, so that the promise holds without approximation. With fewer than NEEDED
    questions the gate stays as it is; where no promise can be made it is never confident. `reasons` say so.
    """
    quality_of_all = quality(*_columns(stated)) if stated else None
    choosing = _one_each(stated, seed)
    if len(choosing) < NEEDED:
        reason = f"{len(choosing)} questions got an answer that can be judged; at least {NEEDED} are needed"
        return CalibratedGate(gate, quality_of_all, {}, (reason,))
    cut, risk = _promise(choosing, risks, delta, SURELY_OF_FEW)
    forms = {form: _form_gate(form, fitted.model, choosing, cut) for form, fitted in gate.forms.items()}
    assert quality_of_all is not None
    made = AnswerGate(risk=risk, delta=delta, forms=forms, error=quality_of_all.error, fitted_on=fitted_on)
    reasons = () if cut is not None else (_no_threshold(choosing, risk, delta / len(risks)),)
    return CalibratedGate(made, quality_of_all, {}, reasons)


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
    stated: Floats, right: NDArray[np.bool_], *, risk: float, delta: float, surely: float = SURELY
) -> float | None:
    """The least chance that counts as confident by Learn-Then-Test; None where nothing can be promised.

    Fixed-sequence testing (Angelopoulos et al. 2021, arXiv 2110.01052): thresholds are tried from strict to
    loose, each against the hypothesis that more than `risk` of what it lets through is wrong, by the exact
    binomial tail; the walk ends at the first that cannot be rejected at `delta`. The thresholds depend on
    the chances alone, not on what was right; the strictest lets the share `surely` through. Answers have to
    be independent: one for each question.
    """
    order = np.argsort(-stated, kind="stable")
    ranked, wrong = stated[order], np.cumsum(~right[order])
    found = None
    first = max(first_size(risk, delta), round(surely * len(stated)))
    for accepted in _sizes(len(stated), first):
        cut = float(ranked[accepted - 1])
        within = int(np.searchsorted(-ranked, -cut, side="right"))  # ties come in together
        if binom.cdf(wrong[within - 1], within, risk) > delta:
            break
        found = cut
    return found


def first_size(risk: float, delta: float) -> int:
    """How many answers a threshold has to let through to pass if none of them is wrong."""
    return math.ceil(math.log(delta) / math.log(1 - risk))


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


def calibration_error(
    stated: Floats | Sequence[float], right: NDArray[np.bool_] | Sequence[bool], bins: int = BINS
) -> float:
    """Expected calibration error: mean |stated - found| over bins of equal mass, in [0, 1].

    Naeini et al. (2015) with equal-mass bins (Nguyen and O'Connor, 2015), which do not leave most of a
    confident model's answers in one bin. Without any answer it is 0. Raises ValueError for chances outside
    [0, 1].
    """
    chances, truth = np.asarray(stated, float), np.asarray(right, float)
    if not len(chances):
        return 0.0
    if not ((chances >= 0) & (chances <= 1)).all():
        raise ValueError("probabilities must lie in [0, 1]")
    order = np.argsort(chances, kind="stable")
    parts = np.array_split(order, min(bins, len(order)))
    return float(sum(len(p) * abs(chances[p].mean() - truth[p].mean()) for p in parts) / len(order))


class StatedChance(NamedTuple):
    """A label with the chance that a fit stated which did not see it."""

    label: Label
    chance: float


def _columns(choosing: Sequence[StatedChance]) -> tuple[Floats, NDArray[np.bool_]]:
    """Chances, and what was right."""
    return (
        np.asarray([one.chance for one in choosing]),
        np.asarray([one.label.right for one in choosing], bool),
    )


def _promise(
    choosing: Sequence[StatedChance], risks: Sequence[float], delta: float, surely: float = SURELY
) -> tuple[float | None, float]:
    """The threshold of the best promise that can be made, and its risk; without one, None and the last."""
    stated, right = _columns(choosing)
    for risk in risks:
        if not choosing:
            break
        cut = threshold(stated, right, risk=risk, delta=delta / len(risks), surely=surely)
        if cut is not None:
            return cut, risk
    return None, risks[-1]


def _form_gate(
    form: AnswerForm, model: LogisticModel, choosing: Sequence[StatedChance], cut: float | None
) -> FormGate:
    these = [one.chance for one in choosing if one.label.form == form]
    covered = sum(chance >= cut for chance in these) / len(these) if these and cut is not None else 0.0
    return FormGate(model=model, threshold=cut, labels=len(these), coverage=covered)


def _no_threshold(choosing: Sequence[StatedChance], risk: float, delta: float) -> str:
    needed = first_size(risk, delta)
    if len(choosing) < needed:
        return f"{len(choosing)} questions; at least {needed} are needed to promise a risk of {risk:g}"
    return f"even among the surest answers, more than {risk:.0%} may be wrong"


def _one_each(choosing: Sequence[StatedChance], seed: int) -> list[StatedChance]:
    """One answer for each question, at random: a promise needs independent ones."""
    shuffled = [choosing[i] for i in np.random.default_rng(seed).permutation(len(choosing))]
    return list({one.label.group: one for one in shuffled}.values())


def _sizes(count: int, first: int) -> list[int]:
    """How many answers each tried threshold lets through, from strict to loose."""
    if count < first:
        return []
    return sorted({round(size) for size in np.geomspace(first, count, STEPS)})


def _matrix(labels: Sequence[Label], names: Sequence[str]) -> Floats:
    seen = [gate_features(label.seen) for label in labels]
    return np.asarray([[values[name] for name in names] for values in seen])
