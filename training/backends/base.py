"""The protocol of training backends (examples and a recipe in, an adapter folder out), and its data types."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from agent.models.card import PromptMessage
from memory.records.base import Record
from training.base_model import StudiedModel
from training.recipes import Recipe


@dataclass(frozen=True, eq=False)
class AnswerDistribution:
    """An answer of the base model, with its token distribution at each position."""

    tokens: NDArray[np.int32]
    """The answer with its end of turn: [length]."""
    ids: NDArray[np.int32]
    """The likeliest tokens at each position: [length, k]."""
    logprobs: NDArray[np.float16]
    """Their natural log-probabilities: [length, k]."""


@dataclass(frozen=True)
class Example:
    """A conversation to train on: the answer to its last message.

    Taught examples are learned by cross-entropy. Distilled ones have the base model's own answer, and the
    adapted model is trained to stay close to the base model's distribution over it.
    """

    messages: tuple[PromptMessage, ...]
    answer: str
    distilled: bool = False
    distribution: AnswerDistribution | None = None
    """Of a distilled answer, if the card has it; otherwise it is computed before training."""
    held_out: bool = False
    """Whether it is never trained, and only its loss is observed; see `Recipe.validate_every`."""

    @property
    def question(self) -> str:
        """The last message."""
        return self.messages[-1].content


def single(question: str, answer: str) -> Example:
    """A taught example with a single question."""
    return Example(messages=(PromptMessage(role="user", content=question),), answer=answer)


class TrainingSummary(Record):
    """The cost and loss of a training run."""

    steps: int
    tokens: int
    """Tokens of all sequences, without padding."""
    seconds: float
    loss: float
    """Mean over the last tenth of the steps, in nats per answer token."""
    validation: tuple[float, ...] = ()
    """Median token loss on held-out examples at each validation, in nats."""
    best_step: int | None = None
    """The step whose weights were kept; None without validation."""


OnProgress = Callable[[int, int, float], None]
"""Called after each step with its number, the number of steps, and its loss."""


class Trainer(Protocol):
    """The signature of a backend's `train` function, which trains a LoRA adapter."""

    def __call__(
        self,
        base: StudiedModel,
        examples: Sequence[Example],
        recipe: Recipe,
        out: Path,
        on_progress: OnProgress,
        *,
        start: Path | None = None,
    ) -> TrainingSummary:
        """Writes exactly `adapter_config.json` and `adapter_model.safetensors` to the folder `out`.

        Each taught example is used once, with distilled examples beside it in each step, unless training
        stops early; see `Recipe.validate_every`. `start` is the folder of an adapter of the same recipe to
        continue from; it is not changed. Raises ValueError without taught examples, BaseModelUnusable,
        BackendUnavailable, TrainingDiverged.
        """
        ...
