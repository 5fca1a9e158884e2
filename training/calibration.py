"""The gate of an adapter: how sure it has to be of an answer, fitted on the answers of its evaluation.

Works on answers that `evaluate` has graded; nothing is asked here.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom  # type: ignore[import-untyped]  # ships no types
from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]  # ships no types
from sklearn.model_selection import GroupKFold  # type: ignore[import-untyped]

from agent.chat.gate import FEATURES, chance, features, form_of
from memory.records import AnswerGate, FormGate, LetThrough, LogisticModel
from training.evaluate import Answer, calibration_error

FOLDS = 5
LEAST = 30
"""Fewer labels of a form fit nothing."""


def fit_gate(answers: Sequence[Answer], base: AnswerGate) -> AnswerGate:
    """The gate for one adapter, with the base model's promise (`risk` and `delta`).

    Fitted on its answers to what it was taught, what the base knew and what nobody knows. A form that it
    gave too few answers in keeps the base model's gate. Thresholds are chosen on chances that were
    cross-validated by question.
    """
    claims = [answer for answer in answers if not answer.abstained and answer.signals.tokens]
    forms = dict(base.forms)
    told: list[tuple[float, bool]] = []
    for form in sorted({form_of(answer.signals) for answer in claims}):
        these = [answer for answer in claims if form_of(answer.signals) == form]
        if (fitted := _fit_form(these, base)) is not None:
            forms[form], chances = fitted
            told += zip(chances.tolist(), (answer.right for answer in these), strict=True)
    error = calibration_error([p for p, _ in told], [right for _, right in told]) if told else base.error
    return AnswerGate(
        risk=base.risk, delta=base.delta, forms=forms, error=error, fitted_on="its own evaluation"
    )


def let_through(answers: Sequence[Answer], gate: AnswerGate) -> LetThrough:
    """What chat would give of the taught facts without looking anything up, right and wrong."""
    taught = [answer for answer in answers if answer.group == "in_distribution"]
    sure = [answer.right for answer in taught if _confident(answer, gate)]
    count = max(1, len(taught))
    return LetThrough(right=sum(sure) / count, wrong=(len(sure) - sum(sure)) / count)


def threshold(chances: Sequence[float], right: Sequence[bool], *, risk: float, delta: float) -> float | None:
    """The lowest chance down to which at most `risk` of the answers are wrong, with confidence 1 - `delta`.

    Learn-Then-Test by fixed-sequence testing (Angelopoulos et al. 2021, arXiv 2110.01052): from the surest
    answers on, each threshold is tested with the exact binomial tail, until one fails. None if the first that
    could pass does.
    """
    order = np.argsort(-np.asarray(chances), kind="stable")
    stated = np.asarray(chances)[order]
    wrong = np.cumsum(~np.asarray(right, dtype=bool)[order])
    found = None
    for i in range(len(stated)):
        if i + 1 < len(stated) and stated[i + 1] == stated[i]:
            continue  # equal ones go in together
        if (1 - risk) ** (i + 1) > delta:
            continue  # too few to pass even without an error
        if binom.cdf(wrong[i], i + 1, risk) > delta:
            break
        found = float(stated[i])
    return found


def _confident(answer: Answer, gate: AnswerGate) -> bool:
    fitted = gate.forms.get(form_of(answer.signals))
    if fitted is None or fitted.threshold is None or answer.abstained or not answer.signals.tokens:
        return False
    return chance(fitted.model, features(answer.signals)) >= fitted.threshold


def _fit_form(answers: Sequence[Answer], base: AnswerGate) -> tuple[FormGate, NDArray[np.float64]] | None:
    """The gate of one form, and each answer's cross-validated chance; None where there is nothing to fit."""
    right = np.asarray([answer.right for answer in answers])
    groups = np.unique([answer.fact_id or answer.question for answer in answers], return_inverse=True)[1]
    if len(answers) < LEAST or right.all() or not right.any() or len(set(groups.tolist())) < FOLDS:
        return None
    seen = np.asarray([[features(answer.signals)[name] for name in FEATURES] for answer in answers])
    chances = np.zeros(len(answers))
    for others, these in GroupKFold(FOLDS).split(seen, groups=groups):
        if right[others].all() or not right[others].any():
            return None
        model = _logistic(seen[others], right[others])
        chances[these] = [chance(model, dict(zip(FEATURES, row, strict=True))) for row in seen[these]]
    cut = threshold(chances.tolist(), right.tolist(), risk=base.risk, delta=base.delta)
    coverage = float((chances >= cut).mean()) if cut is not None else 0.0
    gate = FormGate(model=_logistic(seen, right), threshold=cut, labels=len(answers), coverage=coverage)
    return gate, chances


def _logistic(seen: NDArray[np.float64], right: NDArray[np.bool_]) -> LogisticModel:
    mean, scale = seen.mean(0), np.maximum(seen.std(0), 1e-6)
    fit = LogisticRegression(C=1.0, max_iter=1000).fit((seen - mean) / scale, right)
    return LogisticModel(
        features=FEATURES,
        mean=tuple(mean.tolist()),
        scale=tuple(scale.tolist()),
        weights=tuple(fit.coef_[0].tolist()),
        intercept=float(fit.intercept_[0]),
    )
