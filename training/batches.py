"""Owns the order in which examples are seen: batches of like length, one after the other at random.

Which examples there are is in `dataset` and `replay`.
"""

import random
from collections.abc import Iterator, Sequence

from torch.utils.data import Sampler

POOL = 50
"""Batches that are sorted by length together: enough to waste little on padding, and few enough that what
shares a batch is another thing in each pool."""


class Batches(Sampler[int]):
    """Numbers of rows, each once; every `batch` of them in a row, the last ones excepted, are of like length.

    Other than by sorting alone, short rows do not all come after long ones.
    """

    def __init__(self, lengths: Sequence[int], *, batch: int, seed: int) -> None:
        """`lengths` of the rows are in tokens."""
        rng = random.Random(seed)
        numbers = rng.sample(range(len(lengths)), len(lengths))
        whole, rest = numbers[: len(numbers) // batch * batch], numbers[len(numbers) // batch * batch :]
        batches = [
            together
            for pool in _cut(whole, POOL * batch)
            for together in _cut(sorted(pool, key=lambda number: lengths[number]), batch)
        ]
        rng.shuffle(batches)
        self._order = [*(number for together in batches for number in together), *rest]

    def __len__(self) -> int:
        return len(self._order)

    def __iter__(self) -> Iterator[int]:
        return iter(self._order)


def _cut(numbers: Sequence[int], size: int) -> list[Sequence[int]]:
    return [numbers[start : start + size] for start in range(0, len(numbers), size)]
