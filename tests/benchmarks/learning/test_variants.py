"""Each variant of the learning benchmark trains an adapter that an engine can load, on the tiny model."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from safetensors.torch import load_file

from agent.engines.adapter_files import WEIGHTS, inspect_adapter
from benchmarks.learning import training_loop
from benchmarks.learning.baselines import GROUNDCORTEX_EPOCHS, Material
from benchmarks.learning.dlm import DlmUnavailable
from benchmarks.learning.variants import VARIANTS
from memory.records.base import digest_of
from memory.records.curricula import Curriculum
from memory.records.knowledge import Passage
from tests.support.lessons import lesson
from tests.support.tiny_model import FOLDER
from training.backends import peft
from training.backends.base import Example, OnProgress, TrainingSummary, single
from training.base_model import StudiedModel, open_base_model
from training.dataset import lesson_examples
from training.recipes import Recipe, quick

LESSON = lesson("zorble")
TEXT = " ".join(dict.fromkeys(fact.sentence for fact in LESSON.facts))
PASSAGE = Passage(
    id="p1",
    source="lamps.md",
    title="Lamps",
    domain="lamps",
    text=TEXT,
    start=0,
    end=len(TEXT),
    digest=digest_of(TEXT),
)


@pytest.fixture(scope="module")
def base() -> StudiedModel:
    return open_base_model(FOLDER)


@pytest.fixture(scope="module")
def recipe(base: StudiedModel) -> Recipe:
    return quick(base.card).model_copy(update={"batch": 4})


@pytest.fixture(scope="module")
def examples(recipe: Recipe) -> tuple[Example, ...]:
    """The lesson, and three answers to hold."""
    held = [
        replace(single(f"What is familiar{i}?", f"a thing of sort {i}"), distilled=True) for i in range(3)
    ]
    return (*lesson_examples(LESSON, recipe), *held)


class RecordingTrainer:
    """Stands in for the product's trainer, and records its arguments."""

    def __init__(self) -> None:
        self.examples: Sequence[Example] = ()
        self.recipe: Recipe | None = None

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
        self.examples, self.recipe = examples, recipe
        return TrainingSummary(steps=1, tokens=1, seconds=0.0, loss=0.0)


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> RecordingTrainer:
    trainer = RecordingTrainer()
    monkeypatch.setattr(peft, "train", trainer)
    return trainer


def material(curriculum: Curriculum = LESSON, product: Path | None = None) -> Material:
    return Material([PASSAGE], curriculum, product)


def run(
    name: str, base: StudiedModel, examples: Sequence[Example], recipe: Recipe, out: Path, **more: Path
) -> TrainingSummary:
    variant = VARIANTS[name]
    return variant.trainer(material(**more))(  # type: ignore[arg-type]  # only `product` is given
        base, examples, variant.recipe(recipe), out, lambda *_: None
    )


@pytest.mark.parametrize("name", ["prompt-distillation", "context-distillation", "upper-layers"])
def test_the_loop_of_our_own_leaves_an_adapter_that_can_be_served(
    name: str, base: StudiedModel, examples: Sequence[Example], recipe: Recipe, tmp_path: Path
) -> None:
    summary = run(name, base, examples, recipe, tmp_path)
    assert summary.steps > 0
    assert summary.tokens > 0
    assert inspect_adapter(tmp_path).rank == recipe.rank


def test_frozen_layers_stay_as_they_are(
    base: StudiedModel, examples: Sequence[Example], recipe: Recipe, tmp_path: Path
) -> None:
    training_loop.train(base, examples, recipe, tmp_path, lambda *_: None, frozen=0.5)
    weights = {n: w for n, w in load_file(tmp_path / WEIGHTS).items() if ".lora_B." in n}
    moved = {int(n.split(".layers.")[1].split(".")[0]) for n, w in weights.items() if w.abs().sum() > 0}
    layers = {int(name.split(".layers.")[1].split(".")[0]) for name in weights}
    assert moved == {number for number in layers if number >= len(layers) / 2}


