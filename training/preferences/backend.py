"""Trains preferences with TRL over a PEFT LoRA: TRL's losses plus the card's replay under KL.

Training starts from a copy of the domain's live adapter, which is also the reference that DPO, KTO and GRPO
are tied to, or from a fresh LoRA. TRL copies the adapter that it is given as a frozen one, named `ref`; only
the trained one is saved.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from datasets import Dataset  # type: ignore[import-untyped]  # ships no types
from peft import PeftModel
from transformers import PreTrainedTokenizerBase, PrinterCallback, Trainer
from trl import DPOConfig, DPOTrainer, KTOConfig, KTOTrainer  # type: ignore[attr-defined]  # exported lazily

from agent.engines.bfloat16 import native_bfloat16
from agent.engines.decoding import attention_window
from memory.records.feedback import PreferencePair
from training.backends import peft
from training.backends.base import Example, OnProgress, TrainingSummary
from training.base_model import StudiedModel
from training.batches import LengthGroupedSampler
from training.encoding import Encoded, Encoder, Tensors, answer_logits, with_distributions
from training.errors import PreferencesRefused
from training.loss import distillation_loss
from training.preferences.base import Beside
from training.preferences.data import (
    AnswerCollator,
    PairCollator,
    PairRow,
    answer_rows,
    encode_pairs,
    replay_batches,
    uses,
)
from training.preferences.plain_head import use_plain_head
from training.preferences.recipes import PreferenceRecipe

PAIRS_AT_ONCE = 2
"""Pairs of a step that a CPU works on together. The logits of a pair take hundreds of megabytes; all eight of
a step took up to 15 GB."""


class Prepared(NamedTuple):
    """The model with its adapter, and all tokenized data."""

    adapted: PeftModel
    tokenizer: PreTrainedTokenizerBase
    encoder: Encoder
    pad: int
    rows: list[PairRow]
    weights: list[float]
    replay: Iterator[Tensors]


def prepare(
    base: StudiedModel,
    pairs: Sequence[PreferencePair],
    beside: Beside,
    recipe: PreferenceRecipe,
    start: Path | None,
) -> Prepared:
    """Loads the model with a copy of the adapter in `start`, and tokenizes everything.

    The base model's distributions are computed before the adapter is attached, those of lessons after.
    """
    usable = [pair for pair in pairs if pair.trains(recipe.algorithm)]
    if not usable:
        raise PreferencesRefused(f"no preference pair has the answers that {recipe.algorithm} needs")
    model, tokenizer = peft.load_base_model(base.folder)
    if torch.cuda.is_available():
        model.cuda()  # type: ignore[call-arg]  # transformers wraps it without types
    encoder, pad = peft.encoder_of(model, tokenizer, base), peft.pad_token(tokenizer)
    rows = encode_pairs(usable, encoder)
    longest, window = recipe.lesson.longest, attention_window(model)
    replay = peft.encode_examples(model, encoder, beside.replay, longest, pad)
    torch.manual_seed(recipe.lesson.seed)
    adapted = peft.attach_adapter(model, recipe.lesson, start)
    replay += _as_start_answers(adapted, encoder, beside.lessons, longest, pad, window)
    return Prepared(
        adapted=adapted,
        tokenizer=tokenizer,
        encoder=encoder,
        pad=pad,
        rows=[row for _, row in rows],
        weights=[pair.weight for pair, _ in rows],
        replay=replay_batches(replay, pad, window, size=recipe.beside, seed=recipe.lesson.seed),
    )


def _as_start_answers(
    adapted: PeftModel, encoder: Encoder, lessons: Sequence[Example], longest: int, pad: int, window: float
) -> list[Encoded]:
    """The lessons' answers with the start's distributions over them."""
    encoded = [encoder.encode(example, longest) for example in lessons]
    ordered = sorted(encoded, key=lambda example: len(example.tokens))
    return [
        row
        for first in range(0, len(ordered), peft.OBSERVED)
        for row in with_distributions(adapted, ordered[first : first + peft.OBSERVED], pad, window=window)
    ]


class WithReplay(Trainer):
    """Adds the KL divergence on replayed answers to a TRL trainer's loss, and fixes the order of the rows."""

    recipe: PreferenceRecipe
    replay: Iterator[Tensors]
    order: LengthGroupedSampler | None = None
    _parts = 0
    """Parts of steps so far: a step may be several, whose gradients are added up."""

    def _prepare_dataset(self, dataset: Any, *_: Any, **__: Any) -> Any:
        """The rows are tokenized already."""
        return dataset

    def _get_train_sampler(self, *arguments: Any, **options: Any) -> Any:
        if self.order is None:
            return super()._get_train_sampler(*arguments, **options)
        return self.order

    def compute_loss(self, model: Any, inputs: Any, *arguments: Any, **options: Any) -> Any:
        """The algorithm's loss on the pairs, plus the weighted divergence on one batch of replay per step."""
        loss: Any = super().compute_loss(model, inputs, *arguments, **options)
        parts = self.args.gradient_accumulation_steps
        begins, self._parts = self._parts % parts == 0, self._parts + 1
        batch = next(self.replay, None) if self.recipe.distillation and begins else None
        if batch is None:
            return loss
        device = self.args.device
        on_device = {name: tensor.to(device) for name, tensor in batch.items()}
        divergence = distillation_loss(answer_logits(model, on_device), on_device)
        return loss + parts * self.recipe.distillation * divergence  # the sum is divided by the parts


