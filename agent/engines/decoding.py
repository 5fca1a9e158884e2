"""Batched decoding with a causal language model: tokens, log-probabilities, exact entropies.

It knows no adapters and no concurrency; the caller has prepared the model and the prompts.
"""

import inspect
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import torch
from transformers import DynamicCache, PreTrainedModel, PreTrainedTokenizerBase

from agent.engines.base import Alternative, Sampling, Token
from agent.engines.entropy import TOP_LOGPROBS, entropy_bounds
from agent.engines.tokens import cut_at_stop
from agent.errors import EngineError

ENDED = 1 / 8
"""Share of a batch's rows that have to end before it is made smaller, for which its cache is copied."""
SHARED = 8
"""Fewer tokens that all prompts of a batch begin with are not worth a call of the model."""


@dataclass(frozen=True)
class DecodingRequest:
    """Token ids to continue, and how; `sink` is called with each token as soon as it is certain.

    Once `wanted` says no, nobody reads the answer: it ends where it is.
    """

    ids: Sequence[int]
    sampling: Sampling
    sink: Callable[[Token], None] | None = None
    wanted: Callable[[], bool] = lambda: True


@dataclass(frozen=True)
class DecodedAnswer:
    """What followed a prompt, without end-of-turn and stop strings."""

    tokens: tuple[Token, ...]
    finish_reason: Literal["stop", "length"]


def context_length(model: PreTrainedModel) -> int:
    """The most tokens, prompt and answer together, that the model was made for."""
    return int(model.config.get_text_config().max_position_embeddings)


