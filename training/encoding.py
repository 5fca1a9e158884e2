"""Tokenizes and pads training examples, and computes a model's logits of their answers, for all backends."""

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
"""Label of a position that is not learned, as in transformers."""
_PLACEHOLDER = "zebra"
"""Stands in for an answer to find out what the chat template puts around it."""


@dataclass(frozen=True, eq=False)
class Encoded:
    """A tokenized example."""

    tokens: tuple[int, ...]
    answer: int
    """How many of the last tokens are learned, including the end of turn; 0 for a distilled example whose
    prompt leaves no room for an answer."""
    ids: NDArray[np.int32] | None = None
    """For a distilled example, the base model's likeliest tokens at each position: [answer, k]."""
    logprobs: NDArray[np.float16] | None = None
    """Their log-probabilities: [answer, k]."""

    @property
    def distilled(self) -> bool:
        """Whether it is trained towards the base model's distribution."""
        return self.ids is not None


class Framing(NamedTuple):
    """What a chat template puts around an answer."""

    before: str
    """Between the prompt and the answer, such as a space."""
    end: int
    """The token that ends the answer."""


class Encoder:
    """Tokenizes conversations exactly as the model is served."""

    def __init__(
        self, tokenizer: PreTrainedTokenizerBase, template: ChatTemplate, ends: frozenset[int], limit: int
    ) -> None:
        """`ends` are the token ids that end an answer; `limit` is the maximum length of an example.

        Raises BaseModelUnusable if the chat template drops answers or no token ends them.
        """
        self._tokenizer = tokenizer
        self._template = template
        self._limit = limit
        self._control = control_tokens(tokenizer)
        self._framing = self._find_framing(ends)

    def encode(self, example: Example, longest: int | None = None) -> Encoded:
        """Tokenizes an example; a distilled answer is cut to `longest` tokens and to what the limit allows.

        Raises CurriculumRefused for a taught example longer than the limit.
        """
        prompt = self._text(example.messages)
        distribution = example.distribution
        if distribution is not None:
            ids = self._ids(prompt)
            length = self._distilled_length(len(distribution.tokens), longest, ids)
            tokens = (*ids, *distribution.tokens[:length].tolist())
            encoded = Encoded(tokens, length, distribution.ids[:length], distribution.logprobs[:length])
        else:
            before, answer = self._framing.before, escape_control_tokens(example.answer, self._control)
            if before.strip():  # part of the prompt, for example an empty thinking block
                prompt, before = prompt + before, ""
            ids = self._ids(prompt)
            answer_ids = [*self._ids(before + answer), self._framing.end]
            if example.distilled:
                answer_ids = answer_ids[: self._distilled_length(len(answer_ids), longest, ids)]
            encoded = Encoded((*ids, *answer_ids), len(answer_ids))
        if not example.distilled and len(encoded.tokens) > self._limit:
            raise CurriculumRefused(
                f"an example of {len(encoded.tokens)} tokens exceeds the limit of {self._limit}: split long"
                " sentences"
            )
        return encoded

    def _distilled_length(self, count: int, longest: int | None, prompt: Sequence[int]) -> int:
        """How many of the `count` tokens of a distilled answer are used after the prompt."""
        room = max(0, self._limit - len(prompt))
        return min(count, room) if longest is None else min(count, room, longest)

    def _find_framing(self, ends: frozenset[int]) -> Framing:
        question = PromptMessage(role="user", content="?")
        prompt = self._text((question,))
        whole = self._text((question, PromptMessage(role="assistant", content=_PLACEHOLDER)), opening=False)
        before, found, after = whole.removeprefix(prompt).rpartition(_PLACEHOLDER)
        if not found:
            raise BaseModelUnusable("the chat template leaves answers out: use another model or template")
        if not whole.startswith(prompt):
            before = ""
        end_tokens = (token for token in self._ids(after) if token in ends)
        end = next(end_tokens, self._tokenizer.eos_token_id)
        if end is None:
            raise BaseModelUnusable("the tokenizer has no end-of-turn token: use another model")
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
    """Pads batches on the left: all answers end at the same position, and only their logits are computed.

    Taught and distilled examples form separate batches, because the latter are longer.
    """

    examples: Sequence[Encoded]
    pad: int
    window: float = math.inf
    """The model's `attention_window`."""
    seen: int = 0
    """Tokens collated so far, without padding."""

    def __call__(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, torch.Tensor]]:
        """Each row holds the `number` of an example. Returns batches under `taught` and `distilled`, if any.

        A batch has `prefix` [shared], the tokens that all rows begin with; `input_ids` and `position_ids`
        [batch, length] of the tokens after it; `attention_mask` [batch, shared + length]; `labels` [batch,
        longest answer], right-aligned; and, if distilled, `ids` and `logprobs` [batch, longest answer, k].
        """
        chosen = [self.examples[row["number"]] for row in rows]
        self.seen += sum(len(example.tokens) for example in chosen)
        parts = {
            "taught": [example for example in chosen if not example.distilled],
            "distilled": [example for example in chosen if example.distilled],
        }
        return {name: collate(part, self.pad, self.window) for name, part in parts.items() if part}


