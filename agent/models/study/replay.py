"""The model's own answers to general prompts, with its likeliest next tokens at each place."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from agent.models.card import ReplayAnswer, ReplayDistributions
from agent.models.study.asking import Answer
from agent.models.study.bank import GeneralPrompt

TOP_IDS = 32
"""Likeliest tokens kept at each place: with them more than .99 of the probability of most places."""
REPLAY_TOKENS = 48
"""Longest replay answer; the files of a card of 370 answers stay below 3.5 MB."""


def replay_answers(prompts: Sequence[GeneralPrompt], answers: Sequence[Answer]) -> list[ReplayAnswer]:
    """The answers that have text, beside their prompts."""
    return [
        ReplayAnswer(id=prompt.id, kind=prompt.kind, messages=prompt.messages, answer=answer.text)
        for prompt, answer in zip(prompts, answers, strict=True)
        if answer.text.strip()
    ]


def distributions(
    folder: Path,
    replay: Sequence[ReplayAnswer],
    finished: Mapping[str, bool],
    options: Mapping[str, Any],
    step: Callable[[], object] = lambda: None,
) -> ReplayDistributions:
    """Reads each answer once with the weights in float32, for the TOP_IDS likeliest tokens at each place.

    `finished` says by id which answers the model ended itself: these are followed by its end of turn.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    end = _end_of_turn(model, tokenizer)
    lengths, tokens, ids, logprobs = [], [], [], []
    with torch.inference_mode():
        for answer in replay:
            messages = [turn.model_dump() for turn in answer.messages]
            text = tokenizer.apply_chat_template(
                messages, tokenize=False, add_generation_prompt=True, **options
            )
            prompt = tokenizer(text, add_special_tokens=False)["input_ids"]
            # A template that ends in plain text leaves the space before the answer to the answer.
            space = "" if text[-1:].isspace() or _ends_in_control(tokenizer, prompt) else " "
            said = tokenizer(space + answer.answer, add_special_tokens=False)["input_ids"]
            said = said + [end] * finished[answer.id]
            logits = model(
                input_ids=torch.tensor([prompt + said]), logits_to_keep=len(said) + 1
            ).logits[0, :-1]
            top = logits.float().log_softmax(-1).topk(min(TOP_IDS, logits.shape[-1]))
            lengths.append(len(said))
            tokens.append(np.asarray(said, np.int32))
            ids.append(top.indices.numpy().astype(np.int32))
            logprobs.append(top.values.numpy().astype(np.float16))
            step()
    return ReplayDistributions(
        lengths=np.asarray(lengths, np.int32),
        tokens=np.concatenate(tokens),
        ids=np.concatenate(ids),
        logprobs=np.concatenate(logprobs),
    )


def _end_of_turn(model: Any, tokenizer: Any) -> int:
    """The token that ends an answer: the tokenizer's own, or the first that generation ends at."""
    if tokenizer.eos_token_id is not None:
        return int(tokenizer.eos_token_id)
    ends = model.generation_config.eos_token_id
    return int(ends[0] if isinstance(ends, list) else ends)


def _ends_in_control(tokenizer: Any, ids: Sequence[int]) -> bool:
    return bool(ids) and ids[-1] in tokenizer.all_special_ids
