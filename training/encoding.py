"""Examples as padded tensors, and what a model makes of them; shared by all training backends."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import PreTrainedTokenizerBase

from agent.engines.base import escape_control_tokens
from agent.engines.decoding import control_tokens, logits_to_keep, shared_prefix
from agent.models.card import ChatTemplate, PromptMessage
from training.backends.base import Example
from training.errors import BaseModelUnusable, CurriculumRefused

IGNORED = -100
"""Label of a position that is not learned, as everywhere in transformers."""
_MARK = "zebra"
"""Stands for an answer while the template's way of framing one is found out."""


@dataclass(frozen=True, eq=False)
class Encoded:
    """One example in tokens."""

    tokens: tuple[int, ...]
    answer: int
    """How many of the last tokens are learned, end of turn included; 0 for a held example whose prompt leaves
    no room for an answer."""
    ids: NDArray[np.int32] | None = None
    """Of an own answer, the likeliest tokens in each place: [answer, k]."""
    logprobs: NDArray[np.float16] | None = None

    @property
    def distilled(self) -> bool:
        """Whether it is held to the base model's distribution."""
        return self.ids is not None


class Framing(NamedTuple):
    """What a chat template puts around an answer."""

    before: str
    """Between the prompt and the answer, such as a space."""
    end: int
    """The token that ends the answer."""


class Encoder:
    """Turns conversations into tokens the way that the model is served."""

    def __init__(
        self, tokenizer: PreTrainedTokenizerBase, template: ChatTemplate, ends: frozenset[int], limit: int
    ) -> None:
        """`ends` are the ids that end an answer, `limit` the most tokens of an example.

        Raises BaseModelUnusable for a chat template that does not show the answers it is given.
        """
        self._tokenizer = tokenizer
        self._template = template
        self._limit = limit
        self._control = control_tokens(tokenizer)
        self._framing = self._find_framing(ends)

    def encode(self, example: Example, longest: int | None = None) -> Encoded:
        """Its tokens; of a held answer no more than `longest`, and no more than the limit leaves room for.

        Raises CurriculumRefused for a taught example longer than the limit.
        """
        prompt = self._text(example.messages)
        own = example.distribution
        if own is not None:
            ids = self._ids(prompt)
            kept = self._kept(len(own.tokens), longest, ids)
            tokens = (*ids, *own.tokens[:kept].tolist())
            encoded = Encoded(tokens, kept, own.ids[:kept], own.logprobs[:kept])
        else:
            before, answer = self._framing.before, escape_control_tokens(example.answer, self._control)
            if before.strip():  # not the answer's own words, as where thinking is off
                prompt, before = prompt + before, ""
            ids = self._ids(prompt)
            said = [*self._ids(before + answer), self._framing.end]
            if example.distilled:
                said = said[: self._kept(len(said), longest, ids)]
            encoded = Encoded((*ids, *said), len(said))
        if not example.distilled and len(encoded.tokens) > self._limit:
            raise CurriculumRefused(
                f"an example of {len(encoded.tokens)} tokens exceeds {self._limit}: split long sentences"
            )
        return encoded

    def _kept(self, count: int, longest: int | None, prompt: Sequence[int]) -> int:
        """How many of the `count` tokens of a held answer are looked at after the prompt."""
        room = max(0, self._limit - len(prompt))
        return min(count, room) if longest is None else min(count, room, longest)

    def _find_framing(self, ends: frozenset[int]) -> Framing:
        question = PromptMessage(role="user", content="?")
        prompt = self._text((question,))
        whole = self._text((question, PromptMessage(role="assistant", content=_MARK)), opening=False)
        before, found, after = whole.removeprefix(prompt).rpartition(_MARK)
        if not found:
            raise BaseModelUnusable("its chat template leaves answers out: use another model or template")
        if not whole.startswith(prompt):
            before = ""
        ending = (token for token in self._ids(after) if token in ends)
        end = next(ending, self._tokenizer.eos_token_id)
        if end is None:
            raise BaseModelUnusable("nothing ends an answer: its tokenizer needs an end-of-turn token")
        return Framing(before, int(end))

    def _text(self, messages: Sequence[PromptMessage], *, opening: bool = True) -> str:
        turns = [
            {"role": turn.role, "content": escape_control_tokens(turn.content, self._control)}
            for turn in messages
        ]
        if turns[0]["role"] == "system" and not self._template.system:
            system, first, *rest = turns
            turns = [{**first, "content": f"{system['content']}\n\n{first['content']}"}, *rest]
        options: dict[str, Any] = dict(self._template.options)
        text = self._tokenizer.apply_chat_template(
            turns, tokenize=False, add_generation_prompt=opening, **options
        )
        return str(text)

    def _ids(self, text: str) -> list[int]:
        return list(self._tokenizer(text, add_special_tokens=False)["input_ids"])


