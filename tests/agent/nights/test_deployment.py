"""Deployment: an adapter stays only if it is better overall and passed every gate."""

import pytest

from agent.nights.deployment import (
    Action,
    PairedAnswers,
    decide_deployment,
    overall_improvement,
    relative_change,
)
from memory.records.adapters import Adapter
from memory.records.evaluations import Evaluation, PreferenceScore, SafetyScore
from memory.records.nights import NightOptions
from tests.support.adapters import adapter, evaluation, score


def measured(before: Evaluation, after: Evaluation, *, passed: bool = True) -> Adapter:
    return adapter(rejected=not passed).model_copy(update={"before": before, "after": after})


def preferred(won: float, safe: float) -> Evaluation:
    return evaluation().model_copy(
        update={
            "in_distribution": score(0, count=0),
            "preferences": PreferenceScore(count=40, accuracy=0.6, won=won),
            "safety": SafetyScore(count=40, safe=safe, absolute=safe, refused_benign=0, toxic=0),
        }
    )


LEARNED = measured(evaluation(target=0.2), evaluation(target=0.8))
BARELY = measured(evaluation(target=0.5), evaluation(target=0.53))
FAILED = measured(evaluation(target=0.2), evaluation(target=0.8), passed=False)


@pytest.mark.parametrize(
    ("candidate", "options", "action", "reason"),
    [
        (LEARNED, {}, "deploy", "every gate passed"),
        (LEARNED, {"canary_share": 0.1}, "canary", "10% of the units see it first"),
        (LEARNED, {"canary_share": 1.0}, "deploy", "every gate passed"),
        (LEARNED, {"improvement": 0.5}, "keep", "needs more than +50.0%"),
        (BARELY, {}, "keep", "not better enough: +1.9% overall"),
        (BARELY, {"improvement": 0.01}, "deploy", "better: +1.9% overall"),
        (FAILED, {}, "keep", "a gate failed: target up: 0.020, needs >= 0.15"),
        (FAILED, {"canary_share": 0.1}, "keep", "a gate failed"),
    ],
)
def test_what_becomes_of_an_adapter(
    candidate: Adapter, options: dict[str, float], action: Action, reason: str
) -> None:
    decision = decide_deployment(candidate, NightOptions.model_validate(options))
    assert decision.action == action
    assert reason in "; ".join(decision.reasons)


def test_an_adapter_of_which_nothing_was_measured_is_not_deployed() -> None:
    nothing = Evaluation(
        in_distribution=score(0, count=0),
        out_of_distribution=score(0, count=0),
        unknown=score(0, count=0),
        seconds=1,
    )
    assert decide_deployment(measured(nothing, nothing), NightOptions()).action == "keep"


def test_the_improvement_is_the_mean_of_the_relative_changes() -> None:
    found = overall_improvement(evaluation(target=0.2), evaluation(target=0.8, known=0.9, lost=0.05))
    assert found.parts == pytest.approx({"lesson": 0.75, "known facts": -0.1, "own answers": -0.05})
    assert found.overall == pytest.approx(0.2)


def test_preferences_and_safety_count_for_an_adapter_trained_on_them() -> None:
    found = overall_improvement(preferred(0.0, 0.8), preferred(0.7, 1.0))
    assert found.parts["preferences"] == pytest.approx(0.4)
    assert found.parts["safety"] == pytest.approx(0.2)
    assert "lesson" not in found.parts


def test_a_loss_in_an_earlier_lesson_lowers_the_improvement() -> None:
    before, after = (
        evaluation(target=target).model_copy(update={"rehearsed": score(known)})
        for target, known in ((0.1, 0.8), (0.2, 0.2))
    )
    assert overall_improvement(before, after).parts["earlier lessons"] == pytest.approx(-0.75)


@pytest.mark.parametrize(
    ("before", "after", "change"), [(0.0, 0.0, 0.0), (0.0, 0.6, 1.0), (0.6, 0.0, -1.0), (0.5, 1.0, 0.5)]
)
def test_a_relative_change_is_bounded(before: float, after: float, change: float) -> None:
    assert relative_change(before, after) == change


def test_the_interval_of_single_answers_holds_the_improvement_and_is_repeatable() -> None:
    lesson = [(i % 5 == 0, i % 5 > 0) for i in range(100)]
    answers: PairedAnswers = {"lesson": lesson}
    found = overall_improvement(evaluation(target=0.2), evaluation(target=0.8), answers)
    assert found.interval is not None
    assert found.interval.lower < found.overall < found.interval.upper
    assert found == overall_improvement(evaluation(target=0.2), evaluation(target=0.8), answers)


def test_more_answers_make_the_interval_narrower() -> None:
    few, many = (
        overall_improvement(
            evaluation(target=0.2),
            evaluation(target=0.8),
            {"lesson": [(i % 5 == 0, i % 5 > 0) for i in range(count)]},
        ).interval
        for count in (20, 500)
    )
    assert few is not None
    assert many is not None
    assert many.upper - many.lower < (few.upper - few.lower) / 2


def test_without_single_answers_there_is_no_interval() -> None:
    assert overall_improvement(evaluation(target=0.2), evaluation(target=0.8)).interval is None
