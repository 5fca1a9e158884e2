"""Calibration of the answer gate: turns graded answers into an `AnswerGate`.

A logistic regression per answer form predicts the probability that an answer is right. One threshold for all
forms is chosen on probabilities cross-validated by question, so that no answer was seen by the fit that
scored it. The final regressions see all answers, which makes the risk guarantee approximate:
`make bench-gate` measures how often it fails.
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
from memory.records.interactions import (
    AnswerForm,
    AnswerGate,
    FormGate,
    LogisticModel,
    ReliabilityBin,
    Signals,
)

RISKS = (0.2, 0.4)
"""Risks to guarantee, tried in this order. A third of the smallest models' surest answers is wrong, so they
can only reach the last."""
DELTA = 0.1
MIN_CHANCE = 0.5
"""No answer counts as confident that is more likely wrong than right. The risk is a mean: the answers of an
adapter to what it was taught are so often right that all others would pass as well. Of 30 questions about
invented names an adapter's gate let 30 pass without this, and 2 with it; of 18 right answers it keeps 15."""
STRICTEST = 75
"""Answers above the strictest threshold to try, but at most STRICTEST_SHARE of all. The search ends at the
first threshold that fails: with fewer answers at its first step, one or two wrong ones end it by bad luck."""
STRICTEST_SHARE = 0.2
FORMS: tuple[AnswerForm, ...] = ("short", "sentence", "long")
FOLDS = 5
MIN_OF_EACH = 10
"""Minimum number of right and of wrong answers for a regression."""
INVERSE_PENALTY = 0.3
"""Inverse of the L2 penalty (scikit-learn's C); the features are standardised and strongly correlated."""
BINS = 10
STEPS = 40
"""Most thresholds to try."""
MIN_OWN_QUESTIONS = 100
"""Minimum number of a domain's own questions for a guarantee: with fewer, one or two wrong answers among the
surest fifth decide."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Label:
    """A graded answer; answers to wordings of the same question share a `group`.

    Answers that decline are excluded: the gate treats them as unsure anyway.
    """

    group: str
    form: AnswerForm
    seen: Signals
    right: bool


@dataclass(frozen=True)
class Quality:
    """Quality of predicted probabilities on answers that the fit did not see."""

    answers: int
    right: int
    auroc: float | None
    """None if all answers are right, or none is."""
    brier: float
    error: float
    """Expected calibration error, BINS equal-mass bins."""


@dataclass(frozen=True)
class CalibratedGate:
    """A fitted gate with its quality."""

    gate: AnswerGate
    quality: Quality | None
    """Of all forms together; None if no form could be fitted."""
    by_form: dict[AnswerForm, Quality]
    reasons: tuple[str, ...]
    """Why a form, or the whole gate, has no guarantee."""


def calibrate(
    labels: Sequence[Label],
    *,
    fitted_on: str,
    risks: Sequence[float] = RISKS,
    delta: float = DELTA,
    names: Sequence[str] = FEATURES,
    seed: int = 0,
) -> CalibratedGate:
    """Fits a gate: with probability 1 - `delta`, at most a share `risks[i]` of confident answers is wrong.

    Uses the first of the risks that can be guaranteed; each is tested at its share of `delta`, so that
    choosing among them keeps the guarantee valid. It covers all confident answers together, for questions
    distributed like these. A form with too few right or wrong answers gets no regression, and is never
    confident.
    """
    reasons: list[str] = []
    models: dict[AnswerForm, LogisticModel] = {}
    by_form: dict[AnswerForm, Quality] = {}
    scored: list[StatedChance] = []
    for form in FORMS:
        of_form = [label for label in labels if label.form == form]
        right = np.asarray([label.right for label in of_form], bool)
        least = int(min(right.sum(), (~right).sum()))
        if least < MIN_OF_EACH or len({label.group for label in of_form}) < 2 * FOLDS:
            reasons.append(
                f"{form} answers: {right.sum()} right and {(~right).sum()} wrong;"
                f" at least {MIN_OF_EACH} of each are needed"
            )
            continue
        models[form] = fit_regression(of_form, names)
        unseen = cross_validated(of_form, names)
        by_form[form] = measure_quality(unseen, right)
        scored += [StatedChance(label, float(chance)) for label, chance in zip(of_form, unseen, strict=True)]
    overall = None
    if scored:
        overall = measure_quality(*_columns(scored))
    scored = _one_per_question(scored, seed)
    cut, risk = _best_threshold(scored, risks, delta)
    if models and cut is None:
        reasons.append(_why_no_threshold(scored, max(risks), delta / len(risks)))
    gate = AnswerGate(
        risk=risk,
        delta=delta,
        forms={form: _form_gate(form, model, scored, cut) for form, model in models.items()},
        error=overall.error if overall is not None else None,
        fitted_on=fitted_on,
    )
    return CalibratedGate(gate, overall, by_form, tuple(reasons))


def refit(
    stated: Sequence["StatedChance"],
    gate: AnswerGate,
    *,
    fitted_on: str,
    risks: Sequence[float] = RISKS,
    delta: float = DELTA,
    seed: int = 0,
) -> CalibratedGate:
    """Refits the gate's threshold on new answers, whose chances its own regressions stated.

    The regressions have not seen these answers, so the guarantee is exact. With fewer questions than
    MIN_OWN_QUESTIONS the gate is returned unchanged; without a possible guarantee the new gate is never
    confident.
    """
    quality_of_all = measure_quality(*_columns(stated)) if stated else None
    scored = _one_per_question(stated, seed)
    if len(scored) < MIN_OWN_QUESTIONS:
        reason = (
            f"only {len(scored)} questions got an answer that can be judged; {MIN_OWN_QUESTIONS} are needed"
        )
        return CalibratedGate(gate, quality_of_all, {}, (reason,))
    # The regressions were fitted elsewhere, so here their chances only rank the answers.
    cut, risk = _best_threshold(scored, risks, delta, least=0.0)
    forms = {form: _form_gate(form, fitted.model, scored, cut) for form, fitted in gate.forms.items()}
    assert quality_of_all is not None
    refitted = AnswerGate(
        risk=risk, delta=delta, forms=forms, error=quality_of_all.error, fitted_on=fitted_on
    )
    reasons = () if cut is not None else (_why_no_threshold(scored, risk, delta / len(risks)),)
    return CalibratedGate(refitted, quality_of_all, {}, reasons)


def fit_regression(labels: Sequence[Label], names: Sequence[str] = FEATURES) -> LogisticModel:
    """Fits an L2-penalised logistic regression on standardised features.

    Raises ValueError unless there are right and wrong answers.
    """
    values = _matrix(labels, names)
    right = np.asarray([label.right for label in labels])
    if right.all() or not right.any():
        raise ValueError("a regression needs right and wrong answers")
    mean, scale = values.mean(axis=0), values.std(axis=0)
    scale[scale < 1e-9] = 1.0
    regression = LogisticRegression(C=INVERSE_PENALTY, max_iter=1000).fit((values - mean) / scale, right)
    return LogisticModel(
        features=tuple(names),
        mean=tuple(map(float, mean)),
        scale=tuple(map(float, scale)),
        weights=tuple(map(float, regression.coef_[0])),
        intercept=float(regression.intercept_[0]),
    )


def predicted_chances(model: LogisticModel, labels: Sequence[Label]) -> Floats:
    """The model's probability for each answer, [labels]."""
    values = _matrix(labels, model.features)
    scores = (values - np.asarray(model.mean)) / np.asarray(model.scale) @ np.asarray(model.weights)
    probabilities: Floats = (
        1.0 + np.tanh((scores + model.intercept) / 2)
    ) / 2  # as in `gate.right_probability`
    return probabilities


