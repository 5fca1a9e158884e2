"""The simulated experiments know the truth, and the product's statistics keep to it."""

import pytest

from benchmarks.online.statistics import simulate

EXPERIMENTS = 300


@pytest.fixture(scope="module")
def figures() -> dict[str, float]:
    return simulate(EXPERIMENTS, seed=3)


@pytest.mark.slow
def test_peeking_promotes_no_more_than_alpha_while_a_z_test_does(figures: dict[str, float]) -> None:
    assert figures["false promotions at 40 peeks"] <= 0.05
    assert figures["sequences that exclude the truth at any of 40 peeks"] <= 0.05
    assert figures["false promotions of 3 variants at 40 peeks"] <= 0.05
    assert figures["false promotions at 40 peeks, z-test"] > 0.05
    z_on_turns = figures["false promotions at 40 peeks, z-test on turns"]
    assert z_on_turns > figures["false promotions at 40 peeks, z-test"]


def test_power_grows_with_the_effect_and_stays_below_that_of_one_look(figures: dict[str, float]) -> None:
    power = [figures[f"power at +{points} points on 30%"] for points in (2, 4, 6)]
    assert power == sorted(power)
    assert power[-1] > 0.95
    assert power[0] < figures["power at +2 points on 30%, z-test at the end"]


def test_guardrails_roll_back_harm_and_nothing_at_the_margin(figures: dict[str, float]) -> None:
    for metric in ("reports", "abstention", "regeneration", "slow"):
        assert figures[f"roll-backs at the margin, {metric}"] <= 0.05
        assert figures[f"shown to hold at the margin, {metric}"] <= 0.05
    assert figures["roll-backs at twice the margin, abstention"] > 0.8


def test_a_wrong_sample_ratio_is_found_and_a_right_one_left_alone(figures: dict[str, float]) -> None:
    assert figures["sample ratio mismatches found"] >= 0.95
    assert figures["false sample ratio alarms at 40 peeks"] <= 0.05


def test_the_goals_of_the_page_are_among_the_figures(figures: dict[str, float]) -> None:
    from benchmarks.online.report import GOALS  # imports torch

    assert {name for name in GOALS if "peeks" in name or "sample ratio" in name} <= figures.keys()


def test_equal_seeds_give_equal_figures() -> None:
    assert simulate(4, seed=5) == simulate(4, seed=5)
