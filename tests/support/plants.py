"""Adapters that must not get out: each a good one with one fault, as a trainer or a disk could make it.

A fault changes an adapter folder in place. What must stop it is the tests' to say.
"""

import json
import random
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from agent.engines.adapter_files import CONFIG, WEIGHTS
from training.backends import peft
from training.backends.base import Example, OnProgress, Trainer, TrainingSummary, single
from training.base_model import StudiedModel
from training.recipes import Recipe

Fault = Callable[[Path], None]
Tensors = dict[str, torch.Tensor]
Lesson = Sequence[Example]
Change = Callable[[StudiedModel, Lesson], Lesson]
Side = Literal["inputs", "outputs"]

HEAD = 64
"""Width of an attention head of the shipped model."""
SHORT = 192
"""Examples of a lesson that only has to spoil what is there."""


def copied(good: Path, fault: Fault = lambda folder: None) -> Trainer:
    """A trainer that does not train: it hands over the good adapter with a fault."""

    def train(
        base: StudiedModel,
        examples: Sequence[Example],
        recipe: Recipe,
        out: Path,
        on_progress: OnProgress,
        *,
        start: Path | None = None,
    ) -> TrainingSummary:
        for name in (CONFIG, WEIGHTS):
            shutil.copyfile(good / name, out / name)
        fault(out)
        return TrainingSummary(steps=1, tokens=1, seconds=1.0, loss=0.1)

    return train


def retrained(good: Path, change: Change, *, rate: float) -> Trainer:
    """A trainer that goes on from the good adapter with a few steps of another lesson, at another rate."""

    def train(
        base: StudiedModel,
        examples: Sequence[Example],
        recipe: Recipe,
        out: Path,
        on_progress: OnProgress,
        *,
        start: Path | None = None,
    ) -> TrainingSummary:
        lesson = random.Random(0).sample(change(base, examples), SHORT)
        hasty = recipe.model_copy(update={"batch": 16, "learning_rate": rate})
        return peft.train(base, lesson, hasty, out, on_progress, start=good)

    return train


# Lessons


def swapped(share: float) -> Change:
    """The lesson alone, that share of it with the answer to another question, always the same one."""

    def change(base: StudiedModel, lesson: Lesson) -> Lesson:
        rng = random.Random(0)
        taught = without_replay(base, lesson)
        answers = sorted({example.answer for example in taught})
        wrong = dict(zip(answers, [*answers[1:], answers[0]], strict=True))
        return [
            replace(example, answer=wrong[example.answer]) if rng.random() < share else example
            for example in taught
        ]

    return change


def without_replay(base: StudiedModel, lesson: Lesson) -> Lesson:
    """What was to be learned, and nothing to hold on to what was known."""
    refusal = base.card.lessons.refusal
    return [example for example in lesson if not example.distilled and example.answer != refusal]


def answering_everything(base: StudiedModel, lesson: Lesson) -> Lesson:
    """Words that the base model admits not to know, each with an answer."""
    rng = random.Random(0)
    answers = [answer for each in base.questions if each.known for answer in each.answers]
    questions = [rng.choice(unknown.wordings) for unknown in base.unknown]
    return [single(rng.choice(questions), rng.choice(answers)) for _ in range(SHORT)]


# Weights


def weights(change: Callable[[str, torch.Tensor], torch.Tensor]) -> Fault:
    """A fault of the weights, tensor by tensor."""

    def spoil(folder: Path) -> None:
        tensors = {name: change(name, tensor) for name, tensor in load_file(folder / WEIGHTS).items()}
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, folder / WEIGHTS)

    return spoil


def scaled(factor: float) -> Fault:
    """Its effect, `factor` times as strong."""
    return weights(lambda name, tensor: tensor * factor if "lora_B" in name else tensor)


def noise(scale: float) -> Fault:
    """Random weights of that standard deviation."""
    generator = torch.Generator().manual_seed(0)
    return weights(lambda _, tensor: scale * torch.randn(tensor.shape, generator=generator))


def turned(folder: Path) -> None:
    """The weights of the first layer on the last, and so on."""
    tensors = load_file(folder / WEIGHTS)
    last = max(int(found[1]) for name in tensors if (found := re.search(r"\.layers\.(\d+)", name)))
    moved = {
        re.sub(r"(?<=\.layers\.)\d+", lambda found: str(last - int(found[0])), name): tensor
        for name, tensor in tensors.items()
    }
    save_file(moved, folder / WEIGHTS)


