"""The preference trainer of the worker: chooses the algorithm that a recipe names."""

import time
from collections.abc import Sequence
from pathlib import Path

from agent.models.card import PromptMessage
from memory.records.feedback import PreferencePair
from training.backends.base import Example, OnProgress, Trainer, TrainingSummary
from training.base_model import StudiedModel
from training.errors import PreferencesRefused
from training.preferences.backend import fit_dpo, fit_kto, prepare
from training.preferences.base import Beside, PreferenceTrainer
from training.preferences.data import uses
from training.preferences.recipes import PreferenceRecipe


def make_trainer(lessons: Trainer) -> PreferenceTrainer:
    """The trainer of all algorithms; plain fine-tuning goes through the trainer of `lessons`."""

    def train(
        base: StudiedModel,
        pairs: Sequence[PreferencePair],
        beside: Beside,
        recipe: PreferenceRecipe,
        out: Path,
        on_progress: OnProgress,
        *,
        start: Path | None = None,
    ) -> TrainingSummary:
        """See PreferenceTrainer; deterministic on one machine for the same recipe and pairs."""
        if recipe.algorithm == "sft":
            return _fine_tune(lessons, base, pairs, beside, recipe, out, on_progress, start)
        started = time.monotonic()
        prepared = prepare(base, pairs, beside, recipe, start)
        if recipe.algorithm == "dpo":
            summary = fit_dpo(prepared, recipe, out, on_progress)
        elif recipe.algorithm == "kto":
            summary = fit_kto(prepared, recipe, out, on_progress)
        else:
            from training.preferences.grpo import fit_grpo  # imports TRL's trainer for generation

            summary = fit_grpo(base, prepared, recipe, out, on_progress)
        return summary.model_copy(update={"seconds": time.monotonic() - started})

    return train


def _fine_tune(
    lessons: Trainer,
    base: StudiedModel,
    pairs: Sequence[PreferencePair],
    beside: Beside,
    recipe: PreferenceRecipe,
    out: Path,
    on_progress: OnProgress,
    start: Path | None,
) -> TrainingSummary:
    """Teaches the preferred answers as a lesson is taught, with the start's lessons rehearsed among them."""
    usable = [pair for pair in pairs if pair.chosen is not None]
    if not usable:
        raise PreferencesRefused("no preference pair has an answer that somebody liked: sft needs some")
    numbers = uses([pair.weight for pair in usable], recipe.epochs, recipe.lesson.seed)
    taught = [_taught(usable[number]) for number in numbers]
    as_lesson = recipe.lesson.model_copy(
        update={
            "name": recipe.name,
            "learning_rate": recipe.learning_rate,
            "batch": recipe.batch,
            "beside": recipe.beside,
            "distillation": recipe.distillation,
        }
    )
    return lessons(base, (*taught, *beside.lessons, *beside.replay), as_lesson, out, on_progress, start=start)


def _taught(pair: PreferencePair) -> Example:
    assert pair.chosen is not None
    messages = tuple(PromptMessage(role=each.role, content=each.content) for each in pair.messages)
    return Example(messages=messages, answer=pair.chosen)
