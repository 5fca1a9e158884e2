"""What an experiment's figures say: go on, promote, stop, or roll back. A pure function over records.

The error rate is split once more than it has to be for nobody to be misled: a promotion needs the goal's
sequence at alpha / (number of treatments) to lie above 0, and each guardrail is a one-sided sequence at
alpha / (treatments x guardrails). Both hold at every look, so checks may be made as often as one likes.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

import numpy as np

from agent.experiments.metrics import Metric, VariantMetrics
from agent.experiments.statistics import (
    SRM_ALPHA,
    Difference,
    Values,
    difference,
    harm_bounds,
    mean_interval,
    sample_ratio_p,
)
from memory.records.base import Record
from memory.records.experiments import CONTROL, Experiment, ExperimentDecision

GuardrailStatus = Literal["holds", "open", "fails"]
MARGINS: Mapping[Metric, float] = {"reports": 0.01, "abstention": 0.05, "regeneration": 0.03, "slow": 0.05}
"""Guardrails, and by how much a variant's mean may exceed the control's: all are shares of turns. `slow`
stands for the 95th percentile of the latency. Our choice, near the smallest margins that the 2,000 units of a
default experiment can show to hold: without harm, 46% of simulated experiments show it for reports and at
least 92% for the others (benchmarks.online.statistics)."""
NO_VALUES: Values = np.array([])


class Guardrail(Record):
    """How much worse a treatment is than the control in one metric, with one-sided bounds."""

    metric: Metric
    margin: float
    estimate: float | None
    lower: float | None
    upper: float | None
    status: GuardrailStatus
    """`holds`: shown to be worse by at most the margin. `fails`: shown to be worse by more. Else `open`."""


class MetricSummary(Record):
    """One metric of one variant."""

    units: int
    mean: float
    lower: float | None
    upper: float | None
    difference: Difference | None = None
    """From the control; None for the control itself, or below two units. At the experiment's full alpha, for
    information: only the goal's decides."""


class VariantSummary(Record):
    """The figures of one variant."""

    variant: str
    units: int
    """Units exposed to it."""
    turns: int
    fallback: float
    """Share of the turns that the control answered because the variant's adapter could not be used."""
    metrics: dict[Metric, MetricSummary]
    latency: dict[str, float]
    """Percentiles of all turns, in milliseconds."""
    goal: Difference | None = None
    """The goal's difference from the control that decides; None for the control."""
    guardrails: tuple[Guardrail, ...] = ()


class Analysis(Record):
    """An experiment's figures at one time."""

    variants: tuple[VariantSummary, ...]
    held_out: int
    """Units of the holdout that were seen."""
    sample_ratio_p: float
    """P-value of the variants' units under their shares."""

    @property
    def mismatch(self) -> bool:
        """Whether the sample ratio raises the alarm."""
        return self.sample_ratio_p < SRM_ALPHA

    @property
    def units(self) -> int:
        """Units exposed to all variants."""
        return sum(variant.units for variant in self.variants)

    @property
    def treatments(self) -> tuple[VariantSummary, ...]:
        """All variants but the control."""
        return self.variants[1:]


def analyse(
    experiment: Experiment, metrics: Mapping[str, VariantMetrics], exposures: Mapping[str, int]
) -> Analysis:
    """The figures of all variants. `exposures` are units by variant, as the store counts them."""
    treatments = len(experiment.variants) - 1
    goal_alpha = experiment.alpha / treatments
    guardrail_alpha = goal_alpha / len(MARGINS)
    control = metrics[CONTROL].units
    summaries: list[VariantSummary] = []
    for variant in experiment.variants:
        measured, is_control = metrics[variant.name], variant.name == CONTROL
        goal: Difference | None = None
        guardrails: tuple[Guardrail, ...] = ()
        if not is_control:
            goal = difference(
                control.get(experiment.goal, NO_VALUES),
                measured.units.get(experiment.goal, NO_VALUES),
                planned=experiment.planned,
                alpha=goal_alpha,
            )
            guardrails = tuple(
                _guardrail(metric, margin, control, measured.units, experiment.planned, guardrail_alpha)
                for metric, margin in MARGINS.items()
            )
        summaries.append(
            VariantSummary(
                variant=variant.name,
                units=exposures.get(variant.name, 0),
                turns=measured.turns,
                fallback=measured.fallback,
                metrics={
                    metric: _summary(values, None if is_control else control.get(metric), experiment)
                    for metric, values in measured.units.items()
                },
                latency=dict(measured.latency),
                goal=goal,
                guardrails=guardrails,
            )
        )
    names = [variant.name for variant in experiment.variants]
    return Analysis(
        variants=tuple(summaries),
        held_out=sum(count for name, count in exposures.items() if name not in names),
        sample_ratio_p=sample_ratio_p(
            [exposures.get(name, 0) for name in names], [variant.share for variant in experiment.variants]
        ),
    )


def _summary(values: Values, control: Values | None, experiment: Experiment) -> MetricSummary:
    planned, alpha = experiment.planned, experiment.alpha
    bounds = mean_interval(values, planned=planned / len(experiment.variants), alpha=alpha)
    return MetricSummary(
        units=len(values),
        mean=float(values.mean()),
        lower=bounds[0] if bounds else None,
        upper=bounds[1] if bounds else None,
        difference=None if control is None else difference(control, values, planned=planned, alpha=alpha),
    )


