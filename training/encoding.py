"""Owns the way from examples to padded tensors, and from these to what a model makes of them.

Shared by all training backends; how the loss uses it is in `loss`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from transformers import PreTrainedTokenizerBase

from agent.engine import defused
from memory.records import Record
from training.errors import BaseModelUnusable, CurriculumRefused
from training.trainer import Example

IGNORED = -100
"""Label of a position that is not learned, as everywhere in transformers."""


class Encoded(Record):
    """One example in tokens: the last `answer` of them are learned, end-of-turn included."""

    tokens: tuple[int, ...]
    answer: int
    held: bool
    rehearsed: bool


def encode(tokenizer: PreTrainedTokenizerBase, example: Example, limit: int = 1024) -> Encoded:
    """Tokens of the templated conversation, cut after the answer's end-of-turn.

    Raises CurriculumRefused for an example of more than `limit` tokens, and BaseModelUnusable for a chat
    template whose prompt is not a prefix of the whole conversation.
    """
    user = {"role": "user", "content": defused(example.question)}
    reply = {"role": "assistant", "content": defused(example.answer)}
    prompt = _templated(tokenizer, [user], opening=True)
    whole = _templated(tokenizer, [user, reply], opening=False)
    if whole[: len(prompt)] != prompt:
        raise BaseModelUnusable(
            "its chat template changes the question once it is answered: use another model or template"
        )
    answer = whole[len(prompt) :]
    enders = _end_tokens(tokenizer)
    ends = [i for i, token in enumerate(answer) if token in enders]
    if ends:
        answer = answer[: ends[0] + 1]
    if len(prompt) + len(answer) > limit:
        raise CurriculumRefused(
            f"an example of {len(prompt) + len(answer)} tokens exceeds {limit}: split long sentences"
        )
    return Encoded(
        tokens=(*prompt, *answer),
        answer=len(answer),
        held=example.held,
        rehearsed=example.rehearsed,
    )


def _templated(
    tokenizer: PreTrainedTokenizerBase, messages: list[dict[str, str]], *, opening: bool
) -> list[int]:
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=opening)
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def _end_tokens(tokenizer: PreTrainedTokenizerBase) -> set[int]:
    names = ("<end_of_turn>", "<|im_end|>", "<|eot_id|>", str(tokenizer.eos_token))
    found = {tokenizer.convert_tokens_to_ids(name) for name in names}  # all of the vocabulary would take 2 ms
    return {token for token in found if isinstance(token, int)} - {tokenizer.unk_token_id}


@dataclass
class Collator:
    """Pads a batch on the left, so that all answers end together and only their logits are computed."""

    pad: int
    seen: int = 0
    """Tokens collated so far, without padding."""

    def __call__(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, torch.Tensor]:
        """`rows` hold what `Encoded` does. Returns `input_ids`, `attention_mask` and `position_ids`
        [batch, length], `labels` [batch, longest answer], aligned right, `held` and
        `rehearsed` [batch].
        """
        length = max(len(row["tokens"]) for row in rows)
        kept = max(row["answer"] for row in rows)
        tokens = torch.full((len(rows), length), self.pad)
        mask = torch.zeros((len(rows), length), dtype=torch.long)
        labels = torch.full((len(rows), kept), IGNORED)
        for i, row in enumerate(rows):
            ids = torch.tensor(row["tokens"])
            tokens[i, length - len(ids) :] = ids
            mask[i, length - len(ids) :] = 1
            labels[i, kept - row["answer"] :] = ids[-row["answer"] :]
            self.seen += len(ids)
        return {
            "input_ids": tokens,
            "attention_mask": mask,
            "position_ids": (mask.cumsum(1) - 1).clamp(min=0),
            "labels": labels,
            "held": torch.tensor([row["held"] for row in rows]),
            "rehearsed": torch.tensor([row["rehearsed"] for row in rows]),
        }


class Seen(NamedTuple):
    """What a model makes of a batch."""

    logits: torch.Tensor
    """Of the tokens that follow: [batch, longest answer, vocabulary], aligned right."""
    states: torch.Tensor
    """Last hidden states of all tokens: [batch, length, hidden]."""


def look(model: torch.nn.Module, batch: Mapping[str, torch.Tensor]) -> Seen:
    """Runs the model over a batch of the collator's."""
    kept = batch["labels"].shape[1]
    output = model(
        input_ids=batch["input_ids"],
        attention_mask=batch["attention_mask"],
        position_ids=batch["position_ids"],
        logits_to_keep=kept + 1,
        output_hidden_states=True,
        use_cache=False,
    )
    return Seen(output.logits[:, -kept - 1 : -1], output.hidden_states[-1])


def only(rows: torch.Tensor, batch: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The batch's rows for which `rows` [batch] is true, in their order and with their padding."""
    return {name: tensor[rows] for name, tensor in batch.items()}
