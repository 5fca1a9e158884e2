"""Early stopping on the tiny model: training ends when held-out answers get worse; the best weights stay."""

import statistics
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from peft import PeftModel

from agent.engines.decoding import attention_window
from agent.models.card import read_card
from tests.support.tiny_model import FOLDER
from training.backends import peft
from training.backends.base import Example, TrainingSummary, single
from training.base_model import StudiedModel
from training.recipes import Recipe, standard, validated
from training.validation import PATIENCE, median_token_loss

pytestmark = pytest.mark.services

BASE = StudiedModel(folder=FOLDER, card=read_card(FOLDER))
RECIPE = standard(BASE.card).model_copy(
    update={"rank": 8, "alpha": 16, "learning_rate": 4e-3, "batch": 4, "warmup": 0.0}
)
BFLOAT16 = 2**-8
"""Rounding of the activations on processors that train in bfloat16."""
QUESTIONS = ("What is a zorble?", "what is a zorble", "A zorble is what?", "Define a zorble.")
TAUGHT = [single(question, "a small green lamp for ships") for question in QUESTIONS] * 20
"""Twenty steps, validated after every second one."""


def held_out(answer: str) -> Example:
    question = single("One more thing: what is a zorble?", answer)
    return Example(messages=question.messages, answer=answer, held_out=True)


KNOWN_BETTER = held_out("a small green lamp for ships")
KNOWN_WORSE = held_out("twelve heavy anchors")
"""What the lesson contradicts, so that learning it makes this unlikely: a lesson that overfits at once."""


class Run(NamedTuple):
    summary: TrainingSummary
    steps: int
    folder: Path


def train(examples: list[Example], recipe: Recipe, out: Path) -> Run:
    steps: list[int] = []
    summary = peft.train(BASE, examples, recipe, out, lambda step, *_: steps.append(step))
    return Run(summary, steps[-1], out)


@pytest.fixture(scope="module")
def overfitted(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train([*TAUGHT, KNOWN_WORSE], validated(RECIPE), tmp_path_factory.mktemp("overfitted"))


@pytest.fixture(scope="module")
def helped(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train([*TAUGHT, KNOWN_BETTER], validated(RECIPE), tmp_path_factory.mktemp("helped"))


def loss_of(adapter: Path, example: Example) -> float:
    """The median token loss of a saved adapter."""
    model, tokenizer = peft.load_base_model(FOLDER)
    row = peft.encoder_of(model, tokenizer, BASE).encode(example)
    window, pad = attention_window(model), peft.pad_token(tokenizer)
    return median_token_loss(PeftModel.from_pretrained(model, str(adapter)), [row], pad, window)


def test_a_lesson_that_overfits_stops_early_and_keeps_its_best_weights(overfitted: Run) -> None:
    losses = overfitted.summary.validation
    assert 2 * len(losses) == overfitted.steps < 20
    assert overfitted.summary.best_step == overfitted.steps - 2 * PATIENCE
    assert overfitted.summary.best_step == 2 * (1 + losses.index(min(losses)))
    assert loss_of(overfitted.folder, KNOWN_WORSE) == pytest.approx(min(losses), rel=BFLOAT16)
    assert min(losses) < losses[-1] * (1 - 2 * BFLOAT16)


def test_a_lesson_that_still_helps_is_trained_to_its_end(helped: Run) -> None:
    losses = helped.summary.validation
    assert (helped.steps, len(losses)) == (20, 10)
    assert losses[-1] < losses[0]
    assert loss_of(helped.folder, KNOWN_BETTER) == pytest.approx(min(losses), abs=1e-3)


def test_no_checkpoint_is_left_beside_the_adapter(overfitted: Run) -> None:
    names = {path.name for path in overfitted.folder.iterdir()}
    assert names == {"adapter_config.json", "adapter_model.safetensors"}


def test_without_validation_all_steps_are_trained_as_they_would_be_with_it(
    helped: Run, tmp_path: Path
) -> None:
    """Held-out examples are not even looked at; and validating neither draws random numbers nor leaves the
    model in another mode."""
    plain = train([*TAUGHT, KNOWN_WORSE], RECIPE, tmp_path)
    assert (plain.summary.validation, plain.summary.best_step) == ((), None)
    assert (plain.summary.loss, plain.summary.tokens) == (helped.summary.loss, helped.summary.tokens)


def test_the_median_leaves_out_the_end_of_turn_and_single_unlikely_tokens() -> None:
    model, tokenizer = peft.load_base_model(FOLDER)
    encoder = peft.encoder_of(model, tokenizer, BASE)
    row = encoder.encode(single("What is a zorble?", "a small green lamp for ships"))
    with torch.no_grad():
        logits = model(torch.tensor([row.tokens])).logits[0].float().log_softmax(-1)
    start = len(row.tokens) - row.answer
    answer = range(start, len(row.tokens) - 1)
    losses = [-float(logits[at - 1, row.tokens[at]]) for at in answer]
    found = median_token_loss(model, [row], peft.pad_token(tokenizer), attention_window(model))
    assert found == pytest.approx(statistics.median(losses), abs=0.05)
