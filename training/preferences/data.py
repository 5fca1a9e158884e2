"""Preference pairs as token sequences, their order, and the batches of replayed answers beside them."""

import itertools
import logging
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from trl.trainer.dpo_trainer import DataCollatorForPreference
from trl.trainer.kto_trainer import DataCollatorForUnpairedPreference

from agent.models.card import PromptMessage
from memory.records.feedback import PreferencePair
from training.backends.base import Example
from training.batches import grouped_batches
from training.encoding import Encoded, Encoder, collate
from training.errors import CurriculumRefused, PreferencesRefused

log = logging.getLogger(__name__)


class PairRow(NamedTuple):
    """A tokenized pair; the answers include their end of turn."""

    prompt: list[int]
    chosen: list[int] | None
    rejected: list[int] | None

    @property
    def length(self) -> int:
        """Tokens of the longer conversation."""
        return len(self.prompt) + max(len(self.chosen or ()), len(self.rejected or ()))


class AnswerRow(NamedTuple):
    """A tokenized answer that was liked or disliked."""

    prompt: list[int]
    completion: list[int]
    liked: bool


def encode_pairs(pairs: Sequence[PreferencePair], encoder: Encoder) -> list[tuple[PreferencePair, PairRow]]:
    """The pairs that fit into the context, tokenized as the model is served; others are logged.

    Raises PreferencesRefused if none fits.
    """
    rows: list[tuple[PreferencePair, PairRow]] = []
    for pair in pairs:
        try:
            rows.append((pair, _encode(pair, encoder)))
        except CurriculumRefused:
            continue
    if not rows:
        raise PreferencesRefused("every preference pair is longer than the model's context: use shorter ones")
    if len(rows) < len(pairs):
        log.warning("%d pairs are left out: they do not fit into the context", len(pairs) - len(rows))
    return rows


def _encode(pair: PreferencePair, encoder: Encoder) -> PairRow:
    messages = tuple(PromptMessage(role=each.role, content=each.content) for each in pair.messages)
    prompt: list[int] = []
    answers: list[list[int] | None] = []
    for answer in (pair.chosen, pair.rejected):
        if answer is None:
            answers.append(None)
            continue
        encoded = encoder.encode(Example(messages=messages, answer=answer))
        prompt = list(encoded.tokens[: -encoded.answer])
        answers.append(list(encoded.tokens[-encoded.answer :]))
    return PairRow(prompt, *answers)


def uses(weights: Sequence[float], epochs: int, seed: int) -> list[int]:
    """The numbers of the pairs in `epochs` passes; in each, a pair is used with its weight as probability.

    At least one pair is used.
    """
    rng = random.Random(f"uses {seed}")
    drawn = [number for _ in range(epochs) for number, weight in enumerate(weights) if rng.random() < weight]
    return drawn or [max(range(len(weights)), key=lambda number: weights[number])]


def answer_rows(rows: Sequence[PairRow]) -> list[AnswerRow]:
    """Each chosen answer as a liked one, and each rejected answer as a disliked one."""
    return [
        AnswerRow(row.prompt, answer, liked)
        for row in rows
        for answer, liked in ((row.chosen, True), (row.rejected, False))
        if answer is not None
    ]


@dataclass
class PairCollator:
    """Batches of pairs as DPOTrainer takes them; each dataset row holds the `number` of a pair."""

    rows: Sequence[PairRow]
    pad: int
    seen: int = 0
    """Tokens collated so far, without padding."""

    def __call__(self, numbers: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        chosen = [self.rows[each["number"]] for each in numbers]
        batch: dict[str, Any] = DataCollatorForPreference(pad_token_id=self.pad)(
            [
                {"prompt_ids": row.prompt, "chosen_ids": row.chosen, "rejected_ids": row.rejected}
                for row in chosen
            ]
        )
        self.seen += int(batch["attention_mask"].sum())
        return batch


@dataclass
class AnswerCollator:
    """Batches of single answers as KTOTrainer takes them.

    Its KL term needs mismatched prompts and answers; as in TRL, each prompt gets the answer before it.
    """

    rows: Sequence[AnswerRow]
    pad: int
    seen: int = 0

    def __call__(self, numbers: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        chosen = [self.rows[each["number"]] for each in numbers]
        shifted = [chosen[-1], *chosen[:-1]]
        batch: dict[str, Any] = DataCollatorForUnpairedPreference(pad_token_id=self.pad)(
            [
                {
                    "prompt_ids": row.prompt,
                    "completion_ids": row.completion,
                    "KL_completion_ids": other.completion,
                    "label": row.liked,
                }
                for row, other in zip(chosen, shifted, strict=True)
            ]
        )
        self.seen += int(batch["attention_mask"].sum())
        return batch


def replay_batches(
    rows: Sequence[Encoded], pad: int, window: float, *, size: int, seed: int
) -> Iterator[dict[str, torch.Tensor]]:
    """Endless batches of replayed answers of similar length; none without rows."""
    if not rows or not size:
        return
    rng = random.Random(f"replay {seed}")
    lengths = [len(row.tokens) for row in rows]
    for _ in itertools.count():
        for numbers in grouped_batches(range(len(rows)), lengths, size, rng):
            yield collate([rows[number] for number in numbers], pad, window)
