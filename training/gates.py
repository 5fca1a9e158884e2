"""Which measured adapter may be served: pure checks over two evaluations.

What was not measured does not pass: an empty set of questions fails its check.
"""

import math
from typing import NamedTuple

from pydantic import Field
from scipy.stats import binomtest  # type: ignore[import-untyped]  # ships no types

from memory.records.base import Record
from memory.records.evaluations import Drift, Evaluation, GateCheck, GateVerdict, Score

GAIN = "target accuracy up"
TARGET = "target accuracy"
REHEARSAL = "earlier lessons lost"
FADING = "earlier lessons lost since learned"
CAPACITY_CHECKS = frozenset({GAIN, TARGET, REHEARSAL, FADING})
"""Checks that a lesson fails which an adapter has no room for, beside those that it holds."""


class GateThresholds(Record):
    """What an adapter must reach."""

    gain: float = Field(0.15, ge=0, le=1)
    """Least rise of accuracy on held-out wordings of what was taught."""
    target: float = Field(0.5, ge=0, le=1)
    """Least accuracy on them: a lesson of one fact gains enough by answering yes to everything."""
    known: float = Field(0.05, ge=0, le=1)
    """Largest share of the general questions that the base model answers rightly that may be lost, net."""
    forgetting: float = Field(0.05, ge=0, le=1)
    """Most that accuracy may fall on the domain's earlier lessons."""
    drift: float = Field(0.05, ge=0, le=1)
    """Largest share of the base model's own answers that may become less likely by more than a nat a token:
    no more than may be lost of what it knew. The prototype's lessons with replay lost none of 20."""
    fading: float = Field(0.10, ge=0, le=1)
    """Most that accuracy on the earlier lessons may fall in all since they were learned: each lesson alone
    may cost little, and many of them too much."""
    confidence: float = Field(0.95, gt=0, lt=1)
    """Level of the interval within which hallucination, answers in circles, and right answers to what is
    forgotten may rise by chance."""


def gate(
    before: Evaluation, after: Evaluation, limits: GateThresholds, *, as_learned: float | None = None
) -> GateVerdict:
    """All checks; the calibration error is reported among them, and always passes.

    `as_learned` is the mean accuracy of the earlier lessons on the days when they were learned, in [0, 1].
    """
    checks = (
        _gain(before.in_distribution, after.in_distribution, limits.gain),
        _target(after.in_distribution, limits.target),
        _known(before.out_of_distribution, after.out_of_distribution, limits.known),
        _drift(after.drift, limits.drift),
        _circles(after.drift, limits.confidence),
        *_rehearsal(before.rehearsed, after.rehearsed, limits.forgetting),
        *_fading(as_learned, after.rehearsed, limits.fading),
        *_forgotten(before.forgotten, after.forgotten, limits.confidence),
        _hallucination(before.unknown, after.unknown, limits.confidence),
        GateCheck(
            name="calibration error", goal="(reported only)", figure=after.in_distribution.ece, passed=True
        ),
    )
    return GateVerdict(passed=all(check.passed for check in checks), checks=checks)


class Rate(NamedTuple):
    """A share of so many answers."""

    share: float
    answers: int


def chance_margin(before: Rate, after: Rate, confidence: float) -> float:
    """How far a share may rise before the rise is more than chance, in [0, 1].

    The distance from the difference of two proportions to the lower end of its interval after Newcombe
    (1998, "Interval estimation for the difference between independent proportions", method 10), built from
    two Wilson intervals. Both models answer the same questions, which makes the true interval narrower or
    equal: the margin errs by letting a little more through, never by a vanishing sample.
    """
    earlier = _wilson(before, confidence)
    later = _wilson(after, confidence)
    return math.hypot(after.share - later[0], earlier[1] - before.share)


def _wilson(rate: Rate, confidence: float) -> tuple[float, float]:
    hits = round(rate.share * rate.answers)
    interval = binomtest(hits, rate.answers).proportion_ci(confidence_level=confidence, method="wilson")
    return float(interval.low), float(interval.high)


def _gain(before: Score, after: Score, least: float) -> GateCheck:
    if not (before.count and after.count):
        return _unmeasured(GAIN)
    rise = after.accuracy - before.accuracy
    return GateCheck(name=GAIN, goal=f">= {least:.2f}", figure=rise, passed=_at_least(rise, least))


