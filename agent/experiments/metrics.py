"""The metrics of an experiment's variants, from the interaction log and the feedback.

Each unit (user or conversation) counts once, by the mean over its turns, because the turns of one unit are
not independent. A unit without a value, such as one that never rated, is left out of that metric.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np

from agent.experiments.statistics import Values, percentiles
from agent.feedback.implicit import ImplicitWeights, implicit_scores, sessions, was_regenerated
from memory.feedback.feedback import latest
from memory.records.base import Share
from memory.records.experiments import CONTROL, Experiment
from memory.records.feedback import Feedback
from memory.records.interactions import Interaction

Metric = Literal[
    "engagement",
    "rating",
    "session_minutes",
    "regeneration",
    "reports",
    "abstention",
    "gaps",
    "latency_ms",
    "slow",
]
"""Of turns: `engagement` is the implicit score; `regeneration`, `reports`, `abstention` and `gaps` and `slow`
are shares, where a turn is slow if it takes longer than the control's 95th percentile.
Of sessions: `session_minutes`, from the first turn to the last."""
SLOW_QUANTILE = 0.95


@dataclass(frozen=True)
class VariantMetrics:
    """What was measured on the units of one variant."""

    turns: int
    fallback: Share
    """Share of the turns that the control answered because the variant's adapter could not be used."""
    units: Mapping[Metric, Values]
    """The mean of each unit that has the metric, in no particular order."""
    latency: Mapping[str, float]
    """Milliseconds of all turns: p50, p95 and p99; empty if none was measured."""


@dataclass(frozen=True)
class _Signals:
    """What is known of turns beside the turns themselves, by their id."""

    ratings: Mapping[str, float]
    reported: Collection[str]
    regenerated: Collection[str]
    scores: Mapping[str, float]
    slow: float | None
    """Milliseconds from which on a turn is slow."""


def measure(
    experiment: Experiment,
    interactions: Iterable[Interaction],
    feedback: Iterable[Feedback],
    weights: ImplicitWeights,
) -> Mapping[str, VariantMetrics]:
    """The metrics of all variants, in the experiment's order; the holdout is left out.

    Interactions that the experiment did not assign are ignored.
    """
    turns: dict[str, list[Interaction]] = {variant.name: [] for variant in experiment.variants}
    for turn in sorted(interactions, key=lambda turn: (turn.created_at, turn.id)):
        assignment = turn.assignment
        if assignment is None or turn.unit is None or assignment.experiment_id != experiment.id:
            continue
        if assignment.version == experiment.version and assignment.variant in turns:
            turns[assignment.variant].append(turn)
    every = [turn for of_variant in turns.values() for turn in of_variant]
    counting = latest(feedback)
    control = [turn.latency_ms for turn in turns[CONTROL] if turn.latency_ms is not None]
    signals = _Signals(
        ratings={f.interaction_id: f.value for f in counting if f.kind == "rating" and f.value is not None},
        reported={f.interaction_id for f in counting if f.kind == "reported" and f.value != 0},
        regenerated=regenerated_turns(every, counting, weights),
        scores=implicit_scores(every, counting, weights),
        slow=float(np.quantile(control, SLOW_QUANTILE)) if control else None,
    )
    return {name: _measure(of_variant, signals, weights) for name, of_variant in turns.items()}


def regenerated_turns(
    turns: Sequence[Interaction], feedback: Iterable[Feedback], weights: ImplicitWeights
) -> set[str]:
    """Ids of the turns whose question was asked again, by feedback, or else by the unit's next turn."""
    said = {f.interaction_id: f.value != 0 for f in feedback if f.kind == "regenerated"}
    ordered = sorted(turns, key=lambda turn: (turn.created_at, turn.id))
    pairs = (pair for session in sessions(ordered, weights.session_pause) for pair in pairwise(session))
    shown = {turn.id: True for turn, later in pairs if was_regenerated(turn, later)}
    return {turn for turn, holds in (shown | said).items() if holds}


def _measure(turns: Sequence[Interaction], signals: _Signals, weights: ImplicitWeights) -> VariantMetrics:
    values: defaultdict[Metric, defaultdict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for turn in turns:
        assert turn.user is not None, "measure leaves turns without a unit out"
        for metric, value in _of_turn(turn, signals).items():
            if value is not None:
                values[metric][turn.user].append(value)
    for session in sessions(turns, weights.session_pause):
        user, length = session[0].user, session[-1].created_at - session[0].created_at
        assert user is not None, "measure leaves turns without a unit out"
        values["session_minutes"][user].append(length.total_seconds() / 60)
    fallbacks = sum(turn.assignment is not None and turn.assignment.fallback for turn in turns)
    return VariantMetrics(
        turns=len(turns),
        fallback=fallbacks / len(turns) if turns else 0.0,
        units={m: np.array([np.mean(found) for found in units.values()]) for m, units in values.items()},
        latency=percentiles([turn.latency_ms for turn in turns if turn.latency_ms is not None]),
    )


def _of_turn(turn: Interaction, signals: _Signals) -> dict[Metric, float | None]:
    latency, slow = turn.latency_ms, signals.slow
    return {
        "engagement": signals.scores.get(turn.id),
        "rating": signals.ratings.get(turn.id),
        "regeneration": float(turn.id in signals.regenerated),
        "reports": float(turn.id in signals.reported),
        "abstention": float(turn.outcome == "abstained"),
        "gaps": float(turn.gap_id is not None),
        "latency_ms": latency,
        "slow": None if latency is None or slow is None else float(latency > slow),
    }
