"""Owns training on any machine: TRL's SFTTrainer over a PEFT LoRA, with our loss.

Which examples there are is in `dataset` and `replay`, how they become tensors in `encoding`.
"""

import math
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
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

from training.batches import Batches
from training.encoding import Collator, encode, look, only
from training.errors import BaseModelUnusable, TrainingDiverged
from training.loss import learning_loss
from training.recipes import Recipe
from training.trainer import Example, OnProgress, TrainingSummary

TRAINED, START = "default", "start"
"""Names of the adapters in memory; PEFT writes the default one straight into the folder."""


class Prepared(NamedTuple):
    """Training data in tokens."""

    rows: list[dict[str, Any]]
    collator: Collator


def train(
    base: str,
    examples: Sequence[Example],
    recipe: Recipe,
    out: Path,
    on_progress: OnProgress,
    *,
    start: Path | None = None,
) -> TrainingSummary:
    """See `trainer.Trainer`; deterministic on one machine for one recipe and one set of examples."""
    if all(example.held for example in examples):
        raise ValueError("training needs at least one taught example")
    if start is None and any(example.rehearsed for example in examples):
        raise ValueError("rehearsed examples need an adapter to go on from")
    started = time.monotonic()
    model, tokenizer = load(base)
    data = prepare(tokenizer, examples)
    torch.manual_seed(recipe.seed)
    adapted = adapt(model, recipe, start)
    summary = fit(adapted, tokenizer, data, recipe, out, on_progress)
    return summary.model_copy(update={"seconds": time.monotonic() - started})


def load(base: str) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """The base model in float32 and its tokenizer. Raises BaseModelUnusable."""
    try:
        tokenizer = AutoTokenizer.from_pretrained(base)
        model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    except (OSError, ValueError, KeyError) as error:
        raise BaseModelUnusable(f"{base} cannot be loaded: set NIGHTSCHOOL_MODEL ({error})") from error
    if tokenizer.chat_template is None:
        raise BaseModelUnusable(f"{base} has no chat template: use an instruction-tuned model")
    if not torch.cuda.is_available():
        model.set_attn_implementation("eager")  # faster than fused attention on short rows, by a tenth
    return model, tokenizer


def prepare(tokenizer: PreTrainedTokenizerBase, examples: Sequence[Example]) -> Prepared:
    """Examples in tokens."""
    rows = [encode(tokenizer, example).model_dump() for example in examples]
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
    return Prepared(rows, Collator(pad))