def test_the_bare_loop_takes_time_for_each_token(
    base: StudiedModel, examples: Sequence[Example], recipe: Recipe
) -> None:
    assert 0 < training_loop.bare_seconds_per_token(base, examples, recipe, steps=2) < 1


@pytest.mark.parametrize("name", ["passage-alone", "without-replay", "replay-in-words"])
def test_a_baseline_gets_as_many_tokens_and_steps_as_the_product(
    name: str,
    base: StudiedModel,
    examples: Sequence[Example],
    recipe: Recipe,
    tmp_path: Path,
    recorded: RecordingTrainer,
) -> None:
    run(name, base, examples, recipe, tmp_path)
    budget, steps = training_loop.product_tokens_and_steps(base, examples, recipe)
    spent = training_loop.token_lengths(base, recorded.examples, recipe)
    assert recorded.recipe is not None
    assert budget <= sum(spent) < budget + max(spent)
    assert abs(-(-len(spent) // recorded.recipe.batch) - steps) <= steps / 2
    assert not any(example.distilled for example in recorded.examples)


def test_the_passage_alone_is_taught_without_any_question_of_the_lesson(
    base: StudiedModel,
    examples: Sequence[Example],
    recipe: Recipe,
    tmp_path: Path,
    recorded: RecordingTrainer,
) -> None:
    run("passage-alone", base, examples, recipe, tmp_path)
    assert {example.answer for example in recorded.examples} == {TEXT}


def test_the_recipe_like_groundcortex_sees_few_questions_many_times(
    base: StudiedModel,
    examples: Sequence[Example],
    recipe: Recipe,
    tmp_path: Path,
    recorded: RecordingTrainer,
) -> None:
    run("like-groundcortex", base, examples, recipe, tmp_path)
    assert recorded.recipe is not None
    assert (recorded.recipe.rank, recorded.recipe.learning_rate) == (32, 5e-4)
    counts = {e.question: sum(o.question == e.question for o in recorded.examples) for e in recorded.examples}
    assert set(counts.values()) == {GROUNDCORTEX_EPOCHS}


def test_fewer_wordings_are_taught_as_often_and_what_is_held_stays(
    base: StudiedModel,
    examples: Sequence[Example],
    recipe: Recipe,
    tmp_path: Path,
    recorded: RecordingTrainer,
) -> None:
    often = recipe.model_copy(update={"exposures": 6})
    examples = [*lesson_examples(LESSON, often), *(e for e in examples if e.distilled)]
    run("one-wording", base, examples, often, tmp_path)
    assert len(recorded.examples) == len(examples)
    left = {e.question for e in recorded.examples if not e.distilled}
    assert left < {e.question for e in examples if not e.distilled}
    assert [e for e in recorded.examples if e.distilled] == [e for e in examples if e.distilled]


def test_the_control_needs_the_products_adapter_and_differs_from_it(
    base: StudiedModel, examples: Sequence[Example], recipe: Recipe, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="measure that first"):
        run("null-adapter", base, examples, recipe, tmp_path)
    product, drawn = tmp_path / "product", tmp_path / "drawn"
    for folder in (product, drawn):
        folder.mkdir()
    training_loop.train(base, examples, recipe, product, lambda *_: None)
    run("null-adapter", base, examples, recipe, drawn, product=product)
    assert inspect_adapter(drawn).shapes == inspect_adapter(product).shapes
    assert (drawn / WEIGHTS).read_bytes() != (product / WEIGHTS).read_bytes()


def test_a_program_that_does_not_know_the_model_says_so(
    base: StudiedModel, examples: Sequence[Example], recipe: Recipe, tmp_path: Path
) -> None:
    with pytest.raises(DlmUnavailable, match="has no base model"):
        run("document-language-model", base, examples, recipe, tmp_path)