def collate(rows: Sequence[Encoded], pad: int, window: float) -> dict[str, torch.Tensor]:
    """One batch as described in `Collator`; `window` is the model's `attention_window`."""
    shortest_prompt = min(len(row.tokens) - row.answer for row in rows)
    shared = shared_prefix([row.tokens for row in rows], shortest_prompt - 1)  # excludes all answers
    if max(len(row.tokens) for row in rows) > window:
        shared = 0
    length = max(len(row.tokens) for row in rows) - shared
    longest_answer = max(row.answer for row in rows)
    tokens = torch.full((len(rows), length), pad)
    mask = torch.zeros((len(rows), shared + length), dtype=torch.long)
    mask[:, :shared] = 1
    labels = torch.full((len(rows), longest_answer), IGNORED)
    for i, row in enumerate(rows):
        ids = torch.tensor(row.tokens[shared:])
        tokens[i, length - len(ids) :] = ids
        mask[i, shared + length - len(ids) :] = 1
        labels[i, longest_answer - row.answer :] = ids[-row.answer :]
    batch = {
        "prefix": torch.tensor(rows[0].tokens[:shared], dtype=torch.long),
        "input_ids": tokens,
        "attention_mask": mask,
        "position_ids": (mask.cumsum(1) - 1).clamp(min=0)[:, shared:],
        "labels": labels,
    }
    if rows[0].ids is not None:
        batch["ids"] = _stack_right([row.ids for row in rows], longest_answer).long()
        batch["logprobs"] = _stack_right([row.logprobs for row in rows], longest_answer).float()
    return batch


def _stack_right(arrays: Sequence[NDArray[Any] | None], length: int) -> torch.Tensor:
    """Stacks arrays [n, k] into a tensor [arrays, length, k], right-aligned and padded with zeros."""
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
    """The examples with the model's distribution over their answers: the `top` likeliest tokens per position.

    All are computed in one batch and should be of similar length; `window` is the model's `attention_window`.
    """
    device = next(model.parameters()).device
    batch = {name: tensor.to(device) for name, tensor in collate(examples, pad, window).items()}
    logits = answer_logits(model, batch).float().log_softmax(-1)
    likeliest = logits.topk(min(top, logits.shape[-1]))
    ids, logprobs = likeliest.indices.int().cpu().numpy(), likeliest.values.half().cpu().numpy()
    return [
        replace(example, ids=ids[row, -example.answer :], logprobs=logprobs[row, -example.answer :])
        for row, example in enumerate(examples)
    ]


def answer_logits(model: torch.nn.Module, batch: Tensors) -> torch.Tensor:
    """Logits of a batch's answer tokens: [batch, longest answer, vocabulary], right-aligned."""
    longest_answer = batch["labels"].shape[1]
    shared = batch["prefix"].shape[0]
    cache = None
    if shared:  # computes the shared prefix, such as a system message, only once
        first = batch["prefix"][None]
        cache = model(input_ids=first, use_cache=True, **logits_to_keep(model, 1)).past_key_values
        cache.batch_repeat_interleave(len(batch["input_ids"]))
    output = model(
        input_ids=batch["input_ids"],
        attention_mask=batch["attention_mask"],
        position_ids=batch["position_ids"],
        past_key_values=cache,
        use_cache=bool(shared),
        **logits_to_keep(model, longest_answer + 1),
    )
    logits: torch.Tensor = output.logits[:, -longest_answer - 1 : -1]
    return logits
