"""The Unsloth backend: the same lesson and recipe as PEFT, on a GPU."""

import importlib.util
from pathlib import Path

import pytest
import torch

from agent.models.card import TeachingSettings
from tests.support.adopted_models import build_model
from tests.support.cards import card
from training.backends.base import single
from training.base_model import StudiedModel
from training.recipes import standard

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU"),
    pytest.mark.skipif(importlib.util.find_spec("unsloth") is None, reason="needs Unsloth: make setup GPU=1"),
]

LESSON = (
    single("What is a borrow?", "a reference to a value"),
    single("What is a kiln?", "an oven for clay"),
)


def test_unsloth_and_peft_reach_the_same_loss_with_the_same_recipe(tmp_path: Path) -> None:
    from training.backends import peft, unsloth

    lessons = TeachingSettings(modules=("q_proj", "v_proj", "up_proj"), learning_rate=1e-2, refusal="No.")
    base = StudiedModel(folder=build_model(tmp_path / "base"), card=card(lessons=lessons))
    recipe = standard(base.card).model_copy(update={"rank": 8, "alpha": 16, "batch": 4})
    ours = peft.train(base, LESSON * 20, recipe, tmp_path / "peft", lambda *_: None)
    theirs = unsloth.train(base, LESSON * 20, recipe, tmp_path / "unsloth", lambda *_: None)
    assert theirs.steps == ours.steps
    assert theirs.loss == pytest.approx(ours.loss, abs=0.2)
    assert (tmp_path / "unsloth" / "adapter_model.safetensors").is_file()
