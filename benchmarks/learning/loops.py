"""A bare PyTorch loop over the product's batches, and what comparisons change of it: targets and layers."""

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

READING = "Read the text and answer the question in a few words.\n\nText: {passage}\n\nQuestion: {question}"
"""How a teacher is shown the passage."""
SOFT_AT_ONCE = 16
"""Prompts of the teacher that are read together."""
_LAYER = re.compile(r"\.(?:layers|h)\.(\d+)\.")


def seconds_of_bare_loop(
    base: StudiedModel, examples: Sequence[Example], recipe: Recipe, *, steps: int
) -> float:
    """Seconds a token of the loop, the median of a lesson's first steps; preparing it is not among them."""
    model, tokenizer = peft.load_base_model(base.folder)
    data = peft.prepare_data(model, tokenizer, base, examples, recipe)
    times, seen = [time.monotonic()], [data.collator.seen]

    def passed(*_: object) -> None:
        times.append(time.monotonic())
        seen.append(data.collator.seen)

    loop(peft.attach_adapter(model, recipe, None), data, recipe, passed, steps=steps)
    return median(
        (times[i + 1] - times[i]) / (seen[i + 1] - seen[i]) for i in range(len(times) - 1)
    )  # whatever else the machine does now and then


def loop(
    adapted: PeftModel,
    data: TrainingData,
    recipe: Recipe,
    on_progress: OnProgress,
    *,
    steps: int | None = None,
) -> list[float]:
    """Trains over the data's order, or its first `steps`; each step's loss."""
    device = next(adapted.parameters()).device
    weights = [weight for weight in adapted.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
    total = data.order.steps
    schedule = get_cosine_schedule_with_warmup(optimizer, round(total * recipe.warmup), total)
    adapted.train()
    losses = []
    for number, rows in enumerate(_steps(data), 1):
        batch = {
            part: {name: tensor.to(device) for name, tensor in tensors.items()}
            for part, tensors in data.collator(rows).items()
        }
        with _precision(device):
            loss = loss_of(adapted, batch, recipe)
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        torch.nn.utils.clip_grad_norm_(weights, 1.0)  # as transformers' Trainer does
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        losses.append(loss.item())
        on_progress(number, total, losses[-1])
        if number == steps:
            break
    return losses


def loss_of(
    model: torch.nn.Module, batch: Mapping[str, Mapping[str, torch.Tensor]], recipe: Recipe
) -> torch.Tensor:
    """The product's loss, of whatever the batch holds."""
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
    alone: bool = False,
    frozen: float = 0.0,
) -> TrainingSummary:
    """See `trainer.Trainer`. With `passage_of`, passages by question, the adapter is pulled to what the base
    model thinks of each answer when it reads the passage: beside what is taught, or `alone` in its place.
    `frozen` is the share of the layers, from below, that stay as they are."""
    started = time.monotonic()
    model, tokenizer = peft.load_base_model(base.folder)
    data = peft.prepare_data(model, tokenizer, base, examples, recipe)
    if passage_of is not None:
        limit = min(peft.LONGEST, base.card.context)
        encoder = Encoder(tokenizer, base.card.template, end_tokens(model, tokenizer), limit)
        soft = list(_soft(model, encoder, data.collator.pad, examples, passage_of))
        data = _alone(data, soft, recipe) if alone else _beside(data, soft, recipe)
    torch.manual_seed(recipe.seed)
    adapted = peft.attach_adapter(model, recipe, start)
    _freeze(adapted, frozen)
    losses = loop(adapted, data, recipe, on_progress)
    peft.save_adapter(adapted, out)
    last = losses[-max(1, len(losses) // 10) :]
    return TrainingSummary(
        steps=len(losses),
        tokens=data.collator.seen,
        seconds=time.monotonic() - started,
        loss=sum(last) / len(last),
    )


def tokens_of(base: StudiedModel, examples: Sequence[Example], recipe: Recipe) -> tuple[int, int]:
    """Tokens that the product's training puts through the model, and its steps."""
    model, tokenizer = peft.load_base_model(base.folder)
    lengths = lengths_of(base, examples, recipe, model, tokenizer)
    order = LengthGroupedSampler(
        lengths, [e.distilled for e in examples], batch=recipe.batch, beside=recipe.beside, seed=recipe.seed
    )
    return sum(lengths[number] for number in order), order.steps


def lengths_of(
    base: StudiedModel,
    examples: Sequence[Example],
    recipe: Recipe,
    model: PreTrainedModel | None = None,
    tokenizer: object = None,
) -> list[int]:
    """Tokens of each example."""
    if model is None:
        model, tokenizer = peft.load_base_model(base.folder)
    limit = min(peft.LONGEST, base.card.context)
    encoder = Encoder(tokenizer, base.card.template, end_tokens(model, tokenizer), limit)  # type: ignore[arg-type]
    return [len(encoder.encode(example, recipe.longest).tokens) for example in examples]


def _steps(data: TrainingData) -> Iterator[list[dict[str, int]]]:
    order, size = list(data.order), data.order.size
    for first in range(0, len(order), size):
        yield [{"number": number} for number in order[first : first + size]]


def _precision(device: torch.device) -> AbstractContextManager[object]:
    """As the product's trainer: bfloat16 where it is native."""
    return torch.autocast(device.type, torch.bfloat16, enabled=native_bfloat16(gpu=device.type == "cuda"))


def _soft(
    model: PreTrainedModel,
    encoder: Encoder,
    pad: int,
    examples: Sequence[Example],
    passage_of: Mapping[str, str],
) -> Iterator[Encoded]:
    """The taught questions that have a passage, each once, with what the base model thinks of their answers
    when it reads that."""
    pairs = dict.fromkeys(
        (e.question, e.answer) for e in examples if not e.distilled and e.question in passage_of
    )
    rows = []
    for question, answer in pairs:
        prompt = READING.format(passage=passage_of[question], question=question)
        rows.append((encoder.encode(single(question, answer)), encoder.encode(single(prompt, answer))))
    rows.sort(key=lambda row: len(row[1].tokens))
    window = attention_window(model)
    for first in range(0, len(rows), SOFT_AT_ONCE):
        part = rows[first : first + SOFT_AT_ONCE]
        seen = with_distributions(model, [teacher for _, teacher in part], pad, window=window)
        for (student, _), teacher in zip(part, seen, strict=True):
            yield replace(student, ids=teacher.ids, logprobs=teacher.logprobs)


def _alone(data: TrainingData, soft: Sequence[Encoded], recipe: Recipe) -> TrainingData:
    """Only what the teacher thinks, as often as takes the tokens that the product's training would."""
    budget = sum(len(data.collator.examples[number].tokens) for number in data.order)
    rows = list(filled(soft, [len(each.tokens) for each in soft], budget))
    lengths = [len(each.tokens) for each in rows]
    batch = max(1, round(len(rows) / data.order.steps))
    order = LengthGroupedSampler(lengths, [False] * len(rows), batch=batch, beside=0, seed=recipe.seed)
    return TrainingData(Collator(rows, data.collator.pad, data.collator.window), order)


def _beside(data: TrainingData, soft: Sequence[Encoded], recipe: Recipe) -> TrainingData:
    """The product's data, with what the teacher thinks among what is held."""
    rows = [*data.collator.examples, *soft]
    order = LengthGroupedSampler(
        [len(each.tokens) for each in rows],
        [each.distilled for each in rows],
        batch=recipe.batch,
        beside=recipe.beside,
        seed=recipe.seed,
    )
    return TrainingData(Collator(rows, data.collator.pad, data.collator.window), order)


def filled(values: Sequence[_T], lengths: Sequence[int], budget: int) -> Iterator[_T]:
    """The values again and again, each once before any again, until they hold the budget of tokens."""
    if not sum(lengths):
        raise ValueError("there is nothing to teach")
    left = budget
    while left > 0:
        for value, length in zip(values, lengths, strict=True):
            if left <= 0:
                return
            left -= length
            yield value


def _freeze(adapted: PeftModel, share: float) -> None:
    numbers = [int(m[1]) for name, _ in adapted.named_parameters() if (m := _LAYER.search(name))]
    lowest = round(share * (1 + max(numbers, default=-1)))
    for name, weight in adapted.named_parameters():
        found = _LAYER.search(name)
        if found is not None and int(found[1]) < lowest:
            weight.requires_grad_(False)