def cross_validated(labels: Sequence[Label], names: Sequence[str] = FEATURES, folds: int = FOLDS) -> Floats:
    """Out-of-fold probability of each answer, with folds split by question, [labels].

    Raises ValueError if a fold's training part has only right or only wrong answers.
    """
    stated = np.full(len(labels), np.nan)
    groups = [label.group for label in labels]
    for rest, held in GroupKFold(folds).split(labels, groups=groups):
        model = fit_regression([labels[i] for i in rest], names)
        stated[held] = predicted_chances(model, [labels[i] for i in held])
    return stated


def choose_threshold(
    stated: Floats,
    right: NDArray[np.bool_],
    *,
    risk: float,
    delta: float,
    least: float = MIN_CHANCE,
) -> float | None:
    """The lowest confidence threshold that keeps the risk, by Learn-Then-Test; None if there is none.

    Fixed-sequence testing (Angelopoulos et al. 2021, arXiv 2110.01052): thresholds are tried from strict to
    loose, each against the hypothesis that more than a share `risk` of the answers above it is wrong, by the
    exact binomial tail; the search ends at the first hypothesis not rejected at `delta`. Thresholds depend
    only on the chances, not on correctness; STRICTEST answers are above the strictest, and none is below
    `least`. Answers have to be independent: one per question.
    """
    order = np.argsort(-stated, kind="stable")
    ranked, wrong = stated[order], np.cumsum(~right[order])
    lowest = None
    first = max(first_size(risk, delta), min(STRICTEST, round(STRICTEST_SHARE * len(stated))))
    for accepted in _sizes(len(stated), first):
        cut = float(ranked[accepted - 1])
        if cut < least:
            break
        within = int(np.searchsorted(-ranked, -cut, side="right"))  # ties are accepted together
        if binom.cdf(wrong[within - 1], within, risk) > delta:
            break
        lowest = cut
    return lowest


