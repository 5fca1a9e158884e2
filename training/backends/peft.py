"""The training backend for any machine: TRL's SFTTrainer over a PEFT LoRA, with our loss."""

import logging
import math
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from datasets import Dataset  # type: ignore[import-untyped]  # ships no types
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PrinterCallback,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)
from trl import SFTConfig, SFTTrainer  # type: ignore[attr-defined]  # exported lazily

from agent.engines.bfloat16 import native_bfloat16
from agent.engines.decoding import attention_window, end_tokens, speed_up_head
from training.backends.base import Example, OnProgress, TrainingSummary
from training.base_model import StudiedModel
from training.batches import LengthGroupedSampler
from training.encoding import Collator, Encoded, Encoder, answer_logits, with_distributions
from training.errors import BaseModelUnusable, TrainingDiverged
from training.loss import distillation_loss, taught_loss
from training.recipes import Recipe
from training.validation import EarlyStopping

log = logging.getLogger(__name__)

OBSERVED = 16
"""Batch size for computing the base model's distributions."""
LONGEST = 1024
"""Maximum tokens of an example; a question with its answer is shorter."""


class TrainingData(NamedTuple):
    """Tokenized training data, the order of the examples, and those that are held out for validation."""

    collator: Collator
    order: LengthGroupedSampler
    held_out: Sequence[Encoded] = ()


def train(
    base: StudiedModel,
    examples: Sequence[Example],
    recipe: Recipe,
    out: Path,
    on_progress: OnProgress,
    *,
    start: Path | None = None,
) -> TrainingSummary:
    """See `Trainer`; deterministic on one machine for the same recipe and examples."""
    started = time.monotonic()
    model, tokenizer = load_base_model(base.folder)
    data = prepare_data(model, tokenizer, base, examples, recipe)
    torch.manual_seed(recipe.seed)
    summary = fit(attach_adapter(model, recipe, start), tokenizer, data, recipe, out, on_progress)
    return summary.model_copy(update={"seconds": time.monotonic() - started})


def load_base_model(folder: Path) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Loads the base model and its tokenizer. Raises BaseModelUnusable.

    The dtype is that of the weights, as in serving, or float32 if the machine has no native bfloat16.
    """
    dtype = "auto" if native_bfloat16(gpu=torch.cuda.is_available()) else torch.float32
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder)
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype)
    except (OSError, ValueError, KeyError) as error:
        raise BaseModelUnusable(f"{folder} cannot be loaded: set NIGHTSCHOOL_MODEL ({error})") from error
    if tokenizer.chat_template is None:
        raise BaseModelUnusable(f"{folder} has no chat template: use an instruction-tuned model")
    speed_up_head(model)
    return model, tokenizer


def prepare_data(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    base: StudiedModel,
    examples: Sequence[Example],
    recipe: Recipe,
) -> TrainingData:
    """Tokenizes the examples.

    Raises ValueError without a taught example, BaseModelUnusable, CurriculumRefused.
    """
    encoder, pad = encoder_of(model, tokenizer, base), pad_token(tokenizer)
    trained = [example for example in examples if not example.held_out]
    rows = encode_examples(model, encoder, trained, recipe.longest, pad)
    held_out = [encoder.encode(example) for example in examples if example.held_out]
    order = LengthGroupedSampler(
        [len(row.tokens) for row in rows],
        [row.distilled for row in rows],
        batch=recipe.batch,
        beside=recipe.beside,
        seed=recipe.seed,
    )
    return TrainingData(Collator(rows, pad, attention_window(model)), order, held_out)


def encoder_of(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, base: StudiedModel) -> Encoder:
    """The encoder of the model's conversations. Raises BaseModelUnusable."""
    limit = min(LONGEST, base.card.context)
    return Encoder(tokenizer, base.card.template, end_tokens(model, tokenizer), limit)


def pad_token(tokenizer: PreTrainedTokenizerBase) -> int:
    """The token that fills up batches; it is masked."""
    return int(tokenizer.eos_token_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id)


def encode_examples(
    model: PreTrainedModel, encoder: Encoder, examples: Sequence[Example], longest: int, pad: int
) -> list[Encoded]:
    """The tokenized examples, distilled ones with the model's distributions and cut to `longest` tokens.

    Raises CurriculumRefused.
    """
    pairs = [(example, encoder.encode(example, longest)) for example in examples]
    usable = [(example, encoded) for example, encoded in pairs if encoded.answer]
    complete = [encoded for example, encoded in usable if example.distilled == encoded.distilled]
    without_distribution = [
        encoded for example, encoded in usable if example.distilled and not encoded.distilled
    ]
    rows = [*complete, *_add_distributions(model, without_distribution, pad)]
    if len(rows) < len(pairs):
        left_out = len(pairs) - len(rows)
        log.warning("%d distilled answers are left out: their prompts fill the context", left_out)
    return rows


def _add_distributions(model: PreTrainedModel, examples: Sequence[Encoded], pad: int) -> Iterator[Encoded]:
    """The examples with the base model's distributions, computed in batches of similar length."""
    ordered = sorted(examples, key=lambda example: len(example.tokens))
    for start in range(0, len(ordered), OBSERVED):
        yield from with_distributions(
            model, ordered[start : start + OBSERVED], pad, window=attention_window(model)
        )


