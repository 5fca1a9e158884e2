"""Each taught example is seen once, in batches of like length and in an order that the seed decides."""

import random
from collections import Counter
from itertools import pairwise

import pytest

from training.batches import LengthGroupedSampler

LENGTHS = [random.Random(i).randrange(10, 60) for i in range(1203)]
HELD = [i % 6 == 0 for i in range(len(LENGTHS))]


def steps(seed: int = 0, batch: int = 4, beside: int = 2) -> list[list[int]]:
    order = LengthGroupedSampler(LENGTHS, HELD, batch=batch, beside=beside, seed=seed)
    numbers = list(order)
    assert len(order) == len(numbers) == order.steps * order.size
    return [numbers[start : start + order.size] for start in range(0, len(numbers), order.size)]


def test_every_taught_row_is_seen_and_few_are_seen_twice() -> None:
    seen = Counter(number for step in steps() for number in step if not HELD[number])
    assert set(seen) == {i for i, held in enumerate(HELD) if not held}
    assert sum(seen.values()) - len(seen) < 4


def test_held_rows_stand_beside_each_batch_each_as_often() -> None:
    assert all([HELD[number] for number in step] == [False] * 4 + [True] * 2 for step in steps())
    seen = Counter(number for step in steps() for number in step if HELD[number])
    assert max(seen.values()) - min(seen.values()) <= 2


def test_without_held_rows_or_without_a_place_for_them_there_are_only_taught_ones() -> None:
    assert sorted(LengthGroupedSampler([3, 1], [False, False], batch=2, beside=4, seed=0)) == [0, 1]
    assert list(LengthGroupedSampler([3, 1], [False, True], batch=1, beside=0, seed=0)) == [0]


def test_nothing_to_teach_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing to teach"):
        LengthGroupedSampler([3, 1], [True, True], batch=2, beside=1, seed=0)


def test_the_order_is_the_seeds() -> None:
    assert steps() == steps()
    assert steps() != steps(seed=1)


def test_a_batch_holds_like_lengths() -> None:
    spreads = [max(LENGTHS[i] for i in step[:4]) - min(LENGTHS[i] for i in step[:4]) for step in steps()]
    assert sum(spreads) / len(spreads) <= 3


def test_short_rows_do_not_all_come_after_long_ones() -> None:
    lengths = [LENGTHS[step[0]] for step in steps()]
    rises = sum(first < second for first, second in pairwise(lengths))
    assert 0.35 < rises / len(lengths) < 0.65
