"""The policy promotes what wins, rolls back what harms, and otherwise waits, for a stated reason."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from agent.experiments.decision import MARGINS, analyse, decide
from agent.experiments.metrics import Metric, VariantMetrics
from memory.records.experiments import CONTROL, Experiment, ExperimentDecision
from tests.support.experiments import WHEN, experiment

UNITS = 1000


def variant(units: int = UNITS, seed: int = 0, *, goal: float = 0.0, **rates: float) -> VariantMetrics:
    """A variant whose units' engagement scatters by 1 around `goal`, with shares of the guardrails' turns."""
    rng = np.random.default_rng(seed)
    values: dict[Metric, Any] = {"engagement": rng.normal(goal, 1.0, units)}
    for metric in MARGINS:
        values[metric] = rng.binomial(5, rates.get(metric, 0.005), units) / 5
    return VariantMetrics(turns=5 * units, fallback=0.0, units=values, latency={})


def decided(
    measured: Mapping[str, VariantMetrics],
    running: Experiment | None = None,
    exposures: Mapping[str, int] | None = None,
) -> ExperimentDecision:
    running = running or experiment(planned=4000)
    seen = exposures or {name: len(each.units["engagement"]) for name, each in measured.items()}
    return decide(running, analyse(running, measured, seen), WHEN)


def two(treatment: VariantMetrics, control: VariantMetrics | None = None) -> dict[str, VariantMetrics]:
    return {CONTROL: control or variant(), "b": treatment}


def test_a_variant_that_raises_the_goal_is_promoted() -> None:
    decision = decided(two(variant(seed=1, goal=0.5)))
    assert (decision.action, decision.variant, decision.by) == ("promoted", "b", "policy")
    assert decision.figures["goal"]["b"]["lower"] > 0
    assert decision.at == WHEN


def test_below_the_minimum_nothing_is_decided_however_good_it_looks() -> None:
    decision = decided(two(variant(150, 1, goal=5.0), variant(150)))
    assert decision.action == "checked"
    assert decision.reason == "waiting for the minimum of 200 units with a value for engagement: control, b"


def rarely_rated(seed: int = 0, **rates: float) -> VariantMetrics:
    """A variant of which 5% of the units rated a turn."""
    measured = variant(seed=seed, **rates)
    rated: dict[Metric, Any] = {"rating": np.full(UNITS // 20, 4.0)}
    return replace(measured, units={**measured.units, **rated})


@pytest.mark.parametrize("metric", MARGINS)
def test_harm_is_rolled_back_while_few_units_have_a_value_for_the_goal(metric: Metric) -> None:
    running = experiment(planned=4000, goal="rating")
    harmful = two(rarely_rated(1, **{metric: 0.5}), rarely_rated())
    assert decided(two(rarely_rated(1), rarely_rated()), running).action == "checked"
    decision = decided(harmful, running)
    assert (decision.action, decision.variant) == ("rolled_back", "b")


def test_below_the_minimum_of_exposed_units_nothing_is_rolled_back() -> None:
    assert decided(two(variant(150, 1, reports=0.9), variant(150))).action == "checked"


def test_the_plan_ends_although_few_units_have_a_value_for_the_goal() -> None:
    decision = decided(two(rarely_rated(1), rarely_rated()), experiment(planned=2000, goal="rating"))
    assert decision.action == "stopped"
    assert decision.reason == (
        "the planned 2000 units were reached without the minimum of 200 units with a value for rating:"
        " control, b"
    )


def test_a_variant_that_nobody_is_shown_raises_the_alarm() -> None:
    nothing = VariantMetrics(turns=0, fallback=0.0, units={}, latency={})
    unseen = two(nothing, variant(5000))
    running = experiment(planned=9000)
    assert decided(unseen, running, {CONTROL: 5000, "b": 0}).action == "alarm"
    assert decided(unseen, experiment(planned=4000), {CONTROL: 5000, "b": 0}).action == "stopped"


def test_a_few_units_raise_no_alarm_however_they_are_divided() -> None:
    assert decided(two(variant(2, 1), variant(40)), exposures={CONTROL: 40, "b": 2}).action == "checked"


def test_units_without_a_value_for_the_goal_do_not_count_towards_the_minimum() -> None:
    rated = variant(seed=1, goal=0.5)
    assert decided(two(rated), experiment(planned=4000, goal="rating")).reason.startswith(
        "waiting for the minimum"
    )


def test_no_difference_is_undecided_until_the_plan_ends_it() -> None:
    same = two(variant(seed=1))
    assert decided(same).action == "checked"
    ended = decided(same, experiment(planned=2000))
    assert (ended.action, ended.variant) == ("stopped", None)
    assert "planned 2000 units were reached" in ended.reason


@pytest.mark.parametrize("metric", MARGINS)
def test_a_failing_guardrail_rolls_back_even_if_the_goal_is_raised(metric: Metric) -> None:
    decision = decided(two(variant(seed=1, goal=1.0, **{metric: 0.4})))
    assert (decision.action, decision.variant) == ("rolled_back", "b")
    assert decision.reason.endswith(metric)


def test_a_mismatch_of_the_sample_ratio_forbids_promotion() -> None:
    winner = two(variant(seed=1, goal=0.5))
    decision = decided(winner, exposures={CONTROL: 1000, "b": 1200})
    assert decision.action == "alarm"
    assert "sample-ratio mismatch" in decision.reason
    ended = decided(winner, experiment(planned=2000), {CONTROL: 1000, "b": 1200})
    assert ended.action == "stopped"


def test_a_mismatch_does_not_forbid_a_roll_back() -> None:
    harmful = two(variant(seed=1, abstention=0.5))
    assert decided(harmful, exposures={CONTROL: 1000, "b": 1200}).action == "rolled_back"


def test_a_guardrail_that_is_not_shown_to_hold_delays_the_promotion_unless_proof_is_waived() -> None:
    unclear = two(variant(300, 1, goal=1.0, abstention=0.3), variant(300, abstention=0.3))
    delayed = decided(unclear)
    assert delayed.action == "checked"
    assert "abstention is not yet shown to stay within its margin" in delayed.reason
    assert decided(unclear, experiment(planned=4000, prove_guardrails=False)).action == "promoted"


def test_a_guardrail_that_seems_worse_than_its_margin_delays_it_even_without_proof() -> None:
    leaning = two(variant(300, 1, goal=1.0, abstention=0.38), variant(300, abstention=0.3))
    decision = decided(leaning, experiment(planned=4000, prove_guardrails=False))
    assert (decision.action, "seems worse" in decision.reason) == ("checked", True)


def test_a_goal_that_every_variant_lowers_ends_the_experiment() -> None:
    decision = decided(two(variant(seed=1, goal=-0.5)))
    assert (decision.action, decision.reason) == ("stopped", "every variant lowers engagement")


def test_of_several_winners_the_best_is_promoted() -> None:
    running = experiment(shares=(0.4, 0.3, 0.3), planned=4000)
    measured = {CONTROL: variant(1200), "b": variant(900, 1, goal=0.4), "c": variant(900, 2, goal=0.8)}
    assert decided(measured, running).variant == "c"


def test_one_harmful_variant_does_not_take_the_promotion_from_another() -> None:
    running = experiment(shares=(0.4, 0.3, 0.3), planned=4000)
    harmful = variant(900, 1, abstention=0.5)
    decision = decided({CONTROL: variant(1200), "b": harmful, "c": variant(900, 2, goal=0.8)}, running)
    assert (decision.action, decision.variant) == ("promoted", "c")


def test_several_variants_share_alpha() -> None:
    alone, among = experiment(planned=4000), experiment(shares=(0.4, 0.3, 0.3), planned=4000)
    measured = {CONTROL: variant(), "b": variant(seed=1), "c": variant(seed=2)}
    seen = dict.fromkeys(measured, UNITS)

    def width(running: Experiment) -> float:
        goal = analyse(running, measured, seen).treatments[0].goal
        assert goal is not None
        return goal.upper - goal.lower

    assert width(among) > width(alone)


def test_an_experiment_without_any_turns_waits() -> None:
    nothing = VariantMetrics(turns=0, fallback=0.0, units={}, latency={})
    decision = decided({CONTROL: nothing, "b": nothing}, exposures={CONTROL: 0, "b": 0})
    assert decision.action == "checked"


def test_the_holdout_is_counted_and_not_compared() -> None:
    running = experiment(planned=4000)
    analysis = analyse(running, two(variant(seed=1)), {CONTROL: UNITS, "b": UNITS, "holdout": 77})
    assert (analysis.held_out, analysis.units) == (77, 2 * UNITS)
    assert not analysis.mismatch
