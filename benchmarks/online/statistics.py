"""Simulated experiments with a known truth: how often the product's statistics promote, alarm and roll back.

    python -m benchmarks.online.statistics

Every unit (user) has a tendency of its own and takes several turns, so turns are not independent. The figures
are looked at 40 times. Beside the product's confidence sequence stand the z-test on unit means at every look,
which ignores the peeking, and the z-test on turns, which also ignores that a unit's turns belong together.
"""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2, norm  # type: ignore[import-untyped]  # ships no types

from agent.experiments.decision import MARGINS
from agent.experiments.metrics import Metric
from agent.experiments.statistics import SRM_ALPHA, half_width, one_sided_width, share_variance

Figures = dict[str, float]
Matrix = NDArray[np.float64]
ALPHA = 0.05
LOOKS = 40
MINIMUM, PLANNED = 200, 4000
"""Units per variant before the first look, and units in both variants at the last."""
BASE = 0.30
"""Rate of the event in the control."""
EFFECTS = (0.02, 0.04, 0.06)
CONCENTRATION = 4.0
"""Of the Beta distribution of the units' tendencies: the turns of a unit correlate by 1 / (1 + 4) = .2."""
FURTHER_TURNS = 4.0
"""Mean number of a unit's turns after its first."""
RATES: Mapping[Metric, float] = {"reports": 0.01, "abstention": 0.15, "regeneration": 0.05, "slow": 0.05}
"""Of the guardrails in the control."""
GUARDED_UNITS = 2000
"""Units of the experiments with guardrails: as many as an experiment plans by default."""
MISMATCHES = (
    ("sample ratio mismatches found", 0.52, 20_000),
    ("sample ratio mismatches found, 52/48 of 5,000 units", 0.52, 5_000),
    ("sample ratio mismatches found, 55/45 of 4,000 units", 0.55, 4_000),
    ("sample ratio mismatches found, 55/45 of 2,000 units", 0.55, 2_000),
)
"""Name of the figure, true share of one of two equal variants, and units. The first is the goal's."""
TREATMENTS = 3
"""In the experiments with several variants."""
CHUNK = 100
"""Experiments that are simulated at once, so that memory stays small."""


@dataclass(frozen=True)
class Looks:
    """What each look sees of one variant: rows are experiments, columns looks."""

    units: NDArray[np.int64]
    """Units at each look."""
    mean: Matrix
    """Of the units' means."""
    variance: Matrix
    """Of the mean."""
    turn_rate: Matrix
    turns: Matrix


def looks_at(
    rng: np.random.Generator, experiments: int, rate: float, looks: int, planned: int = PLANNED
) -> Looks:
    """Simulates one variant whose event has this rate, in experiments of `planned` units."""
    most = planned // 2
    units = np.linspace(MINIMUM, most, looks).round().astype(np.int64)
    shape = (experiments, most)
    turns = 1 + rng.poisson(FURTHER_TURNS, shape)
    tendency = rng.beta(rate * CONCENTRATION, (1 - rate) * CONCENTRATION, shape)
    events = rng.binomial(turns, tendency)
    means = events / turns
    at = units - 1
    first, second = np.cumsum(means, axis=1)[:, at], np.cumsum(means**2, axis=1)[:, at]
    variance = (second - first**2 / units) / (units - 1) / units
    seen, happened = np.cumsum(turns, axis=1)[:, at], np.cumsum(events, axis=1)[:, at]
    return Looks(units, first / units, variance, happened / seen, seen.astype(float))


def simulate(experiments: int = 2000, *, looks: int = LOOKS, seed: int = 17) -> Figures:
    """All figures by their names in the report; 2,000 experiments take a minute or two on one core."""
    rng = np.random.default_rng(seed)
    figures = _without_difference(rng, experiments, looks) | _several(rng, experiments, looks)
    for effect in EFFECTS:
        figures |= _power(rng, experiments, looks, effect)
    return figures | _sample_ratio(rng, experiments, looks) | _guardrails(rng, experiments, looks)


def _chunks(experiments: int) -> Iterator[int]:
    for start in range(0, experiments, CHUNK):
        yield min(CHUNK, experiments - start)


def _without_difference(rng: np.random.Generator, experiments: int, looks: int) -> Figures:
    """How often a treatment that is like the control is promoted at any look, by each method."""
    found = _promotions(rng, experiments, looks, 0.0)
    name = f"false promotions at {looks} peeks"
    return {
        name: found["sequence"],
        f"{name}, z-test": found["z_peeking"],
        f"{name}, z-test on turns": found["z_turns_peeking"],
        f"sequences that exclude the truth at any of {looks} peeks": found["excluded_truth"],
    }


def _power(rng: np.random.Generator, experiments: int, looks: int, effect: float) -> Figures:
    """How often a treatment with this effect is promoted by the last look, and after how many units."""
    found = _promotions(rng, experiments, looks, effect)
    name = f"{100 * effect:+.0f} points on {BASE:.0%}"
    figures = {
        f"power at {name}": found["sequence"],
        f"power at {name}, z-test at the end": found["z_at_end"],
    }
    if "units" in found:
        figures[f"median units to promotion at {name}"] = found["units"]
    return figures


