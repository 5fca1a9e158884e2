"""Other ways of training the same lesson, for comparison: each takes the place of the product's trainer."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from training import peft
from training.base import Base
from training.recipes import Recipe
from training.trainer import Example, OnProgress, Trainer, TrainingSummary

Variant = Literal["product", "without-replay", "replay-in-words"]
Change = Callable[[Sequence[Example]], Sequence[Example]]


def _changed(change: Change) -> Trainer:
    """The product's trainer over changed examples."""

    def train(
        base: Base,
        examples: Sequence[Example],
        recipe: Recipe,
        out: Path,
        on_progress: OnProgress,
        *,
        start: Path | None = None,
    ) -> TrainingSummary:
        return peft.train(base, change(examples), recipe, out, on_progress, start=start)

    return train


def _without_replay(examples: Sequence[Example]) -> Sequence[Example]:
    return [example for example in examples if not example.held]


def _in_words(examples: Sequence[Example]) -> Sequence[Example]:
    """The base model's own answers as plain targets instead of distributions."""
    return [replace(example, held=False, own=None) if example.held else example for example in examples]


VARIANTS: Mapping[Variant, Trainer] = {
    "product": peft.train,
    "without-replay": _changed(_without_replay),
    "replay-in-words": _changed(_in_words),
}
"""`without-replay`: only what is taught. `replay-in-words`: the base model's own answers as plain targets."""