def _target(after: Score, least: float) -> GateCheck:
    if not after.count:
        return _unmeasured(TARGET)
    passed = _at_least(after.accuracy, least)
    return GateCheck(name=TARGET, goal=f">= {least:.2f}", figure=after.accuracy, passed=passed)


def _drift(after: Drift | None, most: float) -> GateCheck:
    name = "own answers lost"
    if after is None or not after.count:
        return _unmeasured(name)
    return GateCheck(name=name, goal=f"<= {most:.2f}", figure=after.lost, passed=_at_least(most, after.lost))


def _circles(after: Drift | None, confidence: float) -> GateCheck:
    """A small model that lost its way says the same phrase again and again; some answers of the base do."""
    name = "answers in circles up"
    if after is None:
        return _unmeasured(name)
    then, now = Rate(after.circled, after.count), Rate(after.circles, after.count)
    return _no_rise(name, then, now, confidence)


def _rehearsal(before: Score | None, after: Score | None, most: float) -> tuple[GateCheck, ...]:
    """No check where the domain has no earlier lessons."""
    if before is None and after is None:
        return ()
    if before is None or after is None:
        return (_unmeasured(REHEARSAL),)
    return (_forgetting(REHEARSAL, before, after, most),)


def _fading(as_learned: float | None, after: Score | None, most: float) -> tuple[GateCheck, ...]:
    """No check where the domain has no earlier lessons; `_rehearsal` sees to it that they are measured."""
    if as_learned is None or after is None or not after.count:
        return ()
    fall = as_learned - after.accuracy
    return (GateCheck(name=FADING, goal=f"<= {most:.2f}", figure=fall, passed=_at_least(most, fall)),)


def _forgotten(before: Score | None, after: Score | None, confidence: float) -> tuple[GateCheck, ...]:
    """No check where nothing is to be forgotten."""
    name = "forgotten facts left"
    if before is None and after is None:
        return ()
    if before is None or after is None:
        return (_unmeasured(name),)
    then, now = Rate(before.accuracy, before.count), Rate(after.accuracy, after.count)
    return (_no_rise(name, then, now, confidence),)


def _known(before: Score, after: Score, most: float) -> GateCheck:
    """Net loss on general questions, as a share of those that the base model answered rightly.

    The questions are not selected by its answers, since selected ones can only get worse: of those that
    the default model answers rightly in each wording in one engine, it answers 7% wrongly in another,
    through rounding alone.
    """
    name = "known facts lost"
    if not (before.count and after.count):
        return _unmeasured(name)
    if not before.accuracy:
        return _unmeasured(name, f"the base model has none of {before.count} general questions right")
    lost = 1 - after.accuracy / before.accuracy
    goal = f"<= {most:.2f} (of {round(before.accuracy * before.count)}, net)"
    return GateCheck(name=name, goal=goal, figure=lost, passed=_at_least(most, lost))


def _forgetting(name: str, before: Score, after: Score, most: float) -> GateCheck:
    if not (before.count and after.count):
        return _unmeasured(name)
    fall = before.accuracy - after.accuracy
    goal = f"<= {most:.2f} (n={after.count})"
    return GateCheck(name=name, goal=goal, figure=fall, passed=_at_least(most, fall))


def _hallucination(before: Score, after: Score, confidence: float) -> GateCheck:
    then, now = Rate(before.hallucination, before.count), Rate(after.hallucination, after.count)
    return _no_rise("hallucination up", then, now, confidence)


def _no_rise(name: str, before: Rate, after: Rate, confidence: float) -> GateCheck:
    if not (before.answers and after.answers):
        return _unmeasured(name)
    rise = after.share - before.share
    margin = chance_margin(before, after, confidence)
    goal = f"<= {margin:.3f} ({confidence:.0%} interval, n={after.answers})"
    return GateCheck(name=name, goal=goal, figure=rise, passed=rise <= 0 or rise < margin)


def _unmeasured(
    name: str, goal: str = "needs at least one question: run `nightschool models study` for the base model"
) -> GateCheck:
    return GateCheck(name=name, goal=goal, figure=0.0, passed=False, measured=False)


def _at_least(figure: float, least: float) -> bool:
    """Rates are ratios of counts: a difference of 1e-9 is rounding, not a miss."""
    return figure >= least - 1e-9
