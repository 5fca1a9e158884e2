"""Validation during training: observes the loss on held-out examples, stops early, keeps the best weights."""

import shutil
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel, load_peft_weights, set_peft_model_state_dict
from torch.nn import functional
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from training.encoding import IGNORED, Encoded, answer_logits, collate
from training.recipes import Recipe

PATIENCE = 2
"""Validations in a row at which the loss is above its minimum, after which training stops."""
RISE = 0.01
"""Nats by which a loss has to exceed the minimum to count as risen: below, what was learned stays learned."""
BATCH = 16
"""Examples per forward pass."""


class EarlyStopping(TrainerCallback):
    """Validates after each part of the steps, keeps the best weights in a folder, and stops training.

    The measure is the median loss of the answers' tokens. It follows accuracy (r = .99 over checkpoints of
    lessons about conversations, arXiv 2605.24657), while a few unlikely tokens dominate the mean.
    """

    def __init__(
        self,
        adapted: PeftModel,
        rows: Sequence[Encoded],
        recipe: Recipe,
        folder: Path,
        *,
        pad: int,
        window: float,
    ) -> None:
        """`rows` are the tokenized held-out examples; `window` is the model's `attention_window`."""
        self.losses: list[float] = []
        self.best_step: int | None = None
        self._adapted = adapted
        self._rows = sorted(rows, key=lambda row: len(row.tokens))
        self._every = recipe.validate_every
        self._folder = folder
        self._pad = pad
        self._window = window
        self._best = float("inf")
        self._risen = 0

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Called by the trainer after every step."""
        steps = max(1, round(state.max_steps * self._every))
        if state.global_step % steps and state.global_step != state.max_steps:
            return
        loss = median_token_loss(self._adapted, self._rows, self._pad, self._window)
        self.losses.append(loss)
        if loss <= self._best:
            self._best, self.best_step = loss, state.global_step
            self._adapted.save_pretrained(
                str(self._folder), safe_serialization=True, selected_adapters=["default"]
            )
        self._risen = self._risen + 1 if loss > self._best + RISE else 0
        if self._risen >= PATIENCE:
            control.should_training_stop = True

    def restore_best(self) -> None:
        """Puts the best weights back into the model, and removes their folder."""
        if self.best_step is not None:
            weights = load_peft_weights(str(self._folder), device="cpu")
            set_peft_model_state_dict(self._adapted, weights, adapter_name="default")
        shutil.rmtree(self._folder, ignore_errors=True)


@torch.no_grad()
def median_token_loss(model: torch.nn.Module, rows: Sequence[Encoded], pad: int, window: float) -> float:
    """The median loss in nats of the tokens of all answers, without the ends of turn, which all share."""
    device = next(model.parameters()).device
    was_training = model.training
    model.eval()
    losses: list[float] = []
    for start in range(0, len(rows), BATCH):
        batch = {
            name: tensor.to(device)
            for name, tensor in collate(rows[start : start + BATCH], pad, window).items()
        }
        logits, labels = answer_logits(model, batch)[:, :-1], batch["labels"][:, :-1]
        losses += functional.cross_entropy(
            logits[labels != IGNORED].float(), labels[labels != IGNORED], reduction="none"
        ).tolist()
    model.train(was_training)
    return statistics.median(losses)
