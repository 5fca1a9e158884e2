"""What other recipes teach of the same text: trainers that take the place of the product's.

Unless a recipe says how long it trains, each puts as many tokens through the model as the product's training
of the same lesson, in as many steps.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from agent.engines.adapter_files import CONFIG, WEIGHTS
from benchmarks.learning import dlm as learning_dlm
from benchmarks.learning import loops
from memory.records.curricula import Curriculum, QAPair
from memory.records.knowledge import Passage
from training.backends import peft
from training.backends.base import Example, OnProgress, Trainer, TrainingSummary, single
from training.base_model import StudiedModel
from training.recipes import Recipe

GUESSED = frozenset({"yes_no", "statement", "cloze", "reverse"})
"""Forms that are not asked as people ask."""
A_SECTION = 5
EPOCHS = 25
GENERAL = 20
"""Fixed general examples of the recipe like GroundCortex's."""

Change = Callable[[StudiedModel, Sequence[Example], Recipe], tuple[Sequence[Example], Recipe]]


@dataclass(frozen=True)
class Material:
    """What may be taught."""

    passages: Sequence[Passage]
    curriculum: Curriculum
    product: Path | None = None
    """The adapter that the product made of the same text."""

    @property
    def passage_of(self) -> Mapping[str, str]:
        """The passage that answers each taught question."""
        texts = {passage.text for passage in self.passages}
        found: dict[str, str] = {}
        for pair in self.curriculum.pairs:
            whole = next((text for text in texts if pair.quote in text), pair.quote)
            found.setdefault(pair.question, whole)
        return found

    def plain(self, most: int | None = None) -> list[QAPair]:
        """One wording of each question as people ask, at most so many of a passage, spread over it."""
        chosen: list[QAPair] = []
        for passage in self.passages:
            asked = [pair for pair in self.curriculum.pairs if pair.form not in GUESSED]
            facts = {pair.fact_id: pair for pair in reversed(asked)}
            here = [pair for pair in facts.values() if pair.quote in passage.text][::-1]
            count = len(here) if most is None else min(most, len(here))
            chosen += [here[i * len(here) // count] for i in range(count)]
        return chosen


def passages_alone(material: Material) -> Trainer:
    """The passages as answers to their titles, and nothing else."""

    def change(
        base: StudiedModel, examples: Sequence[Example], recipe: Recipe
    ) -> tuple[Sequence[Example], Recipe]:
        texts = [
            single(f"What does the text about {passage.title} say?", passage.text)
            for passage in material.passages
        ]
        return _same_tokens(base, texts, examples, recipe)

    return _changed(change)


def without_replay(material: Material) -> Trainer:
    """What is taught, longer: the replay's tokens are spent on it."""

    def change(
        base: StudiedModel, examples: Sequence[Example], recipe: Recipe
    ) -> tuple[Sequence[Example], Recipe]:
        return _same_tokens(base, [e for e in examples if not e.distilled], examples, recipe)

    return _changed(change)


def in_words(material: Material) -> Trainer:
    """The base model's own answers as plain targets, as often as the product holds to them."""

    def change(
        base: StudiedModel, examples: Sequence[Example], recipe: Recipe
    ) -> tuple[Sequence[Example], Recipe]:
        taught = [e for e in examples if not e.distilled]
        own = [
            replace(e, distilled=False, distribution=None)
            for e in examples
            if e.distilled and e.answer.strip()
        ]
        own = random.Random(recipe.seed).sample(own, len(own))
        budget, steps = loops.tokens_of(base, examples, recipe)
        left = budget - sum(loops.lengths_of(base, taught, recipe))
        rows = [*taught, *loops.filled(own, loops.lengths_of(base, own, recipe), left)]
        return rows, _in_steps(recipe, len(rows), steps)

    return _changed(change)


def prompt_distillation(material: Material) -> Trainer:
    """After Kujanpää et al. (arXiv 2412.14964): the student is to think without the passage what the base
    model thinks with it. The questions are the product's, for a base this small writes none worth asking."""
    return partial(loops.train, passage_of=material.passage_of, alone=True)


def groundcortex_recipe(recipe: Recipe) -> Recipe:
    """Its published hyperparameters; a small lesson is trained like any other."""
    changed = {
        "name": "like-groundcortex",
        "rank": 32,
        "alpha": 64,
        "learning_rate": 5e-4,
        "batch": 4,
        "beside": 0,
        "small": 0,
    }
    return recipe.model_copy(update=changed)


def groundcortex(material: Material) -> Trainer:
    """Five questions a passage and some fixed general examples, all 25 times. The questions are the
    product's, the general examples the base model's own answers."""

    def change(
        base: StudiedModel, examples: Sequence[Example], recipe: Recipe
    ) -> tuple[Sequence[Example], Recipe]:
        pairs = [single(pair.question, pair.answer) for pair in material.plain(A_SECTION)]
        own = [e for e in examples if e.distilled and e.answer.strip()]
        drawn = random.Random(0).sample(own, min(GENERAL, len(own)))
        general = [replace(e, distilled=False, distribution=None) for e in drawn]
        return [*pairs, *general] * EPOCHS, recipe

    return _changed(change)


def dlm(material: Material) -> Trainer:
    """See `learning_dlm`: a document of the passages and one wording of each question."""

    def train(
        base: StudiedModel,
        examples: Sequence[Example],
        recipe: Recipe,
        out: Path,
        on_progress: OnProgress,
        *,
        start: Path | None = None,
    ) -> TrainingSummary:
        pairs = [(pair.question, pair.answer) for pair in material.plain()]
        return learning_dlm.train(base, material.passages, pairs, out)

    return train


def null_adapter(material: Material) -> Trainer:
    """No training: the product's adapter with each of its matrices drawn anew at the same norm."""

    def train(
        base: StudiedModel,
        examples: Sequence[Example],
        recipe: Recipe,
        out: Path,
        on_progress: OnProgress,
        *,
        start: Path | None = None,
    ) -> TrainingSummary:
        if material.product is None:
            raise ValueError("the control needs the product's adapter of the same text: measure that first")
        drawn = random_like(load_file(material.product / WEIGHTS), seed=recipe.seed)
        save_file(drawn, out / WEIGHTS)
        (out / CONFIG).write_bytes((material.product / CONFIG).read_bytes())
        return TrainingSummary(steps=0, tokens=0, seconds=0.0, loss=0.0)

    return train


def random_like(weights: Mapping[str, torch.Tensor], *, seed: int) -> dict[str, torch.Tensor]:
    """Normal draws in place of the weights. Each pair of halves is scaled so that their product, which is
    added to the base model's weight, keeps its Frobenius norm."""
    generator = torch.Generator().manual_seed(seed)
    drawn = {
        name: torch.randn(tensor.shape, generator=generator).to(tensor.dtype)
        for name, tensor in sorted(weights.items())
    }
    for name in drawn:
        if ".lora_B." in name:
            half = name.replace(".lora_B.", ".lora_A.")
            norm = torch.linalg.matrix_norm(weights[name].float() @ weights[half].float())
            now = torch.linalg.matrix_norm(drawn[name].float() @ drawn[half].float())
            drawn[name] = (drawn[name].float() * (norm / now)).to(weights[name].dtype)
    return drawn


def _same_tokens(
    base: StudiedModel, chosen: Sequence[Example], examples: Sequence[Example], recipe: Recipe
) -> tuple[Sequence[Example], Recipe]:
    """The chosen ones as often as takes the product's tokens, in as many steps."""
    budget, steps = loops.tokens_of(base, examples, recipe)
    rows = list(loops.filled(chosen, loops.lengths_of(base, chosen, recipe), budget))
    return rows, _in_steps(recipe, len(rows), steps)


def _in_steps(recipe: Recipe, rows: int, steps: int) -> Recipe:
    return recipe.model_copy(update={"batch": max(1, round(rows / steps)), "beside": 0})


def _changed(change: Change) -> Trainer:
    """The product's trainer over other examples."""

    def train(
        base: StudiedModel,
        examples: Sequence[Example],
        recipe: Recipe,
        out: Path,
        on_progress: OnProgress,
        *,
        start: Path | None = None,
    ) -> TrainingSummary:
        other, changed = change(base, examples, recipe)
        return peft.train(base, other, changed, out, on_progress, start=start)

    return train