def fit(
    adapted: PeftModel,
    tokenizer: PreTrainedTokenizerBase,
    data: TrainingData,
    recipe: Recipe,
    out: Path,
    on_progress: OnProgress,
) -> TrainingSummary:
    """Trains the model's adapter and saves it to `out`; with validation, the best weights that it had."""
    started = time.monotonic()
    monitor = LossMonitor(on_progress)
    stopping = None
    if recipe.validate_every and data.held_out:
        pad, window = data.collator.pad, data.collator.window
        stopping = EarlyStopping(adapted, data.held_out, recipe, out / "best", pad=pad, window=window)
    trainer = DistillationTrainer(
        model=adapted,
        args=trainer_config(recipe, data.order, out / "trainer"),
        data_collator=data.collator,
        train_dataset=Dataset.from_list([{"number": i} for i in range(len(data.collator.examples))]),
        processing_class=tokenizer,
        callbacks=[monitor] if stopping is None else [monitor, stopping],
    )
    trainer.remove_callback(PrinterCallback)  # the monitor reports progress
    trainer.recipe, trainer.order = recipe, data.order
    trainer.train()
    if stopping is not None:
        stopping.restore_best()
    save_adapter(adapted, out)
    last = monitor.losses[-max(1, len(monitor.losses) // 10) :]
    return TrainingSummary(
        steps=len(monitor.losses),
        tokens=data.collator.seen,
        seconds=time.monotonic() - started,
        loss=sum(last) / len(last),
        validation=() if stopping is None else tuple(stopping.losses),
        best_step=None if stopping is None else stopping.best_step,
    )


def attach_adapter(model: PreTrainedModel, recipe: Recipe, start: Path | None) -> PeftModel:
    """The model with a new trainable adapter, or with the one in the folder `start`.

    Raises BaseModelUnusable if the model lacks the recipe's layers.
    """
    if start is not None:
        return PeftModel.from_pretrained(model, str(start), is_trainable=True)
    try:
        return get_peft_model(model, lora_config(recipe))
    except ValueError as error:
        names = ", ".join(recipe.modules)
        raise BaseModelUnusable(
            f"this model has no layers {names}: run `nightschool models study` again"
        ) from error


def lora_config(recipe: Recipe) -> LoraConfig:
    """A plain LoRA, which vLLM can serve."""
    return LoraConfig(
        r=recipe.rank,
        lora_alpha=recipe.alpha,
        lora_dropout=0.0,
        bias="none",
        target_modules=list(recipe.modules),
        task_type="CAUSAL_LM",
    )


def trainer_config(recipe: Recipe, order: LengthGroupedSampler, folder: Path) -> SFTConfig:
    """TRL's configuration; it requires a `folder`, which stays empty."""
    return SFTConfig(
        output_dir=str(folder),
        per_device_train_batch_size=order.size,
        num_train_epochs=1,
        max_steps=order.steps,
        learning_rate=recipe.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=round(order.steps * recipe.warmup),
        weight_decay=recipe.weight_decay,
        optim="adamw_torch_fused",
        seed=recipe.seed,
        data_seed=recipe.seed,
        use_cpu=not torch.cuda.is_available(),
        bf16=native_bfloat16(gpu=torch.cuda.is_available()),
        logging_steps=1,
        logging_nan_inf_filter=False,
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
        remove_unused_columns=False,
        gradient_checkpointing=False,
        dataset_kwargs={"skip_prepare_dataset": True},
        max_length=None,
    )


class DistillationTrainer(SFTTrainer):
    """SFTTrainer with our loss and our order of examples."""

    recipe: Recipe
    order: LengthGroupedSampler

    def _get_train_sampler(self, train_dataset: Any = None) -> LengthGroupedSampler:
        return self.order

    def compute_loss(
        self,
        model: torch.nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> torch.Tensor | tuple[torch.Tensor, Any]:
        """The loss of one step, over its taught and its distilled examples."""
        logits = answer_logits(model, inputs["taught"])
        loss = taught_loss(logits, inputs["taught"])
        if "distilled" in inputs and self.recipe.distillation:
            batch = inputs["distilled"]
            loss = loss + self.recipe.distillation * distillation_loss(answer_logits(model, batch), batch)
        return (loss, {"logits": logits}) if return_outputs else loss


class LossMonitor(TrainerCallback):
    """Reports progress, and stops training if the loss becomes infinite or NaN."""

    def __init__(self, on_progress: OnProgress) -> None:
        self.on_progress = on_progress
        self.losses: list[float] = []

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **kwargs: Any,
    ) -> None:
        """Called by the trainer after every step. Raises TrainingDiverged."""
        if logs is None or "loss" not in logs:
            return
        loss = float(logs["loss"])
        if not math.isfinite(loss):
            raise TrainingDiverged(
                f"the loss became {loss} at step {state.global_step}: lower the learning rate"
            )
        self.losses.append(loss)
        self.on_progress(state.global_step, state.max_steps, loss)


def save_adapter(adapted: PeftModel, out: Path) -> None:
    """Writes the adapter's two files, and removes other files that the libraries write."""
    adapted.save_pretrained(str(out), safe_serialization=True, selected_adapters=["default"])
    shutil.rmtree(out / "trainer", ignore_errors=True)
    for path in out.iterdir():
        if path.name not in ("adapter_config.json", "adapter_model.safetensors"):
            path.unlink()
