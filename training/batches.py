"""The order in which examples are seen: batches of like length, one after the other at random."""

import random
from collections.abc import Iterator, Sequence

from torch.utils.data import Sampler

POOL = 20
"""LengthGroupedSampler that are sorted by length together: enough to waste little on padding, and few enough that what
shares a batch is another thing in each pool."""


class LengthGroupedSampler(Sampler[int]):
    """Numbers of rows: each step's taught ones, then those held to the base model.

    Each taught row is seen once, but for a few that fill up the last batch. Held rows are seen in turn, as
    often as there are steps for. Those of a step are of like length.
    """

    def __init__(
        self, lengths: Sequence[int], held: Sequence[bool], *, batch: int, beside: int, seed: int
    ) -> None:
        """`lengths` of the rows in tokens; each step has `batch` taught rows and `beside` held ones.

        Raises ValueError without a taught row.
        """
        rng = random.Random(seed)
        taught = [number for number, is_held in enumerate(held) if not is_held]
        others = [number for number, is_held in enumerate(held) if is_held]
        if not taught:
            raise ValueError("there is nothing to teach")
        steps = _batches(taught, lengths, batch, rng)
        self._order = [number for step in steps for number in step]
        self.steps = len(steps)
        if others and beside:
            along: list[list[int]] = []
            while len(along) < len(steps):
                along += _batches(others, lengths, beside, rng)
            pairs = zip(steps, along, strict=False)
            self._order = [number for step, more in pairs for number in (*step, *more)]
        self.size = batch + (beside if others else 0)
        """Rows of a step."""

    def __len__(self) -> int:
        return len(self._order)

    def __iter__(self) -> Iterator[int]:
        return iter(self._order)


def _batches(
    numbers: Sequence[int], lengths: Sequence[int], size: int, rng: random.Random
) -> list[list[int]]:
    """All numbers in batches of like length; the last one is filled up from the others."""
    shuffled = rng.sample(numbers, len(numbers))
    while len(shuffled) % size:
        shuffled.append(rng.choice(numbers))
    pools = (shuffled[start : start + POOL * size] for start in range(0, len(shuffled), POOL * size))
    found = [
        ordered[start : start + size]
        for pool in pools
        for ordered in (sorted(pool, key=lambda number: lengths[number]),)
        for start in range(0, len(ordered), size)
    ]
    rng.shuffle(found)
    return found