class ReplayDPOTrainer(WithReplay, DPOTrainer):
    """DPO with replay."""


class ReplayKTOTrainer(WithReplay, KTOTrainer):
    """KTO with replay."""


def fit_dpo(
    prepared: Prepared, recipe: PreferenceRecipe, out: Path, on_progress: OnProgress
) -> TrainingSummary:
    """Trains by direct preference optimisation. Raises TrainingDiverged."""
    numbers = uses(prepared.weights, recipe.epochs, recipe.lesson.seed)
    rows = [prepared.rows[number] for number in numbers]
    order = _order([row.length for row in rows], recipe)
    collator = PairCollator(rows, prepared.pad)
    trainer = _built(
        ReplayDPOTrainer,
        DPOConfig(
            **arguments(recipe, order.steps, order.size, out) | _in_parts(order.size),
            beta=recipe.beta,
            loss_type=["sigmoid", "sft"],
            loss_weights=[1.0, recipe.imitation],
        ),
        prepared,
        collator,
        len(rows),
    )
    trainer.order = order
    losses = run_trainer(trainer, prepared, recipe, out, on_progress)
    return summary_of(losses, collator.seen)


def fit_kto(
    prepared: Prepared, recipe: PreferenceRecipe, out: Path, on_progress: OnProgress
) -> TrainingSummary:
    """Trains by Kahneman-Tversky optimisation. Raises TrainingDiverged."""
    numbers = uses(prepared.weights, recipe.epochs, recipe.lesson.seed)
    rows = answer_rows([prepared.rows[number] for number in numbers])
    order = _order([len(row.prompt) + len(row.completion) for row in rows], recipe)
    collator = AnswerCollator(rows, prepared.pad)
    liked, disliked = sum(row.liked for row in rows), sum(not row.liked for row in rows)
    config = KTOConfig(
        **arguments(recipe, order.steps, order.size, out) | {"train_sampling_strategy": "sequential"},
        beta=recipe.beta,
        # The rarer kind weighs more, so that both weigh the same in all (arXiv 2402.01306, equation 8).
        desirable_weight=max(1.0, disliked / liked) if liked else 1.0,
        undesirable_weight=max(1.0, liked / disliked) if disliked else 1.0,
    )
    trainer = _built(ReplayKTOTrainer, config, prepared, collator, len(rows))
    trainer.order = order
    losses = run_trainer(trainer, prepared, recipe, out, on_progress)
    return summary_of(losses, collator.seen)


def _built(kind: Any, config: Any, prepared: Prepared, collator: Any, rows: int) -> Any:
    return kind(
        model=prepared.adapted,
        args=config,
        data_collator=collator,
        train_dataset=Dataset.from_list([{"number": number} for number in range(rows)]),
        processing_class=prepared.tokenizer,
    )


def _order(lengths: Sequence[int], recipe: PreferenceRecipe) -> LengthGroupedSampler:
    """Batches of similar length. A set smaller than a batch makes one batch, filled up at random."""
    return LengthGroupedSampler(
        lengths, [False] * len(lengths), batch=recipe.batch, beside=0, seed=recipe.lesson.seed
    )


def _in_parts(size: int) -> dict[str, int]:
    """The arguments that split a step of `size` pairs, for the memory of machines without a GPU."""
    if torch.cuda.is_available() or size % PAIRS_AT_ONCE:
        return {}
    return {
        "per_device_train_batch_size": PAIRS_AT_ONCE,
        "gradient_accumulation_steps": size // PAIRS_AT_ONCE,
    }


def arguments(recipe: PreferenceRecipe, steps: int, size: int, out: Path) -> dict[str, Any]:
    """The arguments that all of TRL's configurations share; its defaults for these are made for GPUs."""
    return {
        "output_dir": str(out / "trainer"),
        "per_device_train_batch_size": size,
        "num_train_epochs": 1,
        "max_steps": steps,
        "learning_rate": recipe.learning_rate,
        "lr_scheduler_type": "cosine",
        "warmup_steps": round(steps * recipe.warmup),
        "weight_decay": 0.0,
        "optim": "adamw_torch_fused",
        "seed": recipe.lesson.seed,
        "data_seed": recipe.lesson.seed,
        "use_cpu": not torch.cuda.is_available(),
        "bf16": native_bfloat16(gpu=torch.cuda.is_available()),
        "logging_steps": 1,
        "logging_nan_inf_filter": False,
        "save_strategy": "no",
        "report_to": [],
        "disable_tqdm": True,
        "remove_unused_columns": False,
        "gradient_checkpointing": False,
    }


def run_trainer(
    trainer: Any, prepared: Prepared, recipe: PreferenceRecipe, out: Path, on_progress: OnProgress
) -> list[float]:
    """Trains and saves the adapter; returns the loss of each step. Raises TrainingDiverged."""
    if not torch.cuda.is_available():
        use_plain_head(prepared.adapted)
    monitor = peft.LossMonitor(on_progress)
    trainer.add_callback(monitor)
    trainer.remove_callback(PrinterCallback)  # the monitor reports progress
    trainer.recipe, trainer.replay = recipe, prepared.replay
    trainer.train()
    peft.save_adapter(prepared.adapted, out)
    return monitor.losses


def summary_of(losses: Sequence[float], tokens: int) -> TrainingSummary:
    """The summary of a run; its caller adds the seconds."""
    last = losses[-max(1, len(losses) // 10) :]
    return TrainingSummary(steps=len(losses), tokens=tokens, seconds=0.0, loss=sum(last) / len(last))
