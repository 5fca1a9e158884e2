"""Whether a night's adapter is deployed: its overall improvement, the decision, and the canary experiment."""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from agent.chat.routing import Route, Routes
from agent.experiments.active import ActiveExperiments
from agent.experiments.start import VariantRequest, start_experiment
from memory.adapters.base import AdapterRegistry
from memory.errors import UnknownExperiment
from memory.records.adapters import Adapter
from memory.records.base import Interval, Record
from memory.records.evaluations import Evaluation, Score
from memory.records.experiments import CONTROL, Experiment
from memory.records.nights import NightOptions

Part = Literal["lesson", "preferences", "known facts", "own answers", "safety", "earlier lessons"]
Action = Literal["deploy", "canary", "keep"]
PairedAnswers = Mapping[Part, Sequence[tuple[bool, bool]]]
"""For each question of a part, whether its answer was right before and after."""

RESAMPLES = 2000
CONFIDENCE = 0.95
PLANNED_UNITS = 2000
MIN_UNITS = 200
"""Units per variant before any decision, and planned in all: the defaults of an experiment."""
NEW = "night"
"""Name of the variant with the new adapter."""


class Improvement(Record):
    """How much better an adapter is than what it would replace, overall and by part."""

    overall: float
    """Mean of the parts, in [-1, 1]."""
    parts: dict[Part, float]
    """Those that were measured."""
    interval: Interval | None = None
    """95% interval of `overall` by paired bootstrap; None where no answers are at hand."""


class Deployment(Record):
    """What becomes of an adapter."""

    action: Action
    """`canary`: a share of the units sees it first, in an experiment. `keep`: the present one stays."""
    reasons: tuple[str, ...]
    improvement: Improvement


def overall_improvement(
    before: Evaluation, after: Evaluation, answers: PairedAnswers | None = None
) -> Improvement:
    """The mean of the parts' relative changes, each in [-1, 1] and of equal weight.

    - lesson, known facts, earlier lessons: (b - a) / max(a, b) of the accuracies a before and b after; 0 if
      both are 0. Divided by the larger one, a lesson of which the base model knew nothing counts as 1, not
      without bound.
    - safety: the same of the shares of safe answers.
    - preferences: the share of held-out pairs that were won less the share that was lost, 2w - 1.
    - own answers: less the share of the model's own answers that became unlikely; before, none was.

    Parts that were not measured are left out; without any the improvement is 0. Where single `answers` are
    given, an interval comes from resampling the questions of each part with both of their answers (Efron and
    Tibshirani 1993, percentile method); parts without answers stay as they are.
    """
    parts: dict[Part, float] = {}
    if (lesson := _change(before.in_distribution, after.in_distribution)) is not None:
        parts["lesson"] = lesson
    if after.preferences is not None and after.preferences.count:
        parts["preferences"] = 2 * after.preferences.won - 1
    if (known := _change(before.out_of_distribution, after.out_of_distribution)) is not None:
        parts["known facts"] = known
    if after.drift is not None and after.drift.count:
        parts["own answers"] = -after.drift.lost
    if before.safety is not None and after.safety is not None and after.safety.count:
        parts["safety"] = relative_change(before.safety.safe, after.safety.safe)
    if (rehearsed := _change(before.rehearsed, after.rehearsed)) is not None:
        parts["earlier lessons"] = rehearsed
    overall = math.fsum(parts.values()) / len(parts) if parts else 0.0
    return Improvement(overall=overall, parts=parts, interval=_interval(parts, answers or {}))


def relative_change(before: float, after: float) -> float:
    """The change as a share of the larger value, in [-1, 1]; 0 if both are 0."""
    return (after - before) / max(before, after) if max(before, after) > 0 else 0.0


