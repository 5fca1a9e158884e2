"""A bare PyTorch training loop over the product's batches: a speed reference, and a base for variants."""

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import TypeVar

import torch
from peft import PeftModel
from transformers import PreTrainedModel, get_cosine_schedule_with_warmup

from agent.engines.bfloat16 import native_bfloat16
from agent.engines.decoding import attention_window, end_tokens
from training.backends import peft
from training.backends.base import Example, OnProgress, TrainingSummary, single
from training.backends.peft import TrainingData
from training.base_model import StudiedModel
from training.batches import LengthGroupedSampler
from training.encoding import Collator, Encoded, Encoder, answer_logits, with_distributions
from training.loss import distillation_loss, taught_loss
from training.recipes import Recipe

_T = TypeVar("_T")

TEACHER_PROMPT = (
    "Read the text and answer the question in a few words.\n\nText: {passage}\n\nQuestion: {question}"
)
"""Prompt for distilling from the base model with the passage in its context."""
TEACHER_BATCH = 16
"""Teacher prompts per forward pass."""
_LAYER = re.compile(r"\.(?:layers|h)\.(\d+)\.")


def bare_seconds_per_token(
    base: StudiedModel, examples: Sequence[Example], recipe: Recipe, *, steps: int
) -> float:
    """Median seconds per token over the first `steps` of the bare loop, without its preparation."""
    model, tokenizer = peft.load_base_model(base.folder)
    data = peft.prepare_data(model, tokenizer, base, examples, recipe)
    times, tokens = [time.monotonic()], [data.collator.seen]

    def on_step(*_: object) -> None:
        times.append(time.monotonic())
        tokens.append(data.collator.seen)

    run_loop(peft.attach_adapter(model, recipe, None), data, recipe, on_step, steps=steps)
    # The median ignores steps that other processes slowed down.
    return median((times[i + 1] - times[i]) / (tokens[i + 1] - tokens[i]) for i in range(len(times) - 1))


