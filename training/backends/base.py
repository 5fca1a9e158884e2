"""What training is: examples and a recipe in, an adapter folder out, by the backend that fits.

The backends are `peft` (any machine) and `unsloth` (NVIDIA GPU); they take the same recipe.
"""

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
    """What the base model answered, and what else it thought of at each token."""

    tokens: NDArray[np.int32]
    """The answer with its end of turn: [length]."""
    ids: NDArray[np.int32]
    """The likeliest tokens in each place: [length, k]."""
    logprobs: NDArray[np.float16]
    """Their natural log-probabilities: [length, k]."""


@dataclass(frozen=True)
class Example:
    """One conversation to learn from: the answer to its last message."""

    messages: tuple[PromptMessage, ...]
    answer: str
    distilled: bool = False
    """The answer is the base model's own, and the adapted model is to stay close to its distribution."""
    distribution: AnswerDistribution | None = None
    """Of a held answer, where the card has its distribution; else that is looked up before training."""

    @property
    def question(self) -> str:
        """The last message."""
        return self.messages[-1].content


def single(question: str, answer: str) -> Example:
    """A question without a conversation before it."""
    return Example(messages=(PromptMessage(role="user", content=question),), answer=answer)


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
        base: StudiedModel,
        examples: Sequence[Example],
        recipe: Recipe,
        out: Path,
        on_progress: OnProgress,
        *,
        start: Path | None = None,
    ) -> TrainingSummary:
        """Writes `adapter_config.json` and `adapter_model.safetensors`, and nothing else, to folder `out`.

        Each taught example is seen once; beside each batch of them stand some of the base model's own
        answers. `start` is the folder of an adapter of the same recipe to go on from, which is not changed.
        Raises ValueError without taught examples, BaseModelUnusable, BackendUnavailable, TrainingDiverged.
        """
        ...