def _promotions(rng: np.random.Generator, experiments: int, looks: int, effect: float) -> Figures:
    """Shares of the experiments of one treatment that each method promotes; `units` is a median."""
    critical = float(norm.ppf(1 - ALPHA / 2))
    found: defaultdict[str, list[NDArray[np.bool_]]] = defaultdict(list)
    units: list[Matrix] = []
    for count in _chunks(experiments):
        control = looks_at(rng, count, BASE, looks)
        treatment = looks_at(rng, count, BASE + effect, looks)
        estimate, error = treatment.mean - control.mean, np.sqrt(control.variance + treatment.variance)
        half = half_width(error, 2 * control.units, PLANNED, ALPHA)
        by_turns = np.sqrt(sum(v.turn_rate * (1 - v.turn_rate) / v.turns for v in (control, treatment)))
        promoted = estimate > half
        found["sequence"].append(promoted.any(axis=1))
        found["excluded_truth"].append((np.abs(estimate - effect) > half).any(axis=1))
        found["z_peeking"].append((estimate / error > critical).any(axis=1))
        found["z_at_end"].append(estimate[:, -1] / error[:, -1] > critical)
        on_turns = (treatment.turn_rate - control.turn_rate) / by_turns
        found["z_turns_peeking"].append((on_turns > critical).any(axis=1))
        units.append(2.0 * control.units[promoted.argmax(axis=1)][promoted.any(axis=1)])
    figures = {name: float(np.concatenate(values).mean()) for name, values in found.items()}
    return figures | ({"units": float(np.median(np.concatenate(units)))} if figures["sequence"] else {})


def _several(rng: np.random.Generator, experiments: int, looks: int) -> Figures:
    """No treatment differs: how often any is promoted, with alpha divided over them and without."""
    promoted: dict[float, list[NDArray[np.bool_]]] = {ALPHA: [], ALPHA / TREATMENTS: []}
    for count in _chunks(experiments):
        control = looks_at(rng, count, BASE, looks)
        wins = {alpha: np.zeros(count, dtype=bool) for alpha in promoted}
        for _ in range(TREATMENTS):
            treatment = looks_at(rng, count, BASE, looks)
            estimate = treatment.mean - control.mean
            error = np.sqrt(control.variance + treatment.variance)
            for alpha, won in wins.items():
                won |= (estimate > half_width(error, 2 * control.units, PLANNED, alpha)).any(axis=1)
        for alpha, won in wins.items():
            promoted[alpha].append(won)
    name = f"false promotions of {TREATMENTS} variants at {looks} peeks"
    return {
        name: float(np.concatenate(promoted[ALPHA / TREATMENTS]).mean()),
        f"{name}, alpha not divided": float(np.concatenate(promoted[ALPHA]).mean()),
    }


def _sample_ratio(rng: np.random.Generator, experiments: int, looks: int) -> Figures:
    """Alarms at shares of one half: false ones at every look, and those of real mismatches at one look."""
    steps = np.diff(np.linspace(0, 20_000, looks + 1)).round().astype(np.int64)
    inside = np.cumsum(rng.binomial(steps, 0.5, (experiments, looks)), axis=1)
    false = (_ratio_p(inside, np.cumsum(steps)) < SRM_ALPHA).any(axis=1)
    figures = {f"false sample ratio alarms at {looks} peeks": float(false.mean())}
    for name, share, units in MISMATCHES:
        alarms = _ratio_p(rng.binomial(units, share, experiments), np.array(units)) < SRM_ALPHA
        figures[name] = float(alarms.mean())
    return figures


def _ratio_p(inside: NDArray[np.int64], units: NDArray[np.int64]) -> Matrix:
    """As agent.experiments.statistics.sample_ratio_p for two equal shares, for whole arrays."""
    p: Matrix = chi2.sf((2 * inside - units) ** 2 / units, 1)
    return p


def _guardrails(rng: np.random.Generator, experiments: int, looks: int) -> Figures:
    """How often guardrails roll back at any look, and show at the last that their margin is kept."""
    alpha, planned = ALPHA / len(MARGINS), GUARDED_UNITS
    figures: Figures = {}
    for metric, margin in MARGINS.items():
        for name, harm in (
            ("without harm", 0.0),
            ("at the margin", margin),
            ("at twice the margin", 2 * margin),
        ):
            fails: list[NDArray[np.bool_]] = []
            holds: list[NDArray[np.bool_]] = []
            for count in _chunks(experiments):
                control = looks_at(rng, count, RATES[metric], looks, planned)
                treatment = looks_at(rng, count, RATES[metric] + harm, looks, planned)
                estimate = treatment.mean - control.mean
                error = np.sqrt(_share_variance(control) + _share_variance(treatment))
                width = one_sided_width(error, 2 * control.units, planned, alpha)
                fails.append((estimate - width > margin).any(axis=1))
                holds.append(estimate[:, -1] + width[:, -1] <= margin)
            figures[f"roll-backs {name}, {metric}"] = float(np.concatenate(fails).mean())
            figures[f"shown to hold {name}, {metric}"] = float(np.concatenate(holds).mean())
    return figures


def _share_variance(variant: Looks) -> Matrix:
    """Variance of the mean, as the product's guardrails take it."""
    units = variant.units
    smoothed: Matrix = share_variance(variant.mean, variant.variance * units, units) / units
    return smoothed


if __name__ == "__main__":
    print(json.dumps(simulate(), indent=2))