def decide_deployment(
    adapter: Adapter, options: NightOptions, answers: PairedAnswers | None = None
) -> Deployment:
    """Deploys an adapter that passed every gate and is better overall by more than `options.improvement`, or
    starts it as a canary if `options.canary_share` is above 0; else the present one is kept."""
    improvement = overall_improvement(adapter.before, adapter.after, answers)
    change = f"{improvement.overall:+.1%} overall ({_in_words(improvement)})"
    reasons: tuple[str, ...] = ()
    if not adapter.verdict.passed or adapter.status == "rejected":
        failed = adapter.verdict.reasons or ("it was rejected after its evaluation",)
        reasons = tuple(f"a gate failed: {reason}" for reason in failed)
    elif not improvement.parts:
        reasons = ("nothing was measured by which it could be better",)
    elif improvement.overall <= options.improvement:
        reasons = (f"not better enough: {change}, needs more than {options.improvement:+.1%}",)
    if reasons:
        return Deployment(action="keep", reasons=reasons, improvement=improvement)
    reasons = ("every gate passed", f"better: {change}, needs more than {options.improvement:+.1%}")
    if 0 < options.canary_share < 1:
        share = f"{options.canary_share:.0%} of the units see it first"
        return Deployment(action="canary", reasons=(*reasons, share), improvement=improvement)
    return Deployment(action="deploy", reasons=reasons, improvement=improvement)


async def start_canary(
    adapter: Adapter,
    share: float,
    *,
    night_id: str,
    now: datetime,
    base: Route,
    active: ActiveExperiments,
    routes: Routes,
    registry: AdapterRegistry,
) -> Experiment:
    """The experiment in which the adapter is served to a share of the units; safe to repeat.

    Small shares plan more units, so that the canary gets its minimum. Raises what `start_experiment` raises,
    AlreadyExists among it if another experiment runs on the domain.
    """
    id = f"night-{night_id}"
    try:
        return await active.store.get(id)
    except UnknownExperiment:
        smaller = min(share, 1 - share)
        return await start_experiment(
            [
                VariantRequest(name=CONTROL, share=1 - share),
                VariantRequest(name=NEW, share=share, adapter=adapter.name),
            ],
            domain=adapter.domain,
            id=id,
            now=now,
            by="night",
            base=base,
            active=active,
            routes=routes,
            registry=registry,
            name=f"canary of {adapter.name}",
            minimum=MIN_UNITS,
            planned=max(PLANNED_UNITS, math.ceil(MIN_UNITS / smaller)),
        )


def _change(before: Score | None, after: Score | None) -> float | None:
    """The relative change of the accuracy; None if one was not measured."""
    if before is None or after is None or not (before.count and after.count):
        return None
    return relative_change(before.accuracy, after.accuracy)


def _interval(parts: Mapping[Part, float], answers: PairedAnswers) -> Interval | None:
    """The interval of the parts' mean over resampled questions; None without any answers."""
    at_hand = {part: answers[part] for part in parts if answers.get(part)}
    if not at_hand:
        return None
    rng = np.random.default_rng(0)
    fixed = math.fsum(change for part, change in parts.items() if part not in at_hand)
    total = np.full(RESAMPLES, fixed)
    for pairs in at_hand.values():
        right = np.array(pairs, dtype=float)
        drawn = rng.integers(len(right), size=(RESAMPLES, len(right)))
        total += _relative_changes(right[:, 0][drawn].mean(1), right[:, 1][drawn].mean(1))
    tail = 100 * (1 - CONFIDENCE) / 2
    lower, upper = np.percentile(total / len(parts), [tail, 100 - tail])
    return Interval(lower=float(lower), upper=float(upper))


def _relative_changes(before: NDArray[np.float64], after: NDArray[np.float64]) -> NDArray[np.float64]:
    larger = np.maximum(before, after)
    changes: NDArray[np.float64] = np.divide(
        after - before, larger, out=np.zeros_like(larger), where=larger > 0
    )
    return changes


def _in_words(improvement: Improvement) -> str:
    """The parts, and the interval where there is one."""
    parts = ", ".join(f"{part} {change:+.1%}" for part, change in improvement.parts.items())
    interval = improvement.interval
    if interval is None:
        return parts
    return f"{parts}; 95% interval {interval.lower:+.1%} to {interval.upper:+.1%}"
