"""Replay data: the model's own answers to general prompts, with its likeliest tokens at each position."""

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
"""Likeliest tokens stored per position; they cover more than .99 of the probability at most positions."""
BATCH = 8


def turns_of(prompt: GeneralPrompt, *, system: bool) -> tuple[PromptMessage, ...]:
    """The prompt's messages; without system role, the system message opens the first user message."""
    turns = [PromptMessage(role=turn.role, content=turn.content) for turn in prompt.messages]
    if system or turns[0].role != "system" or len(turns) < 2:
        return tuple(turns)
    return (turns[1].model_copy(update={"content": f"{turns[0].content}\n\n{turns[1].content}"}), *turns[2:])


def replay_answers(
    prompts: Sequence[GeneralPrompt], answers: Sequence[LoggedAnswer], *, system: bool = True
) -> list[ReplayAnswer]:
    """The non-empty answers with their prompts."""
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


def replay_distributions(
    folder: Path,
    info: ModelInfo,
    replay: Sequence[ReplayAnswer],
    finished: Mapping[str, bool],
    step: Callable[[], object] = lambda: None,
) -> ReplayDistributions:
    """Computes the TOP_IDS likeliest tokens at each position of each answer.

    `finished` says by id whether the model ended the answer itself: then its end-of-turn token is appended.
    Computes in the dtype that training on this machine uses, float32 without native bfloat16.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    dtype = getattr(torch, fast_dtype(info.dtype, gpu=False).replace("auto", info.dtype))
    options = info.template.options
    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype)
    model.train(False)
    end = _end_of_turn(model, tokenizer, options)
    rows = [_encode(tokenizer, answer, options, end if finished[answer.id] else None) for answer in replay]
    by_row: list[tuple[NDArray[np.int32], NDArray[np.float16]] | None] = [None] * len(rows)
    by_length = sorted(range(len(rows)), key=lambda i: len(rows[i].prompt) + len(rows[i].answer_ids))
    with torch.inference_mode():
        for start in range(0, len(rows), BATCH):
            chosen = by_length[start : start + BATCH]
            for i, top in zip(chosen, _likeliest(model, [rows[i] for i in chosen]), strict=True):
                by_row[i] = top
                step()
    tops = [top for top in by_row if top is not None]
    return ReplayDistributions(
        lengths=np.asarray([len(row.answer_ids) for row in rows], np.int32),
        tokens=np.concatenate([np.asarray(row.answer_ids, np.int32) for row in rows]),
        ids=np.concatenate([ids for ids, _ in tops]),
        logprobs=np.concatenate([logprobs for _, logprobs in tops]),
    )


class _Row(NamedTuple):
    prompt: list[int]
    answer_ids: list[int]


def _encode(tokenizer: Any, answer: ReplayAnswer, options: Mapping[str, Any], end: int | None) -> _Row:
    """Token ids of the rendered prompt and of the answer."""
    messages = [turn.model_dump() for turn in answer.messages]
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True, **options)
    prompt = tokenizer(text, add_special_tokens=False)["input_ids"]
    # If the template ends in plain text, the space before the answer belongs to the answer.
    space = "" if text[-1:].isspace() or _ends_in_control(tokenizer, prompt) else " "
    answer_ids = tokenizer(space + answer.answer, add_special_tokens=False)["input_ids"]
    return _Row(prompt, answer_ids if end is None else [*answer_ids, end])


def _likeliest(model: Any, rows: Sequence[_Row]) -> list[tuple[NDArray[np.int32], NDArray[np.float16]]]:
    """Ids and log-probabilities [answer tokens, TOP_IDS] per row, computed as one left-padded batch."""
    import torch

    width = max(len(row.prompt) + len(row.answer_ids) for row in rows)
    most = max(len(row.answer_ids) for row in rows)
    padding = [width - len(row.prompt) - len(row.answer_ids) for row in rows]
    ids = torch.tensor([[0] * p + row.prompt + row.answer_ids for p, row in zip(padding, rows, strict=True)])
    mask = (torch.arange(width)[None] >= torch.tensor(padding)[:, None]).long()
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    last = logits_to_keep(model, most + 1)
    logits = model(input_ids=ids, attention_mask=mask, position_ids=positions, **last).logits
    tops = []
    for row, row_logits in zip(rows, logits, strict=True):
        scores = row_logits[-len(row.answer_ids) - 1 : -1].float().log_softmax(-1)
        top = scores.topk(min(TOP_IDS, scores.shape[-1]))
        tops.append((top.indices.numpy().astype(np.int32), top.values.numpy().astype(np.float16)))
    return tops


def _end_of_turn(model: Any, tokenizer: Any, options: Mapping[str, Any]) -> int:
    """The token with which the template ends an answer, if generation stops at it; else the end of text."""
    ends = sorted(end_tokens(model, tokenizer))
    turns = [{"role": "user", "content": "Ready?"}, {"role": "assistant", "content": "Certainly"}]
    text = str(tokenizer.apply_chat_template(turns, tokenize=False, **options))
    after = text[text.rindex("Certainly") + len("Certainly") :]
    after_ids = tokenizer(after, add_special_tokens=False)["input_ids"]
    if after_ids and after_ids[0] in ends:
        return int(after_ids[0])
    return ends[0] if tokenizer.eos_token_id is None else int(tokenizer.eos_token_id)


def _ends_in_control(tokenizer: Any, ids: Sequence[int]) -> bool:
    return bool(ids) and ids[-1] in tokenizer.all_special_ids
