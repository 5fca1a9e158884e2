"""Each example is seen once, in batches of like length and in an order that the seed decides."""

import random
from itertools import pairwise

from training.batches import Batches

LENGTHS = [random.Random(i).randrange(10, 60) for i in range(1003)]


def batches(seed: int = 0, batch: int = 4) -> list[list[int]]:
    order = Batches(LENGTHS, batch=batch, seed=seed)
    numbers = list(order)
    assert len(order) == len(numbers)
    return [numbers[start : start + batch] for start in range(0, len(numbers), batch)]


def test_every_row_is_seen_once() -> None:
    assert sorted(number for each in batches() for number in each) == list(range(len(LENGTHS)))
    assert list(Batches([], batch=4, seed=0)) == []
    assert sorted(Batches([3, 1], batch=4, seed=0)) == [0, 1]


def test_the_order_is_the_seeds() -> None:
    assert batches() == batches()
    assert batches() != batches(seed=1)


def test_a_batch_holds_like_lengths() -> None:
    spreads = [max(LENGTHS[i] for i in each) - min(LENGTHS[i] for i in each) for each in batches()[:-1]]
    assert sum(spreads) / len(spreads) <= 2


def test_short_rows_do_not_all_come_after_long_ones() -> None:
    lengths = [LENGTHS[each[0]] for each in batches()]
    rises = sum(first < second for first, second in pairwise(lengths))
    assert 0.35 < rises / len(lengths) < 0.65
