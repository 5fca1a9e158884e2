"""The order of training examples: batches of similar length, in random order."""

import random
from collections.abc import Iterator, Sequence

from torch.utils.data import Sampler

POOL = 20
"""Batches that are sorted by length together: enough to need little padding, few enough to mix examples."""


class LengthGroupedSampler(Sampler[int]):
    """Yields row numbers step by step: first taught rows, then distilled rows, each of similar length.

    Each taught row is used once, except a few that fill up the last batch. Distilled rows are cycled through
    for as many steps as there are.
    """

    def __init__(
        self, lengths: Sequence[int], distilled: Sequence[bool], *, batch: int, beside: int, seed: int
    ) -> None:
        """`lengths` of the rows in tokens; each step has `batch` taught rows and `beside` distilled ones.

        Raises ValueError without a taught row.
        """
        rng = random.Random(seed)
        taught_rows = [number for number, is_distilled in enumerate(distilled) if not is_distilled]
        distilled_rows = [number for number, is_distilled in enumerate(distilled) if is_distilled]
        if not taught_rows:
            raise ValueError("there is nothing to teach")
        taught_batches = grouped_batches(taught_rows, lengths, batch, rng)
        self._order = [number for rows in taught_batches for number in rows]
        self.steps = len(taught_batches)
        if distilled_rows and beside:
            distilled_batches: list[list[int]] = []
            while len(distilled_batches) < self.steps:
                distilled_batches += grouped_batches(distilled_rows, lengths, beside, rng)
            pairs = zip(taught_batches, distilled_batches, strict=False)
            self._order = [number for rows, more in pairs for number in (*rows, *more)]
        self.size = batch + (beside if distilled_rows else 0)
        """Rows per step."""

    def __len__(self) -> int:
        return len(self._order)

    def __iter__(self) -> Iterator[int]:
        return iter(self._order)


def grouped_batches(
    numbers: Sequence[int], lengths: Sequence[int], size: int, rng: random.Random
) -> list[list[int]]:
    """All numbers in batches of similar length, in random order; the last one is filled up at random."""
    shuffled = rng.sample(numbers, len(numbers))
    while len(shuffled) % size:
        shuffled.append(rng.choice(numbers))
    pools = (shuffled[start : start + POOL * size] for start in range(0, len(shuffled), POOL * size))
    batches = [
        ordered[start : start + size]
        for pool in pools
        for ordered in (sorted(pool, key=lambda number: lengths[number]),)
        for start in range(0, len(ordered), size)
    ]
    rng.shuffle(batches)
    return batches
