"""Owns the order in which examples are seen: pass by pass, and in each those of like length side by side.

Which examples a pass has is in `dataset`.
"""

from collections.abc import Iterator, Sequence

import torch
from torch.utils.data import Sampler
from transformers.trainer_pt_utils import LengthGroupedSampler

from training.trainer import Example


class Passes(Sampler[int]):
    """Numbers of examples: each pass shows those that are bound to it, and those that are bound to none."""

    def __init__(
        self, examples: Sequence[Example], lengths: Sequence[int], *, passes: int, batch: int, seed: int
    ) -> None:
        """`lengths` are in tokens; a batch of rows of like length wastes the least on padding."""
        self._passes = [
            [number for number, example in enumerate(examples) if example.only_in in (None, each)]
            for each in range(passes)
        ]
        self._lengths, self._batch, self._seed = lengths, batch, seed

    def __len__(self) -> int:
        return sum(map(len, self._passes))

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(self._seed)
        for numbers in self._passes:
            lengths = [self._lengths[number] for number in numbers]
            for place in LengthGroupedSampler(self._batch, lengths=lengths, generator=generator):
                yield numbers[place]
