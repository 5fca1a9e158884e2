"""A calibration learns from graded answers what a good one is, and measures itself on unseen questions."""

import random

import pytest

from agent.nights.scoring.calibrate import CriteriaLabel, calibrate
from agent.nights.scoring.scorer import good_chance
from memory.records.nights import Criterion


def labels(count: int, *, helpful: bool = True) -> list[CriteriaLabel]:
    """Answers that are good if correctness is high, or if it is low."""
    draw = random.Random(0)
    made = []
    for number in range(count):
        value = draw.random()
        good = (value + draw.gauss(0, 0.1) > 0.5) == helpful
        criteria = {"correctness": value, "clarity": draw.random()}
        made.append(
            CriteriaLabel.model_validate({"group": f"q{number % 20}", "criteria": criteria, "good": good})
        )
    return made


def test_a_calibration_finds_what_counts() -> None:
    found = calibrate(labels(200), fitted_on="test")
    assert found.weights["correctness"] > 2 * found.weights["clarity"]
    assert found.auroc > 0.9
    assert found.error < 0.15


def test_a_criterion_never_counts_against_an_answer() -> None:
    found = calibrate(labels(200, helpful=False), fitted_on="test")
    assert all(weight >= 0 for weight in found.weights.values())


def test_equal_labels_give_equal_calibrations() -> None:
    assert calibrate(labels(60), fitted_on="test") == calibrate(labels(60), fitted_on="test")


def test_too_few_labels_are_refused() -> None:
    with pytest.raises(ValueError, match="graded answers"):
        calibrate(labels(10), fitted_on="test")


def test_the_cap_holds_whatever_the_weights() -> None:
    weights: dict[Criterion, float] = {"feedback": 8.0, "correctness": 0.0}
    assert good_chance(9.0, weights, {"feedback": 1.0, "correctness": 0.0}) <= 0.1
