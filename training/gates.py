"""Owns which measured adapter may be served: pure checks over two evaluations.

It measures nothing, and it never passes what was not measured: an empty set of questions fails its check.
"""

import math
from typing import Literal

from pydantic import Field
from scipy.stats import binomtest  # type: ignore[import-untyped]  # ships no types

from memory.records import Evaluation, GateCheck, GateVerdict, Record, Score

Figure = Literal["hallucination", "accuracy"]


class Limits(Record):
    """What an adapter must reach."""

    gain: float = Field(0.15, ge=0, le=1)
    """Least rise of accuracy on held-out wordings of what was taught."""
    target: float = Field(0.5, ge=0, le=1)
    """Least accuracy on them: a lesson of one fact gains enough by answering yes to everything."""
    transfer: float = Field(0.70, ge=0, le=1)
    """Least accuracy on near questions, as a share of that on held-out wordings, within the interval."""
    forgetting: float = Field(0.05, ge=0, le=1)
    """Most that accuracy may fall on unrelated known facts, and on the domain's earlier lessons."""
    fading: float = Field(0.10, ge=0, le=1)
    """Most that accuracy on the earlier lessons may fall in all since they were learned: each lesson alone
    may cost little, and many of them too much."""
    confidence: float = Field(0.95, gt=0, lt=1)
    """Level of the interval within which hallucination, and right answers to what is forgotten, may rise by
    chance, and near questions may be answered wrongly by chance."""


def gate(
    before: Evaluation, after: Evaluation, limits: Limits, *, as_learned: float | None = None
) -> GateVerdict:
    """All checks; the calibration error is reported among them, and always passes.

    `as_learned` is the mean accuracy of the earlier lessons on the days when they were learned, in [0, 1].
    """
    checks = (
        _gain(before.in_distribution, after.in_distribution, limits.gain),
        _target(after.in_distribution, limits.target),
        _transfer(after.near, after.in_distribution, limits),
        _forgetting(
            "known facts lost", before.out_of_distribution, after.out_of_distribution, limits.forgetting
        ),
        *_rehearsal(before.rehearsed, after.rehearsed, limits.forgetting),
        *_fading(as_learned, after.rehearsed, limits.fading),
        *_forgotten(before.forgotten, after.forgotten, limits.confidence),
        _hallucination(before.unknown, after.unknown, limits.confidence),
        GateCheck(
            name="calibration error", goal="(reported only)", figure=after.in_distribution.ece, passed=True
        ),
    )
    return GateVerdict(passed=all(check.passed for check in checks), checks=checks)


def chance_margin(before: Score, after: Score, confidence: float, figure: Figure = "hallucination") -> float:
    """How far the figure may rise before the rise is more than chance, in [0, 1].

    The distance from the difference of two proportions to the lower end of its interval after Newcombe
    (1998, "Interval estimation for the difference between independent proportions", method 10), built from
    two Wilson intervals. Both models answer the same questions, which makes the true interval narrower or
    equal: the margin errs by letting a little more through, never by a vanishing sample.
    """
    earlier = _wilson(before, confidence, figure)
    later = _wilson(after, confidence, figure)
    return math.hypot(getattr(after, figure) - later[0], earlier[1] - getattr(before, figure))


def _wilson(score: Score, confidence: float, figure: Figure) -> tuple[float, float]:
    count = round(getattr(score, figure) * score.count)
    interval = binomtest(count, score.count).proportion_ci(confidence_level=confidence, method="wilson")
    return float(interval.low), float(interval.high)


def _gain(before: Score, after: Score, least: float) -> GateCheck:
    name = "target accuracy up"
    if not (before.count and after.count):
        return _unmeasured(name)
    rise = after.accuracy - before.accuracy
    return GateCheck(name=name, goal=f">= {least:.2f}", figure=rise, passed=_at_least(rise, least))


def _target(after: Score, least: float) -> GateCheck:
    name = "target accuracy"
    if not after.count:
        return _unmeasured(name)
    passed = _at_least(after.accuracy, least)
    return GateCheck(name=name, goal=f">= {least:.2f}", figure=after.accuracy, passed=passed)


def _transfer(near: Score, target: Score, limits: Limits) -> GateCheck:
    """A lesson withholds few kinds, and each is asked in several wordings that are right or wrong together:
    the interval, Wilson's, counts the kinds and not the questions."""
    name = "near questions"
    if not (near.count and target.count):
        return _unmeasured(name)
    apart = near.model_copy(update={"count": near.distinct})
    chance = max(0.0, _wilson(apart, limits.confidence, "accuracy")[1] - near.accuracy)
    least = max(0.0, limits.transfer * target.accuracy - chance)
    goal = (
        f">= {least:.3f} ({limits.transfer:.0%} of in-distribution, less a {limits.confidence:.0%} interval,"
        f" n={near.distinct})"
    )
    return GateCheck(name=name, goal=goal, figure=near.accuracy, passed=_at_least(near.accuracy, least))


def _rehearsal(before: Score | None, after: Score | None, most: float) -> tuple[GateCheck, ...]:
    """No check where the domain has no earlier lessons."""
    name = "earlier lessons lost"
    if before is None and after is None:
        return ()
    if before is None or after is None:
        return (_unmeasured(name),)
    return (_forgetting(name, before, after, most),)


def _fading(as_learned: float | None, after: Score | None, most: float) -> tuple[GateCheck, ...]:
    """No check where the domain has no earlier lessons; `_rehearsal` sees to it that they are measured."""
    if as_learned is None or after is None or not after.count:
        return ()
    fall = as_learned - after.accuracy
    name = "earlier lessons lost since learned"
    return (GateCheck(name=name, goal=f"<= {most:.2f}", figure=fall, passed=_at_least(most, fall)),)


def _forgotten(before: Score | None, after: Score | None, confidence: float) -> tuple[GateCheck, ...]:
    """No check where nothing is to be forgotten."""
    name = "forgotten facts left"
    if before is None and after is None:
        return ()
    if before is None or after is None:
        return (_unmeasured(name),)
    return (_no_rise(name, before, after, confidence, "accuracy"),)


def _forgetting(name: str, before: Score, after: Score, most: float) -> GateCheck:
    if not (before.count and after.count):
        return _unmeasured(name)
    fall = before.accuracy - after.accuracy
    return GateCheck(name=name, goal=f"<= {most:.2f}", figure=fall, passed=_at_least(most, fall))


def _hallucination(before: Score, after: Score, confidence: float) -> GateCheck:
    return _no_rise("hallucination up", before, after, confidence, "hallucination")


def _no_rise(name: str, before: Score, after: Score, confidence: float, figure: Figure) -> GateCheck:
    if not (before.count and after.count):
        return _unmeasured(name)
    rise = getattr(after, figure) - getattr(before, figure)
    margin = chance_margin(before, after, confidence, figure)
    goal = f"<= {margin:.3f} ({confidence:.0%} interval, n={after.count})"
    return GateCheck(name=name, goal=goal, figure=rise, passed=rise <= 0 or rise < margin)


def _unmeasured(name: str) -> GateCheck:
    return GateCheck(name=name, goal="at least one question", figure=0.0, passed=False)


def _at_least(figure: float, least: float) -> bool:
    """Rates are ratios of counts: a difference of 1e-9 is rounding, not a miss."""
    return figure >= least - 1e-9