def run_loop(
    adapted: PeftModel,
    data: TrainingData,
    recipe: Recipe,
    on_progress: OnProgress,
    *,
    steps: int | None = None,
) -> list[float]:
    """Trains on all the data, or for its first `steps`, and returns the loss of each step."""
    device = next(adapted.parameters()).device
    weights = [weight for weight in adapted.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
    total = data.order.steps
    schedule = get_cosine_schedule_with_warmup(optimizer, round(total * recipe.warmup), total)
    adapted.train()
    losses = []
    for number, rows in enumerate(_batches(data), 1):
        batch = {
            part: {name: tensor.to(device) for name, tensor in tensors.items()}
            for part, tensors in data.collator(rows).items()
        }
        with _autocast(device):
            loss = batch_loss(adapted, batch, recipe)
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        torch.nn.utils.clip_grad_norm_(weights, 1.0)  # the default of transformers' Trainer
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        losses.append(loss.item())
        on_progress(number, total, losses[-1])
        if number == steps:
            break
    return losses


def batch_loss(
    model: torch.nn.Module, batch: Mapping[str, Mapping[str, torch.Tensor]], recipe: Recipe
) -> torch.Tensor:
    """The product's loss: cross-entropy of the taught rows plus the weighted KL of the distilled ones."""
    parts = []
    if "taught" in batch:
        parts.append(taught_loss(answer_logits(model, batch["taught"]), batch["taught"]))
    if "distilled" in batch:
        parts.append(
            recipe.distillation
            * distillation_loss(answer_logits(model, batch["distilled"]), batch["distilled"])
        )
    return torch.stack(parts).sum()


def train(
    base: StudiedModel,
    examples: Sequence[Example],
    recipe: Recipe,
    out: Path,
    on_progress: OnProgress,
    *,
    start: Path | None = None,
    passage_of: Mapping[str, str] | None = None,
    distill_only: bool = False,
    frozen: float = 0.0,
) -> TrainingSummary:
    """A training backend, see `training.backends.base.Trainer`, with options for variants.

    `passage_of` maps questions to passages: answers are then also distilled from the base model with the
    passage in its context, or, with `distill_only`, nothing else is trained. `frozen` is the share of the
    layers, from the first, whose adapter weights are not trained.
    """
    started = time.monotonic()
    model, tokenizer = peft.load_base_model(base.folder)
    data = peft.prepare_data(model, tokenizer, base, examples, recipe)
    if passage_of is not None:
        limit = min(peft.LONGEST, base.card.context)
        encoder = Encoder(tokenizer, base.card.template, end_tokens(model, tokenizer), limit)
        distilled = list(_distilled_from_passages(model, encoder, data.collator.pad, examples, passage_of))
        combine = _replace_rows if distill_only else _add_rows
        data = combine(data, distilled, recipe)
    torch.manual_seed(recipe.seed)
    adapted = peft.attach_adapter(model, recipe, start)
    _freeze(adapted, frozen)
    losses = run_loop(adapted, data, recipe, on_progress)
    peft.save_adapter(adapted, out)
    last = losses[-max(1, len(losses) // 10) :]
    return TrainingSummary(
        steps=len(losses),
        tokens=data.collator.seen,
        seconds=time.monotonic() - started,
        loss=sum(last) / len(last),
    )


def product_tokens_and_steps(
    base: StudiedModel, examples: Sequence[Example], recipe: Recipe
) -> tuple[int, int]:
    """Number of tokens and steps that the product trains for these examples."""
    model, tokenizer = peft.load_base_model(base.folder)
    lengths = token_lengths(base, examples, recipe, model, tokenizer)
    order = LengthGroupedSampler(
        lengths, [e.distilled for e in examples], batch=recipe.batch, beside=recipe.beside, seed=recipe.seed
    )
    return sum(lengths[number] for number in order), order.steps


def token_lengths(
    base: StudiedModel,
    examples: Sequence[Example],
    recipe: Recipe,
    model: PreTrainedModel | None = None,
    tokenizer: object = None,
) -> list[int]:
    """Length of each example in tokens."""
    if model is None:
        model, tokenizer = peft.load_base_model(base.folder)
    limit = min(peft.LONGEST, base.card.context)
    encoder = Encoder(tokenizer, base.card.template, end_tokens(model, tokenizer), limit)  # type: ignore[arg-type]
    return [len(encoder.encode(example, recipe.longest).tokens) for example in examples]


def repeat_to_budget(values: Sequence[_T], lengths: Sequence[int], budget: int) -> Iterator[_T]:
    """Cycles through the values until their lengths reach the budget. Raises ValueError if there are none."""
    if not sum(lengths):
        raise ValueError("there is nothing to teach")
    left = budget
    while left > 0:
        for value, length in zip(values, lengths, strict=True):
            if left <= 0:
                return
            left -= length
            yield value


def _batches(data: TrainingData) -> Iterator[list[dict[str, int]]]:
    order, size = list(data.order), data.order.size
    for first in range(0, len(order), size):
        yield [{"number": number} for number in order[first : first + size]]


def _autocast(device: torch.device) -> AbstractContextManager[object]:
    """bfloat16 if the hardware supports it, as in the product's trainer."""
    return torch.autocast(device.type, torch.bfloat16, enabled=native_bfloat16(gpu=device.type == "cuda"))


def _distilled_from_passages(
    model: PreTrainedModel,
    encoder: Encoder,
    pad: int,
    examples: Sequence[Example],
    passage_of: Mapping[str, str],
) -> Iterator[Encoded]:
    """The distinct taught questions with a passage, as distilled rows: without the passage in the prompt, but
    with the base model's distribution over the answer given the passage."""
    pairs = dict.fromkeys(
        (e.question, e.answer) for e in examples if not e.distilled and e.question in passage_of
    )
    rows = []
    for question, answer in pairs:
        prompt = TEACHER_PROMPT.format(passage=passage_of[question], question=question)
        rows.append((encoder.encode(single(question, answer)), encoder.encode(single(prompt, answer))))
    rows.sort(key=lambda row: len(row[1].tokens))
    window = attention_window(model)
    for first in range(0, len(rows), TEACHER_BATCH):
        chunk = rows[first : first + TEACHER_BATCH]
        teachers = with_distributions(model, [teacher for _, teacher in chunk], pad, window=window)
        for (student, _), teacher in zip(chunk, teachers, strict=True):
            yield replace(student, ids=teacher.ids, logprobs=teacher.logprobs)


def _replace_rows(data: TrainingData, distilled: Sequence[Encoded], recipe: Recipe) -> TrainingData:
    """Only the distilled rows, repeated to the same number of tokens and about the same number of steps."""
    budget = sum(len(data.collator.examples[number].tokens) for number in data.order)
    rows = list(repeat_to_budget(distilled, [len(row.tokens) for row in distilled], budget))
    lengths = [len(row.tokens) for row in rows]
    batch = max(1, round(len(rows) / data.order.steps))
    order = LengthGroupedSampler(lengths, [False] * len(rows), batch=batch, beside=0, seed=recipe.seed)
    return TrainingData(Collator(rows, data.collator.pad, data.collator.window), order)


def _add_rows(data: TrainingData, distilled: Sequence[Encoded], recipe: Recipe) -> TrainingData:
    """The product's rows and the distilled ones."""
    rows = [*data.collator.examples, *distilled]
    order = LengthGroupedSampler(
        [len(row.tokens) for row in rows],
        [row.distilled for row in rows],
        batch=recipe.batch,
        beside=recipe.beside,
        seed=recipe.seed,
    )
    return TrainingData(Collator(rows, data.collator.pad, data.collator.window), order)


def _freeze(adapted: PeftModel, share: float) -> None:
    """Freezes the adapter weights in the lower `share` of the layers."""
    numbers = [int(m[1]) for name, _ in adapted.named_parameters() if (m := _LAYER.search(name))]
    first_trained = round(share * (1 + max(numbers, default=-1)))
    for name, weight in adapted.named_parameters():
        match = _LAYER.search(name)
        if match is not None and int(match[1]) < first_trained:
            weight.requires_grad_(False)
