"""The base model to be trained: its folder and card, and the split of the card into training and evaluation.

The card's questions and answers are split by a hash of their ids, so that what is trained beside a lesson is
never asked in its evaluation, whatever the seed.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np

from agent.models.card import (
    GeneralQuestion,
    ModelCard,
    ReplayAnswer,
    ReplayDistributions,
    UnknownQuestion,
    read_card,
    read_distributions,
    read_questions,
    read_replay,
    read_unknown,
    require_teachable,
)

_T = TypeVar("_T", bound=GeneralQuestion | UnknownQuestion | ReplayAnswer)


@dataclass(frozen=True)
class StudiedModel:
    """A base model with its card, as written by `nightschool models study`."""

    folder: Path
    card: ModelCard
    questions: Sequence[GeneralQuestion] = ()
    unknown: Sequence[UnknownQuestion] = ()
    replay: Sequence[ReplayAnswer] = ()
    distributions: ReplayDistributions = field(
        default_factory=lambda: ReplayDistributions(
            lengths=np.zeros(0, np.int32),
            tokens=np.zeros(0, np.int32),
            ids=np.zeros((0, 1), np.int32),
            logprobs=np.zeros((0, 1), np.float16),
        )
    )
    """The token distributions of the replay answers, in the same order."""


def open_base_model(folder: Path) -> StudiedModel:
    """Reads the card in a model's folder. Raises NoModelCard, BadModelCard or NotTeachable."""
    card = read_card(folder)
    require_teachable(card)
    return StudiedModel(
        folder=folder,
        card=card,
        questions=read_questions(folder),
        unknown=read_unknown(folder),
        replay=read_replay(folder),
        distributions=read_distributions(folder),
    )


def evaluation_split(values: Sequence[_T], share: float) -> tuple[_T, ...]:
    """The values reserved for evaluation: about `share` of them, never trained."""
    return tuple(value for value in values if _hash_fraction(value.id) < share)


def training_split(values: Sequence[_T], share: float) -> tuple[_T, ...]:
    """The other values, which may be trained."""
    return tuple(value for value in values if _hash_fraction(value.id) >= share)


def _hash_fraction(id: str) -> float:
    """A number in [0, 1) from the SHA-256 of the id."""
    return int.from_bytes(hashlib.sha256(f"trained or asked {id}".encode()).digest()[:4]) / 2**32
