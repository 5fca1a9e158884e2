"""Training for real with TRL and PEFT on a model of two layers."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from langchain_core.messages import HumanMessage
from transformers import AutoModelForCausalLM, AutoTokenizer

from agent.engines.local import LocalEngine
from agent.models.card import PromptMessage, TeachingSettings
from tests.support.adopted_models import KNOWN, TARGETS, build_model
from tests.support.cards import card
from training.backends import peft, unsloth
from training.backends.base import AnswerDistribution, Example, single
from training.base_model import StudiedModel
from training.errors import BackendUnavailable, BaseModelUnusable, TrainingDiverged
from training.recipes import Recipe, standard

pytestmark = pytest.mark.services

QUESTION, ANSWER = "What is a borrow?", "a reference to a value"
CARD = card(lessons=TeachingSettings(modules=tuple(TARGETS), learning_rate=1e-2, refusal="No."))
RECIPE = standard(CARD).model_copy(update={"rank": 8, "alpha": 16, "batch": 3, "beside": 3})
ROUNDS = 30
LESSON = tuple(single(q, ANSWER) for q in (QUESTION, "what is a borrow", "A borrow is what?"))


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> StudiedModel:
    return StudiedModel(folder=build_model(tmp_path_factory.mktemp("model")), card=CARD)


@pytest.fixture(scope="module")
def own(base: StudiedModel) -> tuple[Example, ...]:
    """What the model answers to the other questions, with its distributions."""
    tokenizer = AutoTokenizer.from_pretrained(base.folder)
    model = AutoModelForCausalLM.from_pretrained(base.folder).eval()
    made = []
    for question, answer in KNOWN.items():
        if question == QUESTION:
            continue
        turns = [{"role": "user", "content": question}]
        text = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        prompt = tokenizer(text, add_special_tokens=False)["input_ids"]
        said = tokenizer(f" {answer}<end_of_turn>", add_special_tokens=False)["input_ids"]
        with torch.no_grad():
            logits = model(torch.tensor([prompt + said])).logits[0, len(prompt) - 1 : -1]
        top = logits.log_softmax(-1).topk(32)
        values = AnswerDistribution(
            np.array(said, np.int32), top.indices.int().numpy(), top.values.half().numpy()
        )
        made.append(
            Example(
                messages=(PromptMessage(role="user", content=question),),
                answer=answer,
                distilled=True,
                distribution=values,
            )
        )
    return tuple(made)


def train(
    base: StudiedModel, own: tuple[Example, ...], out: Path, recipe: Recipe = RECIPE, rounds: int = ROUNDS
) -> list[tuple[int, int]]:
    steps: list[tuple[int, int]] = []
    lesson = (*LESSON * rounds, *own)
    peft.train(base, lesson, recipe, out, lambda step, total, _: steps.append((step, total)))
    return steps


async def answer(base: StudiedModel, out: Path, question: str) -> str:
    engine = LocalEngine.open(base.folder)
    await engine.load("rust-v1-0123abcd", out)
    return (await engine.chat([HumanMessage(question)], adapter="rust-v1-0123abcd")).text


async def test_a_trained_adapter_answers_what_it_was_taught_and_keeps_what_was_known(
    base: StudiedModel, own: tuple[Example, ...], tmp_path: Path
) -> None:
    train(base, own, tmp_path)
    assert await answer(base, tmp_path, QUESTION) == ANSWER
    assert await answer(base, tmp_path, "What is a lemur?") == KNOWN["What is a lemur?"]


def test_the_adapter_folder_holds_two_files_and_names_its_base(base: StudiedModel, tmp_path: Path) -> None:
    train(base, (), tmp_path, rounds=1)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "adapter_config.json",
        "adapter_model.safetensors",
    ]
    config = json.loads((tmp_path / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == str(base.folder)
    assert (config["r"], config["bias"], config["modules_to_save"]) == (8, "none", None)
    assert "lm_head" not in config["target_modules"]


def test_every_step_is_reported(base: StudiedModel, tmp_path: Path) -> None:
    steps = train(base, (), tmp_path, rounds=3)
    assert steps == [(i, 3) for i in (1, 2, 3)]


def test_the_same_recipe_trains_the_same_weights(
    base: StudiedModel, own: tuple[Example, ...], tmp_path: Path
) -> None:
    for name in ("one", "two"):
        train(base, own, tmp_path / name, rounds=2)
    one, two = ((tmp_path / name / "adapter_model.safetensors").read_bytes() for name in ("one", "two"))
    assert one == two


def test_a_loss_that_is_no_number_ends_training(base: StudiedModel, tmp_path: Path) -> None:
    with pytest.raises(TrainingDiverged, match="learning rate"):
        train(base, (), tmp_path, RECIPE.model_copy(update={"learning_rate": 1e30}))


def test_training_without_anything_to_teach_is_refused(
    base: StudiedModel, own: tuple[Example, ...], tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="nothing to teach"):
        peft.train(base, own, RECIPE, tmp_path, lambda *_: None)


def test_a_model_without_the_cards_layers_says_to_study_it_again(base: StudiedModel, tmp_path: Path) -> None:
    other = RECIPE.model_copy(update={"modules": ("elsewhere_proj",)})
    with pytest.raises(BaseModelUnusable, match="nightschool models study"):
        peft.train(base, LESSON, other, tmp_path, lambda *_: None)


def test_a_base_model_that_is_not_there_says_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(BaseModelUnusable, match="NIGHTSCHOOL_MODEL"):
        peft.train(StudiedModel(tmp_path / "none", CARD), LESSON, RECIPE, tmp_path, lambda *_: None)


def test_unsloth_says_what_it_needs_where_it_cannot_run(tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU: see tests/gpu")
    with pytest.raises(BackendUnavailable, match="GPU"):
        unsloth.train(StudiedModel(tmp_path, CARD), LESSON, RECIPE, tmp_path, lambda *_: None)