def end_tokens(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> frozenset[int]:
    """Ids that end an answer: those of the generation config, and the tokenizer's own."""
    config = model.generation_config
    ends = config.eos_token_id if config is not None else None
    several = ends if isinstance(ends, list) else [ends]
    return frozenset(int(end) for end in (*several, tokenizer.eos_token_id) if end is not None)


def control_tokens(tokenizer: PreTrainedTokenizerBase) -> tuple[str, ...]:
    """The tokenizer's special tokens, as text: what marks turns and ends, and no person may write."""
    added = tokenizer.added_tokens_decoder.values()
    return tuple(sorted({token.content for token in added if token.special}))


def speed_up_head(model: PreTrainedModel) -> None:
    """Makes the output layer's input contiguous, without which PyTorch copies its weights for every row.

    `logits_to_keep` cuts a slice out of each row, and a product with a slice goes row by row. Measured on two
    cores, with 135 million parameters and a vocabulary of 49,152: 4.2 s a training step, and 5.4 s with the
    copies.
    """
    head = model.get_output_embeddings()  # type: ignore[no-untyped-call]  # transformers leaves it untyped
    if head is not None:
        head.register_forward_pre_hook(lambda _, inputs: (inputs[0].contiguous(), *inputs[1:]))


def logits_to_keep(model: Any, count: int) -> dict[str, int]:
    """The argument by which `model` computes its last `count` logits only; none where it cannot, and then all
    of them come back. Without it, a large vocabulary times a long prompt fills memory.
    """
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model  # PEFT hides its signature
    takes = "logits_to_keep" in inspect.signature(inner.forward).parameters
    return {"logits_to_keep": count} if takes else {}


def attention_window(model: PreTrainedModel) -> float:
    """Tokens that every layer of the model looks back over.

    Padding between a shared beginning and the rest of a prompt takes room in it, so what may be longer shares
    no beginning.
    """
    return getattr(model.config.get_text_config(), "sliding_window", None) or math.inf


def shared_prefix(rows: Sequence[Sequence[int]], most: int) -> int:
    """How many first tokens all rows have in common, up to `most`; 0 where that saves little.

    Chat templates put a system message there, which is then computed once for the whole batch.
    """
    if len(rows) < 2:
        return 0
    first, *_, last = sorted(map(tuple, rows))  # of all rows, these two have least in common
    same = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
    return min(same, most) if min(same, most) >= SHARED else 0


@torch.inference_mode()
def complete(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[DecodingRequest],
    ends: frozenset[int],
) -> list[DecodedAnswer]:
    """Continues all prompts as one left-padded batch with a key-value cache; results in the prompts' order.

    Entropies are bounds from the TOP likeliest tokens of the softmax over raw float32 logits, before
    temperature, as a served engine reports them: a gate fitted here holds there.
    Rows that have ended leave the batch together, see ENDED. Raises EngineError if the model's arithmetic
    overflows.
    """
    rows = [_Row(prompt, tokenizer) for prompt in prompts]
    live = list(range(len(rows)))
    most = max(prompt.sampling.max_tokens or math.inf for prompt in prompts)
    begun = _prefill(model, [prompt.ids for prompt in prompts], most)
    logits, cache, mask, positions = begun.logits, begun.cache, begun.mask, begun.positions
    narrow = logits_to_keep(model, 1)
    while True:
        chosen = _choose(logits, [rows[i] for i in live])
        logprobs = logits.log_softmax(-1)
        picked = logprobs.gather(-1, chosen[:, None])[:, 0].tolist()
        _require_numbers(picked)
        likeliest = _likeliest(logprobs)
        vocabulary = logprobs.shape[-1]
        for place, (token, logprob) in enumerate(zip(chosen.tolist(), picked, strict=True)):
            row = rows[live[place]]
            if not row.finished:
                row.accept(token, logprob, vocabulary, ends, likeliest[place])
        keep = [place for place, i in enumerate(live) if not rows[i].finished]
        if not keep:
            return [row.completion() for row in rows]
        if len(live) - len(keep) >= len(live) * ENDED:
            kept = torch.tensor(keep, device=model.device)
            cache.batch_select_indices(kept)
            live = [live[place] for place in keep]
            chosen, mask, positions = chosen[kept], mask[kept], positions[kept]
        positions = positions[:, -1:] + 1
        mask = torch.cat([mask, mask.new_ones(len(live), 1)], dim=-1)
        answer = model(
            input_ids=chosen[:, None],
            attention_mask=mask,
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
            **narrow,
        )
        logits = answer.logits[:, -1].float()


@torch.inference_mode()
def ending_logprobs(model: PreTrainedModel, rows: Sequence[Sequence[int]]) -> list[float]:
    """Natural log-probability of each row's last token after the others, of which there is at least one.

    The rows are one batch; what they all begin with is computed once, and logits for the last place only.
    Raises EngineError if the model's arithmetic overflows.
    """
    logprobs = _prefill(model, [row[:-1] for row in rows], 0).logits.log_softmax(-1)
    last = torch.tensor([row[-1] for row in rows], device=logprobs.device)
    found: list[float] = logprobs.gather(-1, last[:, None])[:, 0].tolist()
    _require_numbers(found)
    return found


class _Prefilled(NamedTuple):
    """A batch of prompts, read to their ends."""

    logits: torch.Tensor
    """Of the next token, [rows, vocabulary] in float32."""
    cache: DynamicCache
    mask: torch.Tensor
    positions: torch.Tensor


def _prefill(model: PreTrainedModel, rows: Sequence[Sequence[int]], most: float) -> _Prefilled:
    """Reads token ids as one left-padded batch, to which `most` further tokens a row may be added."""
    lengths = [len(row) for row in rows]
    shared = shared_prefix(rows, min(lengths) - 1)
    if max(lengths) + most > attention_window(model):
        shared = 0
    longest = max(lengths) - shared
    padded = [[0] * (longest + shared - len(row)) + list(row[shared:]) for row in rows]
    ids = torch.tensor(padded, device=model.device)
    padding = longest + shared - torch.tensor(lengths, device=model.device)
    mask = (torch.arange(longest, device=model.device) >= padding[:, None]).long()
    mask = torch.cat([mask.new_ones(len(rows), shared), mask], dim=-1)
    positions = (mask.cumsum(-1) - 1).clamp(min=0)[:, shared:]
    cache = DynamicCache(config=model.config)
    narrow = logits_to_keep(model, 1)
    if shared:
        beginning = torch.tensor([list(rows[0][:shared])], device=model.device)
        model(input_ids=beginning, past_key_values=cache, use_cache=True, **narrow)
        cache.batch_repeat_interleave(len(rows))
    answer = model(
        input_ids=ids,
        attention_mask=mask,
        position_ids=positions,
        past_key_values=cache,
        use_cache=True,
        **narrow,
    )
    return _Prefilled(answer.logits[:, -1].float(), cache, mask, positions)


class _Row:
    """One prompt's answer while it grows."""

    def __init__(self, prompt: DecodingRequest, tokenizer: PreTrainedTokenizerBase) -> None:
        self.prompt = prompt
        self.generator = torch.Generator().manual_seed(prompt.sampling.seed)
        self.finished: Literal["stop", "length"] | None = None
        self._tokenizer = tokenizer
        self._ids: list[int] = []
        self._tokens: list[Token] = []
        self._clean = 0  # ids before this one decode to whole characters
        self._sent = 0
        self._held = max((len(word) for word in prompt.sampling.stop), default=1) - 1

    def accept(
        self,
        token: int,
        logprob: float,
        vocabulary: int,
        ends: frozenset[int],
        likeliest: Sequence[tuple[int, float]],
    ) -> None:
        """Takes the next token and the likeliest ids for its place."""
        sampling = self.prompt.sampling
        if token in ends or not self.prompt.wanted():
            self.finished = "stop"
        else:
            entropy = entropy_bounds([min(value, 0.0) for _, value in likeliest], vocabulary)
            self._ids.append(token)
            others = tuple(
                Alternative(text=str(self._tokenizer.decode([id])), logprob=min(value, 0.0))
                for id, value in likeliest[: sampling.top_logprobs]
            )
            self._tokens.append(
                Token(text="", logprob=min(logprob, 0.0), entropy=entropy, alternatives=others)
            )
            if len(self._tokens) == sampling.max_tokens:
                self.finished = "length"
        self._label(last=self.finished is not None)
        if sampling.stop and (cut := cut_at_stop(self._tokens, sampling.stop)) is not None:
            self._tokens, self.finished = list(cut), "stop"
        self._send()

    def completion(self) -> DecodedAnswer:
        """The finished answer."""
        assert self.finished is not None
        return DecodedAnswer(tokens=tuple(self._tokens), finish_reason=self.finished)

    def _label(self, *, last: bool) -> None:
        """Gives the newest token its text; one that ends inside a character waits for the rest of it."""
        fresh = self._ids[self._clean :]
        if not fresh:
            return
        before = self._ids[max(0, self._clean - 1) : self._clean]
        known = self._tokenizer.decode(before) if before else ""
        text = str(self._tokenizer.decode(before + fresh))[len(known) :]
        if not any(token.text for token in self._tokens):  # an answer begins with no space
            text = text.lstrip()
        if last or not text.endswith("\ufffd"):
            self._tokens[-1] = self._tokens[-1].model_copy(update={"text": text})
            self._clean = len(self._ids)

    def _send(self) -> None:
        if self.prompt.sink is None:
            return
        certain = sum(len(token.text) for token in self._tokens) - (0 if self.finished else self._held)
        place = sum(len(token.text) for token in self._tokens[: self._sent])
        for token in self._tokens[self._sent :]:
            place += len(token.text)
            if place > certain:
                return
            self.prompt.sink(token)
            self._sent += 1


def _require_numbers(logprobs: Sequence[float]) -> None:
    if not all(math.isfinite(logprob) for logprob in logprobs):
        raise EngineError(
            "the model's answer is no number: its weights, or its adapter's, are damaged or far too large"
        )


def _choose(logits: torch.Tensor, rows: Sequence[_Row]) -> torch.Tensor:
    """Next ids [rows]: the likeliest, or for rows with a temperature a draw from their own generator."""
    chosen = logits.argmax(-1)
    for place, row in enumerate(rows):
        temperature = row.prompt.sampling.temperature
        if temperature > 0:
            weights = _nucleus((logits[place] / temperature).softmax(-1).cpu(), row.prompt.sampling.top_p)
            chosen[place] = torch.multinomial(weights, 1, generator=row.generator)[0]
    return chosen


def _nucleus(weights: torch.Tensor, share: float) -> torch.Tensor:
    """The weights [vocabulary] of the likeliest tokens that make up `share` of all; 0 for the others."""
    if share >= 1.0:
        return weights
    ordered, ids = weights.sort(descending=True)
    outside = ordered.cumsum(-1) - ordered >= share  # the likeliest is always inside
    return weights.index_fill(-1, ids[outside], 0.0)


def _likeliest(logprobs: torch.Tensor) -> list[list[tuple[int, float]]]:
    """For each row the TOP likeliest ids with their log-probabilities."""
    values, ids = logprobs.topk(min(TOP_LOGPROBS, logprobs.shape[-1]), dim=-1)
    return [list(zip(i, v, strict=True)) for i, v in zip(ids.tolist(), values.tolist(), strict=True)]
