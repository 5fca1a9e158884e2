"""Owns how sure an adapter has to be: its threshold, and what its stated confidence is worth.

Works on answers that `evaluate` has judged; nothing is asked here.
"""

import math
from collections.abc import Sequence

import numpy as np
from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]  # ships no types
from sklearn.metrics import roc_curve  # type: ignore[import-untyped]
from sklearn.model_selection import GroupKFold  # type: ignore[import-untyped]

from agent.entropy import confidence, log_odds
from memory.records import Calibration, LetThrough
from training.evaluate import Answer, SetName, calibration_error

RISK = 0.1
"""Largest share of the answers that an adapter's threshold lets through that may be wrong."""
FOLDS = 5
CLAIMS = 30
"""Fewer than these tell nothing about how often the adapter is right."""
LEARNED: frozenset[SetName] = frozenset({"in_distribution", "near", "rehearsed"})
"""What this lesson or an earlier one taught or implies. A threshold has to bar unknown words, which the name
of a domain may bring to the adapter, and is fitted on them too; a confidence is of what was taught."""


def fit_threshold(answers: Sequence[Answer], *, default: float) -> float:
    """The entropy in nats that best tells right answers from wrong ones: greatest Youden's J.

    Admissions of ignorance are unsure whatever their entropy, so they are left out. The threshold lies in
    the middle between the two neighbouring answers. Without both right and wrong answers there is nothing
    to fit, and `default`, the base model's threshold, stays.
    """
    claims = [answer for answer in answers if not answer.abstained]
    right = [answer.right for answer in claims]
    if all(right) or not any(right):
        return default
    entropies = np.asarray([answer.entropy for answer in claims])
    false_alarms, hits, cuts = roc_curve(right, -entropies)
    best = int(np.argmax(hits - false_alarms))
    inside = float(-cuts[best]) if np.isfinite(cuts[best]) else 0.0  # the largest entropy counted as sure
    above = entropies[entropies > inside]
    return max(1e-6, (inside + float(above.min())) / 2 if len(above) else inside * 1.01)


def selective_threshold(answers: Sequence[Answer], *, default: float) -> float:
    """The largest entropy in nats up to which at most RISK of the claims let through are wrong.

    Selective classification at a given risk (Geifman and El-Yaniv, 2017, arXiv 1705.08500), by the rate
    measured and not its upper bound. An adapter just trained is right more often than it is sure: by Youden's
    J, where the few wrong answers weigh as much as the many right ones, most right answers would be looked
    up. Where every threshold lets more wrong answers through, `default` stays.
    """
    claims = sorted((a.entropy, a.right) for a in answers if not a.abstained)
    entropies = [*(entropy for entropy, _ in claims), math.inf]
    wrong = np.cumsum([not right for _, right in claims])
    kept = [
        i
        for i in range(len(claims))
        if wrong[i] <= RISK * (i + 1) and entropies[i] < entropies[i + 1]  # equal ones go in together
    ]
    if not kept:
        return default
    inside, outside = entropies[kept[-1]], entropies[kept[-1] + 1]
    return max(1e-6, (inside + outside) / 2 if outside < math.inf else inside * 1.01)


def of_domain(answers: Sequence[Answer]) -> list[Answer]:
    """Answers to the kind of questions that are routed to an adapter, on which its threshold is fitted.

    Not what the base model knew before: these are most of the right answers and far surer ones, and the
    threshold would fall below what was just learned. Nor what is forgotten: it may have been untrue.
    """
    return [answer for answer in answers if answer.group not in ("out_of_distribution", "forgotten")]


def let_through(answers: Sequence[Answer], *, default: float) -> LetThrough:
    """What chat would give of the taught facts without looking anything up, right and wrong: of each by a
    `selective_threshold` that saw no answer about the same fact (cross-validation, FOLDS-fold)."""
    taught = [answer for answer in answers if answer.group == "in_distribution"]
    facts = sorted({answer.fact_id for answer in taught})
    sure: list[bool] = []
    for fold in (frozenset(facts[start::FOLDS]) for start in range(FOLDS)):
        others = [answer for answer in of_domain(answers) if answer.fact_id not in fold]
        threshold = selective_threshold(others, default=default)
        these = [answer for answer in taught if answer.fact_id in fold and not answer.abstained]
        sure += [answer.right for answer in these if answer.entropy < threshold]
    count = max(1, len(taught))
    return LetThrough(right=sum(sure) / count, wrong=(len(sure) - sum(sure)) / count)


def fit_calibration(answers: Sequence[Answer]) -> Calibration | None:
    """How sure the adapter is of what it was taught, turned into how often it is right.

    Fitted on its claims about what was LEARNED. Its error is that of claims about this lesson, each by a fit
    that saw no answer about the same fact (cross-validation, FOLDS-fold). None for too few claims or facts,
    or if what it is surer of is not right more often.
    """
    claims = [answer for answer in answers if answer.group in LEARNED and not answer.abstained]
    facts = np.unique([claim.fact_id for claim in claims], return_inverse=True)[1]
    folds = min(FOLDS, len(set(facts.tolist())))
    if len(claims) < CLAIMS or folds < 2:
        return None
    told: list[tuple[float, bool]] = []
    for others, these in GroupKFold(folds).split(claims, groups=facts):
        fitted = _platt([claims[i] for i in others])
        if fitted is None:
            return None
        held = [claims[i] for i in these if claims[i].group == "in_distribution"]
        told += [(confidence(a.probability, *fitted), a.right) for a in held]
    whole = _platt(claims)
    if whole is None or not told:
        return None
    error = calibration_error([p for p, _ in told], [right for _, right in told])
    return Calibration(slope=whole[0], intercept=whole[1], error=error)


def _platt(claims: Sequence[Answer]) -> tuple[float, float] | None:
    """Slope and intercept; None for a slope below 0.

    Platt's targets, (right + 1) / (right + 2) and 1 / (wrong + 2) instead of 1 and 0, keep the fit finite:
    each claim counts as both, with these weights. Where all are right, or all wrong, how sure the model was
    tells nothing, and the slope is 0.
    """
    right = np.asarray([claim.right for claim in claims])
    target = np.where(right, (right.sum() + 1) / (right.sum() + 2), 1 / ((~right).sum() + 2))
    if right.all() or not right.any():
        return 0.0, log_odds(float(target[0]))
    sure = np.asarray([[log_odds(claim.probability)] for claim in claims])
    fit = LogisticRegression(C=1e6).fit(
        np.concatenate([sure, sure]),
        np.repeat([True, False], len(claims)),
        sample_weight=np.concatenate([target, 1 - target]),
    )
    slope, intercept = float(fit.coef_[0, 0]), float(fit.intercept_[0])
    return (slope, intercept) if slope >= 0 else None
