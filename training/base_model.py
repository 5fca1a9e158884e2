"""The base model to be taught: its folder, and what its card knows of it, parted into trained and asked.

What is trained beside a lesson is never asked after it: questions and answers of the card are parted by a
hash of their ids, so that no seed moves them.
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
    """A base model with its card."""

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
    """Of the replay answers, in their order."""


def open_base_model(folder: Path) -> StudiedModel:
    """Reads the card in a model's folder.

    Raises NoModelCard, BadModelCard and NotTeachable.
    """
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
    """The share of the values that is only ever asked, and never trained."""
    return tuple(value for value in values if _place(value.id) < share)


def training_split(values: Sequence[_T], share: float) -> tuple[_T, ...]:
    """The rest."""
    return tuple(value for value in values if _place(value.id) >= share)


def _place(id: str) -> float:
    """A number in [0, 1) by SHA-256."""
    return int.from_bytes(hashlib.sha256(f"trained or asked {id}".encode()).digest()[:4]) / 2**32
