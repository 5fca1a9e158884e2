"""Group-relative policy optimisation: a reward model, trained on the pairs, scores generated answers."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset  # type: ignore[import-untyped]  # ships no types
from peft import LoraConfig
from transformers import AutoModelForSequenceClassification, PrinterCallback
from trl import (  # type: ignore[attr-defined]  # exported lazily
    GRPOConfig,
    GRPOTrainer,
    RewardConfig,
    RewardTrainer,
)

from training.backends import peft
from training.backends.base import OnProgress, TrainingSummary
from training.base_model import StudiedModel
from training.preferences.backend import Prepared, WithReplay, arguments, run_trainer, summary_of
from training.preferences.data import PairRow
from training.preferences.recipes import PreferenceRecipe

Reward = Callable[[Sequence[Sequence[int]]], list[float]]
"""Scores conversations, each a sequence of tokens."""


class ReplayGRPOTrainer(WithReplay, GRPOTrainer):
    """GRPO with replay; a row's prompt is the number of a tokenized one."""

    prompts: Sequence[Sequence[int]]

    def _tokenize_prompts(self, prompts: list[str]) -> tuple[list[list[int]], None, dict[str, Any]]:
        """The prompts as the model is served, which TRL's own use of the chat template may not match."""
        return [list(self.prompts[int(prompt)]) for prompt in prompts], None, {}


def fit_grpo(
    base: StudiedModel, prepared: Prepared, recipe: PreferenceRecipe, out: Path, on_progress: OnProgress
) -> TrainingSummary:
    """Trains a reward model and then the adapter. Raises TrainingDiverged."""
    reward = train_reward(base, prepared, recipe, out)
    prompts = [list(prompt) for prompt in dict.fromkeys(tuple(row.prompt) for row in prepared.rows)]
    size = max(1, recipe.batch // recipe.generations) * recipe.generations
    steps = max(1, recipe.epochs * len(prompts) * recipe.generations // size)
    seen = 0

    def rewards(prompts: list[str], completion_ids: list[list[int]], **_: Any) -> list[float | None]:
        nonlocal seen
        whole = [[*numbered[int(p)], *ids] for p, ids in zip(prompts, completion_ids, strict=True)]
        seen += sum(map(len, whole))
        return [*reward(whole)]

    numbered = prompts
    config = GRPOConfig(
        **arguments(recipe, steps, size, out),
        beta=recipe.beta,
        num_generations=recipe.generations,
        max_completion_length=recipe.completion,
    )
    trainer = ReplayGRPOTrainer(
        model=prepared.adapted,
        reward_funcs=[rewards],
        args=config,
        train_dataset=Dataset.from_list([{"prompt": str(number)} for number in range(len(prompts))]),
        processing_class=prepared.tokenizer,
    )
    trainer.prompts = prompts
    losses = run_trainer(trainer, prepared, recipe, out, on_progress)
    return summary_of(losses, seen)


def train_reward(base: StudiedModel, prepared: Prepared, recipe: PreferenceRecipe, out: Path) -> Reward:
    """A model that scores conversations, trained to score the chosen answer of each pair higher.

    It is the base model with a LoRA and a head of one output (Bradley-Terry, as in arXiv 2203.02155).
    """
    torch.manual_seed(recipe.lesson.seed)
    model = AutoModelForSequenceClassification.from_pretrained(base.folder, num_labels=1, dtype=torch.float32)
    model.config.pad_token_id = prepared.pad
    rows = [row for row in prepared.rows if row.chosen is not None and row.rejected is not None]
    steps = -(-len(rows) // recipe.batch) * recipe.epochs
    shape = recipe.lesson
    trainer = RewardTrainer(
        model=model,
        args=RewardConfig(
            **arguments(recipe, steps, recipe.batch, out)
            | {"learning_rate": recipe.reward_rate, "bf16": False},
            max_length=None,
        ),
        train_dataset=Dataset.from_list([_reward_row(row) for row in rows]),
        processing_class=prepared.tokenizer,
        peft_config=LoraConfig(
            r=shape.rank, lora_alpha=shape.alpha, target_modules=list(shape.modules), task_type="SEQ_CLS"
        ),
        callbacks=[peft.LossMonitor(lambda *_: None)],
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    assert trainer.model is not None
    scorer = trainer.model.eval()

    @torch.no_grad()
    def score(conversations: Sequence[Sequence[int]]) -> list[float]:
        longest = max(map(len, conversations))
        ids = torch.full((len(conversations), longest), prepared.pad)
        mask = torch.zeros_like(ids)
        for row, tokens in enumerate(conversations):
            ids[row, : len(tokens)] = torch.tensor(list(tokens))
            mask[row, : len(tokens)] = 1
        device = next(scorer.parameters()).device
        logits = scorer(input_ids=ids.to(device), attention_mask=mask.to(device)).logits
        scores: list[float] = logits[:, 0].float().tolist()
        return scores

    return score


def _reward_row(row: PairRow) -> dict[str, list[int]]:
    assert row.chosen is not None
    assert row.rejected is not None
    return {"chosen_ids": [*row.prompt, *row.chosen], "rejected_ids": [*row.prompt, *row.rejected]}
