"""Owns the way from examples to padded tensors, and what the base model thinks of replayed answers.

Shared by all training backends; how the loss uses it is in `loss`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.nn import functional
from transformers import PreTrainedModel, PreTrainedTokenizerBase

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
    replayed: bool


@dataclass(frozen=True)
class Distribution:
    """The base model's next-token distribution at each answer position of one example.

    `tokens` int64 [answer, k] and `logprobs` float32 [answer, k]: its k likeliest tokens, in nats.
    """

    tokens: torch.Tensor
    logprobs: torch.Tensor


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
    return Encoded(tokens=(*prompt, *answer), answer=len(answer), replayed=example.replayed)


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
    distributions: Mapping[int, Distribution] = field(default_factory=dict)
    """Of replayed examples, by their row number."""
    top_k: int = 1
    seen: int = 0
    """Tokens collated so far, without padding."""

    def __call__(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, torch.Tensor]:
        """`rows` hold tokens, answer, row. Returns tensors of shape [batch, length], and for the replayed
        answers `base_tokens` and `base_logprobs` [batch, longest answer, k], aligned right.
        """
        length = max(len(row["tokens"]) for row in rows)
        kept = max(row["answer"] for row in rows)
        count = len(rows)
        tokens = torch.full((count, length), self.pad)
        mask = torch.zeros((count, length), dtype=torch.long)
        labels = torch.full((count, kept), IGNORED)
        base_tokens = torch.zeros((count, kept, self.top_k), dtype=torch.long)
        base_logprobs = torch.full((count, kept, self.top_k), -torch.inf)
        distilled = torch.zeros((count, kept), dtype=torch.bool)
        for i, row in enumerate(rows):
            ids = torch.tensor(row["tokens"])
            tokens[i, length - len(ids) :] = ids
            mask[i, length - len(ids) :] = 1
            labels[i, kept - row["answer"] :] = ids[-row["answer"] :]
            self.seen += len(ids)
            distribution = self.distributions.get(row["row"])
            if distribution is not None:
                base_tokens[i, kept - row["answer"] :] = distribution.tokens
                base_logprobs[i, kept - row["answer"] :] = distribution.logprobs
                distilled[i, kept - row["answer"] :] = True
        return {
            "input_ids": tokens,
            "attention_mask": mask,
            "position_ids": (mask.cumsum(1) - 1).clamp(min=0),
            "labels": labels,
            "base_tokens": base_tokens,
            "base_logprobs": base_logprobs,
            "distilled": distilled,
        }


def answer_logits(model: torch.nn.Module, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """Logits that predict the answer tokens: [batch, longest answer, vocabulary], aligned right."""
    kept = batch["labels"].shape[1]
    output = model(
        input_ids=batch["input_ids"],
        attention_mask=batch["attention_mask"],
        position_ids=batch["position_ids"],
        logits_to_keep=kept + 1,
        use_cache=False,
    )
    logits: torch.Tensor = output.logits
    return logits[:, -kept - 1 : -1]


@torch.no_grad()
def base_distributions(
    model: PreTrainedModel, rows: Sequence[Mapping[str, Any]], *, pad: int, top_k: int, batch: int
) -> dict[int, Distribution]:
    """What the untouched base model predicts at each position of the replayed answers, by row number."""
    collate = Collator(pad)
    device = next(model.parameters()).device
    replayed = sorted((row for row in rows if row["replayed"]), key=lambda row: len(row["tokens"]))
    found: dict[int, Distribution] = {}
    for start in range(0, len(replayed), batch):
        part = replayed[start : start + batch]
        tensors = {name: value.to(device) for name, value in collate(part).items()}
        logprobs = functional.log_softmax(answer_logits(model, tensors).float(), dim=-1)
        best = logprobs.topk(top_k, dim=-1)
        for i, row in enumerate(part):
            found[row["row"]] = Distribution(
                tokens=best.indices[i, -row["answer"] :].cpu(),
                logprobs=best.values[i, -row["answer"] :].cpu(),
            )
    return found