Tensors = Mapping[str, torch.Tensor]


@dataclass
class Collator:
    """Pads batches on the left, so that all answers end together and only their logits are computed.

    What is taught and what is held to the base model's answers become batches of their own: the latter are
    longer.
    """

    examples: Sequence[Encoded]
    pad: int
    window: float = math.inf
    """The model's `attention_window`."""
    seen: int = 0
    """Tokens collated so far, without padding."""

    def __call__(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, torch.Tensor]]:
        """`rows` hold the `number` of an example each. Returns `taught` and `held` where there are any, with
        `prefix` [shared], which all rows begin with, `input_ids` and `position_ids` [batch, length] of what
        follows it, `attention_mask` [batch, shared + length], `labels` [batch, longest answer], aligned
        right, and for `held` also `ids` and `logprobs` [batch, longest answer, k].
        """
        chosen = [self.examples[row["number"]] for row in rows]
        self.seen += sum(len(each.tokens) for each in chosen)
        parts = {
            "taught": [each for each in chosen if not each.distilled],
            "distilled": [each for each in chosen if each.distilled],
        }
        return {name: collate(part, self.pad, self.window) for name, part in parts.items() if part}


def collate(rows: Sequence[Encoded], pad: int, window: float) -> dict[str, torch.Tensor]:
    """One batch, as `Collator` describes it; `window` is the model's `attention_window`."""
    prompts = min(len(row.tokens) - row.answer for row in rows)
    shared = shared_prefix([row.tokens for row in rows], prompts - 1)  # no answer is among them
    if max(len(row.tokens) for row in rows) > window:
        shared = 0
    length = max(len(row.tokens) for row in rows) - shared
    kept = max(row.answer for row in rows)
    tokens = torch.full((len(rows), length), pad)
    mask = torch.zeros((len(rows), shared + length), dtype=torch.long)
    mask[:, :shared] = 1
    labels = torch.full((len(rows), kept), IGNORED)
    for i, row in enumerate(rows):
        ids = torch.tensor(row.tokens[shared:])
        tokens[i, length - len(ids) :] = ids
        mask[i, shared + length - len(ids) :] = 1
        labels[i, kept - row.answer :] = ids[-row.answer :]
    batch = {
        "prefix": torch.tensor(rows[0].tokens[:shared], dtype=torch.long),
        "input_ids": tokens,
        "attention_mask": mask,
        "position_ids": (mask.cumsum(1) - 1).clamp(min=0)[:, shared:],
        "labels": labels,
    }
    if rows[0].ids is not None:
        batch["ids"] = _right([row.ids for row in rows], kept).long()
        batch["logprobs"] = _right([row.logprobs for row in rows], kept).float()
    return batch


def _right(arrays: Sequence[NDArray[Any] | None], length: int) -> torch.Tensor:
    """Arrays [n, k] as one tensor [arrays, length, k], aligned right and filled up with zeros."""
    filled = [np.pad(a, ((length - len(a), 0), (0, 0))) for a in arrays if a is not None]
    return torch.from_numpy(np.stack(filled))


@torch.no_grad()
def with_distributions(
    model: torch.nn.Module,
    examples: Sequence[Encoded],
    pad: int,
    *,
    window: float = math.inf,
    top: int = 32,
) -> list[Encoded]:
    """The examples with what `model` thinks of their answers: the `top` likeliest tokens in each place.

    All are read as one batch, so they should be of like length; `window` is the model's `attention_window`.
    """
    device = next(model.parameters()).device
    batch = {name: tensor.to(device) for name, tensor in collate(examples, pad, window).items()}
    logits = answer_logits(model, batch).float().log_softmax(-1)
    found = logits.topk(min(top, logits.shape[-1]))
    ids, logprobs = found.indices.int().cpu().numpy(), found.values.half().cpu().numpy()
    return [
        replace(example, ids=ids[row, -example.answer :], logprobs=logprobs[row, -example.answer :])
        for row, example in enumerate(examples)
    ]


def answer_logits(model: torch.nn.Module, batch: Tensors) -> torch.Tensor:
    """Logits of a batch's answer tokens: [batch, longest answer, vocabulary], aligned right."""
    kept = batch["labels"].shape[1]
    shared = batch["prefix"].shape[0]
    cache = None
    if shared:  # what all prompts begin with, such as a system message, is computed once
        first = batch["prefix"][None]
        cache = model(input_ids=first, use_cache=True, **logits_to_keep(model, 1)).past_key_values
        cache.batch_repeat_interleave(len(batch["input_ids"]))
    output = model(
        input_ids=batch["input_ids"],
        attention_mask=batch["attention_mask"],
        position_ids=batch["position_ids"],
        past_key_values=cache,
        use_cache=bool(shared),
        **logits_to_keep(model, kept + 1),
    )
    logits: torch.Tensor = output.logits[:, -kept - 1 : -1]
    return logits
