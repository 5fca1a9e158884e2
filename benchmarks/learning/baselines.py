"""Training recipes of other systems, as training backends for the product's lessons.

Unless a recipe sets its own length, it trains as many tokens in as many steps as the product.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from agent.engines.adapter_files import CONFIG, WEIGHTS
from benchmarks.learning import dlm, training_loop
from memory.records.curricula import Curriculum, QAPair
from memory.records.knowledge import Passage
from training.backends import peft
from training.backends.base import Example, OnProgress, Trainer, TrainingSummary, single
from training.base_model import StudiedModel
from training.recipes import Recipe

UNNATURAL_FORMS = frozenset({"yes_no", "statement", "cloze", "reverse"})
"""Forms that people rarely use for a question."""
GROUNDCORTEX_QUESTIONS = 5
"""Questions per section in GroundCortex's recipe."""
GROUNDCORTEX_GENERAL = 20
"""Fixed general examples in GroundCortex's recipe."""
GROUNDCORTEX_EPOCHS = 25

Change = Callable[[StudiedModel, Sequence[Example], Recipe], tuple[Sequence[Example], Recipe]]
"""Replaces the examples and the recipe of a lesson."""


@dataclass(frozen=True)
class Material:
    """What a variant can train on."""

    passages: Sequence[Passage]
    curriculum: Curriculum
    product: Path | None = None
    """The product's adapter for the same text."""

    @property
    def passage_of(self) -> Mapping[str, str]:
        """The passage that answers each taught question."""
        texts = {passage.text for passage in self.passages}
        passages: dict[str, str] = {}
        for pair in self.curriculum.pairs:
            passage = next((text for text in texts if pair.quote in text), pair.quote)
            passages.setdefault(pair.question, passage)
        return passages

    def natural_pairs(self, limit: int | None = None) -> list[QAPair]:
        """One wording of each naturally worded question; at most `limit` per passage, evenly spaced."""
        chosen: list[QAPair] = []
        for passage in self.passages:
            natural = [pair for pair in self.curriculum.pairs if pair.form not in UNNATURAL_FORMS]
            by_fact = {pair.fact_id: pair for pair in reversed(natural)}
            pairs = [pair for pair in by_fact.values() if pair.quote in passage.text][::-1]
            count = len(pairs) if limit is None else min(limit, len(pairs))
            chosen += [pairs[i * len(pairs) // count] for i in range(count)]
        return chosen


def passages_only(material: Material) -> Trainer:
    """Trains on the passages as answers to their titles, and on nothing else."""

    def change(
        base: StudiedModel, examples: Sequence[Example], recipe: Recipe
    ) -> tuple[Sequence[Example], Recipe]:
        passages = [
            single(f"What does the text about {passage.title} say?", passage.text)
            for passage in material.passages
        ]
        return _with_product_budget(base, passages, examples, recipe)

    return _with_change(change)


def without_replay(material: Material) -> Trainer:
    """Trains on the lesson only, and spends the replay's tokens on it."""

    def change(
        base: StudiedModel, examples: Sequence[Example], recipe: Recipe
    ) -> tuple[Sequence[Example], Recipe]:
        return _with_product_budget(base, [e for e in examples if not e.distilled], examples, recipe)

    return _with_change(change)


def replay_as_text(material: Material) -> Trainer:
    """Replays the base model's own answers as plain targets, without their distributions."""

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
        budget, steps = training_loop.product_tokens_and_steps(base, examples, recipe)
        left = budget - sum(training_loop.token_lengths(base, taught, recipe))
        own_lengths = training_loop.token_lengths(base, own, recipe)
        rows = [*taught, *training_loop.repeat_to_budget(own, own_lengths, left)]
        return rows, _with_steps(recipe, len(rows), steps)

    return _with_change(change)


def prompt_distillation(material: Material) -> Trainer:
    """After Kujanpää et al. (arXiv 2412.14964): the student without the passage imitates the base model with
    the passage. The questions are the product's, because a base model of this size writes no usable ones."""
    return partial(training_loop.train, passage_of=material.passage_of, distill_only=True)


def groundcortex_recipe(recipe: Recipe) -> Recipe:
    """GroundCortex's published hyperparameters; small lessons get no special treatment."""
    changes = {
        "name": "like-groundcortex",
        "rank": 32,
        "alpha": 64,
        "learning_rate": 5e-4,
        "batch": 4,
        "beside": 0,
        "small": 0,
    }
    return recipe.model_copy(update=changes)


def groundcortex(material: Material) -> Trainer:
    """Trains 25 epochs on five questions per passage and a fixed set of general examples.

    The questions are the product's, the general examples the base model's own answers.
    """

    def change(
        base: StudiedModel, examples: Sequence[Example], recipe: Recipe
    ) -> tuple[Sequence[Example], Recipe]:
        pairs = [
            single(pair.question, pair.answer) for pair in material.natural_pairs(GROUNDCORTEX_QUESTIONS)
        ]
        own = [e for e in examples if e.distilled and e.answer.strip()]
        sample = random.Random(0).sample(own, min(GROUNDCORTEX_GENERAL, len(own)))
        general = [replace(e, distilled=False, distribution=None) for e in sample]
        return [*pairs, *general] * GROUNDCORTEX_EPOCHS, recipe

    return _with_change(change)


def document_language_model(material: Material) -> Trainer:
    """Trains with the package `document-language-model` on the passages and one wording of each question."""

    def train(
        base: StudiedModel,
        examples: Sequence[Example],
        recipe: Recipe,
        out: Path,
        on_progress: OnProgress,
        *,
        start: Path | None = None,
    ) -> TrainingSummary:
        pairs = [(pair.question, pair.answer) for pair in material.natural_pairs()]
        return dlm.train(base, material.passages, pairs, out)

    return train


def null_adapter(material: Material) -> Trainer:
    """A control without training: the product's adapter with random weights of the same norm."""

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
        weights = random_like(load_file(material.product / WEIGHTS), seed=recipe.seed)
        save_file(weights, out / WEIGHTS)
        (out / CONFIG).write_bytes((material.product / CONFIG).read_bytes())
        return TrainingSummary(steps=0, tokens=0, seconds=0.0, loss=0.0)

    return train


def random_like(weights: Mapping[str, torch.Tensor], *, seed: int) -> dict[str, torch.Tensor]:
    """Normally distributed weights; each product B·A keeps its Frobenius norm."""
    generator = torch.Generator().manual_seed(seed)
    drawn = {
        name: torch.randn(tensor.shape, generator=generator).to(tensor.dtype)
        for name, tensor in sorted(weights.items())
    }
    for b in drawn:
        if ".lora_B." in b:
            a = b.replace(".lora_B.", ".lora_A.")
            old_norm = torch.linalg.matrix_norm(weights[b].float() @ weights[a].float())
            new_norm = torch.linalg.matrix_norm(drawn[b].float() @ drawn[a].float())
            drawn[b] = (drawn[b].float() * (old_norm / new_norm)).to(weights[b].dtype)
    return drawn


def _with_product_budget(
    base: StudiedModel, chosen: Sequence[Example], examples: Sequence[Example], recipe: Recipe
) -> tuple[Sequence[Example], Recipe]:
    """The chosen examples, repeated to the tokens and steps that the product spends on `examples`."""
    budget, steps = training_loop.product_tokens_and_steps(base, examples, recipe)
    lengths = training_loop.token_lengths(base, chosen, recipe)
    rows = list(training_loop.repeat_to_budget(chosen, lengths, budget))
    return rows, _with_steps(recipe, len(rows), steps)


def _with_steps(recipe: Recipe, rows: int, steps: int) -> Recipe:
    """The recipe without replay, with the batch size that leads to about this number of steps."""
    return recipe.model_copy(update={"batch": max(1, round(rows / steps)), "beside": 0})


def _with_change(change: Change) -> Trainer:
    """The product's training backend with changed examples and recipe."""

    def train(
        base: StudiedModel,
        examples: Sequence[Example],
        recipe: Recipe,
        out: Path,
        on_progress: OnProgress,
        *,
        start: Path | None = None,
    ) -> TrainingSummary:
        new_examples, new_recipe = change(base, examples, recipe)
        return peft.train(base, new_examples, new_recipe, out, on_progress, start=start)

    return train