def _guardrail(
    metric: Metric,
    margin: float,
    control: Mapping[Metric, Values],
    treatment: Mapping[Metric, Values],
    planned: int,
    alpha: float,
) -> Guardrail:
    before, after = control.get(metric, NO_VALUES), treatment.get(metric, NO_VALUES)
    bounds = harm_bounds(before, after, planned=planned, alpha=alpha)
    if bounds is None:
        return Guardrail(metric=metric, margin=margin, estimate=None, lower=None, upper=None, status="open")
    lower, upper = bounds
    status: GuardrailStatus = "fails" if lower > margin else "holds" if upper <= margin else "open"
    estimate = float(after.mean() - before.mean())
    return Guardrail(metric=metric, margin=margin, estimate=estimate, lower=lower, upper=upper, status=status)


def decide(experiment: Experiment, analysis: Analysis, now: datetime) -> ExperimentDecision:
    """The policy's decision on these figures: the next entry of the experiment's log.

    `checked` and `alarm` let it run on. In this order: a guardrail that fails; a sample-ratio mismatch; too
    few units with a value for the goal; a goal that is reached; a goal that every variant misses; the end of
    the plan. A roll-back, the alarm and the end of the plan count exposed units: harm waits for no ratings.
    """
    figures = decision_figures(analysis)

    def decided(action: Any, reason: str, variant: str | None = None) -> ExperimentDecision:
        return ExperimentDecision(
            at=now, action=action, by="policy", reason=reason, variant=variant, figures=figures
        )

    lacking = lacking_units(experiment, analysis)
    winners = [
        t
        for t in analysis.treatments
        if not lacking and _reached(t) and not guardrail_problems(experiment, t)
    ]
    ended = analysis.units >= experiment.planned
    failing = _failing_guardrails(experiment, analysis)
    if failing and (analysis.mismatch or not winners):
        treatment, guardrail = failing[0]
        reason = f"{treatment.variant} is worse than the control by more than the margin: {guardrail.metric}"
        return decided("rolled_back", reason, treatment.variant)
    if analysis.mismatch and analysis.units >= experiment.minimum * len(analysis.variants):
        reason = "the units per variant do not match the shares (sample-ratio mismatch): find out why"
        if ended:
            return decided("stopped", f"{reason}; the planned units were reached without a usable result")
        return decided("alarm", f"{reason}; nothing is promoted")
    if lacking:
        names = ", ".join(lacking)
        needed = f"the minimum of {experiment.minimum} units with a value for {experiment.goal}: {names}"
        if ended:
            return decided("stopped", f"the planned {experiment.planned} units were reached without {needed}")
        return decided("checked", f"waiting for {needed}")
    if winners:
        best = max(winners, key=lambda treatment: treatment.goal.estimate if treatment.goal else 0.0)
        return decided("promoted", f"{best.variant} raises {experiment.goal}", best.variant)
    if all(t.goal is not None and t.goal.upper < 0 for t in analysis.treatments):
        return decided("stopped", f"every variant lowers {experiment.goal}")
    blocked = [
        f"{t.variant} raises {experiment.goal}, but {', '.join(guardrail_problems(experiment, t))}"
        for t in analysis.treatments
        if _reached(t)
    ]
    if ended:
        outcome = "; ".join(blocked) or f"no variant raises {experiment.goal} for certain"
        return decided("stopped", f"the planned {experiment.planned} units were reached: {outcome}")
    return decided("checked", "; ".join(blocked) or f"undecided: {experiment.goal} may or may not be raised")


def lacking_units(experiment: Experiment, analysis: Analysis) -> dict[str, int]:
    """How many units with a value for the goal each variant lacks; variants that have enough are missing.

    Nothing is promoted before.
    """
    lacking: dict[str, int] = {}
    for variant in analysis.variants:
        measured = variant.metrics.get(experiment.goal)
        units = min(variant.units, measured.units if measured else 0)
        if units < experiment.minimum:
            lacking[variant.variant] = experiment.minimum - units
    return lacking


def _failing_guardrails(experiment: Experiment, analysis: Analysis) -> list[tuple[VariantSummary, Guardrail]]:
    """The guardrails that fail, of treatments that were shown to enough units, as the control was."""
    if analysis.variants[0].units < experiment.minimum:
        return []
    shown = [treatment for treatment in analysis.treatments if treatment.units >= experiment.minimum]
    return [(t, guardrail) for t in shown for guardrail in t.guardrails if guardrail.status == "fails"]


def guardrail_problems(experiment: Experiment, treatment: VariantSummary) -> list[str]:
    """Why the treatment's guardrails forbid its promotion now."""
    problems: list[str] = []
    for guardrail in treatment.guardrails:
        if guardrail.status == "fails":
            problems.append(f"{guardrail.metric} is worse")
        elif guardrail.status == "open":
            if experiment.prove_guardrails:
                problems.append(f"{guardrail.metric} is not yet shown to stay within its margin")
            elif guardrail.estimate is not None and guardrail.estimate > guardrail.margin:
                problems.append(f"{guardrail.metric} seems worse by more than its margin")
    return problems


def decision_figures(analysis: Analysis) -> dict[str, Any]:
    """What a decision rests on, for the experiment's log."""
    return {
        "units": {variant.variant: variant.units for variant in analysis.variants},
        "sample_ratio_p": analysis.sample_ratio_p,
        "goal": {
            treatment.variant: treatment.goal.model_dump() if treatment.goal else None
            for treatment in analysis.treatments
        },
        "guardrails": {
            treatment.variant: {guardrail.metric: guardrail.status for guardrail in treatment.guardrails}
            for treatment in analysis.treatments
        },
    }


def _reached(treatment: VariantSummary) -> bool:
    return treatment.goal is not None and treatment.goal.lower > 0