def fit(
    adapted: PeftModel,
    tokenizer: PreTrainedTokenizerBase,
    data: Prepared,
    recipe: Recipe,
    out: Path,
    on_progress: OnProgress,
) -> TrainingSummary:
    """Trains the adapter of a model in memory, and saves it."""
    started = time.monotonic()
    steps = math.ceil(len(data.rows) / recipe.batch)
    watch = Watch(on_progress)
    trainer = Distiller(
        model=adapted,
        args=arguments(recipe, steps, out / "trainer"),
        data_collator=data.collator,
        train_dataset=Dataset.from_list(data.rows),
        processing_class=tokenizer,
        callbacks=[watch],
    )
    trainer.remove_callback(PrinterCallback)  # progress goes through `watch`
    trainer.recipe, trainer.lengths = recipe, [len(row["tokens"]) for row in data.rows]
    trainer.train()
    save(adapted, out)
    last = watch.losses[-max(1, len(watch.losses) // 10) :]
    return TrainingSummary(
        steps=len(watch.losses),
        tokens=data.collator.seen,
        seconds=time.monotonic() - started,
        loss=sum(last) / len(last),
    )


def adapt(model: PreTrainedModel, recipe: Recipe, start: Path | None) -> PeftModel:
    """The model with a new adapter, or with that of folder `start`, ready to be trained.

    In the latter case it holds the folder's adapter a second time, as START, which stays as it is.
    Raises BaseModelUnusable for a model whose layers have other names.
    """
    if start is None:
        try:
            return get_peft_model(model, lora(recipe))
        except ValueError as error:
            names = ", ".join(recipe.modules)
            raise BaseModelUnusable(f"this model has no layers {names}: use another base model") from error
    adapted = PeftModel.from_pretrained(model, str(start), is_trainable=True)
    adapted.load_adapter(str(start), adapter_name=START, is_trainable=False)
    return adapted


@contextmanager
def as_at_start(adapted: PeftModel) -> Iterator[None]:
    """Puts the adapter that training went on from into effect, in the place of the one in training."""
    adapted.set_adapter(START, inference_mode=True)
    try:
        yield
    finally:
        adapted.set_adapter(TRAINED)


def lora(recipe: Recipe) -> LoraConfig:
    """A plain LoRA: what vLLM serves."""
    return LoraConfig(
        r=recipe.rank,
        lora_alpha=recipe.alpha,
        lora_dropout=0.0,
        bias="none",
        target_modules=list(recipe.modules),
        task_type="CAUSAL_LM",
    )


def arguments(recipe: Recipe, steps: int, folder: Path) -> SFTConfig:
    """TRL's configuration; `folder` is required by it and stays empty."""
    bf16 = computes_in_bf16()
    return SFTConfig(
        output_dir=str(folder),
        per_device_train_batch_size=recipe.batch,
        num_train_epochs=1,
        learning_rate=recipe.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=round(steps * recipe.warmup),
        weight_decay=recipe.weight_decay,
        optim="adamw_torch_fused",
        seed=recipe.seed,
        data_seed=recipe.seed,
        use_cpu=not torch.cuda.is_available(),
        bf16=bf16,
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


def computes_in_bf16() -> bool:
    """Whether bfloat16 matrix products are native here; emulated, they would only be slower.

    Measured on a Zen 4 core: 30% less time per step than float32 (weights stay in float32).
    """
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported())
    features = torch.cpu.get_capabilities()
    return bool(features.get("avx512_bf16") or features.get("amx_bf16"))


class Distiller(SFTTrainer):
    """SFTTrainer with our loss; it is held to the same model with its adapter off, or with START."""

    recipe: Recipe
    lengths: list[int]

    def _get_train_sampler(self, train_dataset: Any = None) -> Batches:
        return Batches(self.lengths, batch=self.recipe.batch, seed=self.recipe.seed)

    def compute_loss(
        self,
        model: torch.nn.Module,
        inputs: Mapping[str, torch.Tensor],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> torch.Tensor | tuple[torch.Tensor, Any]:
        """Mean loss of one batch; see `loss.learning_loss`."""
        adapted: PeftModel = self.accelerator.unwrap_model(model)
        base = start = None
        if bool(inputs["held"].any()):
            with torch.no_grad(), adapted.disable_adapter():
                base = look(adapted, only(inputs["held"], inputs))
        if bool(inputs["rehearsed"].any()):
            with torch.no_grad(), as_at_start(adapted):
                start = look(adapted, only(inputs["rehearsed"], inputs))
        seen = look(model, inputs)
        loss = learning_loss(
            seen, inputs, base, start, distillation=self.recipe.distillation, features=self.recipe.features
        )
        return (loss, {"logits": seen.logits}) if return_outputs else loss


class Watch(TrainerCallback):
    """Passes progress on, and ends a run whose loss is no longer a number."""

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
        """Called after every step."""
        if logs is None or "loss" not in logs:
            return
        loss = float(logs["loss"])
        if not math.isfinite(loss):
            raise TrainingDiverged(
                f"the loss became {loss} at step {state.global_step}: lower the learning rate"
            )
        self.losses.append(loss)
        self.on_progress(state.global_step, state.max_steps, loss)


def save(adapted: PeftModel, out: Path) -> None:
    """Writes the adapter's two files, and removes what the libraries put beside them."""
    adapted.save_pretrained(str(out), safe_serialization=True, selected_adapters=[TRAINED])
    shutil.rmtree(out / "trainer", ignore_errors=True)
    for path in out.iterdir():
        if path.name not in ("adapter_config.json", "adapter_model.safetensors"):
            path.unlink()