def first_size(risk: float, delta: float) -> int:
    """Number of answers above a threshold needed to pass the test if all of them are right."""
    return math.ceil(math.log(delta) / math.log(1 - risk))


def measure_quality(stated: Floats, right: NDArray[np.bool_]) -> Quality:
    """AUROC, Brier score and calibration error of the probabilities. Raises ValueError without answers."""
    if not len(stated):
        raise ValueError("quality needs at least one answer")
    return Quality(
        answers=len(stated),
        right=int(right.sum()),
        auroc=auroc(stated, right),
        brier=float(np.mean((stated - right) ** 2)),
        error=calibration_error(stated, right),
    )


def auroc(scores: Floats, right: NDArray[np.bool_]) -> float | None:
    """Probability that a right answer scores above a wrong one, ties half; None if all or none are right."""
    positive = int(right.sum())
    negative = len(right) - positive
    if not positive or not negative:
        return None
    ranks = rankdata(scores)
    return float((ranks[right].sum() - positive * (positive + 1) / 2) / (positive * negative))


def calibration_error(
    stated: Floats | Sequence[float], right: NDArray[np.bool_] | Sequence[bool], bins: int = BINS
) -> float:
    """Expected calibration error: mean |stated - observed| over bins of equal mass, in [0, 1].

    Naeini et al. (2015) with equal-mass bins (Nguyen and O'Connor, 2015), because a confident model would
    put most answers into one fixed-width bin. 0 without answers. Raises ValueError for probabilities outside
    [0, 1].
    """
    found = reliability(stated, right, bins)
    return sum(each.count * abs(each.stated - each.right) for each in found) / max(1, len(stated))


def reliability(
    stated: Floats | Sequence[float], right: NDArray[np.bool_] | Sequence[bool], bins: int = BINS
) -> tuple[ReliabilityBin, ...]:
    """The answers in at most that many bins of equal mass, by the stated probability, the least sure first.

    Raises ValueError for probabilities outside [0, 1].
    """
    chances, truth = np.asarray(stated, float), np.asarray(right, float)
    if not ((chances >= 0) & (chances <= 1)).all():
        raise ValueError("probabilities must lie in [0, 1]")
    parts = np.array_split(np.argsort(chances, kind="stable"), max(1, min(bins, len(chances))))
    return tuple(
        ReliabilityBin(stated=float(chances[p].mean()), right=float(truth[p].mean()), count=len(p))
        for p in parts
        if len(p)
    )


class StatedChance(NamedTuple):
    """A label with the probability from a fit that did not see it."""

    label: Label
    chance: float


def _columns(scored: Sequence[StatedChance]) -> tuple[Floats, NDArray[np.bool_]]:
    """Probabilities, and whether each answer was right."""
    return (
        np.asarray([answer.chance for answer in scored]),
        np.asarray([answer.label.right for answer in scored], bool),
    )


def _best_threshold(
    scored: Sequence[StatedChance],
    risks: Sequence[float],
    delta: float,
    least: float = MIN_CHANCE,
) -> tuple[float | None, float]:
    """Threshold and risk of the first risk that can be guaranteed; None and the last risk otherwise."""
    stated, right = _columns(scored)
    for risk in risks:
        if not scored:
            break
        cut = choose_threshold(stated, right, risk=risk, delta=delta / len(risks), least=least)
        if cut is not None:
            return cut, risk
    return None, risks[-1]


def _form_gate(
    form: AnswerForm, model: LogisticModel, scored: Sequence[StatedChance], cut: float | None
) -> FormGate:
    stated, right = _columns([answer for answer in scored if answer.label.form == form])
    covered = float((stated >= cut).mean()) if len(stated) and cut is not None else 0.0
    return FormGate(
        model=model,
        threshold=cut,
        labels=len(stated),
        coverage=covered,
        reliability=reliability(stated, right),
    )


def _why_no_threshold(scored: Sequence[StatedChance], risk: float, delta: float) -> str:
    needed = first_size(risk, delta)
    if len(scored) < needed:
        return f"only {len(scored)} questions; {needed} are needed to guarantee a risk of {risk:g}"
    return f"even among the surest answers, more than {risk:.0%} may be wrong"


def _one_per_question(scored: Sequence[StatedChance], seed: int) -> list[StatedChance]:
    """One random answer per question, because the guarantee needs independent answers."""
    shuffled = [scored[i] for i in np.random.default_rng(seed).permutation(len(scored))]
    return list({answer.label.group: answer for answer in shuffled}.values())


def _sizes(count: int, first: int) -> list[int]:
    """Number of answers above each threshold to try, from strict to loose."""
    if count < first:
        return []
    return sorted({round(size) for size in np.geomspace(first, count, STEPS)})


def _matrix(labels: Sequence[Label], names: Sequence[str]) -> Floats:
    rows = [gate_features(label.seen) for label in labels]
    return np.asarray([[row[name] for name in names] for row in rows])