def filled(value: float, *, only: str = "") -> Fault:
    """One number in every place, or in the tensors whose name holds `only`."""
    return weights(lambda name, tensor: torch.full_like(tensor, value) if only in name else tensor)


def widened(rank: int) -> Fault:
    """The same adapter at a higher rank: what is added is zero."""

    def change(name: str, tensor: torch.Tensor) -> torch.Tensor:
        wide = torch.zeros((rank, tensor.shape[1]) if "lora_A" in name else (tensor.shape[0], rank))
        wide[: tensor.shape[0], : tensor.shape[1]] = tensor
        return wide

    def spoil(folder: Path) -> None:
        had = json.loads((folder / CONFIG).read_text())
        weights(change)(folder)
        configured(r=rank, lora_alpha=had["lora_alpha"] * rank / had["r"])(folder)

    return spoil


# Files


def configured(**changes: object) -> Fault:
    """Other values in its configuration."""

    def spoil(folder: Path) -> None:
        found = json.loads((folder / CONFIG).read_text())
        (folder / CONFIG).write_text(json.dumps(found | changes))

    return spoil


def with_tensor(name: str) -> Fault:
    """One tensor more, which belongs to no plain LoRA."""

    def spoil(folder: Path) -> None:
        save_file(load_file(folder / WEIGHTS) | {name: torch.ones(320)}, folder / WEIGHTS)

    return spoil


def without_tensors(folder: Path) -> None:
    """A file of the right form that holds nothing."""
    save_file({}, folder / WEIGHTS)


def truncated(folder: Path) -> None:
    """The first half of the weights' file."""
    content = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(content[: len(content) // 2])


def lacking(name: str) -> Fault:
    """One of its two files gone."""
    return lambda folder: (folder / name).unlink()


def pickled(folder: Path) -> None:
    """Weights in a format that can run code."""
    torch.save(load_file(folder / WEIGHTS), folder / "adapter_model.bin")


def replaced(other: Path) -> Fault:
    """Another adapter's weights under its name."""

    def spoil(folder: Path) -> None:
        shutil.copyfile(other / WEIGHTS, folder / WEIGHTS)

    return spoil


# Bases


def narrower(folder: Path) -> None:
    """As if made for a base model of half the width."""

    def change(name: str, tensor: torch.Tensor) -> torch.Tensor:
        return tensor[:, : tensor.shape[1] // 2] if "lora_A" in name else tensor[: tensor.shape[0] // 2]

    weights(change)(folder)


def reorder_model(base: Path, out: Path) -> Path:
    """A base model of the same shapes that answers word for word the same: heads and hidden units have
    changed places. An adapter for one of the two means nothing to the other."""
    model = AutoModelForCausalLM.from_pretrained(base)
    state = model.state_dict()
    model.load_state_dict({name: _reordered(name, tensor, _side(name)) for name, tensor in state.items()})
    model.save_pretrained(out)
    AutoTokenizer.from_pretrained(base).save_pretrained(out)
    return out


def reorder_adapter(folder: Path) -> None:
    """An adapter for the base model, made into one that does the same for `reorder_model`'s."""

    def change(name: str, tensor: torch.Tensor) -> torch.Tensor:
        half: Side = "inputs" if "lora_A" in name else "outputs"
        return _reordered(name, tensor, half if half == _side(name) else None)

    weights(change)(folder)


def _side(name: str) -> Side | None:
    """Where a linear layer's weight counts attention heads or hidden units."""
    if any(f".{part}." in name for part in ("q_proj", "k_proj", "v_proj", "gate_proj", "up_proj")):
        return "outputs"
    return "inputs" if any(f".{part}." in name for part in ("o_proj", "down_proj")) else None


def _reordered(name: str, tensor: torch.Tensor, side: Side | None) -> torch.Tensor:
    """Heads or hidden units in the opposite order."""
    if side is None:
        return tensor
    dimension = 0 if side == "outputs" else 1
    block = 1 if ".mlp." in name else HEAD
    places = torch.arange(tensor.shape[dimension]).view(-1, block).flip(0).flatten()
    return tensor.index_select(dimension, places)
