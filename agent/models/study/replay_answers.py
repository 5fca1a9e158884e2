"""The model's own answers to general prompts, with its likeliest next tokens at each place."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from agent.engines.decoding import end_tokens, logits_to_keep
from agent.engines.vllm.server import fast_dtype
from agent.models.bank.records import GeneralPrompt
from agent.models.card import PromptMessage, ReplayAnswer, ReplayDistributions
from agent.models.study.answer_log import LoggedAnswer
from agent.models.study.model_files import ModelInfo

TOP_IDS = 32
"""Likeliest tokens kept at each place: with them more than .99 of the probability of most places."""
BATCH = 8


def turns_of(prompt: GeneralPrompt, *, system: bool) -> tuple[PromptMessage, ...]:
    """The prompt's messages; where there can be no system message, it opens the first user message."""
    turns = [PromptMessage(role=turn.role, content=turn.content) for turn in prompt.messages]
    if system or turns[0].role != "system" or len(turns) < 2:
        return tuple(turns)
    return (turns[1].model_copy(update={"content": f"{turns[0].content}\n\n{turns[1].content}"}), *turns[2:])


def replay_answers(
    prompts: Sequence[GeneralPrompt], answers: Sequence[LoggedAnswer], *, system: bool = True
) -> list[ReplayAnswer]:
    """The answers that have text, beside their prompts."""
    return [
        ReplayAnswer(
            id=prompt.id,
            kind=prompt.kind,
            messages=turns_of(prompt, system=system),
            answer=answer.text,
        )
        for prompt, answer in zip(prompts, answers, strict=True)
        if answer.text.strip()
    ]


def distributions(
    folder: Path,
    inspected: ModelInfo,
    replay: Sequence[ReplayAnswer],
    finished: Mapping[str, bool],
    step: Callable[[], object] = lambda: None,
) -> ReplayDistributions:
    """Reads each answer once, for the TOP_IDS likeliest tokens at each of its places.

    `finished` says by id which answers the model ended itself: these are followed by its end of turn. It
    computes in the dtype that training on this machine will, float32 where bfloat16 is not native.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    dtype = getattr(torch, fast_dtype(inspected.dtype, gpu=False).replace("auto", inspected.dtype))
    options = inspected.template.options
    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype)
    model.train(False)
    end = _end_of_turn(model, tokenizer, options)
    rows = [_encode(tokenizer, answer, options, end if finished[answer.id] else None) for answer in replay]
    found: list[tuple[NDArray[np.int32], NDArray[np.float16]] | None] = [None] * len(rows)
    by_length = sorted(range(len(rows)), key=lambda i: len(rows[i].prompt) + len(rows[i].said))
    with torch.inference_mode():
        for start in range(0, len(rows), BATCH):
            chosen = by_length[start : start + BATCH]
            for i, top in zip(chosen, _likeliest(model, [rows[i] for i in chosen]), strict=True):
                found[i] = top
                step()
    tops = [top for top in found if top is not None]
    return ReplayDistributions(
        lengths=np.asarray([len(row.said) for row in rows], np.int32),
        tokens=np.concatenate([np.asarray(row.said, np.int32) for row in rows]),
        ids=np.concatenate([ids for ids, _ in tops]),
        logprobs=np.concatenate([logprobs for _, logprobs in tops]),
    )


class _Row(NamedTuple):
    prompt: list[int]
    said: list[int]


def _encode(tokenizer: Any, answer: ReplayAnswer, options: Mapping[str, Any], end: int | None) -> _Row:
    """The tokens of a prompt as the model sees it, and of the answer."""
    messages = [turn.model_dump() for turn in answer.messages]
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True, **options)
    prompt = tokenizer(text, add_special_tokens=False)["input_ids"]
    # A template that ends in plain text leaves the space before the answer to the answer.
    space = "" if text[-1:].isspace() or _ends_in_control(tokenizer, prompt) else " "
    said = tokenizer(space + answer.answer, add_special_tokens=False)["input_ids"]
    return _Row(prompt, said if end is None else [*said, end])


def _likeliest(model: Any, rows: Sequence[_Row]) -> list[tuple[NDArray[np.int32], NDArray[np.float16]]]:
    """Ids and log-probabilities [answer tokens, TOP_IDS] of each row, read as one left-padded batch."""
    import torch

    wide = max(len(row.prompt) + len(row.said) for row in rows)
    most = max(len(row.said) for row in rows)
    padding = [wide - len(row.prompt) - len(row.said) for row in rows]
    ids = torch.tensor([[0] * p + row.prompt + row.said for p, row in zip(padding, rows, strict=True)])
    mask = (torch.arange(wide)[None] >= torch.tensor(padding)[:, None]).long()
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    last = logits_to_keep(model, most + 1)
    logits = model(input_ids=ids, attention_mask=mask, position_ids=positions, **last).logits
    tops = []
    for row, of_row in zip(rows, logits, strict=True):
        scores = of_row[-len(row.said) - 1 : -1].float().log_softmax(-1)
        top = scores.topk(min(TOP_IDS, scores.shape[-1]))
        tops.append((top.indices.numpy().astype(np.int32), top.values.numpy().astype(np.float16)))
    return tops


def _end_of_turn(model: Any, tokenizer: Any, options: Mapping[str, Any]) -> int:
    """The token by which the template ends an answer, if generation ends at it; else the end of a text."""
    ends = sorted(end_tokens(model, tokenizer))
    turns = [{"role": "user", "content": "Ready?"}, {"role": "assistant", "content": "Certainly"}]
    text = str(tokenizer.apply_chat_template(turns, tokenize=False, **options))
    after = text[text.rindex("Certainly") + len("Certainly") :]
    following = tokenizer(after, add_special_tokens=False)["input_ids"]
    if following and following[0] in ends:
        return int(following[0])
    return ends[0] if tokenizer.eos_token_id is None else int(tokenizer.eos_token_id)


def _ends_in_control(tokenizer: Any, ids: Sequence[int]) -> bool:
    return bool(ids) and ids[-1] in tokenizer.all_special_ids
