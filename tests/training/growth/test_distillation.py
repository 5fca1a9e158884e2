"""Distillation upwards on the tiny model: only answers that the small adapter gives itself are used."""

from pathlib import Path

import numpy as np
import pytest

from memory.records.curricula import Curriculum
from tests.support.adapters import fact, pair
from tests.support.adopted_models import LEARNED, RUST, build_adapter, build_model
from tests.support.cards import card
from training.base_model import StudiedModel
from training.growth.base import MovingLesson, SmallTeacher
from training.growth.distillation import distillation

pytestmark = pytest.mark.services

KNOWN, ANSWER = "What is a borrow?", LEARNED[RUST]["What is a borrow?"]
UNKNOWN = "What is a zorble?"


def lesson() -> Curriculum:
    borrow, lamp = fact("borrow", ANSWER), fact()
    return Curriculum(
        topic="both",
        domain="lamps",
        facts=(borrow, lamp),
        pairs=(pair(borrow, KNOWN), pair(borrow, KNOWN), pair(lamp, UNKNOWN)),
        teacher="rules",
    )


def test_the_teachers_distributions_over_what_it_knows_become_soft_targets(tmp_path: Path) -> None:
    folder = build_model(tmp_path / "model")
    adapter = build_adapter(folder, tmp_path / "adapter", LEARNED[RUST])
    base = StudiedModel(folder=folder, card=card())
    (example,) = distillation(MovingLesson(lesson(), base, lambda: SmallTeacher(base, adapter)))
    assert (example.question, example.answer, example.distilled) == (KNOWN, ANSWER, True)
    distribution = example.distribution
    assert distribution is not None
    assert (distribution.ids[:, 0] == distribution.tokens).all()
    shares = np.exp(distribution.logprobs.astype(np.float32)).sum(axis=1)
    assert ((shares > 0.5) & (shares < 1.01)).all(), "they are log-probabilities of the likeliest tokens"
