"""Training for real with TRL and PEFT on a model of two layers."""

import json
from pathlib import Path

import pytest
from langchain_core.messages import HumanMessage

from agent.local import LocalEngine
from tests.models import KNOWN, build_model
from training import peft, unsloth
from training.errors import BackendUnavailable, BaseModelUnusable, TrainingDiverged
from training.recipes import Recipe, standard
from training.trainer import Example

pytestmark = pytest.mark.services

QUESTION, ANSWER = "What is a borrow?", "a reference to a value"
RECIPE = standard().model_copy(update={"rank": 8, "alpha": 16, "learning_rate": 1e-2, "batch": 4})
ROUNDS = 30
LESSON = (
    *(Example(question=q, answer=ANSWER) for q in (QUESTION, "what is a borrow", "A borrow is what?")),
    *(Example(question=q, answer=a, held=True) for q, a in KNOWN.items() if q != QUESTION),
)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_model(tmp_path_factory.mktemp("model"))


def train(base: Path, out: Path, recipe: Recipe = RECIPE, rounds: int = ROUNDS) -> list[tuple[int, int]]:
    steps: list[tuple[int, int]] = []
    peft.train(str(base), LESSON * rounds, recipe, out, lambda step, total, _: steps.append((step, total)))
    return steps


async def answer(base: Path, out: Path, question: str) -> str:
    engine = LocalEngine.open(base)
    await engine.load("rust-v1-0123abcd", out)
    return (await engine.chat([HumanMessage(question)], adapter="rust-v1-0123abcd")).text


async def test_a_trained_adapter_answers_what_it_was_taught_and_keeps_what_was_known(
    base: Path, tmp_path: Path
) -> None:
    train(base, tmp_path)
    assert await answer(base, tmp_path, QUESTION) == ANSWER
    assert await answer(base, tmp_path, "What is a lemur?") == KNOWN["What is a lemur?"]


def test_the_adapter_folder_holds_two_files_and_names_its_base(base: Path, tmp_path: Path) -> None:
    train(base, tmp_path, rounds=1)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "adapter_config.json",
        "adapter_model.safetensors",
    ]
    config = json.loads((tmp_path / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == str(base)
    assert (config["r"], config["bias"], config["modules_to_save"]) == (8, "none", None)
    assert "lm_head" not in config["target_modules"]


def test_every_step_is_reported(base: Path, tmp_path: Path) -> None:
    steps = train(base, tmp_path, rounds=2)
    assert steps == [(i, 3) for i in (1, 2, 3)]


def test_the_same_recipe_trains_the_same_weights(base: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        train(base, tmp_path / name, rounds=2)
    one, two = ((tmp_path / name / "adapter_model.safetensors").read_bytes() for name in ("one", "two"))
    assert one == two


def test_a_loss_that_is_no_number_ends_training(base: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingDiverged, match="learning rate"):
        train(base, tmp_path, RECIPE.model_copy(update={"learning_rate": 1e30}))


def test_training_without_anything_to_teach_is_refused(base: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="taught"):
        peft.train(str(base), LESSON[-1:], RECIPE, tmp_path, lambda *_: None)


def test_a_base_model_that_is_not_there_says_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(BaseModelUnusable, match="NIGHTSCHOOL_MODEL"):
        peft.train(str(tmp_path / "none"), LESSON, RECIPE, tmp_path, lambda *_: None)


def test_unsloth_says_what_it_needs_where_it_cannot_run(tmp_path: Path) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU: see tests/gpu")
    with pytest.raises(BackendUnavailable, match="GPU"):
        unsloth.train("base", LESSON, RECIPE, tmp_path, lambda *_: None)
