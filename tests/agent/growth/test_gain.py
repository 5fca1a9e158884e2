"""The net gain: paired, with forgetting taken off, and an interval that decides whether it paid."""

import pytest

from agent.growth.gain import net_gain


def test_the_gain_is_the_difference_in_right_answers_less_what_was_forgotten() -> None:
    source, target = [True, False, False, False], [True, True, True, False]
    assert net_gain(source, target).points == 50.0
    assert net_gain(source, target, forgot_more=20.0).points == 30.0


@pytest.mark.parametrize(
    ("won", "lost", "paid"), [(40, 2, "yes"), (2, 40, "no"), (5, 4, "undecided"), (0, 0, "undecided")]
)
def test_it_paid_if_the_interval_is_above_zero(won: int, lost: int, paid: str) -> None:
    source = [False] * won + [True] * lost + [True] * 20
    target = [True] * won + [False] * lost + [True] * 20
    assert net_gain(source, target).paid == paid


def test_forgetting_can_undo_what_was_won() -> None:
    source, target = [False] * 60, [True] * 30 + [False] * 30
    assert net_gain(source, target).paid == "yes"
    assert net_gain(source, target, forgot_more=80.0).paid == "no"


def test_the_interval_holds_its_level_on_small_samples() -> None:
    """Ten questions, all won: a Wald interval without adjustment would have no width."""
    gain = net_gain([False] * 10, [True] * 10)
    assert 50 < gain.low < 95 < gain.high


@pytest.mark.parametrize("lengths", [(0, 0), (2, 3)])
def test_answers_that_are_not_paired_are_a_callers_mistake(lengths: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="paired"):
        net_gain([True] * lengths[0], [True] * lengths[1])
