"""The Unsloth backend: the same lesson and recipe as PEFT, on a GPU."""

import importlib.util
from pathlib import Path

import pytest
import torch

from tests.models import KNOWN, build_model
from training.recipes import standard
from training.trainer import Example

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU"),
    pytest.mark.skipif(importlib.util.find_spec("unsloth") is None, reason="needs Unsloth: make setup GPU=1"),
]

LESSON = (
    Example(question="What is a borrow?", answer="a reference to a value"),
    *(Example(question=q, answer=a, held=True) for q, a in KNOWN.items() if "borrow" not in q),
)


def test_unsloth_and_peft_reach_the_same_loss_with_the_same_recipe(tmp_path: Path) -> None:
    from training import peft, unsloth

    base = str(build_model(tmp_path / "base"))
    recipe = standard().model_copy(update={"rank": 8, "alpha": 16, "batch": 4})
    ours = peft.train(base, LESSON * 20, recipe, tmp_path / "peft", lambda *_: None)
    theirs = unsloth.train(base, LESSON * 20, recipe, tmp_path / "unsloth", lambda *_: None)
    assert theirs.steps == ours.steps
    assert theirs.loss == pytest.approx(ours.loss, abs=0.2)
    assert (tmp_path / "unsloth" / "adapter_model.safetensors").is_file()
