"""Metrics count each unit once, whatever it said how often."""

from datetime import timedelta
from typing import Any

import pytest

from agent.experiments.metrics import measure
from agent.feedback.implicit import seed_weights
from memory.records.experiments import CONTROL, HOLDOUT
from memory.records.feedback import Feedback, FeedbackKind
from tests.support.experiments import WHEN, experiment, turn


def said(
    interaction: str, kind: FeedbackKind, value: float | None = None, *, minutes: float = 60
) -> Feedback:
    return Feedback(
        id=f"{interaction}-{kind}-{minutes}",
        interaction_id=interaction,
        kind=kind,
        value=value,
        owner=None,
        created_at=WHEN + timedelta(minutes=minutes),
    )


def measured(turns: Any, feedback: Any = ()) -> Any:
    return measure(experiment(), turns, feedback, seed_weights())


def test_a_unit_with_many_turns_counts_once() -> None:
    turns = [turn("busy", number=n, minutes=n, outcome="abstained") for n in range(99)] + [turn("quiet")]
    control = measured(turns)[CONTROL]
    assert sorted(control.units["abstention"]) == [0.0, 1.0]
    assert control.turns == 100


def test_a_unit_that_rated_nothing_is_left_out_of_the_rating() -> None:
    turns = [turn("ada"), turn("ben", "b")]
    found = measured(turns, [said("ada-0", "rating", 2), said("ada-0", "rating", 5, minutes=61)])
    assert list(found[CONTROL].units["rating"]) == [5.0]
    assert "rating" not in found["b"].units


def test_reports_that_were_taken_back_do_not_count() -> None:
    turns = [turn("ada"), turn("ben")]
    feedback = [
        said("ada-0", "reported", 1),
        said("ben-0", "reported", 1),
        said("ben-0", "reported", 0, minutes=61),
    ]
    assert sorted(measured(turns, feedback)[CONTROL].units["reports"]) == [0.0, 1.0]


def test_a_question_asked_again_counts_as_regenerated() -> None:
    asked = {"question": "What is a borrow?"}
    turns = [turn("ada", **asked), turn("ada", number=1, minutes=1, **asked)]
    assert list(measured(turns)[CONTROL].units["regeneration"]) == [0.5]
    assert list(measured(turns, [said("ada-0", "regenerated", 0)])[CONTROL].units["regeneration"]) == [0.0]


def test_a_session_ends_with_a_long_pause() -> None:
    turns = [turn("ada", number=n, minutes=minutes) for n, minutes in enumerate((0, 6, 100))]
    assert list(measured(turns)[CONTROL].units["session_minutes"]) == [3.0]  # of 6 and 0 minutes


def test_slow_means_slower_than_the_controls_95th_percentile() -> None:
    fast = [turn(f"c{n}", latency_ms=float(n)) for n in range(100)]
    slow = [
        turn("b1", "b", latency_ms=1000.0),
        turn("b2", "b", latency_ms=1.0),
        turn("b3", "b", latency_ms=None),
    ]
    found = measured([*fast, *slow])
    assert found[CONTROL].units["slow"].mean() == pytest.approx(0.05)
    assert sorted(found["b"].units["slow"]) == [0.0, 1.0]
    assert found[CONTROL].latency["p50"] == pytest.approx(49.5)


def test_what_the_experiment_did_not_assign_is_ignored() -> None:
    turns = [
        turn("held", HOLDOUT),
        turn("other", experiment_id="e2"),
        turn("none", assignment=None),
        turn("ada"),
    ]
    found = measured(turns)
    assert [variant.turns for variant in found.values()] == [1, 0]


def test_turns_that_the_control_answered_stay_with_their_variant() -> None:
    found = measured([turn("ada", "b", fallback=True), turn("ada", "b", number=1, minutes=1)])
    assert (found["b"].turns, found["b"].fallback) == (2, 0.5)


def test_an_experiment_without_turns_has_no_figures() -> None:
    found = measured([])
    assert {name: dict(variant.units) for name, variant in found.items()} == {CONTROL: {}, "b": {}}
