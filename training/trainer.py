"""Owns what training is: examples and a recipe in, an adapter folder out, by the backend that fits.

The backends are `peft` (any machine) and `unsloth` (NVIDIA GPU); they take the same recipe.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from memory.records import Record
from training.recipes import Recipe


class Example(Record):
    """One single-turn conversation to learn from."""

    question: str
    answer: str
    held: bool = False
    """Stay close to what the base model makes of it: its whole distribution, not only its words."""
    rehearsed: bool = False
    """Known to the adapter that training goes on from: stay close to what that one makes of it."""


class TrainingSummary(Record):
    """What training took."""

    steps: int
    tokens: int
    """Tokens of all sequences that went through the model, padding excluded."""
    seconds: float
    loss: float
    """Mean over the last tenth of the steps, in nats per answer token."""


OnProgress = Callable[[int, int, float], None]
"""Called with the step just done, all steps, and its loss."""


class Trainer(Protocol):
    """Trains a LoRA adapter; every backend is a function of this shape."""

    def __call__(
        self,
        base: str,
        examples: Sequence[Example],
        recipe: Recipe,
        out: Path,
        on_progress: OnProgress,
        *,
        start: Path | None = None,
    ) -> TrainingSummary:
        """Writes `adapter_config.json` and `adapter_model.safetensors`, and nothing else, to folder `out`.

        Each example is seen once. `base` is a model folder or name; `start` the folder of an adapter of the
        same recipe to go on from, which is not changed. Held examples are kept to what the base model
        makes of them, rehearsed ones to what `start` does, without which there must be none.
        Raises ValueError without taught examples, BaseModelUnusable, BackendUnavailable, TrainingDiverged.
        """
        ...


def choose_trainer() -> Trainer:
    """Unsloth where there is an NVIDIA GPU, else PEFT; imports only the one that it chooses.

    Raises BackendUnavailable on a GPU machine without Unsloth, rather than train on the CPU unasked.
    """
    import torch

    if torch.cuda.is_available():
        from training.unsloth import require
        from training.unsloth import train as train_on_gpu

        require()
        return train_on_gpu
    from training.peft import train

    return train
