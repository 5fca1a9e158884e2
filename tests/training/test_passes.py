"""Each pass shows what it should, in an order that the seed decides."""

from collections import Counter

from training.passes import Passes
from training.trainer import Example

EXAMPLES = [
    *(Example(question=f"always {i}", answer="yes") for i in range(40)),
    *(Example(question=f"in {i % 3}", answer="yes", rehearsed=True, only_in=i % 3) for i in range(30)),
]
LENGTHS = [10 + i % 7 for i in range(len(EXAMPLES))]


def passes(seed: int = 0) -> list[list[int]]:
    order = Passes(EXAMPLES, LENGTHS, passes=3, batch=4, seed=seed)
    numbers = list(order)
    assert len(order) == len(numbers) == 150
    return [numbers[start : start + 50] for start in (0, 50, 100)]


def test_a_pass_shows_what_is_bound_to_it_and_what_is_bound_to_none() -> None:
    for number, shown in enumerate(passes()):
        assert max(Counter(shown).values()) == 1
        assert {EXAMPLES[i].only_in for i in shown} == {None, number}


def test_the_order_is_the_seeds_and_another_in_each_pass() -> None:
    one = passes()
    assert one == passes()
    assert one != passes(seed=1)
    always = [[i for i in shown if i < 40] for shown in one]
    assert always[0] != always[1] != always[2]


def test_a_batch_holds_like_lengths() -> None:
    shown = passes()[0][4:]  # the longest comes first, wherever it was
    spreads = [max(b) - min(b) for b in ([LENGTHS[i] for i in shown[s : s + 4]] for s in range(0, 44, 4))]
    assert sum(spreads) / len(spreads) <= 2
